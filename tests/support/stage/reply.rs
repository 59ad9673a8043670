//! What the stage answers at one host and path, and how it misbehaves.

use super::media::Media;
use bytes::Bytes;
use std::collections::VecDeque;
use std::net::IpAddr;
use std::sync::Mutex;
use std::time::Duration;

/// One way to go wrong. `after` counts bytes of this response's body, not offsets in the entity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// TCP reset once the client's kernel has acknowledged `after` bytes.
    Cut { after: u64 },
    /// FIN after `after` bytes, over TLS without `close_notify`. With `after` at or above the length the whole
    /// body is sent: only the missing `close_notify` tells a close-delimited one from a truncated one.
    HangUp { after: u64 },
    /// Silence after `after` bytes, until [`super::Stage::release`] lets the rest follow or the client leaves.
    Stall { after: u64 },
    /// `by` bytes fewer than `Content-Length` says, then an orderly close.
    Short { by: u64 },
    /// `by` bytes more than `Content-Length` says, then an orderly close.
    Long { by: u64 },
    /// A chunked body that ends orderly after `after` bytes, without the last chunk.
    TruncatedChunked { after: u64 },
    /// This status with a short text instead of the entity.
    Status(u16),
    /// The head comes this much later.
    LateHead(Duration),
    /// The head comes when [`super::Stage::release`] is called.
    HeldHead,
    /// 206 whose `Content-Range` and bytes begin `by` bytes later than asked (earlier, near the end).
    WrongRange { by: u64 },
    /// 206 without `Content-Range`.
    NoContentRange,
    /// The entity was replaced: other bytes under another `ETag`, as 206 even when `If-Range` forbids it.
    ChangedEtag,
    /// The same replaced entity from a server that keeps to `If-Range`: the whole of it with 200.
    Replaced,
    /// Other bytes under the same validators.
    ChangedBytes,
    /// `Content-Range` says that the whole is `by` bytes longer than before.
    ChangedTotal { by: u64 },
    /// `Content-Encoding: <this>` over bytes that are not encoded.
    Encoded(&'static str),
    /// At most `chunk` bytes at a time, with `pause` between.
    Slow { chunk: usize, pause: Duration },
}

/// What stands in a page that is made [`Reply::personal`] for the address of who reads it.
pub const READER: &str = "READERS.ADDRESS";

/// The query parameter by which [`Reply::needs_same_address`] knows whom a link was made for.
pub const BOUND_TO: &str = "ip";

/// How the end of a body is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Framing {
    Length,
    Chunked,
    Close,
}

/// What a request must carry; without it the answer is 403.
#[derive(Clone, Debug)]
pub(super) enum Need {
    Cookie { name: String, value: String },
    RefererUnder(String),
    Query { name: String, value: String },
    SameAddress,
    NotFrom(IpAddr),
}

#[derive(Debug)]
enum Faults {
    Always(Fault),
    /// One entry per request, then none.
    Queue(VecDeque<Option<Fault>>),
}

/// An answer, built in one expression and handed to [`super::Stage::play`].
#[derive(Debug)]
pub struct Reply {
    pub(super) status: u16,
    pub(super) headers: Vec<(String, String)>,
    pub(super) media: Media,
    pub(super) framing: Framing,
    pub(super) ranges: bool,
    pub(super) if_range: bool,
    pub(super) head_allowed: bool,
    pub(super) etag: Option<String>,
    pub(super) last_modified: Option<String>,
    pub(super) needs: Vec<Need>,
    pub(super) personal: bool,
    pub(super) delay: Duration,
    faults: Mutex<Faults>,
}

impl Reply {
    /// A status and a body, without a type and without ranges.
    pub fn new(status: u16, media: Media) -> Reply {
        Reply {
            status,
            headers: Vec::new(),
            media,
            framing: Framing::Length,
            ranges: false,
            if_range: true,
            head_allowed: true,
            etag: None,
            last_modified: None,
            needs: Vec::new(),
            personal: false,
            delay: Duration::ZERO,
            faults: Mutex::new(Faults::Queue(VecDeque::new())),
        }
    }

    /// A file: 200, or 206 and 416 where a range is asked for.
    pub fn media(media: &Media) -> Reply {
        Reply { ranges: true, ..Reply::new(200, media.clone()) }
    }

    /// An HTML page.
    pub fn html(text: impl Into<String>) -> Reply {
        Reply::text("text/html; charset=utf-8", text)
    }

    /// A body of the given type, without ranges.
    pub fn text(content_type: &str, text: impl Into<String>) -> Reply {
        Reply::new(200, Media::of(Bytes::from(text.into()))).content_type(content_type)
    }

    /// A status with a line of text as its body.
    pub fn status(status: u16) -> Reply {
        Reply { status, ..Reply::text("text/plain", format!("{status}\n")) }
    }

    /// A redirect to `location`.
    pub fn redirect(status: u16, location: &str) -> Reply {
        Reply::status(status).header("Location", location)
    }

    /// Adds a header line.
    pub fn header(mut self, name: &str, value: &str) -> Reply {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Adds a `Content-Type`.
    pub fn content_type(self, value: &str) -> Reply {
        self.header("Content-Type", value)
    }

    /// Adds a `Set-Cookie` line, attributes and all.
    pub fn cookie(self, value: &str) -> Reply {
        self.header("Set-Cookie", value)
    }

    /// Sends these bytes instead.
    pub fn bytes_of(self, media: &Media) -> Reply {
        Reply { media: media.clone(), ..self }
    }

    /// The entity's `ETag`, quotes included; `If-Range` is compared with it, unless it is weak (RFC 9110 §13.1.5).
    pub fn etag(self, value: &str) -> Reply {
        Reply { etag: Some(value.to_owned()), ..self }
    }

    /// The entity's `Last-Modified`; `If-Range` is compared with it.
    pub fn last_modified(self, value: &str) -> Reply {
        Reply { last_modified: Some(value.to_owned()), ..self }
    }

    /// Neither `ETag` nor `Last-Modified`.
    pub fn no_validators(self) -> Reply {
        Reply { etag: None, last_modified: None, ..self }
    }

    /// 403 unless the request's cookies hold `name=value`.
    pub fn needs_cookie(mut self, name: &str, value: &str) -> Reply {
        self.needs.push(Need::Cookie { name: name.to_owned(), value: value.to_owned() });
        self
    }

    /// 403 unless `Referer` begins with `prefix`.
    pub fn needs_referer(mut self, prefix: &str) -> Reply {
        self.needs.push(Need::RefererUnder(prefix.to_owned()));
        self
    }

    /// 403 unless the query holds `name=value`.
    pub fn needs_query(mut self, name: &str, value: &str) -> Reply {
        self.needs.push(Need::Query { name: name.to_owned(), value: value.to_owned() });
        self
    }

    /// 403 unless the query holds, under [`BOUND_TO`], the address that the request comes from.
    pub fn needs_same_address(mut self) -> Reply {
        self.needs.push(Need::SameAddress);
        self
    }

    /// 403 to who comes from this address.
    pub fn not_from(mut self, address: IpAddr) -> Reply {
        self.needs.push(Need::NotFrom(address));
        self
    }

    /// Each reader of this text finds its own address where [`READER`] stands.
    pub fn personal(self) -> Reply {
        Reply { personal: true, ..self }
    }

    /// 403 to `HEAD`, as media CDNs do.
    pub fn no_head(self) -> Reply {
        Reply { head_allowed: false, ..self }
    }

    /// 200 with the whole, whatever range is asked for.
    pub fn no_ranges(self) -> Reply {
        Reply { ranges: false, ..self }
    }

    /// Ranges are sent whatever `If-Range` says.
    pub fn deaf_to_if_range(self) -> Reply {
        Reply { if_range: false, ..self }
    }

    /// No length: `Transfer-Encoding: chunked`.
    pub fn chunked(self) -> Reply {
        Reply { framing: Framing::Chunked, ..self }
    }

    /// No length and no chunking: the orderly end of the connection is the end of the body.
    pub fn close_delimited(self) -> Reply {
        Reply { framing: Framing::Close, ..self }
    }

    /// Every head comes this much later.
    pub fn delay(self, delay: Duration) -> Reply {
        Reply { delay, ..self }
    }

    /// Goes wrong in this way on every request.
    pub fn fault(self, fault: Fault) -> Reply {
        Reply { faults: Mutex::new(Faults::Always(fault)), ..self }
    }

    /// Goes wrong once per entry, one entry per request (`None`: that one is played well), then plays well.
    pub fn faults(self, each: impl IntoIterator<Item = Option<Fault>>) -> Reply {
        Reply { faults: Mutex::new(Faults::Queue(each.into_iter().collect())), ..self }
    }

    /// What to do wrong at this request.
    pub(super) fn next_fault(&self) -> Option<Fault> {
        match &mut *self.faults.lock().unwrap() {
            Faults::Always(fault) => Some(fault.clone()),
            Faults::Queue(queue) => queue.pop_front().flatten(),
        }
    }
}
