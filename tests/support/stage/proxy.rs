//! The forward proxy, and the servers behind it: connections in, scripted answers out.

use super::Backstage;
use super::plan::{Before, End, Plan, plan, refusal};
use super::seen::{Connection, Ends, Exchange, Outcome, Scheme, Seen};
use super::wire::{Request, Wire, read_request};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio_rustls::{LazyConfigAcceptor, TlsAcceptor};

/// Send buffer of each connection, in bytes, so that a client that stops reading is felt after little more.
const SEND_BUFFER: usize = 128 * 1024;

/// First byte of a TLS handshake record.
const TLS_HANDSHAKE: u8 = 0x16;

/// Where a request is bound.
#[derive(Clone)]
struct Place {
    scheme: Scheme,
    host: String,
    port: u16,
}

/// Sees every release from the moment it is made.
struct Hold(watch::Receiver<u64>);

impl Hold {
    /// Returns at the first release that has not been seen yet.
    async fn released(&mut self) {
        let _ = self.0.changed().await;
    }
}

pub(super) async fn accept(listener: TcpListener, backstage: Arc<Backstage>) {
    loop {
        match listener.accept().await {
            Ok((tcp, from)) => drop(tokio::spawn(welcome(tcp, from, backstage.clone()))),
            // Out of descriptors: the open connections must end first.
            Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
        }
    }
}

async fn welcome(tcp: TcpStream, from: SocketAddr, backstage: Arc<Backstage>) -> Option<()> {
    let _ = tcp.set_nodelay(true);
    let _ = socket2::SockRef::from(&tcp).set_send_buffer_size(SEND_BUFFER);
    let plain = |address: SocketAddr| SocketAddr::new(address.ip().to_canonical(), address.port());
    let ends = Ends { from: plain(from), to: plain(tcp.local_addr().ok()?) };
    let connection = backstage.log.connected(ends);
    if begins_tls(&tcp).await? {
        let (wire, place) = as_server(tcp, &backstage, &connection).await?;
        connection.talks_to(&place.host);
        converse(wire, Some(place), backstage, connection).await;
    } else {
        converse(Wire::Plain(tcp), None, backstage, connection).await;
    }
    Some(())
}

/// Whether the client's first byte is one of TLS; none where there is no first byte.
async fn begins_tls(tcp: &TcpStream) -> Option<bool> {
    let mut first = [0];
    (tcp.peek(&mut first).await.ok()? == 1).then_some(first[0] == TLS_HANDSHAKE)
}

/// TLS of who takes the stage for the server itself: of the name that is asked for, or else of the address.
async fn as_server(tcp: TcpStream, backstage: &Backstage, connection: &Connection) -> Option<(Wire, Place)> {
    let to = connection.ends().to;
    let start = LazyConfigAcceptor::new(rustls::server::Acceptor::default(), tcp).await.ok()?;
    let host = start.client_hello().server_name().map_or_else(|| to.ip().to_string(), str::to_owned);
    let place = Place { scheme: Scheme::Https, host: host.to_ascii_lowercase(), port: to.port() };
    match start.into_stream(backstage.ca.config(&place.host)).await {
        Ok(tls) => Some((Wire::Tls(Box::new(tls)), place)),
        Err(_) => {
            let request = Request::connect(&place.host);
            backstage
                .log
                .begin(record(&request, connection, &place, place.host.clone()))
                .end(Outcome::Refused);
            None
        }
    }
}

/// `tunnel`: where TLS, or a tunnel, has led to.
async fn converse(
    mut wire: Wire,
    mut tunnel: Option<Place>,
    backstage: Arc<Backstage>,
    connection: Connection,
) {
    let mut buffer = Vec::new();
    while let Some(request) = read_request(&mut wire, &mut buffer).await {
        let next = match &tunnel {
            None if request.method == "CONNECT" => {
                match connect(&request, wire, &backstage, &connection).await {
                    Some((opened, place)) => {
                        connection.talks_to(&place.host);
                        tunnel = Some(place);
                        Some(opened)
                    }
                    None => None,
                }
            }
            _ => exchange(request, tunnel.as_ref(), wire, &backstage, &connection).await,
        };
        match next {
            Some(kept) => wire = kept,
            None => return,
        }
    }
}

/// Opens a tunnel, or answers 407 or 502 as a proxy does.
async fn connect(
    request: &Request,
    mut wire: Wire,
    backstage: &Backstage,
    connection: &Connection,
) -> Option<(Wire, Place)> {
    let place = split_authority(&request.target, Scheme::Https)?;
    let seen =
        |place: &Place| backstage.log.begin(record(request, connection, place, request.target.clone()));
    if let Some(plan) = refuse(request, &place, backstage) {
        let hold = Hold(backstage.releases.subscribe());
        return play(plan, wire, seen(&place), hold, true).await.and(None);
    }
    wire.write(b"HTTP/1.1 200 Connection established\r\n\r\n").await.ok()?;
    let Wire::Plain(tcp) = wire else { return None };
    if begins_tls(&tcp).await? {
        match TlsAcceptor::from(backstage.ca.config(&place.host)).accept(tcp).await {
            Ok(tls) => Some((Wire::Tls(Box::new(tls)), place)),
            Err(_) => {
                seen(&place).end(Outcome::Refused);
                None
            }
        }
    } else {
        Some((Wire::Plain(tcp), Place { scheme: Scheme::Http, ..place }))
    }
}

/// Answers one request; gives the connection back when it can serve another.
async fn exchange(
    request: Request,
    tunnel: Option<&Place>,
    wire: Wire,
    backstage: &Backstage,
    connection: &Connection,
) -> Option<Wire> {
    let (place, target) = match tunnel {
        Some(place) => (place.clone(), request.target.clone()),
        None => destination(&request)?,
    };
    connection.talks_to(&place.host);
    // Before the request can be seen: whoever sees it may release it.
    let hold = Hold(backstage.releases.subscribe());
    let seen = backstage.log.begin(record(&request, connection, &place, target.clone()));
    if tunnel.is_none()
        && let Some(plan) = refuse(&request, &place, backstage)
    {
        return play(plan, wire, seen, hold, true).await;
    }
    let path = target.split('?').next().unwrap_or_default();
    let plan = match backstage.script(&place.host, path) {
        Some(reply) => plan(&reply, &request, connection.ends().from.ip()),
        None => refusal(404, &[], request.keep_alive),
    };
    play(plan, wire, seen, hold, false).await
}

fn refuse(request: &Request, place: &Place, backstage: &Backstage) -> Option<Plan> {
    if backstage.credentials.is_some()
        && request.header("proxy-authorization") != backstage.credentials.as_deref()
    {
        let ask = ("Proxy-Authenticate", "Basic realm=\"stage\"");
        return Some(refusal(407, &[ask], false));
    }
    (!backstage.knows(&place.host)).then(|| refusal(502, &[], false))
}

async fn play(plan: Plan, mut wire: Wire, seen: Exchange, mut hold: Hold, refused: bool) -> Option<Wire> {
    match plan.before {
        Before::Wait(Duration::ZERO) => {}
        Before::Wait(delay) => {
            tokio::select! { () = tokio::time::sleep(delay) => {}, () = wire.gone() => return None }
        }
        Before::UntilReleased => {
            tokio::select! { () = hold.released() => {}, () = wire.gone() => return None }
        }
    }
    seen.answered(plan.status);
    wire.write(&plan.head).await.ok()?;
    body(&plan, &mut wire, &seen, &mut hold).await?;
    if plan.end == End::Reset {
        // The reset waits for the client; the record must not show the cut before it happens.
        wire.reset().await;
        seen.end(Outcome::Cut);
        return None;
    }
    seen.end(match (refused, plan.faulty) {
        (true, _) => Outcome::Refused,
        (false, true) => Outcome::Cut,
        (false, false) => Outcome::Finished,
    });
    match plan.end {
        End::KeepAlive => return Some(wire),
        End::Close => wire.close().await,
        End::HangUp | End::Reset => wire.hang_up(),
    }
    None
}

async fn body(plan: &Plan, wire: &mut Wire, seen: &Exchange, hold: &mut Hold) -> Option<()> {
    let mut buffer = vec![0; plan.piece];
    let mut sent = 0;
    let mut stall = plan.stall;
    loop {
        if stall.is_some_and(|at| sent >= at) {
            tokio::select! { () = hold.released() => stall = None, () = wire.gone() => return None }
        }
        let until = stall.map_or(plan.bytes, |at| plan.bytes.min(at));
        let piece = (plan.piece as u64).min(until - sent) as usize;
        if piece == 0 {
            // Either all is sent, or the next round waits.
            if sent == plan.bytes {
                break;
            }
            continue;
        }
        plan.media.fill(plan.from + sent, &mut buffer[..piece]);
        if plan.chunked {
            wire.write(format!("{piece:x}\r\n").as_bytes()).await.ok()?;
        }
        wire.write(&buffer[..piece]).await.ok()?;
        if plan.chunked {
            wire.write(b"\r\n").await.ok()?;
        }
        sent += piece as u64;
        seen.wrote(piece as u64);
        if !plan.pause.is_zero() && sent < plan.bytes {
            tokio::select! { () = tokio::time::sleep(plan.pause) => {}, () = wire.gone() => return None }
        }
    }
    if plan.chunked && !plan.faulty {
        wire.write(b"0\r\n\r\n").await.ok()?;
    }
    Some(())
}

fn record(request: &Request, connection: &Connection, place: &Place, target: String) -> Seen {
    Seen {
        connection: connection.number(),
        from: connection.ends().from,
        to: connection.ends().to,
        host: place.host.clone(),
        port: place.port,
        scheme: place.scheme,
        method: request.method.clone(),
        target,
        headers: request.headers.clone(),
        status: 0,
        written: 0,
        outcome: Outcome::Playing,
    }
}

/// Where an absolute-form request goes (or, sent as if the stage were the origin, an origin-form one).
fn destination(request: &Request) -> Option<(Place, String)> {
    if request.target.starts_with('/') {
        return Some((split_authority(request.header("host")?, Scheme::Http)?, request.target.clone()));
    }
    let rest = request.target.strip_prefix("http://")?;
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let path = if path.is_empty() { "/" } else { path };
    Some((split_authority(authority, Scheme::Http)?, path.to_owned()))
}

fn split_authority(authority: &str, scheme: Scheme) -> Option<Place> {
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, port.parse().ok()?),
        _ => (authority, if scheme == Scheme::Https { 443 } else { 80 }),
    };
    let host = host.trim_start_matches('[').trim_end_matches(']').to_ascii_lowercase();
    Some(Place { scheme, host, port })
}
