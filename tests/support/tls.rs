//! A certificate of the server's own, in files that may be changed, and a client that trusts it.

use super::client::{self, Open};
use rcgen::{CertificateParams, KeyPair};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, ServerName};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use tempfile::TempDir;
use url::Url;

/// A certificate for 127.0.0.1 that is its own root, and its key; both PEM.
pub struct Pair {
    pub cert: String,
    pub key: String,
}

impl Pair {
    pub fn new() -> Pair {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(["127.0.0.1".to_owned(), "localhost".to_owned()]).unwrap();
        Pair { cert: params.self_signed(&key).unwrap().pem(), key: key.serialize_pem() }
    }
}

/// The files of a pair.
pub struct PairFiles(TempDir);

impl PairFiles {
    pub fn of(pair: &Pair) -> PairFiles {
        let files = PairFiles(tempfile::tempdir().unwrap());
        files.put(&pair.cert, &pair.key);
        files
    }

    /// Puts other files in their place, as certbot and Kubernetes do.
    pub fn put(&self, cert: &str, key: &str) {
        for (path, text) in [(self.cert(), cert), (self.key(), key)] {
            let new = path.with_extension("new");
            std::fs::write(&new, text).unwrap();
            std::fs::rename(new, path).unwrap();
        }
    }

    pub fn cert(&self) -> PathBuf {
        self.0.path().join("cert.pem")
    }

    pub fn key(&self) -> PathBuf {
        self.0.path().join("key.pem")
    }

    /// `TLS_CERT` and `TLS_KEY`.
    pub fn settings(&self) -> [(&'static str, String); 2] {
        [("TLS_CERT", self.cert().display().to_string()), ("TLS_KEY", self.key().display().to_string())]
    }
}

/// How to speak TLS with a server that has this certificate.
pub fn trusting(cert: &str) -> ClientConfig {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(cert.as_bytes()).unwrap()).unwrap();
    ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth()
}

/// A connection by TLS whose handshake is done, or why it was not.
pub fn connect(
    address: SocketAddr,
    config: ClientConfig,
) -> std::io::Result<StreamOwned<ClientConnection, std::net::TcpStream>> {
    let name = ServerName::from(address.ip());
    let mut tls = ClientConnection::new(Arc::new(config), name).unwrap();
    let mut tcp = client::connect(address);
    while tls.is_handshaking() {
        tls.complete_io(&mut tcp)?;
    }
    Ok(StreamOwned::new(tls, tcp))
}

/// Sends these bytes by TLS and reads the head of an answer.
pub fn open_raw(address: SocketAddr, cert: &str, bytes: &[u8]) -> Open {
    client::send_raw(Box::new(connect(address, trusting(cert)).unwrap()), bytes)
}

/// `GET` by TLS and HTTP/1.1.
pub fn open(url: &str, cert: &str) -> Open {
    let url = Url::parse(url).unwrap();
    let address = url.socket_addrs(|| None).unwrap()[0];
    client::send(Box::new(connect(address, trusting(cert)).unwrap()), "GET", &url, &[], b"")
}
