//! Playlists that mean harm: an error within limits, and nothing else. Each is a good one first, by the same token.

use super::impatient;
use crate::support::client::Answer;
use crate::support::film::assert_cut_off;
use crate::support::packaged::{Package, package};
use crate::support::shown::Shown;
use crate::support::stage::{Media, Reply};
use crate::support::world::{World, assert_problem, world};
use bytes::Bytes;

const M3U8: &str = "application/vnd.apple.mpegurl";

/// A package on the stage that has streamed once by its token.
pub(super) struct Victim {
    pub(super) shown: Shown,
    pub(super) path: String,
}

impl Victim {
    pub(super) fn of(world: &World, package: &Package) -> Victim {
        let shown = world.show(package);
        let path = shown.token_path(world);
        shown.assert_whole(&world.get(&path), "as it was");
        Victim { shown, path }
    }

    /// The answer under another playlist. Afterwards the good one streams again.
    pub(super) fn under(&self, world: &World, text: &str) -> Answer {
        self.shown.play_index(world, text);
        let answer = world.get(&self.path);
        self.restore(world);
        answer
    }

    pub(super) fn restore(&self, world: &World) {
        self.shown.play(world, self.shown.package.index, |reply| reply);
        self.shown.assert_whole(&world.get(&self.path), "as it was, again");
    }
}

#[test]
fn lists_of_variants_that_lead_in_circles() {
    let world = world();
    let victim = Victim::of(world, package("ts"));
    let master = |target: &str| format!("#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\n{target}\n");
    let host = &victim.shown.host;
    world.stage.play(host, "/v1/other.m3u8", Reply::text(M3U8, master("index.m3u8")));
    world.stage.play_below(host, "/deep/", |path| {
        let next = path["/deep/".len()..].parse::<u64>().map_or(1, |number| number + 1);
        Reply::text(M3U8, format!("#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\n/deep/{next}\n"))
    });
    for target in ["index.m3u8", "other.m3u8", "/deep/0"] {
        let before = world.stage.seen_at(host).len();
        victim.shown.play_index(world, &master(target));
        assert_problem(&world.get(&victim.path), 502, "upstream_error");
        let asked = world.stage.seen_at(host).len() - before;
        assert!(asked <= 10, "{target}: asked {asked} times");
    }
    victim.restore(world);
}

#[test]
fn a_million_segments() {
    let world = world();
    let victim = Victim::of(world, package("ts"));
    let head = Bytes::from_static(b"#EXTM3U\n#EXT-X-TARGETDURATION:1\n");
    let unit = Bytes::from_static(b"#EXTINF:1,\n0.ts\n");
    for count in [1_000_000, 150_000] {
        let endless = Media::tiled([(head.clone(), 1), (unit.clone(), count)]);
        victim.shown.play(world, "index.m3u8", |reply| reply.bytes_of(&endless));
        assert_problem(&world.get(&victim.path), 502, "limit_exceeded");
    }
    let line_without_end = Media::tiled([(head, 1), (Bytes::from_static(b"a"), u64::MAX)]);
    victim.shown.play(world, "index.m3u8", |reply| reply.bytes_of(&line_without_end).chunked());
    assert_problem(&world.get(&victim.path), 502, "limit_exceeded");
    victim.restore(world);
}

#[test]
fn the_limits_are_the_settings() {
    /// The least that may be set.
    const BYTES: usize = 65_536;
    let ts = package("ts");
    let remark =
        |length: usize| format!("{}#{}\n", ts.playlist(), "-".repeat(length - ts.playlist().len() - 2));
    let full = ts.with_playlist("as long as may be", remark(BYTES));
    let tight = World::keyed(&[("MAX_SEGMENTS", "6"), ("MAX_PLAYLIST_BYTES", &BYTES.to_string())]);
    let victim = Victim::of(&tight, &full);
    let one_more = ts.playlist().replace("#EXTINF:1.000000,\n5.ts", "#EXTINF:1,\n5.ts\n#EXTINF:1,\n5.ts");
    assert_problem(&victim.under(&tight, &one_more), 502, "limit_exceeded");
    assert_problem(&victim.under(&tight, &remark(BYTES + 1)), 502, "limit_exceeded");
    // The fragments of a manifest count as well.
    let dash = Victim::of(&World::keyed(&[("MAX_SEGMENTS", "7")]), package("dash by number"));
    assert_eq!(dash.shown.package.parts.len(), 7);
    let less = World::keyed(&[("MAX_SEGMENTS", "6")]);
    let answer = less.get(&less.show(package("dash by number")).stream_path());
    assert_problem(&answer, 502, "limit_exceeded");
}

#[test]
fn what_is_no_playlist() {
    let world = world();
    let victim = Victim::of(world, package("ts"));
    let ts = victim.shown.package.playlist();
    for text in [
        String::new(),
        "<!DOCTYPE html><p>Not found.".to_owned(),
        "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXT-X-ENDLIST\n".to_owned(),
        ts.replace("#EXTM3U", "#EXTM3V"),
        "\u{0}".repeat(1000),
        format!("#EXTM3U\n#EXT-X-KEY:METHOD=AES-128\n{ts}"),
        ts.replace("0.ts", "http://[bad"),
    ] {
        let answer = victim.under(world, &text);
        assert_problem(&answer, 502, "upstream_error");
    }
}

#[test]
fn a_playlist_that_never_has_a_segment_is_not_waited_for_without_end() {
    let world = impatient();
    let victim = Victim::of(world, package("ts"));
    for text in ["#EXTM3U\n", "#EXTM3U\n#EXT-X-TARGETDURATION:1\n"] {
        let answer = victim.under(world, text);
        match answer.status {
            504 => assert_problem(&answer, 504, "upstream_timeout"),
            _ => assert_problem(&answer, 502, "upstream_error"),
        }
    }
}

#[test]
fn numbers_that_overflow() {
    let world = world();
    let victim = Victim::of(world, package("ts in ranges"));
    let good = victim.shown.package.playlist();
    let first = good.lines().find(|line| line.starts_with("#EXT-X-BYTERANGE")).unwrap();
    let with_range = |range: &str| good.replace(first, &format!("#EXT-X-BYTERANGE:{range}"));
    let over = "18446744073709551616";
    let most = "18446744073709551615";
    for text in [
        good.replace("SEQUENCE:0", &format!("SEQUENCE:{over}")),
        good.replace("SEQUENCE:0", &format!("SEQUENCE:{most}")),
        good.replace("SEQUENCE:0", "SEQUENCE:-1"),
        with_range(&format!("{over}@0")),
        with_range(&format!("{most}@{most}")),
        with_range(&format!("1@{most}")),
        with_range(&format!("{most}@1")),
        with_range("-5@0"),
        with_range("5@-1"),
    ] {
        let answer = victim.under(world, &text);
        assert_problem(&answer, 502, "upstream_error");
    }
    // Durations are not needed to find the pieces: what is done with such is open, but not to fall over them.
    for duration in ["1e308", "1e999", "-1", "nan", "99999999999999999999"] {
        for text in [
            good.replace("EXTINF:1.000000", &format!("EXTINF:{duration}")),
            good.replace("DURATION:1", &format!("DURATION:{duration}")),
        ] {
            let answer = victim.under(world, &text);
            match answer.status {
                200 => victim.shown.assert_whole(&answer, duration),
                _ => assert_problem(&answer, 502, "upstream_error"),
            }
        }
    }
}

#[test]
fn ranges_past_the_end() {
    let world = world();
    for name in ["ts in ranges", "fmp4 in ranges"] {
        let victim = Victim::of(world, package(name));
        let package = &victim.shown.package;
        let good = package.playlist();
        let ranges: Vec<&str> = good.lines().filter(|line| line.starts_with("#EXT-X-BYTERANGE")).collect();
        let size = package.whole.len();
        for range in [format!("1000@{size}"), format!("1000@{}", size - 10), "1000@9000000000000".to_owned()]
        {
            let tag = format!("#EXT-X-BYTERANGE:{range}");
            let what = format!("{name}: {range}");
            // Where it comes first, all that may have come before it is the map.
            let map =
                if name.starts_with("fmp4") { &package.whole[..1400] } else { &package.whole[size - 10..] };
            assert_cut_off(&victim.under(world, &good.replace(ranges[0], &tag)), map, &what);
            let answer = victim.under(world, &good.replace(ranges[3], &tag));
            let third = ranges[3].split_once('@').unwrap().1.parse::<usize>().unwrap();
            let before = [&package.whole[..third], &package.whole[size - 10..]].concat();
            assert_cut_off(&answer, &before, &what);
        }
    }
}
