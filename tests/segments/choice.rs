//! What comes without being asked for, what is asked for, and what fits.

use super::player::{Player, stream_of};
use crate::support::client::{Answer, encode};
use crate::support::packaged::package;
use crate::support::stage::tiktok::BEST;
use crate::support::stage::{Fault, Media, sha256};
use crate::support::world::{assert_problem, format, post, world};

const BOTH: &str = "avc1.64001f, mp4a.40.2";
const HEVC: &str = "hvc1.1.6.L120.90, mp4a.40.2";
const AV1: &str = "av01.0.08M.08, mp4a.40.2";

/// Checks that the file came.
#[track_caller]
fn assert_file(answer: &Answer, media: &Media) {
    assert_eq!((answer.status, answer.end.clone()), (200, Ok(())), "{}", answer.text());
    assert_eq!(sha256(&answer.body), media.sha256());
}

#[test]
fn a_plain_file_comes_before_pieces_of_equal_height() {
    let world = world();
    let ts = package("ts");
    let media = Media::new(301, 90_000);
    let player = Player::new()
        .variants(world, &[(2_800_000, "avc1.64001f,mp4a.40.2", 720, ts)])
        .file(world, "720p", BOTH, &media);
    let page = player.install(world);
    let extraction = world.extract(&page);
    assert_eq!(extraction["default_format"], "720p", "{extraction}");
    assert_file(&world.get(&stream_of(&page)), &media);
    let both = |id: &str, known: bool| {
        let format = format(&extraction, id);
        assert_eq!((&format["length_known"], &format["ranges"]), (&known.into(), &known.into()), "{format}");
    };
    both("720p", true);
    both("hls-2800", false);
    // Asked for by its name, the other comes.
    let answer = world.get(&format!("{}&format=hls-2800", stream_of(&page)));
    assert!(answer.complete() && answer.body == ts.whole, "{}", answer.status);
}

#[test]
fn pieces_come_before_a_smaller_file() {
    let world = world();
    let ts = package("ts");
    let page = Player::new()
        .file(world, "360p", BOTH, &Media::new(302, 90_000))
        .variants(world, &[(1_400_000, "avc1.64001f,mp4a.40.2", 720, ts)])
        .install(world);
    assert_eq!(world.extract(&page)["default_format"], "hls-1400");
    let answer = world.get(&stream_of(&page));
    assert!(answer.complete() && answer.body == ts.whole, "{}", answer.status);
}

#[test]
fn what_not_everything_plays_does_not_come_unasked() {
    let world = world();
    let (good, bad) = (package("ts"), package("fmp4"));
    let variants = [
        (20_000_000, "avc1.640033,mp4a.40.2", 2160, bad),
        (6_000_000, "hvc1.1.6.L120.90,mp4a.40.2", 1080, bad),
        (5_000_000, "av01.0.08M.08,mp4a.40.2", 1080, bad),
        (4_500_000, "avc1.640028", 1080, bad),
        (2_800_000, "avc1.64001f,mp4a.40.2", 720, good),
        (1_400_000, "avc1.64001e,mp4a.40.2", 480, bad),
    ];
    let page = Player::new().variants(world, &variants).install(world);
    let extraction = world.extract(&page);
    assert_eq!(extraction["default_format"], "hls-2800", "{extraction}");
    let answer = world.get(&stream_of(&page));
    assert!(answer.complete() && answer.body == good.whole, "{}", answer.status);
    let tall = world.get(&format!("{}&format={}", stream_of(&page), encode("b[height>1080]")));
    assert!(tall.complete() && tall.body == bad.whole, "{}", tall.status);
}

#[test]
fn files_that_not_everything_plays_do_not_come_unasked() {
    let world = world();
    let good = Media::new(303, 90_000);
    let page = Player::new()
        .file(world, "1080p", HEVC, &Media::new(304, 95_000))
        .file(world, "1440p", AV1, &Media::new(305, 96_000))
        .file(world, "480p", BOTH, &good)
        .install(world);
    assert_eq!(world.extract(&page)["default_format"], "480p");
    assert_file(&world.get(&stream_of(&page)), &good);
}

#[test]
fn a_selector_that_needs_two_files_names_one_that_would_do() {
    let world = world();
    let video = post().install(&world.stage);
    let page = stream_of(video.page_url());
    for selector in ["bv*+ba", "bv+ba", "bestvideo+bestaudio"] {
        let answer = world.get(&format!("{page}&format={}", encode(selector)));
        assert_problem(&answer, 404, "format_unavailable");
        assert!(answer.json()["detail"].as_str().unwrap().contains(BEST), "{selector}: {}", answer.text());
    }
    // Where what comes first needs none, it is no question.
    let answer = world.get(&format!("{page}&format={}", encode("b/bv+ba")));
    assert_file(&answer, video.media(BEST));
    let sound = world.get(&format!("{page}&format=bestaudio"));
    assert_file(&sound, video.media("audio"));
}

#[test]
fn sound_in_pieces_streams_as_it_is() {
    let world = world();
    for name in ["adts", "dash sound by timeline"] {
        let shown = world.show_on_page(package(name));
        let answer = world.get(&format!("/stream?url={}&format=bestaudio", encode(&shown.url)));
        match name {
            // Nothing says that the playlist of a bare sound has no picture.
            "adts" if answer.status == 404 => assert_problem(&answer, 404, "format_unavailable"),
            _ => shown.assert_whole(&answer, "bestaudio"),
        }
    }
}

#[test]
fn the_largest_that_fits_comes() {
    let world = world();
    let video = post().install(&world.stage);
    let page = stream_of(video.page_url());
    for (limit, format_id) in [
        (10_000_000_u64, BEST),
        (600_000, BEST),
        (599_999, "h264_720p_1600000"),
        (300_000, "h264_540p_1200000"),
        (149_999, "h264_360p_400000"),
        (96_000, "h264_360p_400000"),
    ] {
        let answer = world.get(&format!("{page}&max_bytes={limit}"));
        assert_eq!(answer.status, 200, "{limit}: {}", answer.text());
        assert_eq!(answer.body.len() as u64, video.media(format_id).len(), "{limit}");
        assert_eq!(sha256(&answer.body), video.media(format_id).sha256(), "{limit}");
        assert!(answer.body.len() as u64 <= limit);
    }
    assert_problem(&world.get(&format!("{page}&max_bytes=1000")), 404, "format_unavailable");
    assert_problem(&world.get(&format!("{page}&max_bytes=much")), 400, "bad_request");
}

#[test]
fn sizes_that_the_page_does_not_know_are_asked_of_the_cdn() {
    let world = world();
    let sizes = [("1080p", 900_000_u64), ("720p", 500_000), ("480p", 200_000), ("240p", 70_000)];
    let media = sizes.map(|(_, size)| Media::new(310 + size, size));
    let mut player = Player::new();
    for ((label, _), media) in sizes.iter().zip(&media) {
        player = player.file(world, label, BOTH, media);
    }
    let page = player.install(world);
    assert!(format(&world.extract(&page), "720p").get("filesize").is_none());
    for (limit, wanted) in [(1_000_000, 0), (899_999, 1), (500_000, 1), (499_999, 2), (70_000, 3)] {
        assert_file(&world.get(&format!("{}&max_bytes={limit}", stream_of(&page))), &media[wanted]);
    }
    let answer = world.get(&format!("{}&max_bytes=69999", stream_of(&page)));
    assert_problem(&answer, 404, "format_unavailable");
    assert!(player.asked(world, "/240p.mp4") > 0);
}

#[test]
fn what_has_no_length_is_not_said_to_fit() {
    let world = world();
    let (ts, media) = (package("ts"), Media::new(320, 80_000));
    let player = Player::new()
        .variants(world, &[(2_800_000, "avc1.64001f,mp4a.40.2", 720, ts)])
        .file(world, "360p", BOTH, &media);
    let page = player.install(world);
    assert_file(&world.get(&format!("{}&max_bytes=100000", stream_of(&page))), &media);
}

#[test]
fn a_cdn_that_does_not_tell_sizes_is_not_waited_for() {
    let world = super::impatient();
    let (silent, good) = (Media::new(321, 90_000), Media::new(322, 60_000));
    let player = Player::new().file(world, "720p", BOTH, &silent).file(world, "360p", BOTH, &good);
    let page = player.install(world);
    world.extract(&page);
    let held = crate::support::stage::Reply::media(&silent).fault(Fault::HeldHead);
    world.stage.play(&player.host, "/720p.mp4", held);
    assert_file(&world.get(&format!("{}&max_bytes=100000", stream_of(&page))), &good);
}
