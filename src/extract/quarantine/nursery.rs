//! The thread that has helpers made. They are forks of one process, the zygote, that has Python and yt-dlp loaded and has
//! never met a page: a fork takes jobs after some milliseconds, a new process after a fifth of a second of a processor's
//! time, and what forks only read they share.
//!
//! The thread lasts as long as the server, because the zygote ends with the *thread* that started it
//! (PR_SET_PDEATHSIG), and helpers with the zygote. It is not one of tokio's, which a start would hold up, and streams
//! with it.

use std::io;
use std::net::Shutdown;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::process::{self, Command, Stdio};
use std::sync::mpsc::{Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Signal, pidfd_send_signal};
use tokio::sync::oneshot;

use super::COMMAND;
use super::frame::{self, FrameError, Kind};
use super::handover;
use super::helper::HelperError;
use super::inmate::Orders;

/// Longest start of the zygote. It takes a third of a second where nothing else runs.
pub(super) const START: Duration = Duration::from_secs(20);

/// How long the zygote may take to end by itself, and to be killed.
const END: Duration = Duration::from_millis(500);
/// How often that is looked at.
const LOOK: Duration = Duration::from_millis(5);

/// A process that the zygote has forked. Killed when dropped.
pub(super) struct Forked {
    pub(super) pid: u32,
    process: OwnedFd,
}

/// One, and the socket to it, whose other end nobody else has.
type Child = (Forked, UnixStream);

impl Forked {
    /// Ends it, whatever it does.
    pub(super) fn kill(&self) {
        // It may be gone already.
        let _ = pidfd_send_signal(&self.process, Signal::KILL);
    }
}

impl Drop for Forked {
    fn drop(&mut self) {
        self.kill();
    }
}

enum Order {
    Fork(oneshot::Sender<Result<Child, HelperError>>),
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
                    // Nobody waits for it any more.
                    Order::Fork(reply) if reply.is_closed() => {}
                    Order::Fork(reply) => {
                        // What nobody wants is killed as it is dropped.
                        let _ = reply.send(fork(&mut zygote, &orders));
                    }
                    Order::Rest => zygote = None,
                }
            }
        })?;
        Ok(Self(sender))
    }

    /// Has a helper made.
    pub(super) async fn fork(&self) -> Result<Child, HelperError> {
        let (reply, forked) = oneshot::channel();
        let gone = || HelperError::Spawn(io::Error::other("the thread that has helpers made is gone"));
        self.0.send(Order::Fork(reply)).map_err(|_| gone())?;
        forked.await.map_err(|_| gone())?
    }

    /// Gives the memory back that only new helpers would need.
    pub(super) fn rest(&self) {
        // Where the thread is gone, so is the zygote.
        let _ = self.0.send(Order::Rest);
    }
}

fn fork(zygote: &mut Option<Zygote>, orders: &Orders) -> Result<Child, HelperError> {
    if let Some(living) = zygote {
        match forked(&living.control) {
            // It is well, and so are the helpers that there are: they would end with it.
            result @ (Ok(_) | Err(ForkError::Refused(_))) => return result.map_err(HelperError::from),
            Err(ForkError::Lost(error)) => {
                tracing::warn!(%error, "the process that helpers are made of is lost");
            }
        }
    }
    // The old one is killed before there is another.
    *zygote = None;
    forked(&zygote.insert(Zygote::start(orders)?).control).map_err(HelperError::from)
}

/// Why there is no fork.
enum ForkError {
    /// The kernel did not make one.
    Refused(io::Error),
    /// Nor will there be others: the zygote has ended, or says nothing.
    Lost(io::Error),
}

impl From<ForkError> for HelperError {
    fn from((ForkError::Refused(error) | ForkError::Lost(error)): ForkError) -> Self {
        Self::Spawn(error)
    }
}

/// The process that helpers are forks of. Ended when dropped.
struct Zygote {
    process: process::Child,
    control: UnixStream,
}

impl Drop for Zygote {
    fn drop(&mut self) {
        // First it takes the records of its children away, which nobody else would do.
        let _ = self.control.shutdown(Shutdown::Both);
        if !self.ended() {
            let _ = self.process.kill();
            // A process that the kernel does not end must not hold up this thread.
            self.ended();
        }
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
        let process = command.spawn()?;
        // It holds the other end of the child's socket.
        drop(command);
        let mut zygote = Self { process, control };
        let text = serde_json::to_string(orders).map_err(|error| HelperError::Broken(error.to_string()))?;
        let answer = frame::put(&mut zygote.control, Kind::Start, &text)
            .and_then(|()| frame::take(&mut zygote.control, orders.limit));
        match answer {
            Ok((Kind::Ready, _)) => Ok(zygote),
            Ok((_, why)) => Err(HelperError::Broken(why)),
            Err(FrameError::Gone(error)) if error.kind() == io::ErrorKind::WouldBlock => {
                Err(HelperError::Start)
            }
            Err(error) => Err(HelperError::Broken(error.to_string())),
        }
    }

    /// Waits a while for its end; whether it came.
    fn ended(&mut self) -> bool {
        let deadline = Instant::now() + END;
        loop {
            match self.process.try_wait() {
                Ok(None) if Instant::now() < deadline => thread::sleep(LOOK),
                Ok(None) => return false,
                _ => return true,
            }
        }
    }
}

/// Has the zygote at the other end of this socket make a child.
fn forked(zygote: &UnixStream) -> Result<Child, ForkError> {
    // A pair for each try: what one child has said, or holds, is not the next one's.
    let (ours, theirs) = UnixStream::pair().map_err(ForkError::Refused)?;
    let answer = handover::give(zygote, 0, Some(theirs.as_fd()))
        .and_then(|()| handover::take(zygote)?.ok_or(io::ErrorKind::UnexpectedEof.into()));
    let lost = |error: io::Error| match error.kind() {
        // It reads as if the fork were refused.
        io::ErrorKind::WouldBlock => ForkError::Lost(io::ErrorKind::TimedOut.into()),
        _ => ForkError::Lost(error),
    };
    match answer.map_err(lost)? {
        (pid, Some(process)) => Ok((Forked { pid, process }, ours)),
        // Or the file was lost on the way, for this process has as many open as it may; then the child ends by itself, as
        // its socket is closed here, and its number reads as an error that nobody knows.
        (errno, None) => Err(ForkError::Refused(io::Error::from_raw_os_error(errno.cast_signed()))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is made of a zygote's answer.
    fn told(answer: impl FnOnce(&UnixStream) + Send + 'static) -> Result<Child, ForkError> {
        let (ours, theirs) = UnixStream::pair().unwrap();
        let zygote = thread::spawn(move || {
            let (_, socket) = handover::take(&theirs).unwrap().unwrap();
            answer(&theirs);
            drop(socket);
        });
        let result = forked(&ours);
        zygote.join().unwrap();
        result
    }

    #[test]
    fn a_fork_that_the_kernel_refuses_is_no_reason_for_another_zygote() {
        let refused = told(|zygote| handover::give(zygote, libc::EAGAIN.unsigned_abs(), None).unwrap());
        let Err(ForkError::Refused(error)) = refused else { panic!("not refused") };
        assert_eq!(error.raw_os_error(), Some(libc::EAGAIN));
    }

    #[test]
    fn a_zygote_that_hangs_up_is_lost() {
        let lost = told(|zygote| zygote.shutdown(Shutdown::Both).unwrap());
        assert!(matches!(lost, Err(ForkError::Lost(_))));
    }

    #[test]
    fn a_child_that_nobody_wants_is_killed() {
        #[expect(clippy::disallowed_methods, reason = "a process to kill")]
        let mut child = Command::new("sleep").arg("60").spawn().unwrap();
        let pid = i32::try_from(child.id()).ok().and_then(rustix::process::Pid::from_raw).unwrap();
        let made = told(move |zygote| {
            let file = rustix::process::pidfd_open(pid, rustix::process::PidfdFlags::empty()).unwrap();
            handover::give(zygote, 1, Some(file.as_fd())).unwrap();
        });
        drop(made);
        assert!(!child.wait().unwrap().success());
    }
}
