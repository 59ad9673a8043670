//! The way into the script profile: this binary confines itself, and then becomes the runtime.

use std::ffi::OsString;
use std::os::unix::process::CommandExt;

use super::{ConfineError, Limits};

/// The first open file that is none of the three streams.
pub(super) const FIRST_OTHER: i32 = 3;

/// What to become, as `sluice confined` takes it.
#[derive(Debug)]
pub struct Becoming {
    /// Of the runtime.
    pub limits: Limits,
    /// The process that asks for it.
    pub parent: u32,
    /// The runtime's path.
    pub program: OsString,
    /// What it is told.
    pub args: Vec<OsString>,
}

/// Why there is no confined runtime.
#[derive(Debug, thiserror::Error)]
pub enum BecomeError {
    /// It would not be confined.
    #[error(transparent)]
    Confine(#[from] ConfineError),
    /// There is no such program, or it is not for this machine.
    #[error("{}: {source}", program.display())]
    Program {
        /// Its path.
        program: OsString,
        /// What the kernel says.
        source: std::io::Error,
    },
}

impl Becoming {
    /// The command line that has this binary do that.
    pub fn args(&self) -> Vec<OsString> {
        let Limits { address_space, data, cpu } = self.limits;
        let numbers = [
            ("--parent", Some(u64::from(self.parent))),
            ("--address-space", address_space),
            ("--data", data),
            ("--cpu", cpu.map(|time| time.as_secs())),
        ];
        let numbers =
            numbers.into_iter().filter_map(|(name, value)| Some([name.to_owned(), value?.to_string()]));
        let words =
            std::iter::once(super::COMMAND.to_owned()).chain(numbers.flatten()).chain(["--".to_owned()]);
        words.map(OsString::from).chain([self.program.clone()]).chain(self.args.iter().cloned()).collect()
    }

    /// Does it. Returns only where that fails.
    pub fn become_it(&self) -> BecomeError {
        // What the server was started with, and did not open itself, has no such mark: a socket that systemd gave, say.
        close_fds::set_fds_cloexec(FIRST_OTHER, &[]);
        if let Err(error) = super::script(&self.limits, self.parent) {
            return error.into();
        }
        #[expect(clippy::disallowed_methods, reason = "no process is started; this one becomes another")]
        let error = std::process::Command::new(&self.program).args(&self.args).exec();
        BecomeError::Program { program: self.program.clone(), source: error }
    }
}
