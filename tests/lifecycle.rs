//! Start, signals, drain and end of the process.

use crate::support::client::{self, Answer};
use crate::support::server::{self, TestServer};
use crate::support::stage::{Fault, sha256};
use crate::support::world::{World, post};
use nix::sys::signal::Signal;
use std::path::Path;
use std::process::Command;

/// A world whose Python has run yt-dlp, so that whatever it does to signal handlers is done.
fn warmed_up(settings: &[(&str, &str)]) -> World {
    let world = World::with(settings);
    let video = post().install(&world.stage);
    world.extract(video.page_url());
    world
}

#[test]
fn both_signals_end_it_well_after_python_has_run() {
    for signal in [Signal::SIGTERM, Signal::SIGINT] {
        let mut world = warmed_up(&[]);
        assert_eq!(world.get("/ready").status, 200);
        world.server.signal(signal);
        assert_eq!(world.server.wait_exit(), Some(0), "{signal}");
        let log = world.server.log().join("\n");
        assert!(!log.contains("KeyboardInterrupt") && !log.contains("Traceback"), "{log}");
    }
}

#[test]
fn a_stream_may_finish_after_sigterm() {
    let mut world = World::with(&[]);
    let stream = world.hold_stream();
    let kept = client::open("GET", &world.server.url("/ready"), &[], b"");
    assert_eq!(kept.status, 200);

    world.server.signal(Signal::SIGTERM);
    world.server.wait_for_log("drain");
    assert_draining(&world);
    stream.finish(&world);
    drop(kept);
    assert_eq!(world.server.wait_exit(), Some(0));
}

/// A draining server takes no new work: it does not accept, or says so.
fn assert_draining(world: &World) {
    if let Some(answer) = try_get(world, "/ready") {
        assert_eq!(answer.status, 503, "{}", answer.text());
    }
}

/// `None` when the connection is refused or closed without an answer.
fn try_get(world: &World, path: &str) -> Option<Answer> {
    use std::io::{Read as _, Write as _};
    let mut tcp = std::net::TcpStream::connect(world.server.address()).ok()?;
    write!(tcp, "GET {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").ok()?;
    let mut bytes = Vec::new();
    tcp.read_to_end(&mut bytes).ok()?;
    let text = String::from_utf8_lossy(&bytes).into_owned();
    let status = text.split(' ').nth(1)?.parse().ok()?;
    Some(Answer { status, headers: client::Headers::default(), body: bytes, end: Ok(()) })
}

#[test]
fn a_drain_has_an_end() {
    let mut world = World::with(&[("DRAIN_TIMEOUT", "1")]);
    let video = post().install(&world.stage);
    video.play(&world.stage, "audio", |reply| reply.fault(Fault::Stall { after: 10_000 }));
    let path = world.stream_path(&video, "audio");
    let mut stream = client::open("GET", &world.server.url(&path), &[], b"");
    stream.read_exactly(10_000);
    world.server.signal(Signal::SIGTERM);
    assert_eq!(world.server.wait_exit(), Some(0));
    assert!(!stream.finish().complete(), "a stream that was cut off ended clean");
}

#[test]
fn a_second_signal_does_not_wait() {
    let mut world = World::with(&[("DRAIN_TIMEOUT", "600")]);
    let video = post().install(&world.stage);
    video.play(&world.stage, "audio", |reply| reply.fault(Fault::Stall { after: 10_000 }));
    let path = world.stream_path(&video, "audio");
    let mut stream = client::open("GET", &world.server.url(&path), &[], b"");
    stream.read_exactly(10_000);
    world.server.signal(Signal::SIGINT);
    world.server.wait_for_log("drain");
    world.server.signal(Signal::SIGINT);
    assert_eq!(world.server.wait_exit(), Some(1));
    assert!(!stream.finish().complete(), "a stream that was cut off ended clean");
}

#[test]
fn an_http_1_0_client_sees_the_end_of_a_drain_as_a_reset() {
    for (settings, signals) in [([("DRAIN_TIMEOUT", "1")], 1), ([("DRAIN_TIMEOUT", "600")], 2)] {
        let mut world = World::with(&settings);
        let video = post().install(&world.stage);
        video.play(&world.stage, "audio", |reply| reply.chunked().fault(Fault::Stall { after: 10_000 }));
        let request = format!("GET {} HTTP/1.0\r\n\r\n", world.stream_path(&video, "audio"));
        let mut stream = client::open_raw(world.server.address(), request.as_bytes());
        stream.read_exactly(10_000);
        for _ in 0..signals {
            world.server.signal(Signal::SIGTERM);
            world.server.wait_for_log("drain");
        }
        world.server.wait_exit();
        let answer = stream.finish();
        assert_eq!(answer.end, Err(client::Broken::Reset), "{settings:?}");
    }
}

#[test]
fn a_log_that_nobody_reads_costs_no_request() {
    let world = World::with(&[]);
    let video = post().install(&world.stage);
    // From here on every write to standard error fails.
    world.server.close_log();
    for _ in 0..3 {
        assert_eq!(world.get("/health").status, 200);
    }
    world.extract(video.page_url());
}

#[test]
fn the_host_s_python_changes_nothing() {
    let traps = tempfile::tempdir().unwrap();
    let sprung = traps.path().join("sprung");
    let code = format!("open({:?}, 'a').write(__name__ + '\\n')\n", sprung.to_str().unwrap());
    let lay = |path: &str| {
        let path = traps.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, &code).unwrap();
    };
    for module in
        ["json.py", "ssl.py", "yt_dlp/__init__.py", "sluice/__init__.py", "sitecustomize.py", "startup.py"]
    {
        lay(module);
    }
    lay("yt_dlp_plugins/extractor/trap.py");
    lay("home/.local/lib/python3.11/site-packages/usercustomize.py");
    lay("home/.config/yt-dlp/plugins/trap/yt_dlp_plugins/extractor/trap.py");
    std::fs::write(traps.path().join("home/.config/yt-dlp/config"), "--proxy http://127.0.0.1:9\n").unwrap();
    let folder = traps.path().to_str().unwrap();
    let home = traps.path().join("home");
    let startup = traps.path().join("startup.py");
    assert!(springs(&sprung, folder, &home), "the traps do nothing to an ordinary Python");
    std::fs::remove_file(&sprung).unwrap();

    let world = World::with(&[
        ("PYTHONPATH", folder),
        ("PYTHONHOME", folder),
        ("PYTHONSTARTUP", startup.to_str().unwrap()),
        ("PYTHONUSERBASE", home.join(".local").to_str().unwrap()),
        ("PYTHONWARNINGS", "error"),
        ("HOME", home.to_str().unwrap()),
        ("http_proxy", "http://127.0.0.1:9"),
        ("https_proxy", "http://127.0.0.1:9"),
        ("all_proxy", "http://127.0.0.1:9"),
    ]);
    let video = post().install(&world.stage);
    let answer = world.get(&world.stream_path(&video, "audio"));
    assert_eq!(sha256(&answer.body), video.media("audio").sha256());
    let caught = std::fs::read_to_string(&sprung).unwrap_or_default();
    assert_eq!(caught, "", "the server imported what the host had laid out");
}

/// Whether the system's Python runs into the traps.
fn springs(sprung: &Path, folder: &str, home: &Path) -> bool {
    let mut python = Command::new("/usr/bin/python3");
    python.args(["-c", "import json"]).env("PYTHONPATH", folder).env("HOME", home);
    python.output().unwrap();
    std::fs::read_to_string(sprung).is_ok_and(|text| text.contains("json"))
}

#[test]
fn bad_settings_are_named_all_at_once() {
    let ended = server::run(
        &[
            ("PORT", "70000"),
            ("TOKEN_TTL", "soon"),
            ("ENCRYPTION_KEY", "overflow"),
            ("MAX_WORKERS", "0"),
            ("PROXY", "gopher://127.0.0.1"),
            ("LOG_FORMAT", "xml"),
        ],
        &[],
    );
    assert_eq!(ended.code, Some(2), "{}", ended.stderr);
    for name in ["PORT", "TOKEN_TTL", "ENCRYPTION_KEY", "MAX_WORKERS", "PROXY", "LOG_FORMAT"] {
        assert!(ended.stderr.contains(name), "{name} in {}", ended.stderr);
    }
    assert!(!ended.stderr.contains("panicked"), "{}", ended.stderr);
}

#[test]
fn a_short_key_is_refused() {
    let ended = server::run(&[("ENCRYPTION_KEY", "fifteen bytes..")], &[]);
    assert_eq!(ended.code, Some(2), "{}", ended.stderr);
    assert!(ended.stderr.contains("ENCRYPTION_KEY") && !ended.stderr.contains("fifteen"), "{}", ended.stderr);
}

#[test]
fn a_port_that_is_taken_is_told() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let ended = server::run(&[("PORT", &port)], &[]);
    assert!(ended.code.is_some_and(|code| code != 0), "{ended:?}");
    assert!(ended.stderr.contains(&port) && !ended.stderr.contains("panicked"), "{}", ended.stderr);
}

#[test]
fn help_and_version_need_no_server() {
    let help = server::run(&[], &["--help"]);
    assert_eq!(help.code, Some(0));
    assert!(help.stdout.contains("--port"), "{}", help.stdout);
    let version = server::run(&[], &["--version"]);
    assert_eq!((version.code, version.stdout.contains(env!("CARGO_PKG_VERSION"))), (Some(0), true));
    assert_eq!(server::run(&[], &["--no-such-flag"]).code, Some(2));
}

#[test]
fn an_unknown_setting_in_a_file_warns() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("sluice.env");
    std::fs::write(&file, "MAX_WORKERS=3  # three\nNO_SUCH_SETTING=1\n").unwrap();
    let server = TestServer::launch(&[], &["--config", file.to_str().unwrap()]);
    let warning = server.wait_for_log("NO_SUCH_SETTING");
    assert!(warning.contains("WARN"), "{warning}");
}
