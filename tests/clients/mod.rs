//! Programs that people use: they must find a server that does what they expect of any.

mod download;
mod player;

use crate::support::stage::Fault;
use std::path::Path;
use std::process::{Command, Output, Stdio};

/// Longest run of a program in seconds, for coreutils' `timeout`.
const PATIENCE: &str = "60";

/// A program that finds nothing of this machine but `PATH`: no proxy, no configuration.
fn program(name: &str, folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(name);
    command.args(arguments).current_dir(folder).env_clear();
    command.env("PATH", std::env::var_os("PATH").unwrap_or_default()).env("HOME", folder);
    command.stdin(Stdio::null());
    command
}

/// Runs a program to its end.
fn run(name: &str, folder: &Path, arguments: &[&str]) -> Output {
    let limited = [&[PATIENCE, name], arguments].concat();
    program("timeout", folder, &limited).output().unwrap()
}

/// The same; it must end well.
#[track_caller]
fn run_well(name: &str, folder: &Path, arguments: &[&str]) -> Output {
    let output = run(name, folder, arguments);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{name} {arguments:?}: {}\n{said}", output.status);
    output
}

/// `count` answers that are cut off after `after` bytes.
fn cuts(count: usize, after: u64) -> impl Iterator<Item = Option<Fault>> {
    std::iter::repeat_n(Some(Fault::Cut { after }), count)
}
