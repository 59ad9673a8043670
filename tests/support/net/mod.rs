//! Two network namespaces of a test's own: the internet, in which every address there is leads to the stage, and the
//! server's machine, which has public addresses there.
//!
//! A test that wants them is ignored, and started by one that is not: see [`inside`].

mod watch;

pub use watch::{Attempt, Watch};

use super::dns::{Dns, Zone};
use super::server::TestServer;
use super::stage::Stage;
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use socket2::{Domain, Socket, Type};
use std::fs::File;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream};
use std::os::fd::AsFd as _;
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::time::Duration;

/// Set where a test runs in namespaces of its own, so that none ever changes the machine's routes.
const MARK: &str = "SLUICE_TEST_NAMESPACES";

/// Where the test itself is on the internet, and the name server.
pub const CLIENT: Ipv4Addr = Ipv4Addr::new(11, 0, 0, 1);
/// The server's addresses; it listens on the first.
pub const OWN: [Ipv4Addr; 4] = [
    Ipv4Addr::new(11, 0, 0, 2),
    Ipv4Addr::new(11, 0, 0, 3),
    Ipv4Addr::new(11, 0, 0, 4),
    Ipv4Addr::new(11, 0, 0, 5),
];
/// The server's v6 address.
pub const OWN_V6: Ipv6Addr = Ipv6Addr::new(0x2a11, 0, 0, 0, 0, 0, 0, 2);
/// All of it is the server's, too.
pub const OWN_V6_NETWORK: &str = "2a11:0:1::/64";
/// What the stage's names lead to.
pub const STAGE: [&str; 2] = ["23.1.1.1", "2a23::1"];
/// Where the stage answers, at every address of the internet and of the server's machine.
const PORTS: [u16; 3] = [80, 443, 8080];

/// Longest that a probe waits for an answer.
const PROBE_LIMIT: Duration = Duration::from_secs(10);

/// Runs an ignored test of this binary, by its whole name, in namespaces of its own. Fails where that fails.
#[track_caller]
pub fn inside(test: &str) {
    let mut command = Command::new("unshare");
    if !rustix::process::geteuid().is_root() {
        command.arg("--map-root-user");
    }
    command.args(["--net", "--mount"]).arg(std::env::current_exe().unwrap());
    command.args([test, "--exact", "--ignored", "--nocapture"]).env(MARK, "1");
    let output = command.stdin(Stdio::null()).output().unwrap();
    let text = [output.stdout, output.stderr].map(|text| String::from_utf8_lossy(&text).into_owned());
    let passed = output.status.success() && text[0].contains("test result: ok. 1 passed;");
    println!("{}", text.join("\n"));
    assert!(passed, "{test}: {}", output.status);
}

/// What the log says of the guard; its address follows.
const GUARD: &str = "the guard of extractions listens on ";

/// The two namespaces. The calling process is on the internet.
pub struct Net {
    pub stage: Stage,
    pub dns: Dns,
    /// Sees all that leaves the server's machine, or is for itself.
    pub watch: Watch,
    /// What [`Net::strays`] has tried itself, and where the servers' guards listen.
    marks: Mutex<Vec<SocketAddr>>,
    machine: File,
    holder: Child,
    _folder: tempfile::TempDir,
}

impl Net {
    /// Puts up both, with these names. Panics outside of [`inside`].
    pub fn new(zone: Zone) -> Net {
        assert!(std::env::var_os(MARK).is_some(), "only to be run by the test that has it run");
        let folder = tempfile::tempdir().unwrap();
        replace_file(&folder, "/etc/resolv.conf", &format!("nameserver {CLIENT}\noptions timeout:2\n"));
        replace_file(&folder, "/etc/hosts", "127.0.0.1 localhost\n::1 localhost ip6-localhost\n");
        replace_file(&folder, "/etc/nsswitch.conf", "hosts: files dns\n");
        let mut holder = Command::new("unshare")
            .args(["--net", "sh", "-c", "echo; read -r _"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(holder.stdout.take().unwrap()).read_line(&mut line).unwrap();
        assert_eq!(line, "\n", "no second namespace");
        let machine = File::open(format!("/proc/{}/ns/net", holder.id())).unwrap();
        let ways = ways(holder.id());
        run(Command::new("ip").args(["-batch", "-"]), &ways.internet);
        run(within(holder.id(), "ip").args(["-batch", "-"]), &ways.machine);
        let stage = Stage::start();
        let watch = enter(&machine, Watch::start);
        for port in PORTS {
            stage.serve(listen(port));
            stage.serve(enter(&machine, || listen(port)));
        }
        let dns = Dns::start(SocketAddr::new(CLIENT.into(), 53), zone);
        Net { stage, dns, watch, marks: Mutex::default(), machine, holder, _folder: folder }
    }

    /// The server on its machine, without a proxy.
    pub fn server(&self, settings: &[(&str, &str)]) -> TestServer {
        let (ca, host) = (self.stage.ca_file(), OWN[0].to_string());
        let mut all = vec![("CA_FILE", ca.to_str().unwrap()), ("HOST", &host)];
        all.extend_from_slice(settings);
        let server = TestServer::wrapped(&all, |command| {
            let mut there = within(self.holder.id(), command.get_program());
            there.args(command.get_args()).env_clear();
            there.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
            there
        });
        // Python's own way to the guard, which is within the server.
        let line = server.wait_for_log(GUARD);
        let guard = line.split(GUARD).nth(1).unwrap().trim().parse().unwrap();
        self.marks.lock().unwrap().push(guard);
        server
    }

    /// Does something on a thread of the server's machine.
    pub fn on_machine<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        enter(&self.machine, work)
    }

    /// Tries, from the server's machine, what the server should not: the first line of who answers over http.
    pub fn probe(&self, to: SocketAddr) -> std::io::Result<String> {
        self.on_machine(|| {
            let mut stream = TcpStream::connect_timeout(&to, PROBE_LIMIT)?;
            stream.set_read_timeout(Some(PROBE_LIMIT))?;
            write!(stream, "GET / HTTP/1.1\r\nHost: probe.invalid\r\nConnection: close\r\n\r\n")?;
            let mut line = String::new();
            BufReader::new(stream).read_line(&mut line).map(|_| line)
        })
    }

    /// What the server's machine has tried so far, but for what is meant: the stage by its addresses, and the name
    /// server. Sees to it that the record is whole, and that what is forbidden would be on it.
    pub fn strays(&self) -> Vec<Attempt> {
        let last = self.on_machine(|| {
            // A port of its own: one attempt among all others.
            let unused = listen(0);
            let last = SocketAddr::new(Ipv4Addr::LOCALHOST.into(), unused.local_addr().unwrap().port());
            TcpStream::connect(last).unwrap();
            last
        });
        self.watch.wait_for(|attempt| attempt.to == last);
        let mut marks = self.marks.lock().unwrap();
        marks.push(last);
        let mut strays = self.watch.attempts();
        strays.retain(|it| !marks.contains(&it.to) && it.from != CLIENT && !is_meant(it));
        strays
    }
}

impl Drop for Net {
    fn drop(&mut self) {
        let _ = self.holder.kill();
        let _ = self.holder.wait();
    }
}

fn is_meant(attempt: &Attempt) -> bool {
    let (to, port) = (attempt.to.ip(), attempt.to.port());
    let is_stage = STAGE.iter().any(|stage| stage.parse() == Ok(to)) && matches!(port, 80 | 443 | 8080);
    (!attempt.udp && is_stage) || (to == CLIENT && port == 53)
}

/// What `ip` is told.
struct Ways {
    internet: String,
    machine: String,
}

fn ways(machine: u32) -> Ways {
    // Neighbours are looked for from a link-local address; the usual one would be checked for a second or two first.
    //
    // The local routes are in the main table: in the one of that name they would stand before the way to the machine.
    let internet = format!(
        "link set lo up\n\
         link add net0 type veth peer name net0 netns {machine}\n\
         address add {CLIENT}/24 dev net0\n\
         address add 2a11::1/64 dev net0 nodad\n\
         link set net0 addrgenmode none\n\
         address add fe80::1/64 dev net0 nodad\n\
         link set net0 up\n\
         route add local 0.0.0.0/0 dev lo table main\n\
         route add local ::/0 dev lo table main\n\
         route add {OWN_V6_NETWORK} via {OWN_V6}\n"
    );
    let own: String = OWN.map(|own| format!("address add {own}/24 dev net0\n")).concat();
    let machine = format!(
        "link set lo up\n\
         {own}\
         address add {OWN_V6}/64 dev net0 nodad\n\
         link set net0 addrgenmode none\n\
         address add fe80::2/64 dev net0 nodad\n\
         link set net0 up\n\
         route add default via {CLIENT}\n\
         route add ::/0 via 2a11::1\n\
         route add local {OWN_V6_NETWORK} dev lo\n"
    );
    Ways { internet, machine }
}

/// A command in the network namespace of a process.
fn within(pid: u32, program: impl AsRef<std::ffi::OsStr>) -> Command {
    let mut command = Command::new("nsenter");
    command.arg(format!("--net=/proc/{pid}/ns/net")).arg("--").arg(program);
    command
}

#[track_caller]
fn run(command: &mut Command, input: &str) {
    let mut child = command.stdin(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let status = child.wait().unwrap();
    assert!(status.success(), "{command:?}: {status}");
}

/// Puts another file in a file's place, for this namespace.
fn replace_file(folder: &tempfile::TempDir, path: &str, text: &str) {
    let file = folder.path().join(path.rsplit('/').next().unwrap());
    std::fs::write(&file, text).unwrap();
    run(Command::new("mount").arg("--bind").arg(&file).arg(path), "");
}

/// Does something on a thread in a network namespace. Sockets that it makes stay there.
fn enter<T: Send>(namespace: &File, work: impl FnOnce() -> T + Send) -> T {
    std::thread::scope(|scope| {
        let thread = scope.spawn(|| {
            move_into_link_name_space(namespace.as_fd(), Some(LinkNameSpaceType::Network)).unwrap();
            work()
        });
        thread.join().unwrap()
    })
}

/// On every address, v4 and v6.
fn listen(port: u16) -> TcpListener {
    let socket = Socket::new(Domain::IPV6, Type::STREAM, None).unwrap();
    socket.set_only_v6(false).unwrap();
    socket.set_reuse_address(true).unwrap();
    socket.bind(&SocketAddr::new(IpAddr::from(Ipv6Addr::UNSPECIFIED), port).into()).unwrap();
    socket.listen(1024).unwrap();
    socket.into()
}
