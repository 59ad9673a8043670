//! `/health`, `/ready` and `/metrics`: for people, load balancers and Prometheus.

use std::collections::BTreeMap;

use http::header::CONTENT_TYPE;
use http::{HeaderValue, Response};
use serde_json::{Value, json};

use super::body::{self, Body};
use super::error::{ApiError, Code};
use super::{Api, extract};
use crate::egress::ExitStats;
use crate::extract::Limit;
use crate::telemetry::{self, EgressSample, GuardSample, QuarantineSample, Sample};

/// Prometheus's text format.
const METRICS_TYPE: HeaderValue = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");

impl Api {
    /// Strangers learn that the process serves; who is trusted learns more.
    pub(super) fn health(&self, is_trusted: bool) -> Response<Body> {
        if !is_trusted {
            return plain_json(json!({"status": "ok"}).to_string());
        }
        let stats = self.extractor.stats();
        let versions = self.extractor.versions();
        let exceeded: BTreeMap<_, _> = Limit::ALL
            .iter()
            .map(|limit| (limit.as_str(), self.metrics.limits_exceeded(limit.as_str())))
            .collect();
        let egress: Vec<_> = self.extractor.exit_stats().into_iter().map(exit).collect();
        let guard = self.extractor.guard_stats();
        let mut health = json!({
            "status": "ok",
            "version": env!("CARGO_PKG_VERSION"),
            "python": versions.python,
            "yt_dlp": versions.yt_dlp,
            "uptime": self.started.elapsed().as_secs(),
            "workers": {"total": stats.workers, "busy": stats.busy, "warm": stats.warm, "stuck": stats.stuck},
            "queue": stats.queued,
            "python_lock": {
                "longest_ms": self.extractor.longest_hold().as_millis(),
                "broken": self.metrics.lock_breaks(),
            },
            "streams": self.metrics.streams(),
            "limits_exceeded": exceeded,
            "rss": telemetry::resident_bytes(),
            "open_files": telemetry::open_files(),
            "egress": egress,
            "guard": {"dials": guard.dials, "refused": guard.refused, "bytes": guard.bytes},
        });
        if let Some(stats) = self.extractor.quarantine_stats() {
            health["quarantine"] = json!({
                "helpers": stats.helpers,
                "busy": stats.busy,
                "queued": stats.queued,
                "ended": self.metrics.helpers_ended(),
            });
        }
        plain_json(health.to_string())
    }

    /// How busy it is, in a line for the service manager.
    pub fn summary(&self) -> String {
        let stats = self.extractor.stats();
        format!("{} streams, {} extractions, {} waiting", self.metrics.streams(), stats.busy, stats.queued)
    }

    /// Whether it can be expected to go on by itself; if not, only a new process helps.
    pub fn is_alive(&self) -> bool {
        self.extractor.is_alive()
    }

    pub(super) fn ready(&self) -> Result<Response<Body>, ApiError> {
        if self.is_ready() {
            return extract::json(&json!({"status": "ready"}));
        }
        match self.is_draining() {
            true => Err(ApiError::new(Code::Draining, "the server is shutting down")),
            false => Err(ApiError::new(Code::Overloaded, "no extraction worker can take a job at present")),
        }
    }

    pub(super) fn metrics(&self) -> Result<Response<Body>, ApiError> {
        let stats = self.extractor.stats();
        let quarantine = self.extractor.quarantine_stats().unwrap_or_default();
        let guard = self.extractor.guard_stats();
        let sample = Sample {
            workers: stats.workers,
            busy: stats.busy,
            stuck: stats.stuck,
            queued: stats.queued,
            cache: self.extractor.cache_stats(),
            quarantine: QuarantineSample {
                helpers: quarantine.helpers,
                busy: quarantine.busy,
                queued: quarantine.queued,
            },
            lock_hold: self.extractor.longest_hold(),
            egress: self.extractor.exit_stats().into_iter().map(exit_sample).collect(),
            guard: GuardSample { dials: guard.dials, refused: guard.refused, bytes: guard.bytes },
            upstream_bytes: self.relay.received_bytes(),
        };
        let text = self.metrics.text(&sample).map_err(ApiError::internal)?;
        let mut response = Response::new(body::full(text));
        response.headers_mut().insert(CONTENT_TYPE, METRICS_TYPE);
        Ok(response)
    }
}

fn exit(stats: ExitStats) -> Value {
    json!({
        "name": stats.name,
        "extractions": stats.extractions,
        "under_way": stats.under_way,
        "blocked": stats.blocked,
        "broken": stats.broken,
        "cooling": stats.cooling,
        "failing": stats.failing,
    })
}

fn exit_sample(stats: ExitStats) -> EgressSample {
    let ExitStats { name, under_way, extractions, blocked, broken, cooling, failing } = stats;
    EgressSample { name, under_way, extractions, blocked, broken, cooling, failing }
}

fn plain_json(text: String) -> Response<Body> {
    let mut response = Response::new(body::full(text));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}
