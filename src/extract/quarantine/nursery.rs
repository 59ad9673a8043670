//! The thread that starts helpers. It lasts as long as the server, because a helper ends with the *thread* that started
//! it (PR_SET_PDEATHSIG); and it is not one of tokio's, because a start holds its thread for as long as the machine
//! takes for it, and streams would wait.

use std::io;
use std::sync::mpsc::{Sender, channel};
use std::thread;

use tokio::process::{Child, Command};
use tokio::runtime::Handle;
use tokio::sync::oneshot;

type Order = (Command, oneshot::Sender<io::Result<Child>>);

pub(super) struct Nursery(Sender<Order>);

impl Nursery {
    /// To be called on a tokio runtime, which then looks after the processes.
    pub(super) fn start() -> io::Result<Self> {
        let (sender, orders) = channel::<Order>();
        let runtime = Handle::current();
        thread::Builder::new().name("extract-nursery".into()).spawn(move || {
            let _entered = runtime.enter();
            for (mut command, reply) in orders {
                let child = command.spawn();
                // It holds the other end of the child's socket.
                drop(command);
                // Who does not wait any more does not want it: it is killed as it is dropped.
                let _ = reply.send(child);
            }
        })?;
        Ok(Self(sender))
    }

    /// Starts a process.
    pub(super) async fn spawn(&self, command: Command) -> io::Result<Child> {
        let (reply, child) = oneshot::channel();
        let gone = || io::Error::other("the thread that starts processes is gone");
        self.0.send((command, reply)).map_err(|_| gone())?;
        child.await.map_err(|_| gone())?
    }
}
