//! A machine that does not fit: the server says so in one line and ends with a code, or serves on; and what is written
//! is written whole.

mod machine;

use crate::support::client;
use crate::support::server::{self, Ended, TestServer};
use crate::support::world::{post, world};
use serde_json::Value;
use std::fs::{self, File};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};
use tempfile::TempDir;

/// The random key's file in the state folder.
const KEY_FILE: &str = "encryption_key";
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
