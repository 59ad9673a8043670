//! What can be said of extraction before there is any: at a server's start, and for `sluice check`.

use super::contents::{self, Look};
use super::python::{self, Interpreter, PythonError};
use super::script::{NoScripts, Scripts};
use super::{Settings, Versions, read_report};

/// Whether the runtime is of the right Python, and its files are what they were: how many there are, or nothing where it
/// has no list of them. Before anything of it is used.
pub fn check_runtime(settings: &Settings, look: Look) -> Result<Option<usize>, PythonError> {
    let runtime = settings.runtime();
    python::check_version(&runtime)?;
    Ok(contents::compare(&runtime, look)?)
}

/// Starts Python, in which nothing will be extracted. Once per process, and not where there is an
/// [`Extractor`](super::Extractor).
pub fn try_python(settings: &Settings) -> Result<Versions, PythonError> {
    let (_, report) =
        Interpreter::start(&settings.pyenv, || (settings.python_config(false, None, None), None))?;
    read_report(&report)
}

/// Asks the JavaScript runtime for its version, confined as it will be. On a tokio runtime.
pub async fn try_javascript(settings: &Settings) -> Result<String, NoScripts> {
    let found = Scripts::look(settings.scripts.clone()).await?;
    Ok(format!("{} {}", found.name(), found.version()))
}
