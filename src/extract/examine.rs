//! What can be said of extraction before there is a server: for `sluice check`.

use super::contents::{self, Damage, Look};
use super::python::{Interpreter, PythonError};
use super::script::{NoScripts, Scripts};
use super::{Settings, Versions, read_report};

/// Reads every file of the runtime, and says how many that were; nothing where it has no list of them.
pub fn compare_runtime(settings: &Settings) -> Result<Option<usize>, Damage> {
    contents::compare(&settings.runtime(), Look::Bytes)
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
