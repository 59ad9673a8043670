//! The service manager's side: what it is told, and the socket that outlives a restart.

use crate::support::client;
use crate::support::rogue::Rogue;
use crate::support::server::command;
use serde_json::json;
use std::net::{SocketAddr, TcpListener};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

/// A manager that hears what it is told.
struct Manager {
    socket: UnixDatagram,
    folder: tempfile::TempDir,
}

impl Manager {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let socket = UnixDatagram::bind(folder.path().join("notify")).unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        Self { socket, folder }
    }

    fn path(&self) -> String {
        self.folder.path().join("notify").display().to_string()
    }

    /// Forgets what it was told so far.
    fn forget(&self) {
        self.socket.set_nonblocking(true).unwrap();
        while self.socket.recv(&mut [0; 4096]).is_ok() {}
        self.socket.set_nonblocking(false).unwrap();
    }

    /// The next message that has such a line; those before it are left out.
    fn hears(&self, line: &str) -> String {
        let mut block = [0; 4096];
        loop {
            let length = self.socket.recv(&mut block).unwrap_or_else(|error| panic!("no {line}: {error}"));
            let text = String::from_utf8(block[..length].to_vec()).unwrap();
            if text.lines().any(|found| found.starts_with(line)) {
                return text;
            }
        }
    }
}

fn stop(child: &mut Child) {
    let pid = nix::unistd::Pid::from_raw(child.id().try_into().unwrap());
    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGTERM).unwrap();
}

#[test]
fn the_manager_is_told_when_it_is_ready_how_it_fares_and_when_it_stops() {
    let manager = Manager::new();
    let home = tempfile::tempdir().unwrap();
    let notify = manager.path();
    let settings = [("NOTIFY_SOCKET", notify.as_str()), ("WATCHDOG_USEC", "400000"), ("LOG", "warn")];
    let mut child = command(&settings, &[], home.path()).stdin(Stdio::null()).spawn().unwrap();
    manager.hears("READY=1");
    for _ in 0..3 {
        let told = manager.hears("WATCHDOG=1");
        assert!(told.contains("STATUS=0 streams, 0 extractions, 0 waiting"), "{told}");
    }
    stop(&mut child);
    assert!(manager.hears("STOPPING=1").contains("STATUS=draining"));
    assert!(child.wait().unwrap().success());
}

/// A server whose extractors do harm, with a watchdog that looks after it.
fn watched(manager: &Manager) -> Rogue {
    let notify = manager.path();
    let settings = [("NOTIFY_SOCKET", notify.as_str()), ("WATCHDOG_USEC", "400000")];
    Rogue::with(&[settings.as_slice(), &[("YTDLP_TIMEOUT", "1"), ("MAX_WORKERS", "1")]].concat())
}

fn ask(world: &Rogue, deed: &str, name: &str) {
    assert_eq!(world.post("/extract", &json!({"url": Rogue::page(deed, name)})).status, 504);
}

#[test]
fn the_watchdog_is_not_fed_when_no_worker_is_left_and_none_can_be() {
    let manager = Manager::new();
    let world = watched(&manager);
    let holds = [("one", 1), ("two", 2)].map(|(name, stuck)| {
        let hold = world.hold(name);
        ask(&world, "block", name);
        world.wait_for_health(&[("stuck", stuck)]);
        hold
    });
    let told = manager.hears("STATUS=not well: ");
    assert!(!told.contains("WATCHDOG"), "{told}");
    manager.forget();
    drop(holds);
    manager.hears("WATCHDOG=1");
}

#[test]
fn the_watchdog_is_fed_without_python() {
    let manager = Manager::new();
    let world = watched(&manager);
    let hold = world.hold("one");
    ask(&world, "grip", "one");
    world.wait_for_status("/ready", 503);
    manager.forget();
    // One message may have waited for room.
    for _ in 0..3 {
        manager.hears("WATCHDOG=1");
    }
    assert_eq!(world.get("/ready").status, 503, "somebody let go of the interpreter");
    drop(hold);
}

/// A server that is given the socket as systemd gives it: as descriptor 3.
fn activated(listener: &TcpListener, manager: &Manager, home: &Path) -> Child {
    let notify = manager.path();
    let settings = [("NOTIFY_SOCKET", notify.as_str()), ("LOG", "info"), ("HOST", "192.0.2.1")];
    let server = command(&settings, &[], home);
    let mut shell = Command::new("sh");
    // Its own number is known only within.
    let script = "exec 3<&0 0</dev/null; export LISTEN_PID=$$ LISTEN_FDS=1; exec \"$@\"";
    shell.args(["-c", script, "sh"]).arg(server.get_program()).args(server.get_args()).env_clear();
    shell.envs(server.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let socket = OwnedFd::from(listener.try_clone().unwrap());
    shell.stdin(Stdio::from(socket)).spawn().unwrap()
}

#[test]
fn no_connection_is_refused_while_a_server_takes_anothers_place() {
    let manager = Manager::new();
    let (listener, home) = (TcpListener::bind("127.0.0.1:0").unwrap(), tempfile::tempdir().unwrap());
    let address = listener.local_addr().unwrap();
    let mut first = activated(&listener, &manager, home.path());
    manager.hears("READY=1");
    let (over, answered) = (AtomicBool::new(false), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        let asking = scope.spawn(|| {
            while !over.load(Ordering::Relaxed) {
                assert_eq!(health(address), 200);
                answered.fetch_add(1, Ordering::Relaxed);
            }
        });
        stop(&mut first);
        assert!(first.wait().unwrap().success());
        let before = answered.load(Ordering::Relaxed);
        let mut second = activated(&listener, &manager, home.path());
        manager.hears("READY=1");
        while answered.load(Ordering::Relaxed) < before + 3 && !asking.is_finished() {
            std::thread::yield_now();
        }
        over.store(true, Ordering::Relaxed);
        asking.join().unwrap();
        stop(&mut second);
        assert!(second.wait().unwrap().success());
    });
}

/// One request by a connection of its own.
fn health(address: SocketAddr) -> u16 {
    client::request("GET", &format!("http://{address}/health"), &[("Connection", "close")], b"").status
}
