//! Links that the CDN has stopped serving: the page is asked again, once, and the stream goes on.

use super::{OVERLAP, breaks, impatient, then};
use crate::support::client;
use crate::support::film::{Change, assert_cut_off};
use crate::support::random::spread;
use crate::support::stage::tiktok::{BEST, CDN, PAGES, Video};
use crate::support::stage::{Fault, Media, Reply, Seen};
use crate::support::world::{World, assert_problem, post, world};

/// What a CDN says of a link that it has stopped serving.
const REFUSALS: [u16; 4] = [401, 403, 404, 410];

/// Offset at which streams break here, in bytes.
const AT: u64 = 200_000;

/// A post with a link to its best format.
struct Linked {
    world: &'static World,
    video: Video,
    path: String,
}

fn linked(world: &'static World) -> Linked {
    let video = post().install(&world.stage);
    let path = world.stream_path(&video, BEST);
    assert_eq!(video.pages_seen(&world.stage), 1);
    Linked { world, video, path }
}

impl Linked {
    /// Lets the old place break off in this way and then refuse, and shows the media elsewhere.
    fn moved_after(&self, fault: Fault, status: u16) -> Video {
        self.video.play(&self.world.stage, BEST, |reply| reply.faults(then(fault, &Fault::Status(status))));
        self.video.move_media(&self.world.stage)
    }

    /// Refuses at the old place, and shows the media elsewhere.
    fn moved(&self, status: u16) -> Video {
        self.video.play(&self.world.stage, BEST, |reply| reply.fault(Fault::Status(status)));
        self.video.move_media(&self.world.stage)
    }

    fn whole(&self) -> Vec<u8> {
        self.video.media(BEST).bytes(0..self.video.media(BEST).len())
    }

    #[track_caller]
    fn assert_whole(&self, what: &str) {
        let answer = self.world.get(&self.path);
        assert_eq!((answer.status, answer.end.clone()), (200, Ok(())), "{what}");
        assert!(answer.body == self.whole(), "{what}: wrong bytes among {}", answer.body.len());
    }

    #[track_caller]
    fn assert_cut_off_within(&self, length: u64, what: &str) {
        let answer = self.world.get(&self.path);
        assert_cut_off(&answer, &self.whole()[..length as usize], what);
        assert_eq!(answer.status, 200, "{what}");
    }

    #[track_caller]
    fn assert_pages(&self, count: usize) {
        assert_eq!(self.video.pages_seen(&self.world.stage), count);
    }
}

#[test]
fn a_refused_link_is_had_again_from_the_page() {
    let world = world();
    for status in REFUSALS {
        let link = linked(world);
        let moved = link.moved(status);
        link.assert_whole(&format!("{status}"));
        link.assert_pages(2);
        assert_eq!(moved.seen_of(&world.stage, BEST).len(), 1);
    }
    // What is no refusal is no reason to ask the site.
    let link = linked(world);
    link.moved(500);
    assert_problem(&world.get(&link.path), 502, "upstream_error");
    link.assert_pages(1);
}

#[test]
fn parts_and_heads_heal_too() {
    let world = world();
    let link = linked(world);
    link.moved(403);
    let head = client::request("HEAD", &world.server.url(&link.path), &[], b"");
    assert_eq!((head.status, head.header("content-length")), (200, Some("600000")));
    let link = linked(world);
    link.moved(403);
    let range = [("Range", "bytes=1000-1999")];
    let part = client::request("GET", &world.server.url(&link.path), &range, b"");
    assert_eq!((part.status, part.header("content-range")), (206, Some("bytes 1000-1999/600000")));
    assert_eq!(part.body, link.video.media(BEST).bytes(1000..2000));
}

#[test]
fn a_stream_whose_link_ends_under_way_goes_on_elsewhere() {
    let world = impatient();
    let kinds = breaks(AT, 600_000);
    spread(kinds.len(), kinds.len(), |index| {
        let (kind, fault) = &kinds[index];
        for status in REFUSALS {
            let what = format!("{kind}, then {status}");
            let link = linked(world);
            let moved = link.moved_after(fault.clone(), status);
            link.assert_whole(&what);
            link.assert_pages(2);
            let seen = moved.seen_of(&world.stage, BEST);
            // The other place may be asked for the last bytes again, so that they can be compared.
            let start = seen[0].range_start();
            assert_eq!((seen.len(), seen[0].status), (1, 206), "{what}");
            assert!((AT - OVERLAP..=AT).contains(&start), "{what}: from {start}");
        }
    });
}

#[test]
fn what_is_found_elsewhere_must_be_the_same() {
    let world = world();
    let others: [(&str, Change); 4] = [
        ("another ETag", |reply| reply.etag("\"other\"")),
        ("longer", |reply| reply.bytes_of(&Media::new(7, 700_000))),
        ("shorter", |reply| reply.bytes_of(&Media::new(7, 500_000))),
        ("other bytes without validators", |reply| reply.no_validators().bytes_of(&Media::new(7, 600_000))),
    ];
    for (name, change) in others {
        let link = linked(world);
        let moved = link.moved_after(Fault::Cut { after: AT }, 403);
        moved.play(&world.stage, BEST, change);
        link.assert_cut_off_within(AT, name);
    }
    // The same bytes under less of a name are the same.
    for change in [Reply::no_validators as Change, |reply| reply.etag("W/\"other\"")] {
        let link = linked(world);
        let moved = link.moved_after(Fault::Cut { after: AT }, 403);
        moved.play(&world.stage, BEST, change);
        link.assert_whole("without a strong ETag");
    }
}

#[test]
fn a_page_that_is_gone_heals_nothing() {
    let world = world();
    let page_fails: [fn(&Linked); 2] = [
        |link| link.video.take_down(&link.world.stage),
        |link| link.video.show_page(&link.world.stage, |_| Reply::status(500)),
    ];
    for fail in page_fails {
        let link = linked(world);
        link.moved(403);
        fail(&link);
        assert_problem(&world.get(&link.path), 502, "upstream_error");
        link.assert_pages(2);

        let link = linked(world);
        link.moved_after(Fault::Cut { after: AT }, 403);
        fail(&link);
        link.assert_cut_off_within(AT, "gone under way");
        link.assert_pages(2);
    }
}

#[test]
fn the_page_is_asked_once_per_stream() {
    let world = world();
    let link = linked(world);
    let moved = link.moved(403);
    moved.play(&world.stage, BEST, |reply| reply.fault(Fault::Status(403)));
    assert_problem(&world.get(&link.path), 502, "upstream_error");
    link.assert_pages(2);

    let link = linked(world);
    let moved = link.moved_after(Fault::Cut { after: AT }, 403);
    let refusals = then(Fault::Cut { after: 50_000 }, &Fault::Status(403));
    moved.play(&world.stage, BEST, |reply| reply.faults(refusals));
    link.assert_cut_off_within(AT + 50_000, "twice");
    link.assert_pages(2);
}

#[test]
fn streams_of_one_page_share_its_extraction() {
    const STREAMS: usize = 8;
    let world = World::keyed(&[]);
    let video = post().install(&world.stage);
    let path = world.stream_path(&video, BEST);
    video.play(&world.stage, BEST, |reply| reply.fault(Fault::Status(403)));
    let moved = video.move_media(&world.stage);
    moved.show_page(&world.stage, |reply| reply.faults([Some(Fault::HeldHead)]));
    std::thread::scope(|scope| {
        let streams: Vec<_> = (0..STREAMS).map(|_| scope.spawn(|| world.get(&path))).collect();
        let refused = |it: &&Seen| it.host == CDN && it.status == 403;
        let page = |it: &&Seen| it.host == PAGES && video.concerns(it);
        world.stage.wait_for(|seen| {
            seen.iter().filter(refused).count() == STREAMS && seen.iter().filter(page).count() == 2
        });
        world.stage.release();
        for stream in streams {
            let answer = stream.join().unwrap();
            assert_eq!((answer.status, answer.complete()), (200, true), "{}", answer.text());
            assert!(answer.body == video.media(BEST).bytes(0..600_000));
        }
    });
    // One that heard of its refusal late may have found the first extraction over.
    assert!(video.pages_seen(&world.stage) <= 3, "{} extractions", video.pages_seen(&world.stage));
    world.wait_for_no_stream();
}
