//! `sluice check --health`: whether the server with these settings takes requests, for containers and load balancers.
//!
//! One small client of its own: nothing here leaves the machine, while `egress` is the way to everywhere else, judges
//! addresses that strangers have chosen, and would not connect to this machine at all.

mod tls;

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use bytes::Bytes;
use http::header::HOST;
use http::{Request, StatusCode};
use http_body_util::{BodyExt as _, Empty, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use serde::Deserialize;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::server::Settings;

/// Longest wait for the whole answer, the connection included, and other addresses where there are some. Less than what
/// containers give a probe (`--timeout=5s` of the Containerfile).
const PATIENCE: Duration = Duration::from_secs(4);
/// Longest answer, in bytes.
const MAX_ANSWER: usize = 16 << 10;

/// What the server says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Health {
    /// It takes requests.
    Ready,
    /// It does not, and why.
    Unready(String),
}

/// Why there is no such word.
#[derive(Debug, thiserror::Error)]
pub enum HealthError {
    /// Nobody is there, or whoever is hangs up.
    #[error(transparent)]
    Connect(#[from] io::Error),
    /// It does not speak HTTP.
    #[error(transparent)]
    Http(#[from] hyper::Error),
    /// It is no Sluice, or speaks no TLS where these settings do.
    #[error("what answers is no Sluice with these settings")]
    Stranger,
    /// It does not answer.
    #[error("no answer within {} s", PATIENCE.as_secs())]
    Timeout,
}

/// Asks the server with these settings, at its addresses in turn until one answers, for [`PATIENCE`] in all.
pub async fn health(settings: &Settings) -> Result<Health, HealthError> {
    timeout(PATIENCE, one_of(settings)).await.unwrap_or(Err(HealthError::Timeout))
}

async fn one_of(settings: &Settings) -> Result<Health, HealthError> {
    let mut last = HealthError::Stranger;
    for address in &settings.listen {
        match asked(*address, settings.tls.is_some()).await {
            Err(error) => last = error,
            answered => return answered,
        }
    }
    Err(last)
}

/// Asks `GET /ready` of whoever listens at an address of this machine; of all of its addresses, by loopback. Wakes a
/// service that systemd starts by its socket. Waits [`PATIENCE`] at most.
pub(super) async fn ask(address: SocketAddr, over_tls: bool) -> Result<Health, HealthError> {
    timeout(PATIENCE, asked(address, over_tls)).await.unwrap_or(Err(HealthError::Timeout))
}

fn nearest(ip: IpAddr) -> IpAddr {
    match ip {
        IpAddr::V4(Ipv4Addr::UNSPECIFIED) => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(Ipv6Addr::UNSPECIFIED) => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    }
}

async fn asked(address: SocketAddr, over_tls: bool) -> Result<Health, HealthError> {
    let address = SocketAddr::new(nearest(address.ip()), address.port());
    #[expect(clippy::disallowed_methods, reason = "to this machine's own server, where egress does not lead")]
    let tcp = TcpStream::connect(address).await?;
    match over_tls {
        true => exchange(tls::connect(tcp).await.map_err(of_tls)?, address).await,
        false => exchange(tcp, address).await,
    }
}

/// What speaks, but no TLS, is nobody's server that is about to.
fn of_tls(error: io::Error) -> HealthError {
    match error.kind() {
        io::ErrorKind::InvalidData => HealthError::Stranger,
        _ => error.into(),
    }
}

async fn exchange<S>(stream: S, address: SocketAddr) -> Result<Health, HealthError>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    let mut request = Request::new(Empty::<Bytes>::new());
    *request.uri_mut() = http::Uri::from_static("/ready");
    let host = address.to_string().parse().map_err(|_| HealthError::Stranger)?;
    request.headers_mut().insert(HOST, host);
    let answer = sender.send_request(request).await?;
    let status = answer.status();
    let body = Limited::new(answer.into_body(), MAX_ANSWER).collect().await;
    let body = body.map_err(|_| HealthError::Stranger)?.to_bytes();
    read(status, &body)
}

/// The answer of `/ready`: its own, or a problem (RFC 9457) with a code of ours.
fn read(status: StatusCode, body: &[u8]) -> Result<Health, HealthError> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Answer {
        Problem { code: String, detail: String },
        Ready { status: String },
    }
    match serde_json::from_slice(body) {
        Ok(Answer::Ready { status: word }) if status == StatusCode::OK && word == "ready" => {
            Ok(Health::Ready)
        }
        Ok(Answer::Problem { code, detail }) => Ok(Health::Unready(format!("{code}: {detail}"))),
        _ => Err(HealthError::Stranger),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_sluice_is_believed() {
        assert_eq!(read(StatusCode::OK, br#"{"status":"ready"}"#).unwrap(), Health::Ready);
        let problem = br#"{"type":"about:blank","status":503,"code":"draining","detail":"it ends"}"#;
        let unready = Health::Unready("draining: it ends".to_owned());
        assert_eq!(read(StatusCode::SERVICE_UNAVAILABLE, problem).unwrap(), unready);
        for (status, body) in
            [(500, &br#"{"status":"ready"}"#[..]), (200, b"ready"), (200, b"{}"), (404, b"")]
        {
            assert!(read(StatusCode::from_u16(status).unwrap(), body).is_err());
        }
    }

    #[test]
    fn all_addresses_are_asked_by_loopback() {
        let near = |text: &str| nearest(text.parse().unwrap()).to_string();
        assert_eq!(
            (near("0.0.0.0"), near("::"), near("11.0.0.2")),
            ("127.0.0.1".into(), "::1".into(), "11.0.0.2".into())
        );
    }
}
