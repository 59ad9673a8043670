//! The calls of the kernel that each profile is refused, and with which error.
//!
//! What is named neither here nor in the table is allowed, for runtimes change which harmless calls they use; but calls
//! that came into the kernel after the table was made do not exist for a confined process, nor do those of x86's other
//! binary interfaces.

mod table;

use std::collections::BTreeMap;

use libc::{c_int, c_long};
use seccompiler::SeccompCmpArgLen::{Dword, Qword};
use seccompiler::SeccompCmpOp::{Eq, MaskedEq, Ne};
use seccompiler::{
    BackendError, BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter,
    SeccompRule, TargetArch, sock_filter,
};

use super::Programs;
use table::{NETWORK, NEVER, NEVER_X86, UNHEARD_OF, UNKNOWN};

/// What libc has no names for (asm-generic/fcntl.h, asm-generic/sockios.h).
const F_SETSIG: c_int = 10;
const F_SETOWN_EX: c_int = 15;
const FIOSETOWN: u64 = 0x8901;
const SIOCSPGRP: u64 = 0x8902;

type Rules = BTreeMap<c_long, Vec<SeccompRule>>;

pub(super) fn helper() -> Result<Programs, BackendError> {
    let mut refused = common()?;
    refused.insert(libc::SYS_execve, vec![]);
    refused.insert(libc::SYS_execveat, vec![]);
    // Netlink tells glibc which addresses this machine has. No Unix sockets: behind those are other services.
    let families = [libc::AF_INET, libc::AF_INET6, libc::AF_NETLINK];
    let other = families.map(|family| is(0, Dword, Ne, number(family)));
    refused.insert(libc::SYS_socket, vec![rule(other)?]);
    programs(refused)
}

pub(super) fn script() -> Result<Programs, BackendError> {
    let mut refused = common()?;
    refused.extend(NETWORK.iter().map(|call| (*call, vec![])));
    refused.insert(libc::SYS_execveat, vec![]);
    // Memory that is shared does not count as a process's data.
    let shared = libc::MAP_ANONYMOUS | libc::MAP_SHARED;
    let kind = MaskedEq(number(libc::MAP_ANONYMOUS | libc::MAP_TYPE));
    refused.insert(libc::SYS_mmap, vec![rule([is(3, Dword, kind, number(shared))])?]);
    programs(refused)
}

/// What both are refused with EPERM.
fn common() -> Result<Rules, BackendError> {
    let mut refused: Rules = NEVER.iter().chain(NEVER_X86).map(|call| (*call, vec![])).collect();
    // A thread is no process. What clone3 asks for lies in memory, where a filter does not see it.
    let process = is(0, Qword, MaskedEq(number(libc::CLONE_THREAD)), 0);
    refused.insert(libc::SYS_clone, vec![rule([process])?]);
    // Its number stays the same when it becomes another program.
    let other = || is(0, Dword, Ne, u64::from(std::process::id()));
    for call in [libc::SYS_kill, libc::SYS_tgkill, libc::SYS_rt_sigqueueinfo, libc::SYS_rt_tgsigqueueinfo] {
        refused.insert(call, vec![rule([other()])?]);
    }
    // A file's owner is sent the signal of its choice when something happens to it.
    let commands = [libc::F_SETOWN, F_SETOWN_EX, F_SETSIG].map(|one| rule([is(1, Dword, Eq, number(one))]));
    refused.insert(libc::SYS_fcntl, commands.into_iter().collect::<Result<_, _>>()?);
    let requests = [FIOSETOWN, SIOCSPGRP].map(|one| rule([is(1, Dword, Eq, one)]));
    refused.insert(libc::SYS_ioctl, requests.into_iter().collect::<Result<_, _>>()?);
    // To read a limit is fine.
    refused.insert(libc::SYS_prlimit64, vec![rule([is(2, Qword, Ne, 0)])?]);
    Ok(refused)
}

/// Opening for anything else than to read, by the place of the flags among the arguments.
fn writing(flags: u8) -> Result<Vec<SeccompRule>, BackendError> {
    let mode = |mode: c_int| rule([is(flags, Dword, MaskedEq(number(libc::O_ACCMODE)), number(mode))]);
    let flag = |flag: c_int| rule([is(flags, Dword, MaskedEq(number(flag)), number(flag))]);
    // The third mode, which has no name, is one to write in, too. O_TMPFILE comes with a mode to write in.
    [
        mode(libc::O_WRONLY),
        mode(libc::O_RDWR),
        mode(libc::O_ACCMODE),
        flag(libc::O_CREAT),
        flag(libc::O_TRUNC),
    ]
    .into_iter()
    .collect()
}

fn programs(refused: Rules) -> Result<Programs, BackendError> {
    let files = [
        (libc::SYS_openat, writing(2)?),
        #[cfg(target_arch = "x86_64")]
        (libc::SYS_open, writing(1)?),
    ];
    let unheard = UNHEARD_OF.iter().map(|call| (*call, vec![])).collect();
    Ok(vec![
        program(refused, libc::EPERM)?,
        program(files.into(), libc::EACCES)?,
        program(unheard, libc::ENOSYS)?,
        newer(),
    ])
}

fn program(refused: Rules, error: c_int) -> Result<BpfProgram, BackendError> {
    let machine: TargetArch = std::env::consts::ARCH.try_into()?;
    let refuse = SeccompAction::Errno(error.unsigned_abs());
    SeccompFilter::new(refused, SeccompAction::Allow, refuse, machine)?.try_into()
}

/// Calls with numbers that this list does not know. The compiler of filters knows only single numbers.
fn newer() -> BpfProgram {
    let step = |code: u32, jt, jf, k| {
        #[expect(clippy::cast_possible_truncation, reason = "every code of an instruction has 16 bits")]
        let code = code as u16;
        sock_filter { code, jt, jf, k }
    };
    vec![
        // The number is the first field of what a filter sees.
        step(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0, 0, 0),
        step(libc::BPF_JMP | libc::BPF_JGE | libc::BPF_K, 0, 1, UNKNOWN),
        step(libc::BPF_RET | libc::BPF_K, 0, 0, libc::SECCOMP_RET_ERRNO | libc::ENOSYS.unsigned_abs()),
        step(libc::BPF_RET | libc::BPF_K, 0, 0, libc::SECCOMP_RET_ALLOW),
    ]
}

type Condition = Result<SeccompCondition, BackendError>;

fn is(argument: u8, length: SeccompCmpArgLen, how: SeccompCmpOp, value: u64) -> Condition {
    SeccompCondition::new(argument, length, how, value)
}

/// All of these at once.
fn rule<const N: usize>(conditions: [Condition; N]) -> Result<SeccompRule, BackendError> {
    SeccompRule::new(conditions.into_iter().collect::<Result<_, _>>()?)
}

/// Flags and numbers of C, none of which is negative.
fn number(value: c_int) -> u64 {
    u64::from(value.unsigned_abs())
}

#[cfg(test)]
mod tests {
    use std::fs::{self, File, OpenOptions};
    use std::io::{self, Read};
    use std::net::{TcpListener, TcpStream};
    use std::os::unix::net::UnixStream;

    use super::*;

    /// What a thread can do by itself, and when a profile confines it. Limits would hold for the whole process.
    fn both<T: Send + 'static>(profile: fn() -> Result<Programs, BackendError>, act: fn() -> T) -> (T, T) {
        let confined = move || {
            for program in profile().unwrap() {
                seccompiler::apply_filter(&program).unwrap();
            }
            act()
        };
        (std::thread::spawn(act).join().unwrap(), std::thread::spawn(confined).join().unwrap())
    }

    fn refused<T>(outcome: &io::Result<T>) -> bool {
        outcome.as_ref().is_err_and(|error| error.kind() == io::ErrorKind::PermissionDenied)
    }

    #[test]
    fn both_profiles_read_files_and_change_none() {
        for profile in [helper, script] {
            let read = || File::open("/dev/null").and_then(|mut file| file.read(&mut [0]));
            let (free, confined) = both(profile, read);
            assert!(free.is_ok() && confined.is_ok());
            let made = || {
                let folder = tempfile::tempdir_in("/tmp");
                folder.map(drop)
            };
            let (free, confined) = both(profile, made);
            assert!(free.is_ok() && refused(&confined), "{confined:?}");
            let written = || OpenOptions::new().write(true).open("/dev/null").map(drop);
            let (free, confined) = both(profile, written);
            assert!(free.is_ok() && refused(&confined), "{confined:?}");
            let removed = || fs::remove_file("/tmp/of-sluice-there-is-none");
            let (free, confined) = both(profile, removed);
            assert!(!refused(&free) && refused(&confined), "{confined:?}");
        }
    }

    #[test]
    fn no_process_starts_but_threads_do() {
        for profile in [helper, script] {
            #[expect(clippy::disallowed_methods, reason = "to see that it is refused")]
            let started = || std::process::Command::new("/bin/true").status().map(|status| status.success());
            let (free, confined) = both(profile, started);
            assert!(free.unwrap() && refused(&confined), "{confined:?}");
            let thread = || std::thread::spawn(|| 1).join().unwrap();
            assert_eq!(both(profile, thread), (1, 1));
        }
    }

    #[test]
    fn a_helper_reaches_the_network_and_a_script_does_not() {
        #[expect(clippy::disallowed_methods, reason = "to see where it is refused")]
        let connected = || {
            let listener = TcpListener::bind("127.0.0.1:0")?;
            TcpStream::connect(listener.local_addr()?).map(drop)
        };
        let (free, confined) = both(script, connected);
        assert!(free.is_ok() && refused(&confined), "{confined:?}");
        // A helper connects, but nobody connects to it.
        let connecting = || {
            static OPEN: std::sync::OnceLock<TcpListener> = std::sync::OnceLock::new();
            let listener = OPEN.get_or_init(|| TcpListener::bind("127.0.0.1:0").unwrap());
            #[expect(clippy::disallowed_methods, reason = "to see that it is allowed")]
            TcpStream::connect(listener.local_addr()?).map(drop)
        };
        let (free, confined) = both(helper, connecting);
        assert!(free.is_ok() && confined.is_ok(), "{confined:?}");
        let (free, confined) = both(helper, || TcpListener::bind("127.0.0.1:0").map(drop));
        assert!(free.is_ok() && refused(&confined), "{confined:?}");
        // Nor other services of the machine, but a pair of its own it may have.
        for profile in [helper, script] {
            let (free, confined) =
                both(profile, || UnixStream::connect("/of-sluice-there-is-none").map(drop));
            assert!(!refused(&free) && refused(&confined), "{confined:?}");
            assert!(both(profile, UnixStream::pair).1.is_ok());
        }
    }

    #[test]
    fn nobody_else_is_signalled() {
        use nix::sys::signal::kill;
        use nix::unistd::Pid;
        for profile in [helper, script] {
            assert_eq!(both(profile, || kill(Pid::this(), None)), (Ok(()), Ok(())));
            let (free, confined) = both(profile, || kill(Pid::parent(), None));
            assert_eq!((free, confined), (Ok(()), Err(nix::Error::EPERM)));
        }
    }
}
