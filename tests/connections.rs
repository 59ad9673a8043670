//! How many connections there may be: of an address, of all, and with few files; and clients that are slow on purpose.

use crate::support::client::{self, Open};
use crate::support::dns::Zone;
use crate::support::net::{CLIENT, Net, OWN, OWN_V6, inside};
use crate::support::processes::cpu;
use crate::support::server::TestServer;
use crate::support::stage::{Fault, Media};
use crate::support::world::World;
use socket2::{Domain, Socket, Type};
use std::io::{Read as _, Write as _};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

const READY: &[u8] = b"GET /ready HTTP/1.1\r\nHost: a\r\n\r\n";

/// Whether a connection is there: it is asked for an answer.
fn answers(wire: &mut TcpStream) -> bool {
    let mut answer = [0; 12];
    wire.write_all(READY).is_ok() && wire.read_exact(&mut answer).is_ok() && {
        assert_eq!(&answer, b"HTTP/1.1 200");
        // The rest, which comes with it.
        let mut rest = vec![0; 4096];
        wire.read(&mut rest).is_ok_and(|count| rest[..count].ends_with(b"}"))
    }
}

/// Whether the server has closed a connection that nobody has sent anything on.
fn is_closed(mut wire: &TcpStream) -> bool {
    wire.set_nonblocking(true).unwrap();
    let read = wire.read(&mut [0; 1]);
    wire.set_nonblocking(false).unwrap();
    !matches!(read, Err(error) if error.kind() == std::io::ErrorKind::WouldBlock)
}

/// Blocks until the server has closed it; panics after 30 s, which is less than the server itself waits for a head.
fn wait_closed(mut wire: &TcpStream) {
    wire.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    match wire.read(&mut [0; 1]) {
        Ok(1..) => panic!("it was answered"),
        Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => panic!("it is still open"),
        Ok(_) | Err(_) => {}
    }
}

/// A connection from an address of the calling thread's network namespace.
fn connect_from(from: IpAddr, to: SocketAddr) -> TcpStream {
    let socket = Socket::new(Domain::for_address(to), Type::STREAM, None).unwrap();
    if to.is_ipv6() {
        // All of them lead here, but none is given to an interface.
        socket.set_freebind_v6(true).unwrap();
    }
    socket.bind(&SocketAddr::new(from, 0).into()).unwrap();
    socket.connect(&to.into()).unwrap();
    let wire = TcpStream::from(socket);
    wire.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    wire
}

#[test]
fn an_address_has_so_many_connections() {
    inside("connections::of_each_address");
}

#[test]
#[ignore = "run by an_address_has_so_many_connections"]
fn of_each_address() {
    const LIMIT: usize = 5;
    let net = Net::new(Zone::from([]));
    let hosts = format!("{},{OWN_V6},127.0.0.1", OWN[0]);
    let settings = [
        ("MAX_CONNECTIONS_PER_ADDRESS", "5"),
        ("HOST", hosts.as_str()),
        ("PORT", "3021"),
        ("TRUSTED_PROXIES", "11.9.0.0/16"),
    ];
    let _server = net.server(&settings);
    let at = |ip: IpAddr| SocketAddr::new(ip, 3021);
    for (own, same, other) in [
        (OWN[0].into(), ["12.0.0.1", "12.0.0.1"], "12.0.0.2"),
        (OWN_V6.into(), ["2a12::1", "2a12::2:3:4:5"], "2a12:0:0:1::1"),
    ] {
        let own: IpAddr = own;
        let from = |text: &str| connect_from(text.parse().unwrap(), at(own));
        let mut wires: Vec<_> = (0..LIMIT).map(|n| from(same[n % 2])).collect();
        assert!(wires.iter_mut().all(answers), "{own}");
        for from_same in same {
            wait_closed(&from(from_same));
        }
        assert!(answers(&mut from(other)));
        assert!(wires.iter_mut().all(answers), "{own}");
        // The end of one makes room for one.
        drop(wires.pop());
        wait_until(|| {
            let mut next = from(same[0]);
            let let_in = answers(&mut next);
            if let_in {
                wires.push(next);
            }
            let_in
        });
        wait_closed(&from(same[1]));
    }
    let mut of_proxy: Vec<_> =
        (0..LIMIT * 3).map(|_| connect_from("11.9.0.1".parse().unwrap(), at(OWN[0].into()))).collect();
    assert!(of_proxy.iter_mut().all(answers));
    net.on_machine(|| {
        let mut own: Vec<_> =
            (0..LIMIT * 3).map(|_| client::connect(at(Ipv4Addr::LOCALHOST.into()))).collect();
        assert!(own.iter_mut().all(answers));
        let metrics = client::get("http://127.0.0.1:3021/metrics").text();
        assert!(metrics.contains("\nsluice_connections_refused_total{reason=\"address\"} "), "{metrics}");
    });
}

fn wait_until(mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while !holds() {
        assert!(Instant::now() < deadline);
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn the_connection_that_waits_longest_makes_room() {
    let world = World::keyed(&[("MAX_CONNECTIONS", "4")]);
    let film = world.film(&Media::new(970, 300_000), |reply| reply.fault(Fault::Stall { after: 20_000 }));
    let stream = || {
        let mut stream = client::open("GET", &world.server.url(&film.link), &[], b"");
        stream.read_exactly(20_000);
        stream
    };
    let mut streams: Vec<Open> = vec![stream()];
    let connect = || client::connect(world.server.address());
    let [mut asked, mut half, silent] = [(); 3].map(|()| connect());
    assert!(answers(&mut asked));
    half.write_all(b"GET /ready HT").unwrap();
    assert!(answers(&mut asked));
    // Four of four. What has waited longest goes, whether for a head or for the rest of one; never a stream.
    let mut next = connect();
    assert!(answers(&mut next));
    wait_closed(&half);
    assert!(!is_closed(&silent) && answers(&mut asked));
    streams.push(stream());
    wait_closed(&silent);
    streams.push(stream());
    wait_closed(&next);
    streams.push(stream());
    wait_closed(&asked);
    // All have requests under way: nobody makes room.
    for _ in 0..3 {
        wait_closed(&connect());
    }
    world.stage.release();
    assert!(streams.into_iter().all(|stream| stream.finish().complete()));
    world.wait_until(|| if answers(&mut connect()) { Ok(()) } else { Err("refused") });
    assert!(world.metric("sluice_connections_refused_total{reason=\"full\"}") >= 3);
    assert!(world.metric("sluice_connections_closed_for_room_total") >= 4);
}

#[test]
fn a_request_whose_body_does_not_come_makes_room() {
    let world = World::with(&[("MAX_CONNECTIONS", "2")]);
    let connect = || client::connect(world.server.address());
    let mut posts = [connect(), connect()];
    for post in &mut posts {
        post.write_all(b"POST /extract HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n{\"url\":")
            .unwrap();
    }
    assert!(answers(&mut connect()));
    wait_closed(&posts[0]);
}

#[test]
fn a_flood_costs_little_where_there_are_few_files() {
    const FLOOD: usize = 500;
    let world = World::with_files(&[("LOG", "info")], 64, 64);
    assert_eq!(world.get("/ready").status, 200);
    let pid = world.server.pid();
    let (start, before) = (Instant::now(), cpu(pid));
    let connect = || client::connect(world.server.address());
    let flood: Vec<_> = (0..FLOOD).map(|_| connect()).collect();
    // It is answered even now.
    assert!(answers(&mut connect()));
    let open = || flood.iter().filter(|wire| !is_closed(wire)).count();
    wait_until(|| open() < 64);
    // What is left stays, and costs nothing more: for as long as this takes there is no event.
    std::thread::sleep(Duration::from_secs(3));
    let (spent, took) = (cpu(pid) - before, start.elapsed());
    assert!(spent < took / 5, "{spent:?} of {took:?}");
    drop(flood);
    let start = Instant::now();
    wait_until(|| answers(&mut connect()));
    assert!(start.elapsed() < Duration::from_secs(1), "{:?}", start.elapsed());
}

#[test]
fn clients_that_are_slow_on_purpose_do_not_keep_others_out() {
    inside("connections::beside_slow_clients");
}

#[test]
#[ignore = "run by clients_that_are_slow_on_purpose_do_not_keep_others_out"]
fn beside_slow_clients() {
    let net = Net::new(Zone::from([]));
    let slow = CLIENT.to_string();
    // As one address, and as one that many are behind, against a bound of all that it reaches. Who reads slowly has a
    // request under way, and need not make room.
    let bounded = [("TRUSTED_PROXIES", slow.as_str()), ("MAX_CONNECTIONS", "1000")];
    for (settings, modes) in [(&[][..], &["-H", "-B", "-R", "-X"][..]), (&bounded, &["-H", "-B", "-R"])] {
        let server = net.server(&[settings, &[("LOG", "info")]].concat());
        let good = || connect_from("12.0.0.1".parse().unwrap(), server.address());
        assert!(answers(&mut good()));
        for mode in modes {
            let mut attack = slow_clients(mode, &server);
            let mut asked = 0;
            while attack.try_wait().unwrap().is_none() {
                assert!(answers(&mut good()), "{mode} {settings:?}: after {asked}");
                asked += 1;
            }
            assert!(asked > 10, "{mode}: the attack was over after {asked}");
        }
        assert!(answers(&mut good()));
    }
}

/// 5,000 slow connections, as many a second as they can be made, for some seconds.
fn slow_clients(mode: &str, server: &TestServer) -> std::process::Child {
    let path = if mode == "-B" { "/extract" } else { "/openapi.json" };
    Command::new("slowhttptest")
        .args([mode, "-c", "5000", "-r", "2000", "-i", "1", "-l", "6", "-p", "2", "-u", &server.url(path)])
        .args(if mode == "-B" { &["-t", "POST"][..] } else { &[] })
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .spawn()
        .unwrap()
}
