//! The JavaScript runtimes that there are: how each is called, and what it says of itself.

use std::path::PathBuf;

use super::NoScripts;

/// A program that runs JavaScript.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Runtime {
    /// Which one.
    pub kind: Kind,
    /// The program; absolute, for it is started in another folder.
    pub path: PathBuf,
    /// Whether somebody has named it, and not just found it: then it is worth a warning if it can't be used.
    pub named: bool,
}

impl Runtime {
    /// Says in the log that it can't be used, and what to do.
    pub(super) fn complain(&self, why: &NoScripts) {
        let path = self.path.display();
        match self.named {
            true => tracing::warn!(%path, "{why}; {ADVICE}"),
            false => tracing::info!(%path, "{why}; {ADVICE}"),
        }
    }
}

/// The runtimes that yt-dlp knows how to use, the best first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Deno, which has a sandbox of its own.
    Deno,
    /// Node.js.
    Node,
    /// QuickJS or QuickJS-ng.
    QuickJs,
}

/// What is told to somebody who has none.
pub const ADVICE: &str = "install Deno 2.3 or newer (or Node.js 22, or QuickJS 2023-12-09) and set JS_RUNTIME, as in deno:/usr/bin/deno";

/// Deno's, as yt-dlp gives them, too: nothing fetched, nothing asked, nothing found near the script.
const DENO: &[&str] = &[
    "run",
    "--ext=js",
    "--no-code-cache",
    "--no-prompt",
    "--no-remote",
    "--no-lock",
    "--node-modules-dir=none",
    "--no-config",
    "--no-npm",
    "--cached-only",
    "-",
];

/// V8 sets so much aside for compiled code; it counts as memory of the process, and is hardly used.
const CODE_RANGE: u64 = 512 << 20;

impl Kind {
    /// All of them, in the order in which they are looked for.
    pub const ALL: [Self; 3] = [Self::Deno, Self::Node, Self::QuickJs];

    /// As settings and yt-dlp call it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Deno => "deno",
            Self::Node => "node",
            Self::QuickJs => "quickjs",
        }
    }

    /// What its program is called.
    pub fn program(self) -> &'static str {
        match self {
            Self::QuickJs => "qjs",
            Self::Deno | Self::Node => self.name(),
        }
    }

    /// What it counts as its memory without having used any.
    pub(super) fn reserved(self) -> u64 {
        match self {
            Self::Deno | Self::Node => CODE_RANGE,
            Self::QuickJs => 0,
        }
    }

    /// What makes it run the script on its standard input. Which of Node's names a flag has depends on its version.
    pub(super) fn run(self, version: Option<&Version>) -> &'static [&'static str] {
        match (self, version) {
            (Self::Deno, _) => DENO,
            (Self::Node, Some(version)) if version.number < vec![23, 5] => {
                &["--experimental-permission", "--no-warnings=ExperimentalWarning", "-"]
            }
            (Self::Node, Some(_)) => &["--permission", "-"],
            // To be asked for its version; the kernel allows it nothing anyway.
            (Self::Node, None) => &["-"],
            (Self::QuickJs, _) => &["--script", "/dev/stdin"],
        }
    }

    /// A script that prints the version. QuickJS has no name for its own; see [`Kind::help`].
    pub(super) fn question(self) -> &'static str {
        match self {
            Self::Deno => "console.log(Deno.version.deno)",
            Self::Node => "console.log(process.versions.node)",
            Self::QuickJs => "console.log('works')",
        }
    }

    /// What makes it print a text with its version in it, where a script can't.
    pub(super) fn help(self) -> Option<&'static [&'static str]> {
        (self == Self::QuickJs).then_some(&["--help"])
    }

    /// The oldest version that yt-dlp's scripts run on.
    fn oldest(self, version: &Version) -> &'static [u32] {
        match self {
            Self::Deno => &[2, 3, 0],
            Self::Node => &[22, 0, 0],
            Self::QuickJs if version.other => &[0],
            Self::QuickJs => &[2023, 12, 9],
        }
    }

    /// Whether that version is new enough.
    pub(super) fn takes(self, version: &Version) -> bool {
        version.number.as_slice() >= self.oldest(version)
    }
}

/// A version, as its runtime tells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Version {
    /// `2.9.8`, `2025-04-26`.
    pub(super) text: String,
    number: Vec<u32>,
    /// Whether it is QuickJS-ng, which counts anew.
    pub(super) other: bool,
}

impl Version {
    /// Reads what [`Kind::question`] or [`Kind::help`] got.
    pub(super) fn read(kind: Kind, answer: &str) -> Option<Self> {
        let line = answer.trim().lines().next()?;
        let text = match kind {
            Kind::Deno | Kind::Node => line,
            Kind::QuickJs => line.strip_prefix("QuickJS")?.split_once("version ")?.1,
        };
        let text = text.split_whitespace().next()?;
        let number = text.split(['.', '-']).map_while(|part| part.parse().ok()).collect::<Vec<u32>>();
        let other = line.starts_with("QuickJS-ng");
        (!number.is_empty()).then(|| Self { text: text.to_owned(), number, other })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_as_they_are_told_and_compared_as_numbers() {
        let takes = |kind: Kind, answer: &str| kind.takes(&Version::read(kind, answer).unwrap());
        assert!(takes(Kind::Deno, "2.10.1\n"));
        assert!(takes(Kind::Deno, "2.3.0\n"));
        assert!(!takes(Kind::Deno, "2.2.12\n"));
        assert!(!takes(Kind::Deno, "1.46.3\n"));
        assert!(takes(Kind::Node, "22.0.0\n"));
        assert!(!takes(Kind::Node, "20.20.2\n"));
        assert!(takes(Kind::QuickJs, "QuickJS version 2025-04-26\nusage: qjs"));
        assert!(!takes(Kind::QuickJs, "QuickJS version 2021-03-27\nusage: qjs"));
        assert!(takes(Kind::QuickJs, "QuickJS-ng version 0.12.0\nusage: qjs"));
        assert_eq!(Version::read(Kind::Deno, "what is this"), None);
        assert_eq!(Version::read(Kind::QuickJs, "2025-04-26"), None);
    }

    #[test]
    fn nodes_flag_has_the_name_of_its_version() {
        let flag = |text| Kind::Node.run(Version::read(Kind::Node, text).as_ref())[0];
        assert_eq!(flag("22.11.0"), "--experimental-permission");
        assert_eq!(flag("23.5.0"), "--permission");
        assert_eq!(flag("24.0.1"), "--permission");
    }
}
