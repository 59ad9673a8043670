//! `sluice confined`: not for people. The server starts itself so, to become a JavaScript runtime that is confined.

use std::ffi::OsString;
use std::time::Duration;

use clap::{Arg, ArgMatches, Command, value_parser};

use crate::confine::{self, Becoming, Limits};

pub(super) fn command() -> Command {
    let number = |name: &'static str| Arg::new(name).long(name).value_parser(value_parser!(u64));
    let program = Arg::new("program").num_args(1..).last(true).required(true);
    Command::new(confine::COMMAND)
        .hide(true)
        .about("Becomes a program that can't reach the network or change files")
        .arg(number("parent").value_parser(value_parser!(u32)).required(true))
        .args(["address-space", "data", "cpu"].map(number))
        .arg(program.value_parser(value_parser!(OsString)))
}

/// What this process is to become, where the command line says so. No settings are read for it.
pub fn confined(flags: &ArgMatches) -> Option<Becoming> {
    let flags = flags.subcommand_matches(confine::COMMAND)?;
    let number = |name| flags.get_one::<u64>(name).copied();
    let mut words = flags.get_many::<OsString>("program")?.cloned();
    Some(Becoming {
        limits: Limits {
            address_space: number("address-space"),
            data: number("data"),
            cpu: number("cpu").map(Duration::from_secs),
        },
        parent: *flags.get_one("parent")?,
        program: words.next()?,
        args: words.collect(),
    })
}
