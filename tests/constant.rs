//! A plain hyper server that answers every request with the same head and body, to compare `/extract` with.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::disallowed_methods,
    clippy::disallowed_types,
    missing_docs
)]

use bytes::Bytes;
use clap::{Arg, ArgAction, Command, value_parser};
use http::header::{HeaderMap, HeaderName, HeaderValue};
use http::{Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use std::convert::Infallible;
use std::net::SocketAddr;
use tokio::net::{TcpSocket, TcpStream};

/// As Sluice's.
const BACKLOG: u32 = 1024;

fn command() -> Command {
    Command::new("constant")
        .about("Answers every request with the same head and body, until it is killed")
        .arg(
            Arg::new("size")
                .long("size")
                .value_name("BYTES")
                .required(true)
                .value_parser(value_parser!(usize))
                .help("Size of the body"),
        )
        .arg(
            Arg::new("header")
                .long("header")
                .value_name("NAME: VALUE")
                .action(ArgAction::Append)
                .value_parser(header)
                .help("A line of the head; repeatable"),
        )
}

fn header(line: &str) -> Result<(HeaderName, HeaderValue), String> {
    let (name, value) = line.split_once(':').ok_or("not NAME: VALUE")?;
    let name = name.trim().parse::<HeaderName>().map_err(|error| error.to_string())?;
    let value = value.trim().parse::<HeaderValue>().map_err(|error| error.to_string())?;
    Ok((name, value))
}

#[tokio::main]
async fn main() {
    let arguments = command().get_matches();
    let body = Bytes::from(vec![b'x'; *arguments.get_one::<usize>("size").unwrap()]);
    let head: HeaderMap =
        arguments.get_many::<(HeaderName, HeaderValue)>("header").into_iter().flatten().cloned().collect();
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
    let listener = socket.listen(BACKLOG).unwrap();
    println!("listening on http://{}", listener.local_addr().unwrap());
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        tokio::spawn(serve(stream, head.clone(), body.clone()));
    }
}

async fn serve(stream: TcpStream, head: HeaderMap, body: Bytes) {
    stream.set_nodelay(true).unwrap();
    let service = service_fn(move |_: Request<Incoming>| {
        let mut response = Response::new(Full::new(body.clone()));
        *response.headers_mut() = head.clone();
        async { Ok::<_, Infallible>(response) }
    });
    // A client that leaves is no error.
    let _ =
        http1::Builder::new().timer(TokioTimer::new()).serve_connection(TokioIo::new(stream), service).await;
}
