//! A machine that does not fit: the server says so in one line and ends with a code, or serves on; and what is written
//! is written whole.

use crate::support::client;
use crate::support::net::inside;
use crate::support::server::{self, Ended, TestServer};
use crate::support::stage::sha256;
use crate::support::stage::tiktok::BEST;
use crate::support::world::{World, post, world};
use serde_json::Value;
use std::fs::{self, File};
use std::io::Write as _;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};
use tempfile::TempDir;

/// The random key's file in the state folder.
const KEY_FILE: &str = "encryption_key";
/// What gives a process another clock (libfaketime(1)).
const OTHER_CLOCK: &str = "/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1";

/// A Python folder of a test's own: links to every file of the built one, to be replaced one by one.
pub struct Pyenv(TempDir);

impl Pyenv {
    pub fn new() -> Pyenv {
        let folder = tempfile::tempdir().unwrap();
        for part in ["runtime", "sluice", "plugins"] {
            let built = Path::new(env!("CARGO_MANIFEST_DIR")).join("pyenv").join(part);
            run(Command::new("cp").arg("-rs").arg(built).arg(folder.path()));
        }
        Pyenv(folder)
    }

    pub fn path(&self) -> &str {
        self.0.path().to_str().unwrap()
    }

    /// Replaces a file.
    pub fn put(&self, file: &str, content: impl AsRef<[u8]>) {
        self.remove(file);
        fs::write(self.0.path().join(file), content).unwrap();
    }

    /// Makes a file longer.
    pub fn add(&self, file: &str, more: &str) {
        let text = fs::read_to_string(self.0.path().join(file)).unwrap();
        self.put(file, text + more);
    }

    /// Leaves the first half of a file.
    fn halve(&self, file: &str) {
        let content = fs::read(self.0.path().join(file)).unwrap();
        self.put(file, &content[..content.len() / 2]);
    }

    fn remove(&self, file: &str) {
        fs::remove_file(self.0.path().join(file)).unwrap();
    }

    fn rename(&self, from: &str, to: &str) {
        fs::rename(self.0.path().join(from), self.0.path().join(to)).unwrap();
    }
}

fn run(command: &mut Command) {
    assert!(command.status().unwrap().success(), "{command:?}");
}

/// A start that fails by one line of the log, and with code 1.
#[track_caller]
fn one_line(settings: &[(&str, &str)]) -> String {
    let all: Vec<_> = settings.iter().chain(&[("LOG", "error")]).copied().collect();
    let ended = server::run(&all, &[]);
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(1), ""), "{ended:?}");
    assert_eq!(ended.stderr.lines().count(), 1, "{}", ended.stderr);
    ended.stderr
}

const STDLIB: &str = "runtime/lib/python3.11";

#[test]
fn a_damaged_runtime_is_told_before_it_does_harm() {
    let ssl = format!("{STDLIB}/lib-dynload/_ssl.cpython-311-x86_64-linux-gnu.so");
    let encodings = format!("{STDLIB}/encodings/__init__.py");
    let yt_dlp = format!("{STDLIB}/site-packages/yt_dlp/YoutubeDL.py");
    // As it is, it serves.
    let whole = Pyenv::new();
    drop(TestServer::spawn(&[("PYENV_DIR", whole.path())]));
    let roots = format!("{STDLIB}/site-packages/certifi/cacert.pem");
    let harms = [(&ssl, "cut"), (&encodings, "gone"), (&yt_dlp, "cut"), (&yt_dlp, "gone"), (&roots, "gone")];
    for (file, harm) in harms {
        let pyenv = Pyenv::new();
        match harm {
            "cut" => pyenv.halve(file),
            _ => pyenv.remove(file),
        }
        let line = one_line(&[("PYENV_DIR", pyenv.path())]);
        let name = file.strip_prefix("runtime/").unwrap();
        assert!(line.contains("is damaged") && line.contains(name), "{line}");
        let extract = server::run(
            &[("PYENV_DIR", pyenv.path()), ("LOG", "")],
            &["extract", "https://www.tiktok.com/@a/video/1"],
        );
        assert_eq!((extract.code, extract.stderr.lines().count()), (Some(1), 1), "{extract:?}");
    }
}

#[test]
fn a_runtime_without_a_list_of_its_files_fails_in_one_line_too() {
    let pyenv = Pyenv::new();
    pyenv.remove("runtime/contents");
    drop(TestServer::spawn(&[("PYENV_DIR", pyenv.path())]));
    pyenv.rename(&format!("{STDLIB}/site-packages/yt_dlp"), &format!("{STDLIB}/site-packages/gone"));
    let line = one_line(&[("PYENV_DIR", pyenv.path())]);
    assert!(line.contains("No module named 'yt_dlp'"), "{line}");
}

#[test]
fn a_runtime_or_a_package_of_another_version_is_told() {
    let pyenv = Pyenv::new();
    pyenv.rename(STDLIB, "runtime/lib/python3.13");
    let line = one_line(&[("PYENV_DIR", pyenv.path())]);
    assert!(line.contains("is of lib/python3.13") && line.contains("needs lib/python3.11"), "{line}");
    let pyenv = Pyenv::new();
    pyenv.add("sluice/__init__.py", "\nVERSION = '99.0.0'\n");
    let line = one_line(&[("PYENV_DIR", pyenv.path())]);
    assert!(line.contains("is of Sluice 99.0.0, and this binary is "), "{line}");
}

#[test]
fn a_port_that_is_taken_is_one_line_and_leaves_a_whole_key() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let state = tempfile::tempdir().unwrap();
    let line = one_line(&[("PORT", &port), ("STATE_DIR", state.path().to_str().unwrap())]);
    assert!(line.contains(&format!("127.0.0.1:{port}")), "{line}");
    assert_whole_key(state.path());
}

/// The folder holds a key, and nothing of the making of it.
#[track_caller]
fn assert_whole_key(state: &Path) {
    let files: Vec<_> = fs::read_dir(state).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(files, [KEY_FILE]);
    assert_eq!(fs::read(state.join(KEY_FILE)).unwrap().len(), 64);
}

/// Of a process that is root, no more than a user's rights to files.
fn humble(command: Command) -> Command {
    if !rustix::process::geteuid().is_root() {
        return command;
    }
    let mut humble = Command::new("setpriv");
    humble.args(["--bounding-set=-dac_override,-dac_read_search", "--"]).arg(command.get_program());
    humble.args(command.get_args()).env_clear();
    humble.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
    if let Some(folder) = command.get_current_dir() {
        humble.current_dir(folder);
    }
    humble
}

fn run_humbly(settings: &[(&str, &str)], flags: &[&str]) -> Ended {
    let home = tempfile::tempdir().unwrap();
    let mut command = humble(server::command(settings, flags, home.path()));
    let output = command.stdin(Stdio::null()).output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    Ended { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
}

#[test]
fn a_file_that_cannot_be_read_is_named_with_its_setting() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("secret");
    fs::write(&file, "KEY=a secret of some length").unwrap();
    let path = file.to_str().unwrap();
    let mode = |mode| fs::set_permissions(&file, PermissionsExt::from_mode(mode)).unwrap();
    mode(0o000);
    for setting in ["ENCRYPTION_KEY_FILE", "API_KEYS_FILE", "CA_FILE"] {
        for command in ["serve", "check"] {
            let ended = run_humbly(&[(setting, path)], &[command]);
            assert_eq!((ended.code, ended.stdout.as_str()), (Some(2), ""), "{ended:?}");
            let lines: Vec<_> = ended.stderr.lines().collect();
            assert!(lines.len() == 2 && lines[1].contains(setting), "{ended:?}");
            assert!(lines[1].contains(path) && lines[1].contains("Permission denied"), "{ended:?}");
        }
    }
    let pair = crate::support::tls::PairFiles::of(&crate::support::tls::Pair::new());
    fs::set_permissions(pair.key(), PermissionsExt::from_mode(0o000)).unwrap();
    let settings = pair.settings();
    let settings: Vec<_> = settings.iter().map(|(name, path)| (*name, path.as_str())).collect();
    let ended = run_humbly(&settings, &[]);
    assert!(ended.code == Some(2) && ended.stderr.contains("TLS_KEY (environment)"), "{ended:?}");
    let ended = run_humbly(&[], &["--config", path]);
    assert!(ended.code == Some(2) && ended.stderr.lines().count() == 1, "{ended:?}");
    // It was the mode.
    mode(0o600);
    let ended = run_humbly(&[("ENCRYPTION_KEY_FILE", path), ("PORT", "x")], &[]);
    assert!(!ended.stderr.contains("ENCRYPTION_KEY_FILE"), "{ended:?}");
}

#[test]
fn a_key_that_cannot_be_read_or_kept_is_one_in_memory() {
    let state = tempfile::tempdir().unwrap();
    let path = state.path().to_str().unwrap();
    let file = state.path().join(KEY_FILE);
    fs::write(&file, "a secret of some length").unwrap();
    fs::set_permissions(&file, PermissionsExt::from_mode(0o000)).unwrap();
    fs::set_permissions(state.path(), PermissionsExt::from_mode(0o500)).unwrap();
    let checked = run_humbly(&[("STATE_DIR", path), ("LOG", "")], &["check", "--json"]);
    let report: Value = serde_json::from_str(&checked.stdout).unwrap();
    let state_check = report["checks"].as_array().unwrap().iter().find(|check| check["name"] == "state");
    assert_eq!(state_check.unwrap()["state"], "warn", "{report}");
    let server = TestServer::wrapped(&[("STATE_DIR", path)], humble);
    server.wait_for_log("memory only");
    assert_eq!(client::get(&server.url("/ready")).status, 200);
    fs::set_permissions(state.path(), PermissionsExt::from_mode(0o700)).unwrap();
}

#[test]
fn an_output_that_is_full_is_one_line_and_a_log_that_is_costs_nothing() {
    let video = post().install(&world().stage);
    let (proxy, ca) = (world().stage.proxy_url(), world().stage.ca_file().display().to_string());
    let settings = [("PROXY", proxy.as_str()), ("CA_FILE", ca.as_str()), ("LOG", "")];
    let home = tempfile::tempdir().unwrap();
    let full = || Stdio::from(File::options().write(true).open("/dev/full").unwrap());
    for flags in [
        &["extract", video.page_url()][..],
        &["check"],
        &["check", "--json"],
        &["check", "--health"],
        &["keygen", "alice"],
        &["completions", "bash"],
        &["man"],
    ] {
        let output = server::command(&settings, flags, home.path()).stdout(full()).output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{flags:?}: {said}");
        assert!(said.starts_with("sluice: standard output: No space left"), "{flags:?}: {said}");
        assert_eq!(said.lines().count(), 1, "{said}");
    }
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port().to_string();
    let settings = [&settings[..2], &[("PORT", port.as_str())]].concat();
    let mut command = server::command(&settings, &[], home.path());
    let mut child = command.stdout(full()).stderr(full()).stdin(Stdio::null()).spawn().unwrap();
    // Nothing tells when it is ready but itself.
    let probe = || server::run(&[("PORT", &port), ("LOG", "")], &["check", "--health"]).code;
    while probe() != Some(0) {
        assert!(child.try_wait().unwrap().is_none(), "it ended");
    }
    let url = format!("http://127.0.0.1:{port}/extract?url={}", client::encode(video.page_url()));
    assert_eq!(client::get(&url).status, 200);
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn disks() {
    inside("bad_start::a_full_or_read_only_disk_leaves_nothing_half_written");
}

#[test]
#[ignore = "run by disks, on disks of its own"]
fn a_full_or_read_only_disk_leaves_nothing_half_written() {
    link_up();
    let disk = tempfile::tempdir().unwrap();
    let path = disk.path().to_str().unwrap();
    run(Command::new("mount").args(["-t", "tmpfs", "-o", "size=64k", "tmpfs", path]));
    let state = |expected: &str| {
        let ended = server::run(&[("STATE_DIR", path), ("LOG", "")], &["check", "--json"]);
        let report: Value = serde_json::from_str(&ended.stdout).unwrap();
        let check = report["checks"].as_array().unwrap().iter().find(|check| check["name"] == "state");
        assert_eq!(check.unwrap()["state"], expected, "{report}");
    };
    state("ok");
    let filler = disk.path().join("filler");
    let mut file = File::create(&filler).unwrap();
    while file.write_all(&[0; 512]).is_ok() {}
    drop(file);
    let serves_from_memory = || {
        state("warn");
        let server = TestServer::spawn(&[("STATE_DIR", path)]);
        server.wait_for_log("memory only");
        assert_eq!(client::get(&server.url("/ready")).status, 200);
    };
    serves_from_memory();
    assert_eq!(fs::read_dir(disk.path()).unwrap().count(), 1, "only what fills it");
    fs::remove_file(&filler).unwrap();
    let remount = |mode: &str| run(Command::new("mount").args(["-o", &format!("remount,{mode}"), path]));
    remount("ro");
    serves_from_memory();
    remount("rw");
    drop(TestServer::spawn(&[("STATE_DIR", path)]));
    assert_whole_key(disk.path());
    // A key that is there is enough.
    remount("ro");
    state("ok");
    let server = TestServer::spawn(&[("STATE_DIR", path)]);
    assert!(server.log().iter().all(|line| !line.contains("memory only")));
}

fn link_up() {
    run(Command::new("ip").args(["link", "set", "lo", "up"]));
}

#[test]
fn a_host_without_ipv6() {
    inside("bad_start::without_ipv6_the_other_is_served");
}

#[test]
#[ignore = "run by a_host_without_ipv6, in a network of its own"]
fn without_ipv6_the_other_is_served() {
    link_up();
    // It is there before, so that its end means something.
    TcpListener::bind("[::1]:0").unwrap();
    for part in ["all", "default", "lo"] {
        fs::write(format!("/proc/sys/net/ipv6/conf/{part}/disable_ipv6"), "1").unwrap();
    }
    TcpListener::bind("[::1]:0").unwrap_err();
    for hosts in ["127.0.0.1,::1", "0.0.0.0,::", "::1,127.0.0.1"] {
        let world = World::with(&[("HOST", hosts), ("PORT", "3021")]);
        let video = post().install(&world.stage);
        // Whichever the log has named first, it is by this one that clients come.
        let at = |path: &str| client::get(&format!("http://127.0.0.1:3021{path}"));
        let extraction = at(&format!("/extract?url={}", client::encode(video.page_url()))).json();
        let answer = at(&format!("/stream?data={}", crate::support::world::token(&extraction, BEST)));
        assert_eq!((answer.status, sha256(&answer.body)), (200, video.media(BEST).sha256()), "{hosts}");
        let probe = server::run(&[("HOST", hosts), ("PORT", "3021"), ("LOG", "")], &["check", "--health"]);
        assert_eq!(probe.code, Some(0), "{probe:?}");
    }
    let line = one_line(&[("HOST", "::1")]);
    assert!(line.contains("can't listen on [::1]"), "{line}");
}

#[test]
fn a_clock_that_is_far_off_ends_nothing() {
    for day in ["1995-03-04", "2099-03-04"] {
        let faked = |command: Command| {
            let mut command = command;
            // Only the time of day: the other clocks are what waits are measured by.
            command.env("LD_PRELOAD", OTHER_CLOCK).env("FAKETIME", format!("@{day} 05:06:07"));
            command.env("FAKETIME_DONT_FAKE_MONOTONIC", "1").env("TZ", "UTC");
            command
        };
        let (proxy, ca) = (world().stage.proxy_url(), world().stage.ca_file().display().to_string());
        let server = TestServer::wrapped(&[("PROXY", &proxy), ("CA_FILE", &ca)], faked);
        let video = post().install(&world().stage);
        let page = format!("/extract?url={}", client::encode(video.page_url()));
        let answer = client::get(&server.url(&page));
        assert_eq!(answer.status, 200, "{day}: {}", answer.text());
        // It is that day there.
        assert!(answer.header("date").unwrap().contains(&day[..4]), "{:?}", answer.header("date"));
        let token = crate::support::world::token(&answer.json(), BEST);
        let stream = client::get(&server.url(&format!("/stream?data={token}")));
        assert_eq!(sha256(&stream.body), video.media(BEST).sha256(), "{day}");
        assert_eq!(client::get(&server.url("/ready")).status, 200);

        let home = tempfile::tempdir().unwrap();
        let mut check = faked(server::command(&[("LOG", "")], &["check", "--json"], home.path()));
        let report: Value = serde_json::from_slice(&check.output().unwrap().stdout).unwrap();
        let state = |name: &str| {
            let checks = report["checks"].as_array().unwrap();
            checks.iter().find(|check| check["name"] == name).unwrap()["state"].clone()
        };
        let expected = if day < "2000" { ("fail", "ok") } else { ("ok", "warn") };
        assert_eq!((state("clock"), state("yt-dlp")), (expected.0.into(), expected.1.into()), "{report}");
    }
}
