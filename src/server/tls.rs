//! TLS of our own: the certificate and its key, read again when their files change.

use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, SystemTime};

use rustls::ServerConfig;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::signal::unix::{SignalKind, signal};

/// Pause between two looks at the files.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// Where the certificate and its key are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFiles {
    /// The certificate, and those between it and a root that clients know; PEM.
    pub cert: PathBuf,
    /// Its private key; PEM.
    pub key: PathBuf,
}

/// Why a certificate and its key can't be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// The file of the certificate can't be read, or is no PEM.
    #[error("{}: {}", path.display(), said(source))]
    Cert {
        /// The file.
        path: PathBuf,
        /// Why.
        source: pem::Error,
    },
    /// The file of the key can't be read, or is no PEM.
    #[error("{}: {}", path.display(), said(source))]
    Key {
        /// The file.
        path: PathBuf,
        /// Why.
        source: pem::Error,
    },
    /// They don't belong together, or are not of a kind that is known.
    #[error("{} and {}: {source}", files.cert.display(), files.key.display())]
    Pair {
        /// Both.
        files: TlsFiles,
        /// Why.
        source: rustls::Error,
    },
}

fn said(error: &pem::Error) -> String {
    match error {
        pem::Error::Io(error) => error.to_string(),
        pem::Error::NoItemsFound => "nothing of the kind is in it".to_owned(),
        error => error.to_string(),
    }
}

impl TlsFiles {
    /// Reads both and checks that they belong together.
    pub fn load(&self) -> Result<Arc<ServerConfig>, TlsError> {
        let cert = |source| TlsError::Cert { path: self.cert.clone(), source };
        let chain = CertificateDer::pem_file_iter(&self.cert)
            .and_then(Iterator::collect::<Result<Vec<_>, _>>)
            .and_then(|chain| if chain.is_empty() { Err(pem::Error::NoItemsFound) } else { Ok(chain) })
            .map_err(cert)?;
        let key = PrivateKeyDer::from_pem_file(&self.key)
            .map_err(|source| TlsError::Key { path: self.key.clone(), source })?;
        config(chain, key).map_err(|source| TlsError::Pair { files: self.clone(), source })
    }

    fn look(&self) -> [Option<Look>; 2] {
        [&self.cert, &self.key].map(|path| Look::at(path).ok())
    }
}

/// TLS 1.2 and 1.3. Sessions are taken up again by tickets; nothing is taken before the handshake's end, as it could be
/// sent again by somebody else (RFC 8446 §8).
fn config(
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
) -> Result<Arc<ServerConfig>, rustls::Error> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(chain, key)?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    config.ticketer = rustls::crypto::ring::Ticketer::new()?;
    config.max_early_data_size = 0;
    Ok(Arc::new(config))
}

/// What of a file changes with it.
#[derive(Clone, PartialEq, Eq)]
struct Look {
    changed: SystemTime,
    size: u64,
    inode: u64,
}

impl Look {
    fn at(path: &Path) -> io::Result<Self> {
        let file = std::fs::metadata(path)?;
        Ok(Self { changed: file.modified()?, size: file.len(), inode: file.ino() })
    }
}

/// TLS as it is to be spoken now.
pub(super) struct Tls {
    files: TlsFiles,
    /// As they were before they were first read.
    first: [Option<Look>; 2],
    current: RwLock<Arc<ServerConfig>>,
}

impl Tls {
    pub(super) fn open(files: &TlsFiles) -> Result<Self, TlsError> {
        let first = files.look();
        Ok(Self { files: files.clone(), first, current: RwLock::new(files.load()?) })
    }

    /// For the next connection.
    pub(super) fn config(&self) -> Arc<ServerConfig> {
        Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Reads the files again whenever they have changed, or at SIGHUP.
    pub(super) async fn follow(&self) {
        let mut hangup = signal(SignalKind::hangup()).ok();
        let mut hung_up = async || match &mut hangup {
            Some(hangup) => hangup.recv().await,
            None => std::future::pending().await,
        };
        let mut known = self.first.clone();
        let mut last = self.files.look();
        loop {
            let asked = tokio::select! {
                () = tokio::time::sleep(LOOK_EVERY) => false,
                _ = hung_up() => true,
            };
            let look = self.files.look();
            // Only once they stay as they are: the key is written after the certificate, or before it.
            let settled = look == std::mem::replace(&mut last, look.clone());
            if asked || (settled && look != known) {
                known = look;
                self.reload();
            }
        }
    }

    fn reload(&self) {
        match self.files.load() {
            Ok(config) => {
                *self.current.write().unwrap_or_else(PoisonError::into_inner) = config;
                tracing::info!("the TLS certificate was read anew");
            }
            Err(error) => tracing::warn!(%error, "the new TLS certificate can't be used; the old one stays"),
        }
    }
}
