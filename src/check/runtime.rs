//! What extracts: the runtime, yt-dlp, and what runs the sites' scripts.

use std::time::{Duration, SystemTime};

use super::report::Check;
use crate::extract::{self, Look, Versions, script};

/// From this age on, sites may have changed more than yt-dlp knows: it is released about once a month.
const MAX_AGE: Duration = Duration::from_secs(60 * 86_400);
const DAY: u64 = 86_400;

const RUNTIME: &str = "runtime";
const REINSTALL: &str = "install the runtime anew, from the build that the binary is of";

/// The runtime's files, and whether Python starts from them, which is tried only where they are whole.
pub(super) fn python(settings: &extract::Settings) -> (Vec<Check>, Option<Versions>) {
    let folder = settings.runtime();
    let folder = folder.display();
    let whole = match extract::check_runtime(settings, Look::Bytes) {
        Ok(Some(files)) => format!("{files} files in {folder} are as they were built"),
        Ok(None) => format!("{folder} has no list to compare its files with"),
        Err(error) => return (vec![Check::fail(RUNTIME, error.to_string(), REINSTALL)], None),
    };
    match extract::try_python(settings) {
        Ok(versions) => {
            let detail = format!("Python {}; {whole}", versions.python);
            (vec![Check::ok(RUNTIME, detail)], Some(versions))
        }
        Err(error) => (vec![Check::fail(RUNTIME, error.to_string(), REINSTALL)], None),
    }
}

/// How old yt-dlp is, and whether it can look like a browser.
pub(super) fn yt_dlp(versions: &Versions) -> [Check; 2] {
    [age(&versions.yt_dlp, SystemTime::now()), impersonation(versions.impersonations)]
}

fn age(version: &str, now: SystemTime) -> Check {
    const NAME: &str = "yt-dlp";
    let Some(released) = released(version) else {
        return Check::info(NAME, format!("{version}, whose date can't be read"));
    };
    let age = now.duration_since(released).unwrap_or_default();
    let detail = format!("{version}, {} days old", age.as_secs() / DAY);
    match age >= MAX_AGE {
        true => Check::warn(
            NAME,
            detail,
            "sites change; install a newer Sluice, or rebuild the runtime with a newer one",
        ),
        false => Check::ok(NAME, detail),
    }
}

/// When a version of yt-dlp was released: it is called by its day, as in `2026.10.26` or `2026.10.26.232815`.
pub(super) fn released(version: &str) -> Option<SystemTime> {
    let mut parts = version.splitn(4, '.');
    let (year, month, day) = (parts.next()?, parts.next()?, parts.next()?);
    humantime::parse_rfc3339(&format!("{year}-{month}-{day}T00:00:00Z")).ok()
}

fn impersonation(browsers: u32) -> Check {
    const NAME: &str = "impersonation";
    match browsers {
        0 => Check::warn(NAME, "curl_cffi looks like no browser, which TikTok and others refuse", REINSTALL),
        browsers => Check::ok(NAME, format!("curl_cffi looks like {browsers} browsers")),
    }
}

/// What runs the sites' scripts.
pub(super) async fn javascript(settings: &extract::Settings) -> Check {
    const NAME: &str = "javascript";
    match extract::try_javascript(settings).await {
        Ok(version) => Check::ok(NAME, version),
        Err(why @ script::NoScripts::Unset) => {
            Check { advice: Some(script::ADVICE.to_owned()), ..Check::info(NAME, why.to_string()) }
        }
        Err(why) => Check::warn(NAME, why.to_string(), script::ADVICE),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::State;

    #[test]
    fn a_version_is_as_old_as_its_name_says() {
        let released = released("2026.10.26").unwrap();
        assert_eq!(humantime::format_rfc3339(released).to_string(), "2026-10-26T00:00:00Z");
        assert_eq!(super::released("2026.10.26.232815"), Some(released));
        assert_eq!(super::released("nightly"), None);
        let after = |days: u64| age("2026.10.26", released + Duration::from_secs(days * DAY));
        assert_eq!((after(59).state, after(60).state), (State::Ok, State::Warn));
        assert!(after(60).detail.ends_with("60 days old"));
        let before = age("2026.10.26", released - Duration::from_secs(DAY));
        assert_eq!((before.state, before.detail.as_str()), (State::Ok, "2026.10.26, 0 days old"));
        assert_eq!(age("unknown", released).state, State::Info);
    }
}
