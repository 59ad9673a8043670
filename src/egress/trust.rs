//! Trust roots: the bundled runtime's (Mozilla's, by `certifi`) and the operator's own.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::client::Resumption;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::{self, PemObject};
use rustls::{ClientConfig, RootCertStore};

use super::route::Way;

/// Why the trust roots can't be used.
#[derive(Debug, thiserror::Error)]
pub enum TrustError {
    /// A file can't be read, or holds something that is no PEM.
    #[error("{}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: pem::Error,
    },
    /// A file without a usable certificate.
    #[error("{}: no certificate in it", .0.display())]
    Empty(PathBuf),
    /// rustls refused the configuration.
    #[error(transparent)]
    Tls(#[from] rustls::Error),
}

/// How TLS is spoken to sites.
#[derive(Clone)]
pub(super) struct Tls {
    resuming: Arc<ClientConfig>,
    fresh: Arc<ClientConfig>,
}

impl Tls {
    /// Trusts the certificates in `files`.
    pub(super) fn new(files: &[PathBuf]) -> Result<Self, TrustError> {
        let resuming = client_config(files)?;
        let mut fresh = resuming.clone();
        fresh.resumption = Resumption::disabled();
        Ok(Self { resuming: Arc::new(resuming), fresh: Arc::new(fresh) })
    }

    /// For connections by this way. A session that is taken up again tells a site that two addresses are one client
    /// (RFC 8446 appendix C.4): only those of the machine's own choice are.
    pub(super) fn by(&self, way: &Way) -> Arc<ClientConfig> {
        Arc::clone(if *way == Way::Direct { &self.resuming } else { &self.fresh })
    }
}

/// How many certificates of a file can be used; one at least, or it is an error.
pub(super) fn count(path: &Path) -> Result<usize, TrustError> {
    add(&mut RootCertStore::empty(), path)
}

fn add(roots: &mut RootCertStore, path: &Path) -> Result<usize, TrustError> {
    match roots.add_parsable_certificates(certificates(path)?) {
        (0, _) => Err(TrustError::Empty(path.to_owned())),
        (added, _ignored) => Ok(added),
    }
}

fn client_config(files: &[PathBuf]) -> Result<ClientConfig, TrustError> {
    let mut roots = RootCertStore::empty();
    for path in files {
        add(&mut roots, path)?;
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TrustError> {
    CertificateDer::pem_file_iter(path)
        .and_then(Iterator::collect)
        .map_err(|source| TrustError::Read { path: path.to_owned(), source })
}
