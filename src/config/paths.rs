//! The files and folders that the operator may move.

use std::path::{Path, PathBuf};

use super::error::Origin;
use super::{Reader, table};
use crate::server::{TlsError, TlsFiles};

/// Largest cookie file that is read, in bytes (`MAX_FILE` in pyenv/sluice/cookies.py).
const MAX_COOKIE_FILE: u64 = 4 << 20;
/// How far above the binary the Python folder is looked for: beside it, or a bundle's or a checkout's root.
const ANCESTORS: usize = 3;

impl Reader<'_> {
    /// A cookie file that is not there is worth a warning, not a failed start: it may come later.
    pub(super) fn cookies(&mut self, warnings: &mut Vec<String>) -> Option<PathBuf> {
        let path = PathBuf::from(self.text("COOKIES_PATH")?);
        if !path.is_file() {
            warnings.push(format!("COOKIES_PATH: no file at {}", path.display()));
        } else if path.metadata().is_ok_and(|file| file.len() > MAX_COOKIE_FILE) {
            warnings.push(format!(
                "COOKIES_PATH: {} is over {MAX_COOKIE_FILE} bytes, so it is not read",
                path.display()
            ));
        }
        Some(path)
    }

    /// The certificate and its key, which belong together.
    pub(super) fn tls(&mut self) -> Option<TlsFiles> {
        let (cert, key) = (self.raw("TLS_CERT"), self.raw("TLS_KEY"));
        let ((cert, origin), (key, key_origin)) = match (cert, key) {
            (Some(cert), Some(key)) => (cert, key),
            (None, None) => return None,
            (Some((_, origin)), None) => {
                self.problem(table::find("TLS_CERT"), origin, "it has no key without TLS_KEY");
                return None;
            }
            (None, Some((_, origin))) => {
                self.problem(table::find("TLS_KEY"), origin, "it is of no use without TLS_CERT");
                return None;
            }
        };
        let files = TlsFiles { cert: cert.trim().into(), key: key.trim().into() };
        if let Err(error) = files.load() {
            let (name, origin) = match &error {
                TlsError::Key { .. } => ("TLS_KEY", key_origin),
                TlsError::Cert { .. } | TlsError::Pair { .. } => ("TLS_CERT", origin),
            };
            self.problem(table::find(name), origin, error.to_string());
        }
        Some(files)
    }

    /// The folder of the runtime and the package: as set, or near the binary.
    pub(super) fn pyenv(&mut self, warnings: &mut Vec<String>) -> PathBuf {
        let has_runtime = |folder: &Path| folder.join("runtime/lib").is_dir();
        if let Some((text, origin)) = self.raw("PYENV_DIR") {
            let folder = PathBuf::from(text.trim());
            if has_runtime(&folder) {
                // CPython and yt-dlp must not depend on where the server was started.
                return std::path::absolute(&folder).unwrap_or(folder);
            }
            if origin != Origin::Environment {
                self.problem(table::find("PYENV_DIR"), origin, "no runtime is in that folder");
                return folder;
            }
            // The version manager pyenv sets this variable, too, for all that it starts.
            warnings
                .push(format!("PYENV_DIR: no runtime is in {}; looking near the binary", folder.display()));
        }
        let binary = std::env::current_exe().ok().and_then(|path| path.canonicalize().ok());
        let found = binary.iter().flat_map(|binary| binary.ancestors().skip(1).take(ANCESTORS));
        let found = found.map(|folder| folder.join("pyenv")).find(|folder| has_runtime(folder));
        found.unwrap_or_else(|| {
            let what = "no Python runtime was found near the binary (pyenv/build makes it)";
            self.problem(table::find("PYENV_DIR"), Origin::Default, what);
            PathBuf::new()
        })
    }
}
