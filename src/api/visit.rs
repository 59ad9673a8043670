//! One request: who asks, what it may have, and the line of the log that it ends with.

use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use http::Request;
use ring::digest::{SHA256, digest};

use super::Api;
use super::error::{ApiError, Code};
use super::origin::{Origin, shown_keys};
use super::tickets::Tokens;
use crate::admission::{self, Allowance, Caller};
use crate::extract::{Ask, Asker, Found, PageUrl};
use crate::telemetry::Metrics;

/// Hexadecimal digits of a token's SHA-256 in the log: enough to find the same one again.
const TOKEN_DIGITS: usize = 12;

/// What the log says of a request at its end.
#[derive(Default)]
struct Facts {
    client: Option<IpAddr>,
    key: Option<Arc<str>>,
    host: Option<String>,
    extractor: Option<String>,
    cached: Option<bool>,
    egress: Option<Arc<str>>,
    token: Option<String>,
    is_streaming: bool,
    bytes: u64,
    resumes: u32,
    /// None where the client left before there was an answer.
    status: Option<u16>,
    code: Option<&'static str>,
    allowance: Option<Allowance>,
}

/// One request; the last clone to go writes the line.
#[derive(Clone)]
pub(super) struct Visit(Arc<Inner>);

struct Inner {
    facts: Mutex<Facts>,
    origin: Origin,
    started: Instant,
    span: tracing::Span,
    metrics: Arc<Metrics>,
    /// Whether the log has a line of it.
    is_logged: bool,
}

impl Visit {
    pub(super) fn new(origin: Origin, span: tracing::Span, metrics: Arc<Metrics>) -> Self {
        let facts = Facts { client: Some(origin.address), ..Facts::default() };
        let (facts, started) = (facts.into(), Instant::now());
        Self(Arc::new(Inner { facts, origin, started, span, metrics, is_logged: true }))
    }

    /// That of somebody at this very machine, which is no request.
    pub(super) fn local(metrics: Arc<Metrics>) -> Self {
        let (facts, started) = (Mutex::default(), Instant::now());
        let (origin, span) = (Origin::here(), tracing::Span::none());
        Self(Arc::new(Inner { facts, origin, started, span, metrics, is_logged: false }))
    }

    fn facts(&self) -> MutexGuard<'_, Facts> {
        self.0.facts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// It is about this page.
    pub(super) fn about(&self, page: &PageUrl) {
        self.facts().host = Some(page.host().to_owned());
    }

    /// It shows this token, of which the log has a hash.
    pub(super) fn shows(&self, token: &str) {
        let hash = digest(&SHA256, token.as_bytes());
        let start =
            hash.as_ref()[..TOKEN_DIGITS / 2].iter().fold(0_u64, |start, byte| start << 8 | u64::from(*byte));
        self.facts().token = Some(format!("{start:0TOKEN_DIGITS$x}"));
    }

    /// Its bytes leave by this egress.
    pub(super) fn leaves_by(&self, egress: Option<&Arc<str>>) {
        self.facts().egress = egress.cloned();
    }

    /// Its answer is a stream, which counts its bytes itself.
    pub(super) fn streams(&self) {
        self.facts().is_streaming = true;
    }

    pub(super) fn is_streaming(&self) -> bool {
        self.facts().is_streaming
    }

    /// So many bytes go to the client at once.
    pub(super) fn sent(&self, bytes: u64) {
        self.facts().bytes = bytes;
    }

    /// A stream has given its client so many bytes, and has gone on after so many breaks.
    pub(super) fn streamed(&self, bytes: u64, resumes: u32) {
        let mut facts = self.facts();
        (facts.bytes, facts.resumes) = (bytes, resumes);
    }

    /// What it was answered.
    pub(super) fn answered(&self, status: u16, code: Option<&'static str>) {
        let mut facts = self.facts();
        (facts.status, facts.code) = (Some(status), code);
    }

    /// What is left of its rate, where it has had a part of that.
    pub(super) fn allowance(&self) -> Option<Allowance> {
        self.facts().allowance
    }

    /// It has had a part of its rate.
    pub(super) fn allow(&self, allowance: Option<Allowance>) {
        self.facts().allowance = allowance;
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        let facts = std::mem::take(self.facts.get_mut().unwrap_or_else(PoisonError::into_inner));
        if let Some(key) = &facts.key {
            self.metrics.key_served(key, facts.bytes);
        }
        if !self.is_logged {
            return;
        }
        let millis = u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX);
        let Facts {
            client, key, host, extractor, cached, egress, token, bytes, resumes, status, code, ..
        } = facts;
        let code = code.or(status.is_none().then_some("client_gone"));
        let cache = cached.map(|cached| if cached { "hit" } else { "miss" });
        let client = client.map(tracing::field::display);
        let (key, egress) = (key.as_deref(), egress.as_deref());
        let (host, extractor, token) = (host.as_deref(), extractor.as_deref(), token.as_deref());
        let resumes = (resumes > 0).then_some(resumes);
        self.span.in_scope(|| {
            tracing::info!(
                status, code, bytes, millis, client, key, host, extractor, cache, egress, resumes, token,
                "answered"
            );
        });
    }
}

impl Api {
    /// Who asks. An unknown key is an error.
    pub(super) fn caller<B>(&self, request: &Request<B>, visit: &Visit) -> Result<Caller, ApiError> {
        let Origin { address, is_stranger } = visit.0.origin;
        let caller = self.admission.caller(shown_keys(request.headers()), address, is_stranger);
        let caller = caller.map_err(|refusal| self.refused(visit, refusal))?;
        visit.facts().key = caller.key.as_ref().map(|key| Arc::clone(&key.name));
        Ok(caller)
    }

    /// Who shows a token: with an unknown key, somebody without one.
    pub(super) fn holder<B>(&self, request: &Request<B>, visit: &Visit) -> Caller {
        let Origin { address, is_stranger } = visit.0.origin;
        self.caller(request, visit).unwrap_or(Caller { key: None, address, is_stranger })
    }

    /// Who asks for a page, if they may. Before anything of the request's body is read.
    pub(super) fn admitted<B>(&self, request: &Request<B>, visit: &Visit) -> Result<Caller, ApiError> {
        let caller = self.caller(request, visit)?;
        self.admission.admit(&caller).map_err(|refusal| self.refused(visit, refusal))?;
        Ok(caller)
    }

    pub(super) fn refused(&self, visit: &Visit, refusal: admission::Refusal) -> ApiError {
        self.metrics.refused(refusal.label());
        if let admission::Refusal::Rate(allowance) = &refusal {
            visit.allow(Some(*allowance));
        }
        refusal.into()
    }

    /// What a page holds, for a caller that may have it.
    pub(super) async fn found(
        &self,
        visit: &Visit,
        caller: &Caller,
        ask: &Ask,
        fresh: bool,
    ) -> Result<Found<Tokens>, ApiError> {
        visit.about(&ask.page);
        let host = ask.page.host();
        if !self.admission.may_be_allowed(caller, host) {
            return Err(not_this_site());
        }
        let allowance = self.admission.extraction(caller).map_err(|refusal| self.refused(visit, refusal))?;
        visit.allow(allowance);
        let asker = Asker(self.admission.number(caller));
        let found = self.extractor.extract(ask, fresh, asker).await?;
        let extraction = &found.extracted.extraction;
        let extractor = extraction.metadata.extractor.as_deref();
        // The page may have led elsewhere.
        let last = extraction.metadata.webpage_url.as_deref().and_then(|url| PageUrl::parse(url).ok());
        let last = last.as_ref().map_or(host, PageUrl::host);
        if !self.admission.allows(caller, extractor, last) {
            return Err(not_this_site());
        }
        let mut facts = visit.facts();
        facts.extractor = extractor.map(str::to_owned);
        facts.cached = Some(found.cached);
        Ok(found)
    }
}

fn not_this_site() -> ApiError {
    ApiError::new(Code::UnsupportedUrl, "this site is not served here (ALLOWED_SITES, or the key's sites)")
}
