//! The HTTP interface: one file per endpoint, one table of routes, one table of errors.

mod body;
mod choice;
pub mod client;
mod content;
mod cors;
pub mod error;
mod extract;
mod filename;
mod health;
mod links;
mod openapi;
mod origin;
mod rate;
mod rendered;
mod request;
mod stream;
mod subtitles;
mod tickets;
mod tiktok;
mod visit;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::header::ORIGIN;
use http::{HeaderName, HeaderValue, Method, Request, Response};
use hyper::body::Body as _;
use moka::sync::Cache;
use tracing::Instrument;

use crate::admission::{Admission, Refusal};
use crate::extract::Extractor;
use crate::relay::Relay;
use crate::telemetry::Metrics;
use crate::ticket::Sealer;

pub use body::Body;
pub use content::content;
pub use cors::Origins;
use error::ApiError;
pub use extract::{ExtractRequest, Layout};
#[cfg(any(test, fuzzing))]
pub use filename::fuzz;
pub use links::LinkSettings;
use rendered::Rendered;
pub use tickets::{Tokens, sealed_by};
use visit::Visit;

const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Most files whose sizes are remembered, and for how long.
const MAX_SIZES: u64 = 1000;
const SIZE_TTL: Duration = Duration::from_secs(300);

/// Settings of this room.
#[derive(Debug, Clone)]
pub struct Settings {
    /// How links are made.
    pub links: LinkSettings,
    /// Origins whose pages may read answers.
    pub origins: Origins,
    /// What is not answered, as if there were no such thing.
    pub closed: Vec<Door>,
    /// Most bytes of answers that are kept for those who ask for the same page.
    pub rendered_bytes: u64,
    /// Longest subtitles that are put into another form, in bytes.
    pub subtitle_bytes: usize,
}

/// What an operator may close.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Door {
    /// `/extract`.
    Extract,
    /// `/tiktok`.
    Tiktok,
    /// `/stream?url=`.
    StreamUrl,
}

/// What answers at a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Endpoint {
    Extract,
    Tiktok,
    Stream,
    Health,
    Ready,
    Metrics,
    OpenApi,
}

struct Route {
    path: &'static str,
    /// As the `Allow` header says them.
    methods: &'static str,
    endpoint: Endpoint,
}

const ROUTES: [Route; 7] = [
    Route { path: "/extract", methods: "GET, HEAD, POST, OPTIONS", endpoint: Endpoint::Extract },
    Route { path: "/tiktok", methods: "POST, OPTIONS", endpoint: Endpoint::Tiktok },
    Route { path: "/stream", methods: "GET, HEAD, OPTIONS", endpoint: Endpoint::Stream },
    Route { path: "/health", methods: "GET, HEAD, OPTIONS", endpoint: Endpoint::Health },
    Route { path: "/ready", methods: "GET, HEAD, OPTIONS", endpoint: Endpoint::Ready },
    Route { path: "/metrics", methods: "GET, HEAD, OPTIONS", endpoint: Endpoint::Metrics },
    Route { path: "/openapi.json", methods: "GET, HEAD, OPTIONS", endpoint: Endpoint::OpenApi },
];

/// Of all paths together.
const ALL_METHODS: &str = "GET, HEAD, POST, OPTIONS";

impl Route {
    fn find(path: &str) -> Option<&'static Self> {
        ROUTES.iter().find(|route| route.path == path)
    }

    fn allows(&self, method: &Method) -> bool {
        self.methods.split(", ").any(|allowed| allowed == method.as_str())
    }
}

/// The application behind the server.
pub struct Api {
    admission: Arc<Admission>,
    extractor: Arc<Extractor<Tokens>>,
    sealer: Arc<Sealer>,
    relay: Relay,
    rendered: Rendered,
    /// What the sites' servers said of files, by their addresses.
    sizes: Cache<String, u64>,
    /// What `/openapi.json` answers.
    description: Bytes,
    metrics: Arc<Metrics>,
    settings: Settings,
    started: Instant,
    draining: AtomicBool,
    ids: RequestIds,
}

impl Api {
    /// Puts the leaves together.
    pub fn new(
        admission: Arc<Admission>,
        extractor: Arc<Extractor<Tokens>>,
        sealer: Arc<Sealer>,
        relay: Relay,
        metrics: Arc<Metrics>,
        settings: Settings,
    ) -> Self {
        Refusal::LABELS.into_iter().for_each(|reason| metrics.may_refuse(reason));
        Self {
            admission,
            description: openapi::described(extractor.max_entries()),
            extractor,
            sealer,
            relay,
            rendered: Rendered::new(settings.rendered_bytes),
            sizes: Cache::builder().max_capacity(MAX_SIZES).time_to_live(SIZE_TTL).build(),
            metrics,
            settings,
            started: Instant::now(),
            draining: AtomicBool::new(false),
            ids: RequestIds::default(),
        }
    }

    /// Takes no new work from here on; streams that run go on.
    pub fn drain(&self) {
        self.draining.store(true, Ordering::Release);
        self.extractor.close();
    }

    fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Acquire)
    }

    /// Whether an extraction would start at once.
    fn is_ready(&self) -> bool {
        !self.is_draining() && self.extractor.is_ready()
    }

    /// Waits until the first worker is warm.
    pub async fn warmed(&self) {
        self.extractor.warmed().await;
    }

    /// Answers a request. Every answer carries its request's id, and the headers that let pages read it.
    pub async fn handle<B>(&self, request: Request<B>) -> Response<Body>
    where
        B: hyper::body::Body<Data = Bytes> + Unpin,
    {
        let id = self.ids.next();
        let method = request.method().clone();
        let route = Route::find(request.uri().path());
        let path = route.map_or("(unknown)", |route| route.path);
        let origin = request.headers().get(ORIGIN).cloned();
        let span = tracing::info_span!("request", id, %method, path);
        let client = self.settings.links.origin(&request);
        let visit = Visit::new(client, span.clone(), Arc::clone(&self.metrics));
        let result = self.route(route, request, &visit).instrument(span).await;
        let code = result.as_ref().err().map(|error| error.code.as_str());
        let seed = route.is_some_and(|route| route.endpoint == Endpoint::Tiktok);
        let mut response = result.unwrap_or_else(|error| match seed {
            true => error.with_id(&id).into_seed(),
            false => error.with_id(&id).into_problem(),
        });
        let status = response.status().as_u16();
        self.metrics.request(path, status);
        visit.answered(status, code);
        // A stream counts its bytes as they go.
        if method != Method::HEAD && !visit.is_streaming() {
            visit.sent(response.body().size_hint().exact().unwrap_or(0));
        }
        let headers = response.headers_mut();
        if let Some(allowance) = visit.allowance() {
            rate::tell(allowance, headers);
        }
        self.settings.origins.allow(origin.as_ref(), headers);
        if let Ok(id) = HeaderValue::try_from(id) {
            headers.insert(X_REQUEST_ID, id);
        }
        response
    }

    async fn route<B>(
        &self,
        route: Option<&Route>,
        request: Request<B>,
        visit: &Visit,
    ) -> Result<Response<Body>, ApiError>
    where
        B: hyper::body::Body<Data = Bytes> + Unpin,
    {
        request::check_head(&request)?;
        if request.method() == Method::CONNECT {
            // Bytes for the other end of a tunnel may be on their way already: they are no requests of ours.
            return Err(ApiError::method_not_allowed(ALL_METHODS).closing());
        }
        if request.uri().path() == "*" {
            return Ok(cors::preflight(ALL_METHODS));
        }
        let route = route.ok_or_else(ApiError::no_route)?;
        let is_closed = match route.endpoint {
            // To strangers, with whatever method, there is no such path.
            Endpoint::Metrics => !self.is_trusted(&request, visit),
            Endpoint::Extract => self.settings.closed.contains(&Door::Extract),
            Endpoint::Tiktok => self.settings.closed.contains(&Door::Tiktok),
            _ => false,
        };
        if is_closed {
            return Err(ApiError::no_route());
        }
        if request.method() == Method::OPTIONS {
            return Ok(cors::preflight(route.methods));
        }
        if !route.allows(request.method()) {
            return Err(ApiError::method_not_allowed(route.methods));
        }
        match route.endpoint {
            Endpoint::Extract => self.extract(request, visit).await,
            Endpoint::Tiktok => self.tiktok(request, visit).await,
            Endpoint::Stream => self.stream(request, visit).await,
            Endpoint::Health => Ok(self.health(self.is_trusted(&request, visit))),
            Endpoint::Ready => self.ready(),
            Endpoint::Metrics => self.metrics(),
            Endpoint::OpenApi => Ok(openapi::answer(&self.description)),
        }
    }
}

impl Api {
    /// Whether who asks may know how the server fares: somebody at this very machine, or with a key.
    fn is_trusted<B>(&self, request: &Request<B>, visit: &Visit) -> bool {
        links::is_local(request) || self.caller(request, visit).is_ok_and(|caller| caller.key.is_some())
    }
}

/// Ids that no other request of this process has, nor, most likely, one of another.
struct RequestIds {
    prefix: u64,
    next: AtomicU64,
}

impl Default for RequestIds {
    fn default() -> Self {
        use std::hash::{BuildHasher, RandomState};
        Self { prefix: RandomState::new().hash_one("request ids"), next: AtomicU64::new(1) }
    }
}

impl RequestIds {
    fn next(&self) -> String {
        format!("{:016x}-{:x}", self.prefix, self.next.fetch_add(1, Ordering::Relaxed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn request_ids_differ() {
        let ids = RequestIds::default();
        assert_ne!(ids.next(), ids.next());
        assert_ne!(ids.next(), RequestIds::default().next());
    }

    #[test]
    fn wherever_get_is_head_is_too() {
        for route in &ROUTES {
            assert_eq!(route.allows(&Method::GET), route.allows(&Method::HEAD), "{}", route.path);
            assert!(route.allows(&Method::OPTIONS), "{}", route.path);
            assert!(route.methods.split(", ").all(|method| ALL_METHODS.contains(method)), "{}", route.path);
        }
    }
}
