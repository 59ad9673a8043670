//! What a process gives up for good before it runs what it does not trust: most of the kernel's calls, its privileges,
//! and more memory or processor time than it was promised. Applied by a process to itself; nothing can be taken back.
//!
//! Two profiles: [`helper`] for Python that may reach the network but start, write and kill nothing, and [`script`] for
//! a JavaScript runtime that may compute and nothing else. This is the second wall behind the runtime's own; where
//! the kernel refuses to build it, the caller gets an error and must not go on.

mod becoming;
mod calls;

use std::time::Duration;

use rustix::process::{self, DumpableBehavior, Pid, Resource, Rlimit, Signal};
use rustix::thread::{CapabilitySet, CapabilitySets};
use seccompiler::BpfProgram;

pub use becoming::{BecomeError, Becoming};

/// The command of this binary that [`Becoming`] is put into.
pub const COMMAND: &str = "confined";

/// Open files of a script: its three streams, what its runtime opens of its own, and some more.
const SCRIPT_FILES: u64 = 64;
/// The last place in the queue for a processor.
const NICE: i32 = 19;

/// What a process may use.
#[derive(Debug, Clone, Copy, Default)]
pub struct Limits {
    /// Bytes of address space. V8 reserves far more than it uses, and does not start with any sensible number.
    pub address_space: Option<u64>,
    /// Bytes of memory of its own that may be written: what a program really takes, at most.
    pub data: Option<u64>,
    /// Time on a processor, in whole seconds; after it the kernel kills.
    pub cpu: Option<Duration>,
}

/// Why a process is not confined, and so must not go on.
#[derive(Debug, thiserror::Error)]
pub enum ConfineError {
    /// A limit or a privilege.
    #[error("{0}: {1}")]
    Limit(&'static str, #[source] rustix::io::Errno),
    /// The filter could not be made; a bug, or a processor that nobody has tried.
    #[error("no filter for this machine: {0}")]
    Compile(#[from] seccompiler::BackendError),
    /// The kernel did not take the filter.
    #[error("the kernel took no filter: {0}")]
    Install(#[from] seccompiler::Error),
    /// Who started this process is gone.
    #[error("the process that started this one has ended")]
    Orphan,
}

/// Confines this process, all its threads, to network and computing.
///
/// From here on it starts no program and no process, writes, makes, renames and removes no file, listens nowhere, and
/// signals nobody but itself. It ends when the *thread* that started it ends (PR_SET_PDEATHSIG counts threads), so that
/// one must stay. Its outputs must not be files: it may not let them grow. `parent` is the process that made it: where
/// that has ended before this call, nobody would end this one.
pub fn helper(limits: &Limits, parent: u32) -> Result<(), ConfineError> {
    bound(limits, &[(Resource::Core, 0), (Resource::Fsize, 0)], parent)?;
    for program in calls::helper()? {
        seccompiler::apply_filter_all_threads(&program)?;
    }
    Ok(())
}

/// Confines this process to computing, and to becoming (execve) the runtime that does it.
///
/// As [`helper`], but without any network; memory may be executed, for compilers of scripts need that.
pub fn script(limits: &Limits, parent: u32) -> Result<(), ConfineError> {
    bound(limits, &[(Resource::Core, 0), (Resource::Fsize, 0), (Resource::Nofile, SCRIPT_FILES)], parent)?;
    for program in calls::script()? {
        seccompiler::apply_filter_all_threads(&program)?;
    }
    Ok(())
}

/// Keeps the files that this process was started with, and did not open itself, from the processes that it starts: a
/// socket that systemd gave, say.
pub fn keep_files() {
    close_fds::set_fds_cloexec(becoming::FIRST_OTHER, &[]);
}

/// Gives up privileges, of this thread and those that it makes from here on. [`helper`] and [`script`] do so, too, but
/// for the threads that there are already that is too late.
pub fn renounce() -> Result<(), ConfineError> {
    rustix::thread::set_no_new_privs(true).map_err(|error| limit("privileges", error))?;
    drop_capabilities()
}

/// Keeps this process's environment and memory from other processes of its user, a confined one among them: they could
/// read it through /proc. Costs core dumps, and debuggers need root.
pub fn private() -> Result<(), ConfineError> {
    process::set_dumpable_behavior(DumpableBehavior::NotDumpable).map_err(|error| limit("dumpable", error))
}

/// Lets others go first. Rank is each thread's own (setpriority(2), "C library/kernel differences"). Not before a process
/// is ready: on a busy machine its start would take three times as long.
fn step_back() {
    let tasks = std::fs::read_dir("/proc/self/task").into_iter().flatten().flatten();
    let threads = tasks.filter_map(|task| Pid::from_raw(task.file_name().to_str()?.parse().ok()?));
    for thread in threads {
        // Who may not even be nice is nice already.
        let _ = process::setpriority_process(Some(thread), NICE);
    }
}

/// Has the kernel kill this process when the *thread* that started it ends.
pub fn end_with_parent() -> Result<(), ConfineError> {
    process::set_parent_process_death_signal(Some(Signal::KILL)).map_err(|error| limit("parent", error))
}

fn bound(limits: &Limits, fixed: &[(Resource, u64)], parent: u32) -> Result<(), ConfineError> {
    step_back();
    renounce()?;
    let given = [
        (Resource::As, limits.address_space),
        (Resource::Data, limits.data),
        (Resource::Cpu, limits.cpu.map(|time| time.as_secs().max(1))),
    ];
    let given = given.into_iter().filter_map(|(resource, most)| Some((resource, most?)));
    for (resource, most) in fixed.iter().copied().chain(given) {
        // One that is lower already stays: without privileges it can't be raised, and should not be.
        let most = process::getrlimit(resource).maximum.map_or(most, |now| now.min(most));
        let both = Rlimit { current: Some(most), maximum: Some(most) };
        process::setrlimit(resource, both).map_err(|error| limit("a limit", error))?;
    }
    end_with_parent()?;
    let now = process::getppid().map(Pid::as_raw_nonzero);
    if now.is_none_or(|pid| u32::try_from(pid.get()) != Ok(parent)) {
        return Err(ConfineError::Orphan);
    }
    Ok(())
}

/// Of root's privileges only that to read stays, for the runtime may lie in somebody's folder.
fn drop_capabilities() -> Result<(), ConfineError> {
    let now = rustix::thread::capabilities(None).map_err(|error| limit("capabilities", error))?;
    let kept = now.permitted & CapabilitySet::DAC_READ_SEARCH;
    let sets = CapabilitySets { effective: kept, permitted: kept, inheritable: CapabilitySet::empty() };
    rustix::thread::set_capabilities(None, sets).map_err(|error| limit("capabilities", error))
}

fn limit(what: &'static str, error: rustix::io::Errno) -> ConfineError {
    ConfineError::Limit(what, error)
}

/// What [`calls`] gives: installed one after another, the strictest answer to a call holds.
type Programs = Vec<BpfProgram>;
