//! An answer whose body has not been read yet, and strict framing.

use super::{Answer, Headers, Wire};
use std::io;

/// Bytes asked of the connection at once.
const BLOCK: usize = 16 * 1024;

/// Longest line of chunked framing that is believed.
const MAX_LINE: usize = 256;

/// Why a body is not whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Broken {
    /// The connection was closed before the end that the framing gives.
    Fin,
    /// The connection was reset.
    Reset,
    /// TLS ended without `close_notify`.
    NoCloseNotify,
    /// Nothing came for as long as the client waits.
    Silence,
    /// Not HTTP, or bytes after the end.
    Garbage(String),
}

impl From<io::Error> for Broken {
    fn from(error: io::Error) -> Broken {
        match error.kind() {
            io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe => Broken::Reset,
            io::ErrorKind::UnexpectedEof => Broken::NoCloseNotify,
            io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => Broken::Silence,
            _ => Broken::Garbage(error.to_string()),
        }
    }
}

/// Where in the body the reader stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Framing {
    /// Bytes left.
    Length(u64),
    /// Bytes left of this chunk; 0 before a chunk's head.
    Chunk(u64),
    UntilClose,
    Ended,
}

/// An answer whose head has been read. Dropping it closes the connection.
pub struct Open {
    pub status: u16,
    pub headers: Headers,
    /// 0 for HTTP/1.0, 1 for HTTP/1.1.
    pub minor_version: u8,
    wire: Box<dyn Wire>,
    /// Read but not yet given out.
    buffer: Vec<u8>,
    framing: Framing,
}

impl Open {
    /// Reads the head. Panics when what comes is not HTTP, as no test goes on after that.
    pub(super) fn read_head(mut wire: Box<dyn Wire>, headless: bool) -> Open {
        let mut buffer = Vec::new();
        loop {
            if let Some((status, minor_version, headers, length)) = parse_head(&buffer) {
                buffer.drain(..length);
                if (100..200).contains(&status) {
                    continue;
                }
                let framing = framing(status, &headers, headless);
                return Open { status, headers, minor_version, wire, buffer, framing };
            }
            let came = fill(wire.as_mut(), &mut buffer);
            assert!(came == Ok(true), "no head: {came:?} after {:?}", String::from_utf8_lossy(&buffer));
        }
    }

    /// The first header of that name, in any case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)
    }

    /// The next bytes of the body, at least one and at most `max`; none at its proper end.
    pub fn read(&mut self, max: usize) -> Result<Vec<u8>, Broken> {
        if self.framing == Framing::Chunk(0) {
            self.chunk_head()?;
        }
        let limit = match self.framing {
            Framing::Ended | Framing::Length(0) => return self.at_end(),
            Framing::Length(left) | Framing::Chunk(left) => left.min(max as u64) as usize,
            Framing::UntilClose => max,
        };
        if self.buffer.is_empty() && !fill(self.wire.as_mut(), &mut self.buffer)? {
            if self.framing != Framing::UntilClose {
                return Err(Broken::Fin);
            }
            self.framing = Framing::Ended;
            return Ok(Vec::new());
        }
        let part: Vec<u8> = self.buffer.drain(..limit.min(self.buffer.len())).collect();
        match &mut self.framing {
            Framing::Length(left) => *left -= part.len() as u64,
            Framing::Chunk(left) => {
                *left -= part.len() as u64;
                if *left == 0 {
                    self.line()?;
                }
            }
            Framing::UntilClose | Framing::Ended => {}
        }
        Ok(part)
    }

    /// Exactly `count` bytes of the body. Panics when it ends before.
    pub fn read_exactly(&mut self, count: usize) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(count);
        while bytes.len() < count {
            let part = self.read(count - bytes.len()).unwrap();
            assert!(!part.is_empty(), "the body ended after {} of {count} bytes", bytes.len());
            bytes.extend(part);
        }
        bytes
    }

    /// Reads the rest.
    pub fn finish(self) -> Answer {
        self.finish_and_keep().0
    }

    /// Reads the rest, and gives the connection back.
    pub(super) fn finish_and_keep(mut self) -> (Answer, Box<dyn Wire>) {
        let mut body = Vec::new();
        let end = loop {
            match self.read(usize::MAX) {
                Ok(part) if part.is_empty() => break Ok(()),
                Ok(part) => body.extend(part),
                Err(broken) => break Err(broken),
            }
        };
        (Answer { status: self.status, headers: self.headers, body, end }, self.wire)
    }

    /// Sends another request on the same connection, once the body has been read.
    pub fn again(mut self, bytes: &[u8]) -> Open {
        assert_eq!(self.read(1), Ok(Vec::new()), "the body has not been read");
        let _ = self.wire.write_all(bytes);
        Open::read_head(self.wire, false)
    }

    /// How the connection ends after the body, once the server closes it.
    pub fn connection_end(mut self) -> Result<(), Broken> {
        match fill(self.wire.as_mut(), &mut self.buffer)? {
            false => Ok(()),
            true => Err(Broken::Garbage(format!("{} bytes after the end", self.buffer.len()))),
        }
    }

    fn at_end(&self) -> Result<Vec<u8>, Broken> {
        if self.buffer.is_empty() {
            Ok(Vec::new())
        } else {
            Err(Broken::Garbage(format!("{} bytes after the end", self.buffer.len())))
        }
    }

    fn chunk_head(&mut self) -> Result<(), Broken> {
        let line = self.line()?;
        let size = u64::from_str_radix(line.split(';').next().unwrap_or_default(), 16)
            .map_err(|_| Broken::Garbage(format!("chunk head {line:?}")))?;
        self.framing = Framing::Chunk(size);
        if size == 0 {
            while !self.line()?.is_empty() {}
            self.framing = Framing::Ended;
        }
        Ok(())
    }

    fn line(&mut self) -> Result<String, Broken> {
        loop {
            if let Some(end) = self.buffer.windows(2).position(|pair| pair == b"\r\n") {
                let line = self.buffer.drain(..end + 2).take(end).collect();
                return String::from_utf8(line).map_err(|_| Broken::Garbage("chunk head".to_owned()));
            }
            if self.buffer.len() > MAX_LINE {
                return Err(Broken::Garbage("chunk head".to_owned()));
            }
            if !fill(self.wire.as_mut(), &mut self.buffer)? {
                return Err(Broken::Fin);
            }
        }
    }
}

/// Appends what comes next; `false` at the end of the connection.
fn fill(wire: &mut dyn Wire, buffer: &mut Vec<u8>) -> Result<bool, Broken> {
    let mut block = [0; BLOCK];
    let count = wire.read(&mut block)?;
    buffer.extend_from_slice(&block[..count]);
    Ok(count > 0)
}

fn parse_head(buffer: &[u8]) -> Option<(u16, u8, Headers, usize)> {
    let mut slots = [httparse::EMPTY_HEADER; 128];
    let mut parsed = httparse::Response::new(&mut slots);
    let httparse::Status::Complete(length) = parsed.parse(buffer).unwrap() else { return None };
    let text = |value: &[u8]| String::from_utf8_lossy(value).into_owned();
    let headers = parsed.headers.iter().map(|line| (line.name.to_owned(), text(line.value))).collect();
    Some((parsed.code?, parsed.version?, Headers(headers), length))
}

fn framing(status: u16, headers: &Headers, headless: bool) -> Framing {
    let coding = headers.get("transfer-encoding").map(str::to_ascii_lowercase);
    if headless || matches!(status, 204 | 304) {
        Framing::Ended
    } else if coding.as_deref() == Some("chunked") {
        assert!(headers.get("content-length").is_none(), "both chunked and Content-Length");
        Framing::Chunk(0)
    } else if let Some(length) = headers.get("content-length") {
        Framing::Length(length.parse().unwrap())
    } else {
        Framing::UntilClose
    }
}
