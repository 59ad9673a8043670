//! `sluice check`: what it says of this machine, and of what does not fit.

use crate::support::server::{self, Ended, TestServer};
use crate::support::tls::{Pair, PairFiles};
use crate::support::world::{World, world};
use serde_json::Value;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

/// Runs it with these settings; as a process's own, `LOG` is not set.
fn check(settings: &[(&str, &str)], flags: &[&str]) -> Ended {
    let all: Vec<_> = [("LOG", "")].iter().chain(settings).copied().collect();
    server::run(&all, &[&["check"], flags].concat())
}

/// The same, as the object of `--json`, and its exit code.
fn report(settings: &[(&str, &str)]) -> (Value, Option<i32>) {
    let ended = check(settings, &["--json"]);
    assert_eq!(ended.stderr, "", "{ended:?}");
    assert_eq!(ended.stdout.lines().count(), 1, "{}", ended.stdout);
    (serde_json::from_str(&ended.stdout).unwrap(), ended.code)
}

/// All checks of a name.
fn named<'a>(report: &'a Value, name: &str) -> Vec<&'a Value> {
    report["checks"].as_array().unwrap().iter().filter(|check| check["name"] == name).collect()
}

/// The one check of a name: its state, and its line.
fn only(report: &Value, name: &str) -> (String, String) {
    let [check] = named(report, name)[..] else { panic!("{name} in {report}") };
    said(check)
}

fn said(check: &Value) -> (String, String) {
    let text = |key: &str| check[key].as_str().unwrap_or_default().to_owned();
    (text("state"), format!("{}: {}", text("detail"), text("advice")))
}

/// A port that nobody listens on.
fn closed_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

#[test]
fn says_of_each_thing_how_it_is_and_changes_nothing() {
    let home = tempfile::tempdir().unwrap();
    let state = home.path().join("a/state");
    let settings = [("STATE_DIR", state.to_str().unwrap())];
    let (report, code) = report(&settings);
    assert_eq!((&report["ok"], code), (&true.into(), Some(0)), "{report}");
    for (name, state, part) in [
        ("runtime", "ok", "Python 3.11."),
        ("clock", "ok", "T"),
        ("impersonation", "ok", "browsers"),
        ("ffmpeg", "info", "not"),
        ("trust-roots", "ok", "of certifi"),
        ("egress", "info", "none is listed"),
        ("ipv6", "info", ""),
        ("port", "ok", "free"),
        ("state", "ok", "the first start will make"),
    ] {
        let (found, line) = only(&report, name);
        assert!(found == state && line.contains(part), "{name} is {found}: {line}");
    }
    assert!(only(&report, "yt-dlp").1.contains("days old"), "{report}");
    assert!(only(&report, "open-files").1.contains("hard limit"), "{report}");
    only(&report, "javascript");
    for check in report["checks"].as_array().unwrap() {
        let state = check["state"].as_str().unwrap();
        assert!(["ok", "warn", "fail", "info"].contains(&state), "{check}");
        assert_eq!(check.get("advice").is_some_and(|advice| advice != ""), state == "warn", "{check}");
    }
    assert!(!home.path().join("a").exists());

    let lines = check(&settings, &[]);
    assert_eq!((lines.code, lines.stderr.as_str()), (Some(0), ""), "{lines:?}");
    assert_eq!(lines.stdout.lines().count(), report["checks"].as_array().unwrap().len(), "{}", lines.stdout);
    assert!(lines.stdout.starts_with("ok    runtime        Python 3.11."), "{}", lines.stdout);
}

#[test]
fn what_does_not_fit_is_named_with_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o644)).unwrap();
        path.display().to_string()
    };
    let (key, keys) = (file("key", "a secret of some length"), file("keys", "alice nonsense\n"));
    let proxy = TcpListener::bind("127.0.0.1:0").unwrap();
    let good = format!("socks5://{}", proxy.local_addr().unwrap());
    let gone = format!("http://127.0.0.1:{}", closed_port());
    // It takes connections and says nothing that a Sluice says.
    let other = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = other.local_addr().unwrap().port().to_string();
    std::thread::spawn(move || other.incoming().for_each(drop));
    let egress = format!("127.0.0.1,192.0.2.7,2606:4700::/64,{good},{gone}");
    let (report, code) = report(&[
        ("EGRESS", &egress),
        ("PORT", &port),
        ("ENCRYPTION_KEY_FILE", &key),
        ("API_KEYS_FILE", &keys),
        ("COOKIES_PATH", "/nowhere/cookies.txt"),
    ]);
    assert_eq!((&report["ok"], code), (&false.into(), Some(1)), "{report}");
    let exits: Vec<_> = named(&report, "egress").into_iter().map(said).collect();
    let states: Vec<_> = exits.iter().map(|(state, _)| state.as_str()).collect();
    assert_eq!(states, ["ok", "warn", "warn", "ok", "warn"], "{exits:?}");
    assert!(exits[2].1.contains("ip -6 route add local 2606:4700::/64"), "{exits:?}");
    assert!(exits[4].1.contains(&gone), "{exits:?}");
    for (name, state, part) in [
        ("port", "fail", "another program"),
        ("secrets", "warn", "chmod o= "),
        ("api-keys", "fail", "line 1"),
        ("settings", "warn", "COOKIES_PATH"),
        ("state", "ok", "nothing is written"),
    ] {
        let (found, line) = only(&report, name);
        assert!(found == state && line.contains(part), "{name} is {found}: {line}");
    }
}

#[test]
fn a_damaged_runtime_is_not_started() {
    let pyenv = crate::bad_start::Pyenv::new();
    pyenv.put("runtime/lib/python3.11/json/decoder.py", "raise SystemExit\n");
    let (report, code) = report(&[("PYENV_DIR", pyenv.path())]);
    let (state, line) = only(&report, "runtime");
    assert!(state == "fail" && line.contains("json/decoder.py"), "{line}");
    // What Python would tell is not known then.
    assert!(code == Some(1) && named(&report, "yt-dlp").is_empty(), "{report}");
}

#[test]
fn a_server_that_runs_is_known() {
    let port = world().server.address().port().to_string();
    let (report, code) = report(&[("PORT", &port)]);
    let (state, line) = only(&report, "port");
    assert!(state == "ok" && line.contains("a Sluice that is ready"), "{line}");
    assert_eq!(code, Some(0));
}

#[test]
fn an_owner_of_the_port_who_is_silent_is_a_warning() {
    // As systemd does for a service that is not there yet: connections wait, and nobody accepts them.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = silent.local_addr().unwrap().port().to_string();
    let (report, code) = report(&[("HOST", "127.0.0.1"), ("PORT", &port)]);
    let (state, line) = only(&report, "port");
    assert!(state == "warn" && line.contains("does not answer"), "{line}");
    assert_eq!(code, Some(0));
}

#[test]
fn a_machine_without_any_of_the_addresses_fails() {
    let states = |hosts: &str| {
        let (report, code) = report(&[("HOST", hosts)]);
        let states: Vec<_> = named(&report, "port").into_iter().map(|check| said(check).0).collect();
        (states.join(" "), code)
    };
    assert_eq!(states("198.51.100.1,127.0.0.1"), ("warn ok".to_owned(), Some(0)));
    assert_eq!(states("198.51.100.1,203.0.113.1"), ("fail fail".to_owned(), Some(1)));
}

#[test]
fn bad_settings_have_a_code_of_their_own() {
    for flags in [&[][..], &["--json"], &["--health"]] {
        let ended = check(&[("PORT", "x"), ("TOKEN_TTL", "soon")], flags);
        assert_eq!((ended.code, ended.stdout.as_str()), (Some(2), ""), "{ended:?}");
        assert!(ended.stderr.contains("PORT") && ended.stderr.contains("TOKEN_TTL"), "{ended:?}");
    }
    assert_eq!(check(&[], &["--health", "--json"]).code, Some(2));
}

/// What a probe says of the server with these settings: the exit code, and the line.
#[track_caller]
fn health(settings: &[(&str, &str)]) -> (Option<i32>, String) {
    let ended = check(settings, &["--health"]);
    assert_eq!(ended.stderr, "", "{ended:?}");
    assert_eq!(ended.stdout.lines().count(), 1, "{ended:?}");
    (ended.code, ended.stdout.trim().to_owned())
}

/// A folder that is taken for a runtime, and in which there is none.
fn no_runtime(folder: &Path) -> String {
    std::fs::create_dir_all(folder.join("runtime/lib")).unwrap();
    folder.display().to_string()
}

#[test]
fn a_probe_asks_the_server_and_starts_no_python() {
    let folder = tempfile::tempdir().unwrap();
    let pyenv = no_runtime(folder.path());
    let port = world().server.address().port().to_string();
    for host in ["127.0.0.1", "0.0.0.0", "::1,127.0.0.1"] {
        let settings = [("HOST", host), ("PORT", port.as_str()), ("PYENV_DIR", pyenv.as_str())];
        assert_eq!(health(&settings), (Some(0), "ready".to_owned()), "{host}");
    }
    // The folder is none that Python could start from.
    assert_eq!(check(&[("PYENV_DIR", &pyenv)], &[]).code, Some(1));
    let (code, line) = health(&[("PORT", &closed_port().to_string())]);
    assert!(code == Some(1) && line.starts_with("not ready: "), "{line}");
}

#[test]
fn a_probe_speaks_tls_whatever_the_certificate_is_for() {
    let files = PairFiles::of(&Pair::new());
    let pair = files.settings();
    let pair: Vec<(&str, &str)> = pair.iter().map(|(name, path)| (*name, path.as_str())).collect();
    let world = World::with(&pair);
    let port = world.server.address().port().to_string();
    let settings: Vec<_> = pair.iter().chain(&[("PORT", port.as_str())]).copied().collect();
    assert_eq!(health(&settings), (Some(0), "ready".to_owned()));
    // Without it, what answers is nothing that a probe takes for a server.
    assert_eq!(health(&[("PORT", &port)]).0, Some(1));
}

#[test]
fn a_probe_fails_where_no_worker_can_take_a_job() {
    // A package that starts, and whose sessions do not.
    let pyenv = crate::bad_start::Pyenv::new();
    pyenv.add("sluice/__init__.py", "\n\ndef Session():\n    raise RuntimeError('none today')\n");
    let server = TestServer::launch(&[("PYENV_DIR", pyenv.path())], &[]);
    server.wait_for_log("none today");
    let (code, line) = health(&[("PORT", &server.address().port().to_string())]);
    assert!(code == Some(1) && line.starts_with("not ready: overloaded: "), "{line}");
}
