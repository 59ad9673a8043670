//! A stand-in internet in one process: a forward proxy that answers for any host from scripts, with a certificate
//! authority of its own, and that records what reached it. It also is the servers themselves, for who comes to it without
//! a proxy (see [`Stage::serve`]).
//!
//! The stage runs on threads of its own and its methods block, so tests can be plain functions and can share one.

pub mod broadcasters;
mod ca;
mod live;
mod media;
mod plan;
mod proxy;
mod reply;
mod seen;
pub mod streamable;
pub mod tiktok;
mod wire;
pub mod youtube;

pub use live::Live;
pub use media::{Media, sha256};
pub use reply::{Fault, Reply};
pub use seen::{Outcome, Scheme, Seen};

use base64::Engine as _;
use std::collections::HashMap;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::sync::{Arc, RwLock};
use tokio::sync::watch;

type MakeReply = Box<dyn Fn(&str) -> Arc<Reply> + Send + Sync>;

/// The scripts of one host.
#[derive(Default)]
struct Host {
    exact: HashMap<String, Arc<Reply>>,
    /// Path prefix → what to answer at a path below it, made per request.
    below: Vec<(String, MakeReply)>,
}

/// What all connections share.
struct Backstage {
    hosts: RwLock<HashMap<String, Host>>,
    log: Arc<seen::Log>,
    ca: ca::Ca,
    /// The whole `Proxy-Authorization` value that is asked for.
    credentials: Option<String>,
    releases: watch::Sender<u64>,
}

impl Backstage {
    fn knows(&self, host: &str) -> bool {
        self.hosts.read().unwrap().contains_key(host)
    }

    fn script(&self, host: &str, path: &str) -> Option<Arc<Reply>> {
        let hosts = self.hosts.read().unwrap();
        let host = hosts.get(host)?;
        host.exact.get(path).cloned().or_else(|| {
            let (_, make) = host.below.iter().find(|(prefix, _)| path.starts_with(prefix))?;
            Some(make(path))
        })
    }
}

/// How a stage is set up.
#[derive(Debug)]
pub struct Options {
    /// Port on 127.0.0.1; 0 for a free one.
    pub port: u16,
    /// User and password that the proxy asks for.
    pub credentials: Option<(String, String)>,
    /// Whether requests are recorded. Off where a benchmark sends more than memory should keep.
    pub remember: bool,
}

impl Default for Options {
    fn default() -> Options {
        Options { port: 0, credentials: None, remember: true }
    }
}

/// The running stage; stops when dropped.
pub struct Stage {
    backstage: Arc<Backstage>,
    port: u16,
    folder: tempfile::TempDir,
    runtime: Option<tokio::runtime::Runtime>,
}

impl Stage {
    /// Starts on a free port, without proxy credentials.
    pub fn start() -> Stage {
        Stage::start_with(Options::default())
    }

    /// Starts as `options` say. Panics when the port is taken.
    pub fn start_with(options: Options) -> Stage {
        let ca = ca::Ca::new();
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("ca.pem"), ca.pem()).unwrap();
        let credentials = options.credentials.map(|(user, password)| {
            let pair = base64::engine::general_purpose::STANDARD.encode(format!("{user}:{password}"));
            format!("Basic {pair}")
        });
        let backstage = Arc::new(Backstage {
            hosts: RwLock::default(),
            log: Arc::new(seen::Log::new(options.remember)),
            ca,
            credentials,
            releases: watch::Sender::new(0),
        });
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .thread_name("stage")
            .enable_all()
            .build()
            .unwrap();
        let listener = TcpListener::bind(("127.0.0.1", options.port)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let stage = Stage { backstage, port, folder, runtime: Some(runtime) };
        stage.serve(listener);
        stage
    }

    /// Answers on another listener, too. All of them answer alike: as the proxy, or as the server that a client without
    /// one takes them for (of the host in `Host`, or for which TLS is asked).
    pub fn serve(&self, listener: TcpListener) {
        let runtime = self.runtime.as_ref().unwrap();
        listener.set_nonblocking(true).unwrap();
        let _inside = runtime.enter();
        let listener = tokio::net::TcpListener::from_std(listener).unwrap();
        runtime.spawn(proxy::accept(listener, self.backstage.clone()));
    }

    /// The proxy's address, without credentials.
    pub fn proxy_url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// The proxy's port on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// A PEM file with the certificate authority; gone when the stage is dropped.
    pub fn ca_file(&self) -> PathBuf {
        self.folder.path().join("ca.pem")
    }

    /// Copies the certificate authority to `path`.
    pub fn write_ca(&self, path: &Path) -> std::io::Result<()> {
        std::fs::copy(self.ca_file(), path).map(drop)
    }

    /// Answers at `host` and `path` (without query; whatever the scheme and port), in place of an earlier script.
    pub fn play(&self, host: &str, path: &str, reply: Reply) {
        let mut hosts = self.backstage.hosts.write().unwrap();
        hosts.entry(host.to_owned()).or_default().exact.insert(path.to_owned(), Arc::new(reply));
    }

    /// Answers at every path below `prefix` that has no script of its own; `make` is given the path, and may give the
    /// same reply again and again, which then goes through its faults.
    pub fn play_below<R: Into<Arc<Reply>>>(
        &self,
        host: &str,
        prefix: &str,
        make: impl Fn(&str) -> R + Send + Sync + 'static,
    ) {
        let make: MakeReply = Box::new(move |path| make(path).into());
        let mut hosts = self.backstage.hosts.write().unwrap();
        hosts.entry(host.to_owned()).or_default().below.push((prefix.to_owned(), make));
    }

    /// Lets everything that a fault holds back, or will hold back in a request that has been seen, go on.
    pub fn release(&self) {
        self.backstage.releases.send_modify(|count| *count += 1);
    }

    /// Every request so far, in order of arrival.
    pub fn seen(&self) -> Vec<Seen> {
        self.seen_where(|_| true)
    }

    /// Those requests so far that are `wanted`: cheaper than [`Stage::seen`] where there are many.
    pub fn seen_where(&self, wanted: impl Fn(&Seen) -> bool) -> Vec<Seen> {
        self.backstage.log.seen(wanted)
    }

    /// Every request to that host so far.
    pub fn seen_at(&self, host: &str) -> Vec<Seen> {
        self.seen_where(|seen| seen.host == host)
    }

    /// Blocks until `enough` holds of the record, and gives the record. Panics with it after 30 s.
    pub fn wait_for(&self, enough: impl Fn(&[Seen]) -> bool) -> Vec<Seen> {
        self.backstage.log.wait_for(|seen, _| enough(seen))
    }

    /// Open connections to the proxy.
    pub fn connections(&self) -> usize {
        self.backstage.log.connections(|_| true)
    }

    /// Open connections whose last request was for `host`.
    pub fn connections_to(&self, host: &str) -> usize {
        self.backstage.log.connections(|it| it == host)
    }

    /// Blocks until no answer is under way. Connections may stay open for reuse.
    pub fn wait_until_quiet(&self) {
        self.wait_for(|seen| seen.iter().all(|seen| seen.outcome != Outcome::Playing));
    }

    /// Blocks until at most `most` open connections have a request for `host` as their last.
    pub fn wait_for_connections_to(&self, host: &str, most: usize) {
        self.backstage.log.wait_for(|_, open| open.values().filter(|it| *it == host).count() <= most);
    }

    /// Blocks until every connection is closed.
    pub fn wait_until_idle(&self) {
        self.backstage.log.wait_for(|_, open| open.is_empty());
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}
