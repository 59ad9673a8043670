//! The machine: its clock, its limit on open files, its programs.

use std::time::{Duration, SystemTime};

use super::Settings;
use super::report::Check;
use crate::{relay, server};

/// How far the clock may be behind a file's date: two machines' clocks differ a little.
const SLACK: Duration = Duration::from_secs(60);
/// This binary.
const MYSELF: &str = "/proc/self/exe";

/// Whether it is later than what is known to be over: yt-dlp's release, and when this binary was written here.
pub(super) fn clock(release: Option<SystemTime>) -> Check {
    let written = std::fs::metadata(MYSELF).and_then(|file| file.modified()).ok();
    judged(SystemTime::now(), release.max(written))
}

fn judged(now: SystemTime, past: Option<SystemTime>) -> Check {
    const NAME: &str = "clock";
    let detail = humantime::format_rfc3339_seconds(now).to_string();
    match past.filter(|past| now + SLACK < *past) {
        None => Check::ok(NAME, detail),
        Some(past) => Check::fail(
            NAME,
            format!(
                "{detail} is before {}, when yt-dlp or this program was made",
                humantime::format_rfc3339_seconds(past)
            ),
            "set it, and have it kept (timedatectl set-ntp true): certificates of sites, and links, are judged by it",
        ),
    }
}

/// How many streams the limit on open files allows: the hard one, to which a server raises its own.
pub(super) fn files(server: &server::Settings, relay: &relay::Settings) -> Check {
    const NAME: &str = "open-files";
    let (soft, hard) = server::file_limits();
    let room = server::room(hard, relay.max_streams, server.max_connections);
    let said = |limit: u64| if limit == u64::MAX { "unlimited".to_owned() } else { limit.to_string() };
    let detail = format!(
        "soft limit {}, hard limit {}: {} streams, {} connections",
        said(soft),
        said(hard),
        room.streams,
        room.connections
    );
    match room.streams < relay.max_streams {
        false => Check::ok(NAME, detail),
        true => {
            let needed = server::files_for(relay.max_streams);
            let advice = format!(
                "MAX_STREAMS={} needs a hard limit of {needed} (LimitNOFILE= of systemd, --ulimit of containers, ulimit -Hn)",
                relay.max_streams
            );
            Check::warn(NAME, detail, advice)
        }
    }
}

/// Whether there is an ffmpeg, for who wonders: no part of Sluice starts it.
pub(super) fn ffmpeg(settings: &Settings) -> Check {
    const NAME: &str = "ffmpeg";
    match &settings.ffmpeg {
        Some(path) => Check::info(NAME, format!("{}, which is not used", path.display())),
        None => Check::info(NAME, "not found, and not needed"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::State;

    #[test]
    fn a_clock_before_what_is_over_is_wrong() {
        let now = SystemTime::now();
        let hour = Duration::from_secs(3600);
        assert_eq!(judged(now, None).state, State::Ok);
        assert_eq!(judged(now, Some(now - hour)).state, State::Ok);
        assert_eq!(judged(now, Some(now + SLACK / 2)).state, State::Ok);
        assert_eq!(judged(now, Some(now + hour)).state, State::Fail);
        assert_eq!(clock(None).state, State::Ok);
    }
}
