//! `sluice check`: whether this machine has what a server with these settings needs, and what to do where it has not.
//!
//! It stands beside `main`, above the rooms: it asks each for what it knows, and none of them knows of it. Nothing is
//! changed, nothing is fetched, and no server has to run; one that does is not disturbed, and one that systemd starts by
//! its socket is started.

mod health;
mod host;
mod network;
mod report;
mod runtime;
mod secrets;

use std::path::PathBuf;

use crate::{admission, egress, extract, relay, server};
pub use health::{Health, HealthError, health};
pub use report::{Check, Report, State};

/// What only this room is told.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Where the key of stream links comes from.
    pub key: KeyPlace,
    /// The first program of that name on `PATH`.
    pub ffmpeg: Option<PathBuf>,
}

/// Where the key of stream links comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeyPlace {
    /// It is in the settings themselves.
    Given,
    /// A file of the operator's.
    File(PathBuf),
    /// A random one, in this folder.
    State(PathBuf),
    /// A random one in memory: there is no folder.
    Memory,
}

/// The settings of the rooms that are asked.
#[derive(Debug, Clone, Copy)]
pub struct Subjects<'a> {
    /// This room's own.
    pub check: &'a Settings,
    /// The server's.
    pub server: &'a server::Settings,
    /// Of who may come in.
    pub admission: &'a admission::Settings,
    /// Of extraction.
    pub extract: &'a extract::Settings,
    /// Of streams.
    pub relay: &'a relay::Settings,
    /// Of the way out.
    pub egress: &'a egress::Settings,
    /// What was odd about the settings.
    pub warnings: &'a [String],
}

/// Looks at everything. Takes about a second, most of it Python's start, and 5 s where a proxy does not answer. Once per
/// process; on a tokio runtime with other threads, for Python's start blocks this one.
pub async fn run(subjects: Subjects<'_>) -> Report {
    let mut checks = Vec::new();
    for warning in subjects.warnings {
        checks.push(Check::warn("settings", warning, "correct it, or take it out"));
    }
    let (found, versions) = runtime::python(subjects.extract);
    checks.extend(found);
    let release = versions.as_ref().and_then(|versions| runtime::released(&versions.yt_dlp));
    checks.push(host::clock(release));
    checks.extend(versions.iter().flat_map(runtime::yt_dlp));
    checks.push(runtime::javascript(subjects.extract).await);
    checks.push(host::ffmpeg(subjects.check));
    checks.push(network::trust_roots(subjects.egress));
    checks.extend(network::exits(subjects.egress).await);
    checks.push(network::ipv6());
    checks.extend(network::ports(subjects.server).await);
    checks.push(host::files(subjects.server, subjects.relay));
    checks.push(secrets::state(&subjects.check.key));
    checks.extend(secrets::files(&subjects));
    checks.extend(secrets::keys(subjects.admission));
    Report::new(checks)
}
