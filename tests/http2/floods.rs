//! Floods of frames: each costs its sender the connection, or nothing; and never much memory.

use super::{get, run};
use crate::support::client;
use crate::support::h2::{
    CONTINUATION, END_HEADERS, END_STREAM, GOAWAY, HEADERS, PING, PREFACE, RST_STREAM, SETTINGS, connect,
    frame, get_fields, get_frame,
};
use crate::support::processes::resident;
use crate::support::world::World;
use std::io::{ErrorKind, Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

/// Most by which a server may grow with a flood, in bytes; what was sent is several times that.
const MOST: u64 = 48 << 20;

/// Bytes of a flood, where nothing ends it.
const FLOOD: usize = 128 << 20;

/// Longest that a server may leave a flood unread, before that counts as its answer.
const UNREAD: Duration = Duration::from_secs(2);

/// How a flood ended.
#[derive(Debug, PartialEq, Eq)]
enum Ending {
    /// The server closed the connection.
    Closed,
    /// It reads no more, as its own answers are not read.
    Unread,
    /// It took everything.
    Taken,
}

fn begin(world: &World) -> TcpStream {
    let mut wire = client::connect(world.server.address());
    wire.write_all(&[PREFACE, &frame(SETTINGS, 0, 0, b"")].concat()).unwrap();
    wire
}

/// Sends blocks, some hundred frames each, and reads nothing.
fn flood(world: &World, mut block: impl FnMut(u32) -> Vec<u8>) -> Ending {
    let mut wire = begin(world);
    wire.set_write_timeout(Some(UNREAD)).unwrap();
    let (mut sent, mut number) = (0, 0);
    while sent < FLOOD {
        let bytes = block(number);
        match wire.write_all(&bytes) {
            Ok(()) => {}
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                return Ending::Unread;
            }
            Err(_) => return Ending::Closed,
        }
        sent += bytes.len();
        number += 1;
    }
    Ending::Taken
}

/// What kinds of frames a server sends once it has been sent these, until it sends one of that kind or closes.
fn kinds_until(world: &World, bytes: &[u8], wanted: u8) -> Vec<u8> {
    let mut wire = begin(world);
    wire.write_all(bytes).unwrap();
    let mut kinds = Vec::new();
    let mut head = [0; 9];
    while wire.read_exact(&mut head).is_ok() {
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
        wire.read_exact(&mut vec![0; length as usize]).unwrap();
        kinds.push(head[3]);
        if head[3] == wanted {
            break;
        }
    }
    kinds
}

/// Checks that a flood leaves a server as it was, and that others are served while it goes on.
fn assert_withstood(world: &World, name: &str, flood: impl FnOnce() -> Ending + Send, endings: &[Ending]) {
    let others = connect_and_ask(world);
    let before = resident(world.server.pid());
    let (ending, most) = std::thread::scope(|scope| {
        let flood = scope.spawn(flood);
        let mut most = 0;
        while !flood.is_finished() {
            others();
            assert_eq!(world.get("/ready").status, 200, "{name}");
            most = most.max(resident(world.server.pid()));
        }
        (flood.join().unwrap(), most)
    });
    assert!(endings.contains(&ending), "{name}: {ending:?}");
    let grown = most.saturating_sub(before);
    assert!(grown < MOST, "{name}: {grown} bytes more");
    world.wait_until(|| match world.metric("sluice_connections") {
        0..=3 => Ok(()),
        more => Err(more),
    });
}

/// Something to do again and again: a request over HTTP/2.
fn connect_and_ask(world: &World) -> impl Fn() {
    move || {
        run(async {
            let client = connect(world.server.address()).await;
            assert_eq!(get(&client, world, "/ready").await.status, 200);
        });
    }
}

#[test]
fn floods_of_frames_cost_their_sender_the_connection() {
    let world = World::with(&[("LOG", "info")]);
    connect_and_ask(&world)();

    let reset =
        |stream: u32| [get_frame(stream, "/ready"), frame(RST_STREAM, 0, stream, &[0, 0, 0, 8])].concat();
    let resets = |block: u32| (0..200).flat_map(|n| reset((block * 200 + n) * 2 + 1)).collect();
    assert_withstood(&world, "rapid reset", || flood(&world, resets), &[Ending::Closed]);
    let few = [reset(1), reset(3), get_frame(5, "/ready")].concat();
    assert!(kinds_until(&world, &few, HEADERS).contains(&HEADERS));

    let begun = frame(HEADERS, END_STREAM, 1, &get_fields("/ready"));
    let field = [&b"\x00\x01x\x7f\x81\x01"[..], &[b'y'; 256]].concat();
    let more = |flags| frame(CONTINUATION, flags, 1, &field);
    let fields = |block| if block == 0 { begun.clone() } else { (0..100).flat_map(|_| more(0)).collect() };
    assert_withstood(&world, "CONTINUATION", || flood(&world, fields), &[Ending::Closed]);
    let few = [begun.clone(), more(0), more(END_HEADERS)].concat();
    assert!(kinds_until(&world, &few, HEADERS).contains(&HEADERS));

    let ping = frame(PING, 0, 0, b"01234567");
    let pings = |_| ping.repeat(500);
    assert_withstood(&world, "PING", || flood(&world, pings), &[Ending::Closed, Ending::Unread]);
    assert!(kinds_until(&world, &ping, PING).contains(&PING));

    let settings = frame(SETTINGS, 0, 0, &[0, 3, 0, 0, 0, 9]);
    let many = |_| settings.repeat(500);
    assert_withstood(&world, "SETTINGS", || flood(&world, many), &[Ending::Closed, Ending::Unread]);

    let empty = frame(0, 0, 1, b"");
    let data = |block| match block {
        0 => frame(HEADERS, END_HEADERS, 1, &get_fields("/ready")),
        _ => empty.repeat(500),
    };
    let any = [Ending::Closed, Ending::Unread, Ending::Taken];
    assert_withstood(&world, "empty DATA", || flood(&world, data), &any);
}

#[test]
fn closed_windows_hold_little() {
    const CONNECTIONS: usize = 50;
    const REQUESTS: u32 = 100;
    let world = World::with(&[("LOG", "info")]);
    connect_and_ask(&world)();
    let before = resident(world.server.pid());
    // SETTINGS_INITIAL_WINDOW_SIZE
    let closed = frame(SETTINGS, 0, 0, &[0, 4, 0, 0, 0, 0]);
    let wires: Vec<_> = (0..CONNECTIONS)
        .map(|_| {
            let mut wire = begin(&world);
            wire.write_all(&closed).unwrap();
            for number in 0..REQUESTS {
                wire.write_all(&get_frame(number * 2 + 1, "/openapi.json")).unwrap();
            }
            wire
        })
        .collect();
    let asked = "sluice_requests_total{route=\"/openapi.json\",status=\"200\"}";
    world.wait_until(|| match world.metric(asked) {
        all if all == (CONNECTIONS as u64) * u64::from(REQUESTS) => Ok(()),
        some => Err(some),
    });
    let grown = resident(world.server.pid()).saturating_sub(before);
    // A task and a stream of the library for each, and nothing of the answer, which all share.
    let most = CONNECTIONS as u64 * u64::from(REQUESTS) * (16 << 10);
    assert!(grown < most, "{grown} bytes more");
    connect_and_ask(&world)();
    drop(wires);
}

#[test]
fn a_connection_has_a_hundred_requests_at_a_time() {
    let world = World::with(&[("LOG", "info")]);
    let closed = frame(SETTINGS, 0, 0, &[0, 4, 0, 0, 0, 0]);
    let requests = |count: u32| {
        let all = (0..count).flat_map(|number| get_frame(number * 2 + 1, "/openapi.json"));
        closed.iter().copied().chain(all).collect::<Vec<u8>>()
    };
    let ping = frame(PING, 0, 0, b"01234567");
    assert!(kinds_until(&world, &requests(101), RST_STREAM).contains(&RST_STREAM));
    let kinds = kinds_until(&world, &[requests(100), ping.clone()].concat(), PING);
    assert!(!kinds.contains(&RST_STREAM) && !kinds.contains(&GOAWAY), "{kinds:?}");
}

/// A short answer, too: nobody has to keep it for a client for ever.
#[test]
fn who_takes_nothing_of_an_answer_loses_it() {
    let closed = frame(SETTINGS, 0, 0, &[0, 4, 0, 0, 0, 0]);
    let request = [closed, get_frame(1, "/openapi.json")].concat();
    let world = World::with(&[("DOWNLOAD_TIMEOUT", "1")]);
    assert!(kinds_until(&world, &request, RST_STREAM).contains(&RST_STREAM));
    // Nor the connection, where another is in want of its place.
    let full = World::with(&[("MAX_CONNECTIONS", "2"), ("LOG", "info")]);
    let mut wires: Vec<_> = (0..2).map(|_| begin(&full)).collect();
    for wire in &mut wires {
        wire.write_all(&request).unwrap();
    }
    // 10 s are a client's time to take something.
    full.wait_until(|| {
        let mut good = client::connect(full.server.address());
        let asked = good.write_all(b"GET /ready HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
        let mut answer = Vec::new();
        match asked.and_then(|()| good.read_to_end(&mut answer)) {
            Ok(_) if answer.starts_with(b"HTTP/1.1 200") => Ok(()),
            other => Err(format!("{other:?}")),
        }
    });
}
