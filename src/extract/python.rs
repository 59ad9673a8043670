//! The embedded CPython: the only user of pyo3, and the only `unsafe` code in the project.
//!
//! The interpreter starts once, isolated from the host: its home is the bundled runtime, it reads no
//! environment variable, no user site and no `site` module, writes no byte code and installs no signal
//! handler. Strings go in and strings (JSON) come out; no Python object leaves this file.

#![expect(clippy::disallowed_methods, reason = "this file is where Python is attached")]

use std::ffi::CString;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use pyo3::exceptions::{PyRuntimeError, PyValueError};
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::{PyCFunction, PyDict, PyString, PyTuple};

use super::contents::Damage;

/// Name of the Python package in `pyenv/` that this file calls.
const PACKAGE: &str = "sluice";
/// Folder of the runtime beside the package.
pub(super) const RUNTIME: &str = "runtime";
/// Home of the standard library inside the runtime.
const STDLIB: &str = "lib/python3.11";

/// Whether the interpreter was started: it can be only once.
static STARTED: AtomicBool = AtomicBool::new(false);

/// Why Python did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum PythonError {
    /// The folder does not hold a runtime that `pyenv/build` made.
    #[error("no Python runtime at {0} (run pyenv/build, or set PYENV_DIR)")]
    NoRuntime(PathBuf),
    /// The runtime is not of the Python that this binary holds.
    #[error("the runtime in {} is of {found}, and this binary needs {STDLIB}: install both from one build", runtime.display())]
    OtherPython {
        /// The runtime.
        runtime: PathBuf,
        /// What is there in place of the standard library.
        found: String,
    },
    /// The package beside the runtime is not of this binary's version.
    #[error("the Python package in {} is of Sluice {found}, and this binary is {}: install both from one build", folder.display(), env!("CARGO_PKG_VERSION"))]
    OtherPackage {
        /// Where the package is.
        folder: PathBuf,
        /// Its version.
        found: String,
    },
    /// Files of the runtime are not what they were.
    #[error(transparent)]
    Damaged(#[from] Damage),
    /// The runtime's modules, or the package's, can't be had.
    #[error("the Python in {} does not work: {what}", folder.display())]
    Broken {
        /// Folder of the runtime and the package.
        folder: PathBuf,
        /// The exception, on one line.
        what: String,
    },
    /// CPython refused to start.
    #[error("Python did not start: {0}")]
    Start(String),
    /// Our Python code raised. It promises not to, so this is a bug of ours; the text is the traceback.
    #[error("Python raised: {0}")]
    Raised(String),
}

/// Runs a script for at most that time: its exit code and what it printed on both outputs, or why there is none.
pub type RunScript = Box<dyn Fn(String, Duration) -> Result<(i32, String, String), String> + Send + Sync>;

/// Proof that the interpreter runs. It is never finalised: threads may be inside Python when the process
/// ends (see [`exit`]).
#[derive(Debug, Clone, Copy)]
pub struct Interpreter {
    /// The signal by which Python code lets itself be broken off, where that is possible.
    breaking: Option<i32>,
}

impl Interpreter {
    /// Starts CPython from `pyenv/runtime` and calls `sluice.start(config, run_script)` there, with what `tell` gives once
    /// yt-dlp is imported.
    ///
    /// Once per process: a second call fails. Blocks for the time of the import of yt-dlp
    /// (0.2–0.4 s). Returns the JSON that `sluice.start` returned. Every error is one line; the log has the traceback, at
    /// level debug.
    pub fn start(
        pyenv: &Path,
        tell: impl FnOnce() -> (String, Option<RunScript>),
    ) -> Result<(Self, String), PythonError> {
        let runtime = pyenv.join(RUNTIME);
        check_version(&runtime)?;
        if STARTED.swap(true, Ordering::AcqRel) {
            return Err(PythonError::Start("it was started before".into()));
        }
        limit_arenas();
        initialize(pyenv, &runtime)?;
        let report = Python::attach(|py| {
            let broken = |error: PyErr| broken(py, pyenv, &error);
            let package = py.import(PACKAGE).map_err(broken)?;
            check_package(pyenv, &package)?;
            let (config, run) = tell();
            let run = run.map(|run| run_callable(py, run)).transpose().map_err(broken)?;
            let report = package.call_method1("start", (config, run));
            report.and_then(|report| report.extract::<String>()).map_err(broken)
        })?;
        let breaking = breaking_signal()?;
        if breaking.is_none() {
            tracing::warn!("this Python is unknown, so patterns that take too long can't be broken off");
        }
        Ok((Self { breaking }, report))
    }

    /// Makes a Python `Session` on this thread and runs `body` with it. The thread stays attached to the
    /// interpreter until `body` returns, but for the time it spends in [`Session::detached`].
    pub fn with_session<R>(self, body: impl FnOnce(&mut Session<'_>) -> R) -> Result<R, PythonError> {
        Python::attach(|py| {
            let object = py
                .import(PACKAGE)
                .and_then(|package| package.getattr("Session"))
                .and_then(|class| class.call0())
                .map_err(|error| raised(py, &error))?;
            let thread = py
                .import("threading")
                .and_then(|threading| threading.call_method0("get_ident"))
                .and_then(|ident| ident.extract::<u64>())
                .map_err(|error| raised(py, &error))?;
            let mut session = Session { object, thread };
            let result = body(&mut session);
            session.call("close", ())?;
            Ok(result)
        })
    }

    /// Takes the interpreter's lock and gives it back.
    pub fn touch(self) {
        Python::attach(|_| ());
    }

    /// Breaks off what the thread of a session does while it holds the interpreter's lock. The caller needs no lock.
    pub fn break_off(self, thread: u64) {
        let Some(signal) = self.breaking else { return };
        // The one thread that handles signals: it looks there before it does. Released by the call below, which stores
        // what makes it look, in sequential order.
        main_thread().store(thread, Ordering::Relaxed);
        #[expect(unsafe_code, reason = "nothing safe reaches into a thread that holds the lock")]
        // SAFETY: it may be called by any thread without the lock (it is made for signal handlers).
        unsafe {
            ffi::PyErr_SetInterruptEx(signal);
        }
    }

    /// Makes the thread of a session ([`Session::thread`]) leave what it does, if it still `should`: an exception
    /// is raised in it where it runs byte code, sooner or later. Its sockets are closed by the guard.
    pub fn stop(self, thread: u64, should: impl Fn() -> bool) {
        Python::attach(|py| {
            // Under the lock: the thread can't end its job meanwhile.
            if !should() {
                return;
            }
            let stopped = py.import(PACKAGE).and_then(|package| {
                let exception = package.getattr("OverdueError")?;
                // Last, for what it returns holds as long as the lock is kept.
                Ok((package.call_method1("may_break_off", (thread,))?.extract::<bool>()?, exception))
            });
            match stopped {
                // Python code may have given the lock up for a moment.
                Ok((true, exception)) if should() => raise_in(thread, exception.as_ptr()),
                // It is told again.
                Ok(_) => {}
                Err(error) => tracing::error!(error = %raised(py, &error), "a worker could not be stopped"),
            }
        });
    }
}

/// A Python `Session`, bound to the thread that made it.
pub struct Session<'py> {
    object: Bound<'py, PyAny>,
    thread: u64,
}

impl Session<'_> {
    /// Runs `wait` with the interpreter given up, so that other threads may use it.
    pub fn detached<R: Send>(&self, wait: impl FnOnce() -> R + Send) -> R {
        self.object.py().detach(wait)
    }

    /// By which [`Interpreter::stop`] knows it.
    pub fn thread(&self) -> u64 {
        self.thread
    }

    /// Forgets an order to stop that came too late.
    pub fn unstop(&self) {
        raise_in(self.thread, std::ptr::null_mut());
    }

    /// Tidies up after a job that can't be stopped any more.
    pub fn settle(&self) -> Result<(), PythonError> {
        self.call("settle", ()).map(drop)
    }

    /// Pays the costs that yt-dlp puts off to the first URL, without network.
    pub fn warm(&self) -> Result<(), PythonError> {
        self.call("warm", ()).map(drop)
    }

    /// The same for the first page of any host.
    pub fn warm_embeds(&self) -> Result<(), PythonError> {
        self.call("warm_embeds", ()).map(drop)
    }

    /// Makes a second process of this one, which gets nothing; this one gets its number. Of the threads only this one is
    /// in both, so no other may have held anything that a child could wait for.
    pub fn fork(&self) -> io::Result<Option<u32>> {
        let py = self.object.py();
        // Python's own, which leaves the interpreter well in the child. That of `os` is closed (walls.py).
        let number = py.import("posix").and_then(|posix| posix.call_method0("fork")?.extract::<u32>());
        number.map(|pid| (pid > 0).then_some(pid)).map_err(|error| {
            let errno = error.value(py).getattr("errno").and_then(|errno| errno.extract::<i32>());
            errno.map_or_else(|_| io::Error::other(error.to_string()), io::Error::from_raw_os_error)
        })
    }

    /// Extracts a page. `options` is a JSON object; the result is tagged JSON (`pyenv/sluice/session.py`).
    pub fn extract(&self, url: &str, options: &str) -> Result<String, PythonError> {
        self.call_text("extract", url, options)
    }

    /// Goes on with a job that another process has handed off, given its state.
    pub fn resume(&self, state: &str, options: &str) -> Result<String, PythonError> {
        self.call_text("resume", state, options)
    }

    /// Evaluates yt-dlp's format selector on formats that were extracted before. No network.
    pub fn select(&self, formats: &str, selector: &str) -> Result<String, PythonError> {
        self.call_text("select", formats, selector)
    }

    fn call_text(&self, method: &str, first: &str, second: &str) -> Result<String, PythonError> {
        let result = self.call(method, (first, second))?;
        let py = self.object.py();
        let text = result.cast::<PyString>().map_err(|error| raised(py, &error.into()))?;
        text.to_str().map(str::to_owned).map_err(|error| raised(py, &error))
    }

    fn call<'a, A>(&'a self, method: &str, args: A) -> Result<Bound<'a, PyAny>, PythonError>
    where
        A: pyo3::call::PyCallArgs<'a>,
    {
        self.object.call_method1(method, args).map_err(|error| raised(self.object.py(), &error))
    }
}

/// Ends the process at once, without C's exit handlers: they would free OpenSSL's and CPython's state under
/// threads that may still be inside Python, which crashes now and then.
pub fn exit(code: u8) -> ! {
    use io::Write;
    // Nothing can be done about an output that can't be flushed any more.
    let _ = io::stdout().flush();
    let _ = io::stderr().flush();
    #[expect(unsafe_code, reason = "libc's _exit takes any number and does not return")]
    // SAFETY: `_exit` has no preconditions.
    unsafe {
        libc::_exit(i32::from(code))
    }
}

/// `run_script(script, seconds)` of Python: returns (exit code, standard output, standard error) or raises RuntimeError
/// with a sentence. Other threads have the interpreter meanwhile.
fn run_callable(py: Python<'_>, run: RunScript) -> PyResult<Bound<'_, PyCFunction>> {
    let call = move |args: &Bound<'_, PyTuple>, _: Option<&Bound<'_, PyDict>>| {
        let (script, seconds): (String, f64) = args.extract()?;
        let timeout = Duration::try_from_secs_f64(seconds.max(0.0))
            .map_err(|error| PyValueError::new_err(error.to_string()))?;
        args.py().detach(|| run(script, timeout)).map_err(PyRuntimeError::new_err)
    };
    PyCFunction::new_closure(py, Some(c"run_script"), None, call)
}

#[expect(unsafe_code, reason = "pyo3 has no name for it")]
// SAFETY: libpython exports an object of this name, which is larger than this.
unsafe extern "C" {
    /// CPython's `_PyRuntimeState`, whose fields are internal.
    static mut _PyRuntime: [u64; 16];
}

/// Where CPython 3.11 notes which thread is the main one (pycore_runtime.h: behind five numbers, one address, four of
/// the interpreters and two of a registry).
const MAIN_THREAD: usize = 80 / size_of::<u64>();

fn main_thread() -> &'static AtomicU64 {
    #[expect(unsafe_code, reason = "a C global")]
    // SAFETY: an aligned word within the object, which is larger than it is declared here and lives as long as the
    // process. Rust touches it only through this; CPython writes it when it starts and after a fork, when no other
    // thread runs, and reads it with one load, which no processor that Rust has 64-bit atomics for tears.
    unsafe {
        AtomicU64::from_ptr((&raw mut _PyRuntime).cast::<u64>().add(MAIN_THREAD))
    }
}

/// The signal of `pyenv/sluice/breaking.py`, if the main thread is where it is looked for: it is this one, which has
/// just started the interpreter.
fn breaking_signal() -> Result<Option<i32>, PythonError> {
    Python::attach(|py| {
        let signal = py.import(PACKAGE).and_then(|package| package.getattr("SIGNAL")?.extract::<i32>());
        let here = py
            .import("threading")
            .and_then(|threading| threading.call_method0("get_ident")?.extract::<u64>());
        let (signal, here) =
            (signal.map_err(|error| raised(py, &error))?, here.map_err(|error| raised(py, &error))?);
        Ok((main_thread().load(Ordering::Relaxed) == here).then_some(signal))
    })
}

/// Gives back to the system what C's heap holds free.
pub fn trim() {
    #[expect(unsafe_code, reason = "malloc_trim(3) is a C function")]
    // SAFETY: it may be called at any time, by any thread.
    unsafe {
        libc::malloc_trim(0);
    }
}

/// Sets the exception that a thread finds when it next looks, or none. The caller is attached.
fn raise_in(thread: u64, exception: *mut ffi::PyObject) {
    #[expect(unsafe_code, reason = "pyo3 does not wrap this function")]
    // SAFETY: every caller holds the interpreter's lock, through its attachment; `exception` is null or a class that
    // the caller holds a reference to, and CPython takes its own. Any number may be asked for as a thread's.
    unsafe {
        // Python's `get_ident` is this C type, seen as unsigned.
        ffi::PyThreadState_SetAsyncExc(thread.cast_signed(), exception);
    }
}

/// Whether the runtime has the standard library of the Python that this binary holds.
pub(super) fn check_version(runtime: &Path) -> Result<(), PythonError> {
    let stdlib = runtime.join(STDLIB);
    if stdlib.join("os.py").is_file() || stdlib.join("os.pyc").is_file() {
        return Ok(());
    }
    let lib = runtime.join("lib").read_dir().into_iter().flatten().flatten();
    let mut others = lib.filter_map(|entry| entry.file_name().into_string().ok());
    let other = others.find(|name| name.starts_with("python3.") && !STDLIB.ends_with(name.as_str()));
    Err(match other {
        Some(name) => PythonError::OtherPython { runtime: runtime.to_owned(), found: format!("lib/{name}") },
        None => PythonError::NoRuntime(runtime.to_owned()),
    })
}

/// Whether the package is of this binary's version. One that is too old to say it is of another.
fn check_package(pyenv: &Path, package: &Bound<'_, PyModule>) -> Result<(), PythonError> {
    let version = package.getattr("VERSION").and_then(|version| version.extract::<String>());
    let found = version.unwrap_or_else(|_| "an unknown version".to_owned());
    match found == env!("CARGO_PKG_VERSION") {
        true => Ok(()),
        false => Err(PythonError::OtherPackage { folder: pyenv.join(PACKAGE), found }),
    }
}

/// An exception before there is a session: what is wrong is the installation, and whoever reads it wants one line.
fn broken(py: Python<'_>, pyenv: &Path, error: &PyErr) -> PythonError {
    tracing::debug!(trace = %raised(py, error), "Python did not start");
    // The sentence of `sluice.start` for the operator.
    let sentence = error.is_instance_of::<PyValueError>(py).then(|| error.value(py).to_string());
    let what = sentence.clone().unwrap_or_else(|| error.to_string());
    let what = what.split_whitespace().collect::<Vec<_>>().join(" ");
    match sentence {
        Some(_) => PythonError::Start(what),
        None => PythonError::Broken { folder: pyenv.to_owned(), what },
    }
}

fn raised(py: Python<'_>, error: &PyErr) -> PythonError {
    let traceback = error.traceback(py).and_then(|traceback| traceback.format().ok()).unwrap_or_default();
    PythonError::Raised(format!("{traceback}{error}"))
}

/// Has all threads share one of C's heaps. By default nearly each has its own, and keeps there what its pages took:
/// half a megabyte per worker (docs/measurements.md). Python's threads hardly ever allocate at the same time.
fn limit_arenas() {
    #[expect(unsafe_code, reason = "mallopt(3) is a C function")]
    // SAFETY: it takes any numbers, and says by its result whether it took these; where it did not, nothing changed.
    // Fixed thresholds, because glibc's own grow with the first large page, and then nothing is given back.
    unsafe {
        libc::mallopt(libc::M_ARENA_MAX, 1);
        libc::mallopt(libc::M_MMAP_THRESHOLD, 512 << 10);
        libc::mallopt(libc::M_TRIM_THRESHOLD, 1 << 20);
    }
}

/// Initialises CPython with an isolated configuration and gives up the interpreter's lock.
fn initialize(pyenv: &Path, runtime: &Path) -> Result<(), PythonError> {
    let stdlib = runtime.join(STDLIB);
    let search = [stdlib.clone(), stdlib.join("lib-dynload"), stdlib.join("site-packages"), pyenv.to_owned()];
    let executable = runtime.join("bin/sluice");
    #[expect(unsafe_code, reason = "CPython's initialisation is a C API that pyo3 does not wrap")]
    // SAFETY: called once (STARTED), so by one thread and before any other use of Python. Both structures are filled by
    // CPython's own initialisers before they are read, strings are copied by CPython, and the configuration
    // is cleared on every path. The thread state that initialisation leaves attached is given up at the end.
    unsafe {
        let mut pre = std::mem::zeroed::<ffi::PyPreConfig>();
        ffi::PyPreConfig_InitIsolatedConfig(&raw mut pre);
        // UTF-8 whatever the host's locale is.
        pre.utf8_mode = 1;
        check(ffi::Py_PreInitialize(&raw const pre))?;

        let mut config = std::mem::zeroed::<ffi::PyConfig>();
        ffi::PyConfig_InitIsolatedConfig(&raw mut config);
        config.install_signal_handlers = 0;
        config.site_import = 0;
        config.write_bytecode = 0;
        config.pathconfig_warnings = 0;
        config.module_search_paths_set = 1;
        let result = (|| {
            for (slot, value) in [
                (&raw mut config.home, runtime),
                (&raw mut config.prefix, runtime),
                (&raw mut config.exec_prefix, runtime),
                (&raw mut config.executable, executable.as_path()),
                (&raw mut config.program_name, executable.as_path()),
            ] {
                let value = c_path(value)?;
                check(ffi::PyConfig_SetBytesString(&raw mut config, slot, value.as_ptr()))?;
            }
            for path in &search {
                let path = c_path(path)?;
                let wide = ffi::Py_DecodeLocale(path.as_ptr(), std::ptr::null_mut());
                if wide.is_null() {
                    return Err(PythonError::Start("a path can't be decoded".into()));
                }
                let status = ffi::PyWideStringList_Append(&raw mut config.module_search_paths, wide);
                ffi::PyMem_RawFree(wide.cast());
                check(status)?;
            }
            check(ffi::Py_InitializeFromConfig(&raw const config))
        })();
        ffi::PyConfig_Clear(&raw mut config);
        result?;
        ffi::PyEval_SaveThread();
    }
    Ok(())
}

fn c_path(path: &Path) -> Result<CString, PythonError> {
    CString::new(path.as_os_str().as_bytes())
        .map_err(|_| PythonError::Start("a path holds a NUL byte".into()))
}

fn check(status: ffi::PyStatus) -> Result<(), PythonError> {
    #[expect(unsafe_code, reason = "PyStatus is read through C functions")]
    // SAFETY: `status` came from CPython; `err_msg`, where it is set, is a static C string.
    let message = unsafe {
        if ffi::PyStatus_Exception(status) == 0 {
            return Ok(());
        }
        match status.err_msg.is_null() {
            true => "no reason given".into(),
            false => std::ffi::CStr::from_ptr(status.err_msg).to_string_lossy().into_owned(),
        }
    };
    Err(PythonError::Start(message))
}
