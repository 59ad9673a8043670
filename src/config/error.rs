//! What is wrong with settings, all of it at once.

use std::fmt;
use std::path::PathBuf;

use super::file::FileError;

/// A setting that can't be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    pub(super) name: &'static str,
    pub(super) origin: Origin,
    pub(super) what: String,
    pub(super) example: &'static str,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Origin {
    Flag,
    Environment,
    File,
    Default,
}

impl fmt::Display for Origin {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Flag => "flag",
            Self::Environment => "environment",
            Self::File => "file",
            Self::Default => "default",
        })
    }
}

/// Why the server does not start.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// `--config` names a file that can't be read or understood.
    #[error("{}: {source}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: FileError,
    },
    /// Bad values, all of them.
    #[error("{}", list(.0))]
    Values(Vec<Problem>),
}

fn list(problems: &[Problem]) -> String {
    let mut text = String::from("these settings can't be used:");
    for Problem { name, origin, what, example } in problems {
        text.push_str(&format!("\n  {name} ({origin}): {what}"));
        if !example.is_empty() {
            text.push_str(&format!("; for example {name}={example}"));
        }
    }
    text
}
