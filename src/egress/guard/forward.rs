//! Plain http through an HTTP proxy: each request is passed on in absolute-form (RFC 9112 §3.2.2).

use std::io;

use http::header::{CONNECTION, HOST, PROXY_AUTHORIZATION, UPGRADE};
use http::uri::{Authority, Scheme};
use http::{Request, Response, StatusCode, Uri};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt as _, Empty};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1 as client;
use hyper::server::conn::http1 as server;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::sync::Mutex;

use super::super::connector::ConnectError;
use super::super::proxy_error::ProxyError;
use super::super::route::Proxy;
use super::super::socks::Destination;
use super::User;
use super::metered::Metered;

const HTTP: u16 = 80;

type Body = BoxBody<Bytes, hyper::Error>;

/// Serves a client's requests, one after the other, on one connection to the proxy.
pub(super) async fn run(
    from: Metered,
    to: TcpStream,
    proxy: &Proxy,
    site: &Destination,
    user: &User,
) -> io::Result<()> {
    let authority = match site.port {
        HTTP => site.host.clone(),
        port => format!("{}:{port}", site.host),
    };
    let authority: Authority = authority.parse().map_err(io::Error::other)?;
    let mut builder = client::Builder::new();
    builder.preserve_header_case(true);
    let (sender, connection) = builder.handshake(TokioIo::new(to)).await.map_err(io::Error::other)?;
    let sender = Mutex::new(sender);
    let service = service_fn(async |request: Request<Incoming>| -> hyper::Result<Response<Body>> {
        let mut sender = sender.lock().await;
        let answer = pass_on(&mut sender, request, &authority, proxy).await?;
        if answer.status() == StatusCode::PROXY_AUTHENTICATION_REQUIRED {
            // A site can say so, too.
            user.refused(&ConnectError::Doubtful(ProxyError::Credentials.into()));
            return Ok(plain(StatusCode::BAD_GATEWAY));
        }
        Ok(answer)
    });
    let mut builder = server::Builder::new();
    builder.preserve_header_case(true);
    let served = builder.serve_connection(TokioIo::new(from), service);
    // The answers of the one come through the other; at the end of either, there is no more to come.
    let (mut served, mut connection) = (std::pin::pin!(served), std::pin::pin!(connection));
    tokio::select! {
        ended = &mut served => ended,
        ended = &mut connection => match ended {
            // What it has sent before may still be on its way, and a client that is not told would ask again here.
            Ok(()) => {
                served.as_mut().graceful_shutdown();
                served.await
            }
            error => error,
        },
    }
    .map_err(io::Error::other)
}

async fn pass_on(
    sender: &mut client::SendRequest<Incoming>,
    mut request: Request<Incoming>,
    authority: &Authority,
    proxy: &Proxy,
) -> hyper::Result<Response<Body>> {
    let path = request.uri().path_and_query().cloned();
    let target = Uri::builder().scheme(Scheme::HTTP).authority(authority.clone());
    let target = path.and_then(|path| target.path_and_query(path).build().ok());
    // A proxy would not know what to do with another protocol.
    let (Some(target), false) = (target, request.headers().contains_key(UPGRADE)) else {
        return Ok(plain(StatusCode::BAD_GATEWAY));
    };
    *request.uri_mut() = target;
    let headers = request.headers_mut();
    headers.remove(PROXY_AUTHORIZATION);
    // The host that was judged, not one that the page's request may name.
    if let Ok(host) = authority.as_str().parse() {
        headers.insert(HOST, host);
    }
    if let Some(authorization) = &proxy.authorization {
        headers.insert(PROXY_AUTHORIZATION, authorization.clone());
    }
    sender.ready().await?;
    let mut response = sender.send_request(request).await?;
    // The client's own connection is this one's.
    response.headers_mut().remove(CONNECTION);
    Ok(response.map(|body| body.boxed()))
}

fn plain(status: StatusCode) -> Response<Body> {
    let mut response = Response::new(Empty::new().map_err(|never| match never {}).boxed());
    *response.status_mut() = status;
    response
}
