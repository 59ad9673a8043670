//! Settings of this room, and what of them Python and the helpers are told.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use serde::Serialize;

use super::script::{self, Scripts};
use super::{CacheSettings, Limits, python, quarantine};
use crate::egress::Most;

/// Settings of this room.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Folder of the Python runtime and package.
    pub pyenv: PathBuf,
    /// Most extraction threads.
    pub max_workers: usize,
    /// Most extractions waiting.
    pub max_queue: usize,
    /// One extraction, answered by then.
    pub timeout: Duration,
    /// How long one may hold Python's lock.
    pub max_hold: Duration,
    /// Sites whose pages alone are extracted; none: all.
    pub sites: Option<AllowedSites>,
    /// How much of everything one may take.
    pub limits: Limits,
    /// What is remembered.
    pub cache: CacheSettings,
    /// PEM roots trusted in addition.
    pub ca_file: Option<PathBuf>,
    /// Netscape cookie file, read only.
    pub cookies: Option<PathBuf>,
    /// Pages that only an extractor takes which takes any host; none: they are refused.
    pub generic: Option<GenericSettings>,
    /// What runs the sites' scripts.
    pub scripts: script::Settings,
}

/// Sites whose pages alone are extracted.
#[derive(Debug, Clone, Serialize)]
pub struct AllowedSites {
    /// By the names of their extractors, in lower case.
    pub extractors: Vec<String>,
    /// By their hosts, and all below those.
    pub hosts: Vec<String>,
}

/// Helpers for pages of any host.
#[derive(Debug, Clone, Copy)]
pub struct GenericSettings {
    /// Most at a time.
    pub workers: usize,
    /// Most bytes of memory that one may have for itself.
    pub memory: u64,
    /// How long one is kept that nobody needs.
    pub idle: Duration,
    /// Largest page of a named site, in bytes, that is not for them.
    pub named_bytes: u64,
}

impl Settings {
    /// Folder of the Python runtime.
    pub fn runtime(&self) -> PathBuf {
        self.pyenv.join(python::RUNTIME)
    }

    /// What `sluice.start` in Python takes.
    pub(super) fn python_config(
        &self,
        any_host: bool,
        guard: Option<SocketAddr>,
        scripts: Option<&Scripts>,
    ) -> String {
        serde_json::json!({
            "any_host": any_host,
            "guard": guard.map(|guard| guard.to_string()),
            "ca_file": self.ca_file,
            "cookies_path": self.cookies,
            "socket_timeout": self.timeout.as_secs_f64(),
            "sites": self.sites,
            "limits": self.limits,
            "named_bytes": self.generic.filter(|_| !any_host).map(|generic| generic.named_bytes),
            "javascript": scripts.map(Scripts::description),
        })
        .to_string()
    }

    pub(super) fn quarantine(
        &self,
        generic: GenericSettings,
        guard: SocketAddr,
        scripts: Option<&Scripts>,
    ) -> quarantine::Settings {
        quarantine::Settings {
            workers: generic.workers,
            max_queue: self.max_queue,
            memory: generic.memory,
            idle: generic.idle,
            message_limit: self.message_limit(),
            pyenv: self.pyenv.clone(),
            python_config: self.python_config(true, Some(guard), scripts),
        }
    }

    /// What one extraction may take of the network. What it reads is counted where it is decoded; here is what travels.
    pub(super) fn most(&self) -> Most {
        let decoded = self.limits.job_bytes;
        // Heads, TLS, and what it sends itself come on top.
        Most { dials: self.limits.requests, bytes: decoded + decoded / 8 + (1 << 20) }
    }

    /// Enough for a result, for a script with the page that it is about, and for what the script prints: each is JSON
    /// in JSON, which may double it, and comes with a log or with the solvers.
    fn message_limit(&self) -> usize {
        let most = self.limits.result_bytes.max(self.limits.page_bytes).max(script::MAX_STDOUT);
        2 * usize::try_from(most).unwrap_or(usize::MAX >> 3) + (2 << 20)
    }
}
