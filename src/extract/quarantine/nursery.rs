//! The thread that has helpers made. They are forks of one process, the zygote, that has Python and yt-dlp loaded and has
//! never met a page: a fork takes jobs after some milliseconds, a new process after a fifth of a second of a processor's
//! time, and what forks only read they share.
//!
//! The thread lasts as long as the server, because the zygote ends with the *thread* that started it
//! (PR_SET_PDEATHSIG), and helpers with the zygote. It is not one of tokio's, which a start would hold up, and streams
//! with it.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Sender, channel};
use std::thread;
use std::time::Duration;

use rustix::process::{Signal, pidfd_send_signal};
use tokio::sync::oneshot;

use super::COMMAND;
use super::frame::{self, Kind};
use super::handover;
use super::helper::HelperError;
use super::inmate::Orders;

/// Longest start of the zygote. It takes a third of a second where nothing else runs.
pub(super) const START: Duration = Duration::from_secs(20);

/// A process that the zygote has forked: its id and a file that stands for it. Killed when dropped.
pub(super) struct Forked {
    pub(super) pid: u32,
    file: OwnedFd,
}

impl Forked {
    /// Ends it, whatever it does.
    pub(super) fn kill(&self) {
        // It may be gone already.
        let _ = pidfd_send_signal(&self.file, Signal::KILL);
    }
}

impl Drop for Forked {
    fn drop(&mut self) {
        self.kill();
    }
}

enum Order {
    /// A helper at the other end of this socket.
    Fork(OwnedFd, oneshot::Sender<Result<Forked, HelperError>>),
    /// No helper for now.
    Rest,
}

pub(super) struct Nursery(Sender<Order>);

impl Nursery {
    /// Starts no process yet.
    pub(super) fn start(orders: Orders) -> io::Result<Self> {
        let (sender, inbox) = channel();
        thread::Builder::new().name("extract-nursery".into()).spawn(move || {
            let mut zygote = None;
            for order in inbox {
                match order {
                    Order::Fork(socket, reply) => {
                        // Who does not wait any more does not want it: it is killed as it is dropped.
                        let _ = reply.send(fork(&mut zygote, &orders, &socket));
                    }
                    Order::Rest => zygote = None,
                }
            }
        })?;
        Ok(Self(sender))
    }

    /// Has a helper made that has the other end of this socket.
    pub(super) async fn fork(&self, socket: OwnedFd) -> Result<Forked, HelperError> {
        let (reply, forked) = oneshot::channel();
        let gone = || HelperError::Spawn(io::Error::other("the thread that has helpers made is gone"));
        self.0.send(Order::Fork(socket, reply)).map_err(|_| gone())?;
        forked.await.map_err(|_| gone())?
    }

    /// Gives the memory back that only new helpers would need.
    pub(super) fn rest(&self) {
        // Where the thread is gone, so is the zygote.
        let _ = self.0.send(Order::Rest);
    }
}

fn fork(zygote: &mut Option<Zygote>, orders: &Orders, socket: &OwnedFd) -> Result<Forked, HelperError> {
    if let Some(living) = zygote {
        match living.fork(socket) {
            Ok(forked) => return Ok(forked),
            Err(error) => tracing::warn!(%error, "the process that helpers are made of is lost"),
        }
    }
    // The old one is killed before there is another.
    *zygote = None;
    zygote.insert(Zygote::start(orders)?).fork(socket).map_err(HelperError::from)
}

/// The process that helpers are forks of. Killed when dropped.
struct Zygote {
    child: Child,
    control: UnixStream,
}

impl Drop for Zygote {
    fn drop(&mut self) {
        // It may be gone already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Zygote {
    /// Starts it, and waits until it is ready.
    fn start(orders: &Orders) -> Result<Self, HelperError> {
        let (control, theirs) = UnixStream::pair()?;
        // Both ways: it may not even read.
        control.set_read_timeout(Some(START))?;
        control.set_write_timeout(Some(START))?;
        // By this name it is the binary that runs, even where another one has taken its place on disk.
        #[expect(clippy::disallowed_methods, reason = "one process, kept for many requests")]
        let mut command = Command::new("/proc/self/exe");
        command.arg0("sluice").arg(COMMAND).env_clear().current_dir("/");
        // A group of its own: Ctrl-C is for the server, which drains.
        command.stdin(Stdio::from(OwnedFd::from(theirs))).stdout(Stdio::null()).process_group(0);
        // Helpers may not write to files, and the log may be one; why it ends it says by the socket.
        command.stderr(Stdio::null());
        let child = command.spawn()?;
        // It holds the other end of the child's socket.
        drop(command);
        let mut zygote = Self { child, control };
        let text = serde_json::to_string(orders).map_err(|error| HelperError::Broken(error.to_string()))?;
        frame::put(&mut zygote.control, Kind::Start, &text)?;
        match frame::take(&mut zygote.control, orders.limit)? {
            (Kind::Ready, _) => Ok(zygote),
            (_, why) => Err(HelperError::Broken(why)),
        }
    }

    fn fork(&mut self, socket: &OwnedFd) -> io::Result<Forked> {
        handover::give(&self.control, 0, socket.as_fd())?;
        let (pid, file) = handover::take(&self.control)?.ok_or(io::ErrorKind::UnexpectedEof)?;
        Ok(Forked { pid, file })
    }
}
