//! Broadcasts: from near the edge to their end, without a gap and without a repeat.

use super::impatient;
use crate::resume::breaks;
use crate::support::client::{self, encode};
use crate::support::film::assert_cut_off;
use crate::support::packaged::{content, decode_whole, live};
use crate::support::random::spread;
use crate::support::stage::{Fault, Live, Outcome, Reply};
use crate::support::world::{World, fresh_id, world};
use bytes::Bytes;

/// Segments that are left out of the end of the playlist at first: three target durations (RFC 8216 §6.3.3).
const FROM_EDGE: usize = 3;

/// Pictures in a segment.
const RATE: usize = 5;

/// Takes something of a broadcast away.
type Loss = fn(&World, &Broadcast);

/// A broadcast at a host of its own.
struct Broadcast {
    live: Live,
    host: String,
    segments: Vec<Bytes>,
}

impl Broadcast {
    /// Of the first `length` segments.
    fn install(world: &World, length: usize) -> Broadcast {
        let film = live();
        Broadcast::of(world, film.parts[..length].iter().map(|part| film.files[part].clone()).collect())
    }

    fn of(world: &World, segments: Vec<Bytes>) -> Broadcast {
        let host = format!("live{}.example.net", fresh_id());
        let live = Live::install(&world.stage, &host, segments.clone());
        Broadcast { live, host, segments }
    }

    fn path(&self) -> String {
        format!("/stream?url={}", encode(&format!("https://{}/live/index.m3u8", self.host)))
    }

    /// What a client gets that comes before anything has moved.
    fn whole(&self) -> Vec<u8> {
        self.segments[self.first()..].concat()
    }

    fn first(&self) -> usize {
        Live::AT_FIRST.1 - FROM_EDGE
    }

    /// How often a path of the folder was asked for.
    fn asked(&self, world: &World, name: &str) -> usize {
        let path = format!("/live/{name}");
        world.stage.seen_where(|seen| seen.host == self.host && seen.path() == path).len()
    }

    fn assert_whole(&self, world: &World, what: &str) {
        let answer = world.get(&self.path());
        let said = if answer.status == 200 { String::new() } else { answer.text() };
        assert_eq!(
            (answer.status, answer.end.clone()),
            (200, Ok(())),
            "{what}: {} {said}",
            answer.body.len()
        );
        assert!(answer.body == self.whole(), "{what}: wrong bytes among {}", answer.body.len());
    }
}

#[test]
fn sixty_changes_of_the_window_leave_no_gap_and_no_repeat() {
    let world = world();
    let broadcast = Broadcast::install(world, 70);
    broadcast.live.follow(2);
    let answer = world.get(&broadcast.path());
    assert_eq!((answer.status, answer.end.clone()), (200, Ok(())), "{} bytes", answer.body.len());
    assert_eq!(answer.header("content-type"), Some("video/mp2t"));
    assert_eq!(
        (answer.header("content-length"), answer.header("transfer-encoding")),
        (None, Some("chunked"))
    );
    assert!(answer.header("x-filename").unwrap().ends_with(".ts"));
    assert!(answer.body == broadcast.whole(), "wrong bytes among {}", answer.body.len());
    let windows = broadcast.live.changes();
    let (first, last) = (windows[0].1, windows[windows.len() - 1].1);
    assert!(last - first >= 60 && windows.len() > 15, "the window moved so: {windows:?}");
    for (index, part) in live().parts.iter().enumerate() {
        let times = usize::from(index >= broadcast.first());
        assert_eq!(broadcast.asked(world, part), times, "segment {index}");
    }
    decode_whole(&answer.body);
    let pictures = content(&answer.body).picture_alone();
    pictures.assert_is(&live().source.pictures_of(broadcast.first()..70, RATE), "live");
}

#[test]
fn an_extraction_says_that_it_is_live() {
    let world = world();
    let broadcast = Broadcast::install(world, 20);
    let extraction = world.extract(&format!("https://{}/live/index.m3u8", broadcast.host));
    assert_eq!(extraction["is_live"], true);
    let format = &extraction["formats"][0];
    assert_eq!((&format["length_known"], &format["ranges"]), (&false.into(), &false.into()));
}

#[test]
fn a_broadcast_ends_when_its_playlist_says_so() {
    let world = world();
    let broadcast = Broadcast::install(world, 20);
    let mut stream = client::open("GET", &world.server.url(&broadcast.path()), &[], b"");
    let shown = broadcast.segments[broadcast.first()..Live::AT_FIRST.1].concat();
    assert!(stream.read_exactly(shown.len()) == shown, "wrong bytes");
    // Nothing new comes for a while, and then the end comes without anything new.
    let reloads = broadcast.live.playlists();
    world.stage.wait_for(|_| broadcast.live.playlists() >= reloads + 2);
    broadcast.live.end();
    assert_eq!(stream.read(1), Ok(Vec::new()));
}

#[test]
fn a_client_that_leaves_ends_the_reloads() {
    let world = World::keyed(&[]);
    let broadcast = Broadcast::install(&world, 70);
    let mut stream = client::open("GET", &world.server.url(&broadcast.path()), &[], b"");
    stream.read_exactly(1000);
    drop(stream);
    world.wait_for_no_stream();
    let gone = |seen: &crate::support::stage::Seen| seen.outcome != Outcome::Playing;
    world.stage.wait_for(|seen| seen.iter().filter(|it| it.host == broadcast.host).all(gone));
    let reloads = broadcast.live.playlists();
    // By the time that another has reloaded several times, this one would have too.
    let other = Broadcast::install(&world, 20);
    other.live.follow(2);
    other.assert_whole(&world, "another");
    assert!(other.live.changes().len() >= 4, "{:?}", other.live.changes());
    assert_eq!(broadcast.live.playlists(), reloads);
}

#[test]
fn a_client_that_falls_behind_is_cut_visibly() {
    // Segments that no buffer holds, of which two are a third of the window.
    const TIMES: usize = 300;
    let world = World::keyed(&[]);
    let film = live();
    let heavy = |part: &String| Bytes::from(film.files[part].repeat(TIMES));
    let broadcast = Broadcast::of(&world, film.parts[..30].iter().map(heavy).collect());
    let mut stream = client::open_narrow(&world.server.url(&broadcast.path()), 32 << 10);
    let mut body = stream.read_exactly(1000);
    broadcast.live.show(30);
    let whole = broadcast.whole();
    let rest = loop {
        match stream.read(1 << 16) {
            Ok(part) if part.is_empty() => break Ok(()),
            Ok(part) => body.extend(part),
            Err(broken) => break Err(broken),
        }
    };
    assert!(rest.is_err(), "{} bytes and a clean end", body.len());
    assert!(whole.starts_with(&body), "wrong bytes among {}", body.len());
    assert!(body.len() < whole.len());
    // Who keeps up gets all of it.
    let other = Broadcast::of(&world, film.parts[..12].iter().map(heavy).collect());
    other.live.follow(2);
    other.assert_whole(&world, "who keeps up");
}

#[test]
fn broken_segments_and_playlists_are_had_again() {
    let world = impatient();
    let mut faults: Vec<_> = breaks(500, 700).into_iter().collect();
    faults.extend([("500", Fault::Status(500)), ("503", Fault::Status(503))]);
    spread(faults.len(), faults.len(), |index| {
        let (name, fault) = faults[index].clone();
        let broadcast = Broadcast::install(world, 16);
        // Extraction is over with it: what is faulty is seen by the stream alone.
        world.extract(&format!("https://{}/live/index.m3u8", broadcast.host));
        broadcast.live.follow(3);
        let own = fault.clone();
        broadcast.live.play(9, move |reply| reply.faults([Some(own)]));
        broadcast.live.playlist_faults([None, Some(fault)]);
        broadcast.assert_whole(world, name);
    });
}

#[test]
fn a_broadcast_that_goes_away_is_cut_visibly() {
    let world = impatient();
    let losses: [(&str, Loss); 3] = [
        ("its playlist", |world, it| {
            world.stage.play(&it.host, "/live/index.m3u8", Reply::status(500));
        }),
        ("its playlist, and it is no playlist", |world, it| {
            world.stage.play(&it.host, "/live/index.m3u8", Reply::html("<p>Gone."));
        }),
        ("a segment", |_, it| it.live.play(9, |reply| reply.fault(Fault::Status(500)))),
    ];
    spread(losses.len(), losses.len(), |index| {
        let (name, lose) = losses[index];
        let broadcast = Broadcast::install(world, 16);
        let mut stream = client::open("GET", &world.server.url(&broadcast.path()), &[], b"");
        let first = broadcast.segments[broadcast.first()].clone();
        assert!(stream.read_exactly(first.len()) == first, "{name}");
        lose(world, &broadcast);
        broadcast.live.follow(3);
        broadcast.live.show(12);
        let mut answer = stream.finish();
        answer.body.splice(0..0, first);
        assert_cut_off(&answer, &broadcast.whole(), name);
    });
}
