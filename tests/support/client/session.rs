//! One connection for many requests.

use super::{Answer, Open, Wire, connect, request_bytes};
use url::Url;

/// A connection that is kept. A body that does not end where its framing says would be taken for the head of the
/// next answer, and so be noticed.
pub struct Session {
    base: Url,
    wire: Option<Box<dyn Wire>>,
}

impl Session {
    /// Connects to the server of a URL.
    pub fn to(url: &str) -> Session {
        let base = Url::parse(url).unwrap();
        let wire = connect(base.socket_addrs(|| None).unwrap()[0]);
        Session { base, wire: Some(Box::new(wire)) }
    }

    /// Sends a request and reads the whole answer. Panics when the server does not keep the connection.
    #[track_caller]
    pub fn ask(&mut self, method: &str, path: &str, headers: &[(&str, &str)]) -> Answer {
        let mut wire = self.wire.take().expect("the connection is gone");
        let url = self.base.join(path).unwrap();
        wire.write_all(&request_bytes(method, &url, headers, b"")).unwrap();
        let (answer, wire) = Open::read_head(wire, method == "HEAD").finish_and_keep();
        assert_ne!(answer.header("connection"), Some("close"), "{method} {headers:?}: {}", answer.status);
        if answer.complete() {
            self.wire = Some(wire);
        }
        answer
    }
}
