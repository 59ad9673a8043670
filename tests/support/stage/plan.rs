//! From a script, a request and a fault to exactly what goes onto the wire. No input or output happens here.

use super::media::Media;
use super::reply::{BOUND_TO, Fault, Framing, Need, READER, Reply};
use super::wire::Request;
use std::fmt::Write as _;
use std::net::IpAddr;
use std::time::Duration;

/// Body bytes that are written at once, where no fault asks for fewer.
const CHUNK: usize = 64 * 1024;

/// The `ETag` of an entity that was replaced.
const CHANGED_ETAG: &str = "\"changed\"";

/// What happens before the head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Before {
    Wait(Duration),
    UntilReleased,
}

/// What happens after the last body byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// The answer is complete; the connection serves the next request.
    KeepAlive,
    /// The answer is complete, or lies, and the connection closes orderly.
    Close,
    /// FIN alone: over TLS no `close_notify`.
    HangUp,
    Reset,
}

/// The script for one exchange.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) before: Before,
    pub(super) status: u16,
    pub(super) head: Vec<u8>,
    pub(super) media: Media,
    /// Offset in `media` of the first body byte.
    pub(super) from: u64,
    /// Body bytes to send.
    pub(super) bytes: u64,
    pub(super) chunked: bool,
    pub(super) piece: usize,
    pub(super) pause: Duration,
    /// Silence, until released, after this many body bytes.
    pub(super) stall: Option<u64>,
    pub(super) end: End,
    /// Whether the end is a fault's doing.
    pub(super) faulty: bool,
}

/// Decides the whole exchange with who asks `from` there.
pub(super) fn plan(reply: &Reply, request: &Request, from: IpAddr) -> Plan {
    let fault = reply.next_fault();
    let mut draft = match &fault {
        Some(Fault::Status(status)) => Draft::bare(*status),
        _ if request.method == "HEAD" && !reply.head_allowed => Draft::bare(403),
        _ if !reply.needs.iter().all(|need| met(need, request, from)) => Draft::bare(403),
        _ => Draft::entity(reply, request, fault.as_ref()),
    };
    if reply.personal {
        draft.address_to(from);
    }
    draft.keep_alive = request.keep_alive;
    draft.play(reply.delay, request.method == "HEAD", fault)
}

/// A refusal in the proxy's own name, outside any script.
pub(super) fn refusal(status: u16, headers: &[(&str, &str)], keep_alive: bool) -> Plan {
    let mut draft = Draft::bare(status);
    draft.keep_alive = keep_alive;
    draft.headers.extend(headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
    draft.play(Duration::ZERO, false, None)
}

fn met(need: &Need, request: &Request, from: IpAddr) -> bool {
    let queried = |wanted: (&str, &str)| {
        let query = request.target.split_once('?').map_or("", |(_, query)| query);
        url::form_urlencoded::parse(query.as_bytes()).any(|(name, value)| (&*name, &*value) == wanted)
    };
    match need {
        Need::RefererUnder(prefix) => request.header("referer").is_some_and(|it| it.starts_with(prefix)),
        Need::Query { name, value } => queried((name, value)),
        Need::SameAddress => queried((BOUND_TO, &from.to_string())),
        Need::NotFrom(address) => from != *address,
        Need::Cookie { name, value } => request
            .headers
            .iter()
            .filter(|(key, _)| key.eq_ignore_ascii_case("cookie"))
            .flat_map(|(_, line)| line.split(';'))
            .any(|pair| pair.trim().split_once('=') == Some((name, value))),
    }
}

/// What is to be sent, before the faults that concern the wire.
struct Draft {
    status: u16,
    headers: Vec<(String, String)>,
    media: Media,
    from: u64,
    bytes: u64,
    framing: Framing,
    keep_alive: bool,
}

impl Draft {
    fn bare(status: u16) -> Draft {
        let media = Media::of(format!("{status}\n"));
        Draft {
            status,
            headers: vec![("Content-Type".to_owned(), "text/plain".to_owned())],
            bytes: if matches!(status, 100..=199 | 204 | 304) { 0 } else { media.len() },
            media,
            from: 0,
            framing: Framing::Length,
            keep_alive: true,
        }
    }

    fn entity(reply: &Reply, request: &Request, fault: Option<&Fault>) -> Draft {
        let replaced = matches!(fault, Some(Fault::ChangedEtag | Fault::Replaced));
        let other_bytes = replaced || fault == Some(&Fault::ChangedBytes);
        let media = if other_bytes { reply.media.changed() } else { reply.media.clone() };
        let etag = reply.etag.as_deref().map(|etag| if replaced { CHANGED_ETAG } else { etag });
        let mut draft = Draft {
            status: reply.status,
            headers: reply.headers.clone(),
            from: 0,
            bytes: media.len(),
            media,
            framing: reply.framing,
            keep_alive: true,
        };
        if let Some(etag) = etag {
            draft.add("ETag", etag);
        }
        if let Some(date) = &reply.last_modified {
            draft.add("Last-Modified", date);
        }
        if reply.ranges && reply.status == 200 {
            draft.add("Accept-Ranges", "bytes");
            let deaf = !reply.if_range || fault == Some(&Fault::ChangedEtag);
            if deaf || if_range_holds(etag, reply.last_modified.as_deref(), request) {
                draft.narrow(request, fault);
            }
        }
        draft
    }

    /// Turns the whole into the range that was asked for (or, by a fault, another).
    fn narrow(&mut self, request: &Request, fault: Option<&Fault>) {
        let total = self.media.len();
        let said = match fault {
            Some(Fault::ChangedTotal { by }) => total + by,
            _ => total,
        };
        match request.header("range").and_then(|line| parse_range(line, total)) {
            None => {}
            Some(Err(Unsatisfiable)) => {
                let headers = std::mem::take(&mut self.headers);
                *self = Draft { headers, ..Draft::bare(416) };
                self.add("Content-Range", &format!("bytes */{said}"));
            }
            Some(Ok((mut from, mut to))) => {
                if let Some(Fault::WrongRange { by }) = fault {
                    if from + by < total {
                        (from, to) = (from + by, (to + by).min(total));
                    } else {
                        from = from.saturating_sub(*by);
                    }
                }
                self.status = 206;
                self.from = from;
                self.bytes = to - from;
                if fault != Some(&Fault::NoContentRange) {
                    self.add("Content-Range", &format!("bytes {from}-{}/{said}", to - 1));
                }
            }
        }
    }

    /// Fills in who reads.
    fn address_to(&mut self, reader: IpAddr) {
        let text = String::from_utf8(self.media.bytes(0..self.media.len())).unwrap();
        self.media = Media::of(text.replace(READER, &reader.to_string()));
        self.bytes = self.media.len();
    }

    fn add(&mut self, name: &str, value: &str) {
        self.headers.push((name.to_owned(), value.to_owned()));
    }

    /// Applies what concerns the wire.
    fn play(mut self, delay: Duration, headless: bool, fault: Option<Fault>) -> Plan {
        let whole = self.bytes;
        let mut before = Before::Wait(delay);
        let (mut piece, mut pause, mut stall, mut end) = (CHUNK, Duration::ZERO, None, None);
        match fault {
            Some(Fault::Cut { after }) => {
                self.bytes = whole.min(after);
                end = Some(End::Reset);
            }
            Some(Fault::HangUp { after }) => {
                self.bytes = whole.min(after);
                end = Some(End::HangUp);
            }
            Some(Fault::TruncatedChunked { after }) => {
                self.framing = Framing::Chunked;
                self.bytes = whole.min(after);
                end = Some(End::Close);
            }
            Some(Fault::Short { by }) => {
                self.bytes = whole.saturating_sub(by);
                end = Some(End::Close);
            }
            Some(Fault::Long { by }) => {
                self.bytes = whole + by;
                end = Some(End::Close);
            }
            Some(Fault::Stall { after }) => stall = Some(after),
            Some(Fault::LateHead(late)) => before = Before::Wait(delay + late),
            Some(Fault::HeldHead) => before = Before::UntilReleased,
            Some(Fault::Slow { chunk, pause: between }) => (piece, pause) = (chunk, between),
            Some(Fault::Encoded(coding)) => self.add("Content-Encoding", coding),
            Some(
                Fault::Status(_)
                | Fault::WrongRange { .. }
                | Fault::NoContentRange
                | Fault::ChangedEtag
                | Fault::Replaced
                | Fault::ChangedBytes
                | Fault::ChangedTotal { .. },
            )
            | None => {}
        }
        let faulty = end.is_some();
        let ends_connection = !self.keep_alive || self.framing == Framing::Close;
        let end = end.unwrap_or(if ends_connection { End::Close } else { End::KeepAlive });
        let head = self.head(whole, end);
        if headless {
            self.bytes = 0;
        }
        Plan {
            before,
            status: self.status,
            head,
            media: self.media,
            from: self.from,
            bytes: self.bytes,
            chunked: self.framing == Framing::Chunked && !headless,
            piece,
            pause,
            stall: if headless { None } else { stall },
            end,
            faulty,
        }
    }

    /// The head as it is sent. A reset or hang-up is not announced by `Connection: close`.
    fn head(&self, length: u64, end: End) -> Vec<u8> {
        let mut text = format!("HTTP/1.1 {} Stage\r\n", self.status);
        for (name, value) in &self.headers {
            let _ = write!(text, "{name}: {value}\r\n");
        }
        match self.framing {
            Framing::Length => {
                let _ = write!(text, "Content-Length: {length}\r\n");
            }
            Framing::Chunked => text.push_str("Transfer-Encoding: chunked\r\n"),
            Framing::Close => text.push_str("Connection: close\r\n"),
        }
        if end == End::Close && self.framing != Framing::Close {
            text.push_str("Connection: close\r\n");
        }
        text.push_str("\r\n");
        text.into_bytes()
    }
}

fn if_range_holds(etag: Option<&str>, last_modified: Option<&str>, request: &Request) -> bool {
    let strong = etag.filter(|etag| !etag.starts_with("W/"));
    request.header("if-range").is_none_or(|asked| Some(asked) == strong || Some(asked) == last_modified)
}

struct Unsatisfiable;

/// The first byte and the one past the last. `None`: not one byte range, so the whole is sent.
fn parse_range(line: &str, total: u64) -> Option<Result<(u64, u64), Unsatisfiable>> {
    let (first, last) = line.strip_prefix("bytes=")?.split_once('-')?;
    let number = |text: &str| if text.is_empty() { Some(None) } else { text.parse::<u64>().ok().map(Some) };
    let range = match (number(first)?, number(last)?) {
        (Some(first), Some(last)) if last < first => return None,
        (Some(first), last) => (first, last.map_or(total, |last| total.min(last.saturating_add(1)))),
        (None, Some(suffix)) => (total.saturating_sub(suffix), total),
        (None, None) => return None,
    };
    Some(if range.0 < range.1 { Ok(range) } else { Err(Unsatisfiable) })
}
