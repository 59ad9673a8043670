//! HTTP/2: a client of the h2 crate, curl, and frames as they stand on the wire.

use bytes::Bytes;
use h2::client::{Builder, SendRequest};
use h2::{RecvStream, SendStream};
use http::{HeaderMap, Request, StatusCode};
use std::net::SocketAddr;
use std::process::Command;
use tokio::net::TcpStream;

/// What a client that knows that HTTP/2 is spoken sends first (RFC 9113 §3.4).
pub const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Window of a connection: those of many streams, 64 KiB each, so that one which is not read holds up no other.
const WINDOW: u32 = 4 << 20;

/// A connection with prior knowledge.
pub async fn connect(address: SocketAddr) -> SendRequest<Bytes> {
    let tcp = TcpStream::connect(address).await.unwrap();
    let mut builder = Builder::new();
    builder.initial_connection_window_size(WINDOW);
    let (client, connection) = builder.handshake::<_, Bytes>(tcp).await.unwrap();
    tokio::spawn(connection);
    client.ready().await.unwrap()
}

/// An answer whose body has not been read.
pub struct Open {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: RecvStream,
    _sent: SendStream<Bytes>,
}

/// Sends a request without a body.
pub async fn ask(
    client: &SendRequest<Bytes>,
    method: &str,
    url: &str,
    headers: &[(&str, &str)],
) -> Result<Open, h2::Error> {
    let mut request = Request::builder().method(method).uri(url);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let mut client = client.clone().ready().await?;
    let (answer, sent) = client.send_request(request.body(()).unwrap(), true)?;
    let (head, body) = answer.await?.into_parts();
    Ok(Open { status: head.status, headers: head.headers, body, _sent: sent })
}

impl Open {
    /// The next piece; its window is given back at once.
    pub async fn read(&mut self) -> Option<Result<Bytes, h2::Error>> {
        let piece = self.body.data().await?;
        if let Ok(bytes) = &piece {
            let _ = self.body.flow_control().release_capacity(bytes.len());
        }
        Some(piece)
    }

    /// What came, and how it ended: `Ok` with END_STREAM alone.
    pub async fn finish(mut self) -> (Vec<u8>, Result<(), h2::Error>) {
        let mut bytes = Vec::new();
        while let Some(piece) = self.read().await {
            match piece {
                Ok(piece) => bytes.extend(piece),
                Err(error) => return (bytes, Err(error)),
            }
        }
        (bytes, Ok(()))
    }
}

/// What curl says and writes with these arguments; its exit code is 0.
#[track_caller]
pub fn curl(arguments: &[&str]) -> Vec<u8> {
    let (code, output) = try_curl(arguments);
    assert_eq!(code, Some(0), "curl {arguments:?}");
    output
}

/// The same, with whatever exit code.
pub fn try_curl(arguments: &[&str]) -> (Option<i32>, Vec<u8>) {
    let output = Command::new("curl").args(["-sS", "--max-time", "60"]).args(arguments).output().unwrap();
    (output.status.code(), output.stdout)
}

/// A frame: its kind, flags and stream (RFC 9113 §4.1).
pub fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    let mut bytes = length[1..].to_vec();
    bytes.extend([kind, flags]);
    bytes.extend(stream.to_be_bytes());
    bytes.extend(payload);
    bytes
}

pub const HEADERS: u8 = 1;
pub const RST_STREAM: u8 = 3;
pub const SETTINGS: u8 = 4;
pub const PING: u8 = 6;
pub const GOAWAY: u8 = 7;
pub const CONTINUATION: u8 = 9;
pub const END_STREAM: u8 = 1;
pub const END_HEADERS: u8 = 4;

/// A `GET` of a path, as HPACK has it (RFC 7541, appendix A), without room for later.
pub fn get_fields(path: &str) -> Vec<u8> {
    let mut fields = vec![0x82, 0x86, 0x04, u8::try_from(path.len()).unwrap()];
    fields.extend(path.as_bytes());
    fields.extend(b"\x01\x09localhost");
    fields
}

/// A whole request of one frame.
pub fn get_frame(stream: u32, path: &str) -> Vec<u8> {
    frame(HEADERS, END_STREAM | END_HEADERS, stream, &get_fields(path))
}
