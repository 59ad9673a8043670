//! A blocking HTTP/1.1 client that hides nothing: how a body ended is part of the answer, and nothing is read before
//! it is asked for.

mod body;
mod session;

pub use body::{Broken, Open};
pub use session::Session;

use serde_json::Value;
use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::Duration;
use url::Url;

/// Longest silence before a read gives up. Above every limit of the server that a test sets.
const READ_LIMIT: Duration = Duration::from_secs(60);

/// A connection of any kind.
pub trait Wire: Read + Write + Send {}
impl<T: Read + Write + Send> Wire for T {}

/// A whole answer.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: Headers,
    /// The body, or what came of it.
    pub body: Vec<u8>,
    /// How the body ended: `Ok` when its framing says that all of it came.
    pub end: Result<(), Broken>,
}

impl Answer {
    /// Whether the body came to its proper end.
    pub fn complete(&self) -> bool {
        self.end.is_ok()
    }

    /// The body as JSON. Panics, with the body, when it is not.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("{error} in {}: {}", self.status, self.text()))
    }

    /// The body as text; of one that is none, its size.
    pub fn text(&self) -> String {
        let size = |_| format!("{} bytes that are no text", self.body.len());
        std::str::from_utf8(&self.body).map_or_else(size, str::to_owned)
    }

    /// The first header of that name, in any case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)
    }
}

/// Header lines in their order.
#[derive(Clone, Debug, Default)]
pub struct Headers(pub Vec<(String, String)>);

impl Headers {
    /// The first value under `name`, in any case.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }
}

/// `GET url`.
pub fn get(url: &str) -> Answer {
    request("GET", url, &[], b"")
}

/// `POST url` with a JSON body.
pub fn post_json(url: &str, body: &Value) -> Answer {
    request("POST", url, &[("Content-Type", "application/json")], body.to_string().as_bytes())
}

/// Any request, on a connection of its own. An empty body sends no `Content-Length` with `GET` and `HEAD`.
pub fn request(method: &str, url: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
    open(method, url, headers, body).finish()
}

/// Sends a request and reads only the head of the answer; the body is read on demand.
pub fn open(method: &str, url: &str, headers: &[(&str, &str)], body: &[u8]) -> Open {
    let url = Url::parse(url).unwrap();
    let wire = connect(url.socket_addrs(|| None).unwrap()[0]);
    send(Box::new(wire), method, &url, headers, body)
}

/// The same, over a connection whose kernel takes no more than about `window` bytes that have not been read.
pub fn open_narrow(url: &str, window: usize) -> Open {
    let url = Url::parse(url).unwrap();
    let address = url.socket_addrs(|| None).unwrap()[0];
    let socket =
        socket2::Socket::new(socket2::Domain::for_address(address), socket2::Type::STREAM, None).unwrap();
    // Before the connection is made: afterwards the window has been announced.
    socket.set_recv_buffer_size(window).unwrap();
    socket.connect(&address.into()).unwrap();
    let wire = TcpStream::from(socket);
    wire.set_read_timeout(Some(READ_LIMIT)).unwrap();
    send(Box::new(wire), "GET", &url, &[], b"")
}

/// The same over a connection that is already there.
pub fn send(mut wire: Box<dyn Wire>, method: &str, url: &Url, headers: &[(&str, &str)], body: &[u8]) -> Open {
    // A server may answer and close before it has read a body that it refuses.
    let _ = wire.write_all(&request_bytes(method, url, headers, body));
    Open::read_head(wire, method == "HEAD")
}

fn request_bytes(method: &str, url: &Url, headers: &[(&str, &str)], body: &[u8]) -> Vec<u8> {
    let target = url.query().map_or(url.path().to_owned(), |query| format!("{}?{query}", url.path()));
    let mut head = format!("{method} {target} HTTP/1.1\r\n");
    if !headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("host")) {
        let port = url.port().map_or(String::new(), |port| format!(":{port}"));
        head.push_str(&format!("Host: {}{port}\r\n", url.host_str().unwrap()));
    }
    for (name, value) in headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    if !body.is_empty() || !matches!(method, "GET" | "HEAD") {
        head.push_str(&format!("Content-Length: {}\r\n", body.len()));
    }
    head.push_str("\r\n");
    let mut bytes = head.into_bytes();
    bytes.extend_from_slice(body);
    bytes
}

/// Sends the given bytes as they are and reads the head of an answer.
pub fn open_raw(address: SocketAddr, bytes: &[u8]) -> Open {
    send_raw(Box::new(connect(address)), bytes)
}

/// The same over a connection that is already there.
pub fn send_raw(mut wire: Box<dyn Wire>, bytes: &[u8]) -> Open {
    let _ = wire.write_all(bytes);
    Open::read_head(wire, false)
}

/// How a connection ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConnectionEnd {
    Fin,
    Reset,
    /// Nothing for as long as the client waits.
    Silence,
}

/// Sends the given bytes as they are and gives back everything that came, and how the connection ended.
pub fn raw(address: SocketAddr, bytes: &[u8]) -> (Vec<u8>, ConnectionEnd) {
    let mut wire = connect(address);
    let _ = wire.write_all(bytes);
    to_end(wire)
}

/// The same, but for the client's end of its own side after the bytes.
pub fn raw_and_fin(address: SocketAddr, bytes: &[u8]) -> (Vec<u8>, ConnectionEnd) {
    let mut wire = connect(address);
    let _ = wire.write_all(bytes);
    let _ = wire.shutdown(Shutdown::Write);
    to_end(wire)
}

fn to_end(mut wire: TcpStream) -> (Vec<u8>, ConnectionEnd) {
    let mut answer = Vec::new();
    let mut block = [0; 65536];
    loop {
        match wire.read(&mut block) {
            Ok(0) => return (answer, ConnectionEnd::Fin),
            Ok(count) => answer.extend_from_slice(&block[..count]),
            Err(error) => {
                let end = match Broken::from(error) {
                    Broken::Silence => ConnectionEnd::Silence,
                    _ => ConnectionEnd::Reset,
                };
                return (answer, end);
            }
        }
    }
}

/// Percent-encodes a value for a query.
pub fn encode(value: &str) -> String {
    url::form_urlencoded::byte_serialize(value.as_bytes()).collect()
}

/// A TCP connection with [`READ_LIMIT`].
pub fn connect(address: SocketAddr) -> TcpStream {
    let wire = TcpStream::connect(address).unwrap();
    wire.set_read_timeout(Some(READ_LIMIT)).unwrap();
    wire.set_nodelay(true).unwrap();
    wire
}
