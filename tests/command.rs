//! `sluice extract`: the answer of `/extract` on standard output, without a server.

use crate::playlists;
use crate::support::client::{self, encode};
use crate::support::server::{self, Ended, TestServer};
use crate::support::stage::tiktok::BEST;
use crate::support::stage::{Fault, Reply, sha256};
use crate::support::world::{World, empty_page, format, post, world};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
use std::process::Stdio;

/// The settings with which the command has the same internet, key and address as the server.
fn settings(world: &World) -> Vec<(&'static str, String)> {
    vec![
        ("PROXY", world.stage.proxy_url()),
        ("CA_FILE", world.stage.ca_file().display().to_string()),
        ("STATE_DIR", world.server.home().join("state").display().to_string()),
        ("PORT", world.server.address().port().to_string()),
        // The default of a process, not of the tests' servers.
        ("LOG", String::new()),
    ]
}

/// Runs `sluice` with these arguments beside the server.
fn sluice(world: &World, arguments: &[&str]) -> Ended {
    let settings = settings(world);
    let settings: Vec<_> = settings.iter().map(|(name, value)| (*name, value.as_str())).collect();
    server::run(&settings, arguments)
}

/// What it prints where it succeeds.
fn printed(world: &World, arguments: &[&str]) -> Value {
    let ended = sluice(world, arguments);
    assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""), "{ended:?}");
    assert_eq!(ended.stdout.lines().count(), 1, "{}", ended.stdout);
    assert!(ended.stdout.ends_with('\n'));
    serde_json::from_str(&ended.stdout).unwrap()
}

/// An answer with the tokens, which are sealed anew each time, taken out, and nothing else.
fn without_tokens(mut value: Value) -> Value {
    fn walk(value: &mut Value) {
        match value {
            Value::String(text) => {
                if let Some((link, _)) = text.split_once("/stream?data=") {
                    *text = format!("{link}/stream?data=");
                }
            }
            Value::Array(items) => items.iter_mut().for_each(walk),
            Value::Object(map) => {
                if let Some(token) = map.get_mut("token") {
                    *token = Value::Bool(true);
                }
                map.values_mut().for_each(walk);
            }
            _ => {}
        }
    }
    walk(&mut value);
    value
}

#[test]
fn prints_what_the_server_answers_and_its_links_work_there() {
    // With a key of its own in its state folder.
    let world = World::with(&[]);
    let video = post().title("Low water").install(&world.stage);
    let printed = printed(&world, &["extract", video.page_url()]);
    let answer = world.get(&format!("/extract?url={}", encode(video.page_url()))).json();
    assert_eq!(without_tokens(printed.clone()), without_tokens(answer));
    let film = client::get(format(&printed, BEST)["stream"].as_str().unwrap());
    assert_eq!(sha256(&film.body), video.media(BEST).sha256());
    assert_eq!(client::get(printed["thumbnail"].as_str().unwrap()).status, 200);
}

#[test]
fn takes_what_extract_takes() {
    let world = World::with(&[]);
    let video = post().title("Low water").install(&world.stage);
    let page = video.page_url();
    for selector in ["-f", "--format"] {
        let chosen = printed(&world, &["extract", selector, "audio", page, "--filename", "a-%(title)s"]);
        let formats = chosen["formats"].as_array().unwrap();
        assert_eq!((formats.len(), &formats[0]["format_id"]), (1, &Value::from("audio")));
        let sound = client::get(formats[0]["stream"].as_str().unwrap());
        assert_eq!(sound.header("x-filename"), Some("a-Low%20water.mp3"));
    }
    let part =
        printed(&world, &["extract", "--offset", "2", "--limit=1", &playlists::album(&world.stage, 4)]);
    let entries = part["entries"].as_array().unwrap();
    assert_eq!((&part["kind"], entries.len(), &entries[0]["title"]), (&"playlist".into(), 1, &"T2".into()));
}

#[test]
fn settings_stand_before_and_after_the_command() {
    let world = World::with(&[]);
    let video = post().install(&world.stage);
    let base = "https://video.example.org/s";
    for arguments in [
        ["--base-url", base, "extract", video.page_url()],
        ["extract", "--base-url", base, video.page_url()],
        ["extract", video.page_url(), "--base-url", base],
    ] {
        let printed = printed(&world, &arguments);
        let link = printed["thumbnail"].as_str().unwrap();
        assert!(link.starts_with("https://video.example.org/s/stream?data="), "{link}");
    }
    let ended = sluice(&world, &["extract", video.page_url(), "--token-ttl", "soon", "--port", "x"]);
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(2), ""));
    assert!(ended.stderr.contains("TOKEN_TTL") && ended.stderr.contains("PORT"), "{}", ended.stderr);
}

#[test]
fn an_error_is_one_line_and_an_exit_code() {
    let world = World::with(&[]);
    let video = post().install(&world.stage);
    let gone = post().install(&world.stage);
    gone.show_page(&world.stage, |_| Reply::status(404));
    let page = video.page_url();
    for (arguments, code) in [
        (&["extract", gone.page_url()][..], "not_found"),
        (&["extract", &empty_page(&world.stage)], "unsupported_url"),
        (&["extract", "file:///etc/passwd"], "unsupported_url"),
        (&["extract", "nonsense"], "bad_request"),
        (&["extract", ""], "missing_parameter"),
        (&["extract", "-f", "best[", page], "bad_request"),
        (&["extract", "-f", "nothing", page], "format_unavailable"),
        (&["extract", "--filename", "%(", page], "bad_request"),
        (&["extract", "--limit", "0", page], "bad_request"),
    ] {
        let ended = sluice(&world, arguments);
        assert_eq!((ended.code, ended.stdout.as_str()), (Some(1), ""), "{arguments:?}: {ended:?}");
        let detail = ended.stderr.strip_prefix(&format!("sluice: {code}: "));
        let detail = detail.unwrap_or_else(|| panic!("{arguments:?}: {}", ended.stderr));
        assert!(!detail.is_empty() && !detail.contains('\n'), "{arguments:?}: {}", ended.stderr);
    }
    for arguments in [
        &["extract"][..],
        &["extract", page, page],
        &["extract", "--limit", "many", page],
        &["extract", "--no-such-flag", page],
        &["-f", "audio", "extract", page],
        &["serve", "-f", "audio"],
        &["no-such-command"],
    ] {
        let ended = sluice(&world, arguments);
        assert_eq!((ended.code, ended.stdout.as_str()), (Some(2), ""), "{arguments:?}: {ended:?}");
        assert!(ended.stderr.contains("--help"), "{arguments:?}: {}", ended.stderr);
    }
}

#[test]
fn logs_what_is_asked_for_to_standard_error() {
    let world = World::with(&[]);
    let video = post().install(&world.stage);
    let ended = sluice(&world, &["extract", "--log", "info", video.page_url()]);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(ended.stderr.contains("extractors loaded"), "{}", ended.stderr);
    serde_json::from_str::<Value>(&ended.stdout).unwrap();
    let ended = sluice(&world, &["extract", "--cookies-path", "/nowhere/cookies.txt", video.page_url()]);
    assert!(ended.stderr.contains("COOKIES_PATH"), "{}", ended.stderr);
}

#[test]
fn an_output_that_nobody_reads_is_an_error() {
    let world = World::with(&[]);
    let video = post().install(&world.stage);
    let settings = settings(&world);
    let settings: Vec<_> = settings.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let home = tempfile::tempdir().unwrap();
    let mut command = server::command(&settings, &["extract", video.page_url()], home.path());
    let output = command.stdout(Stdio::from(writer)).stderr(Stdio::piped()).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.starts_with("sluice: standard output: ") && said.lines().count() == 1, "{said}");
}

#[test]
fn a_signal_ends_it_at_once() {
    let world = World::with(&[]);
    for (signal, code) in [(Signal::SIGINT, 130), (Signal::SIGTERM, 143)] {
        let video = post().install(&world.stage);
        video.show_page(&world.stage, |reply| reply.fault(Fault::HeldHead));
        let settings = settings(&world);
        let settings: Vec<_> = settings.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let home = tempfile::tempdir().unwrap();
        let mut command = server::command(&settings, &["extract", video.page_url()], home.path());
        let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        world.stage.wait_for(|seen| seen.iter().any(|seen| video.concerns(seen)));
        kill(Pid::from_raw(child.id() as i32), signal).unwrap();
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(code));
        assert!(output.stdout.is_empty() && output.stderr.is_empty(), "{output:?}");
        world.stage.release();
    }
}

#[test]
fn serve_serves_as_no_command_does() {
    let video = post().install(&world().stage);
    let proxy = world().stage.proxy_url();
    let ca = world().stage.ca_file().display().to_string();
    let server =
        TestServer::launch(&[("PROXY", &proxy), ("PORT", "1")], &["serve", "--port", "0", "--ca-file", &ca]);
    let answer = client::get(&server.url(&format!("/extract?url={}", encode(video.page_url()))));
    assert_eq!(answer.status, 200, "{}", answer.text());
}

#[test]
fn help_shows_the_command_and_its_own_flags() {
    let help = server::run(&[], &["--help"]).stdout;
    assert!(help.contains("extract") && help.contains("serve"), "{help}");
    let help = server::run(&[], &["extract", "--help"]).stdout;
    for flag in ["<URL>", "-f, --format", "--filename", "--offset", "--limit", "--port", "exit code"] {
        assert!(help.contains(flag), "{flag} in {help}");
    }
}
