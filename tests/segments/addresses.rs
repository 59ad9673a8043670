//! Playlists that lead to where nobody may be sent. Each leads to an allowed place, too, to show that it leads anywhere.

use super::hostile::Victim;
use crate::support::film::assert_cut_off;
use crate::support::packaged::{KEY_FILE, Package, package};
use crate::support::stage::{Media, Reply};
use crate::support::world::{World, assert_problem, fresh_id, world};

/// Addresses where nobody may be sent.
const FORBIDDEN: [(&str, &str); 5] = [
    ("http://127.0.0.1", "127.0.0.1"),
    ("https://169.254.169.254", "169.254.169.254"),
    ("http://[::1]", "::1"),
    ("http://0x7f000001", "127.0.0.1"),
    ("https://10.0.0.1:8443", "10.0.0.1"),
];

/// Addresses that are none of the web's.
const FOREIGN: [&str; 3] =
    ["file:///etc/passwd", "data:video/mp2t;base64,R0AREA==", "ftp://example.net/0.ts"];

/// Checks that a playlist with `place` for an address leads nowhere that is forbidden, and does lead elsewhere.
fn assert_guarded(world: &World, package: &Package, file: &str, playlist: &dyn Fn(&str) -> String) {
    let victim = Victim::of(world, package);
    let allowed = format!("allowed{}.example.net", fresh_id());
    let path = format!("/guarded/{}", fresh_id());
    let bytes = Media::of(package.files[file].clone());
    let hosts = FORBIDDEN.map(|(_, host)| host);
    for host in hosts.into_iter().chain([allowed.as_str()]) {
        world.stage.play(host, &path, Reply::media(&bytes));
    }
    for (origin, host) in FORBIDDEN {
        let answer = victim.under(world, &playlist(&format!("{origin}{path}")));
        assert_problem(&answer, 403, "blocked_address");
        let reached = world.stage.seen_where(|seen| seen.host == host && seen.path() == path);
        assert_eq!(reached.len(), 0, "{origin}");
    }
    for foreign in FOREIGN {
        assert_problem(&victim.under(world, &playlist(foreign)), 502, "upstream_error");
    }
    victim.shown.play_index(world, &playlist(&format!("https://{allowed}{path}")));
    victim.shown.assert_whole(&world.get(&victim.path), "at an allowed address");
    assert_eq!(world.stage.seen_at(&allowed).len(), 1);
    // Nor is anybody led there from an allowed address.
    for (origin, host) in FORBIDDEN {
        // From https nobody is led to http at all.
        let origin = origin.replace("http://", "https://");
        world.stage.play(&allowed, &path, Reply::redirect(302, &format!("{origin}{path}")));
        assert_problem(&world.get(&victim.path), 403, "blocked_address");
        assert_eq!(world.stage.seen_where(|it| it.host == host && it.path() == path).len(), 0, "{origin}");
    }
}

#[test]
fn segments_at_forbidden_addresses() {
    let ts = package("ts");
    assert_guarded(world(), ts, "0.ts", &|address| {
        ts.playlist().replace("\n0.ts\n", &format!("\n{address}\n"))
    });
}

#[test]
fn maps_at_forbidden_addresses() {
    let fmp4 = package("fmp4");
    assert_guarded(world(), fmp4, "init.mp4", &|address| fmp4.playlist().replace("init.mp4", address));
}

#[test]
fn keys_at_forbidden_addresses() {
    for name in ["aes with an iv", "aes by sequence"] {
        let aes = package(name);
        assert_guarded(world(), aes, KEY_FILE, &|address| aes.playlist().replace(KEY_FILE, address));
    }
}

#[test]
fn variants_at_forbidden_addresses() {
    let ts = package("ts");
    let mut files = ts.clone();
    // Wherever its playlist is, its segments are where they were.
    let world = world();
    let host = world.show(ts).host;
    let absolute = ts.playlist().replace(",\n", &format!(",\nhttps://{host}/v1/"));
    files.files.insert("media.m3u8".to_owned(), absolute.into());
    assert_guarded(world, &files, "media.m3u8", &|address| {
        format!("#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1,CODECS=\"avc1.42c00c,mp4a.40.2\"\n{address}\n")
    });
}

#[test]
fn fragments_at_forbidden_addresses() {
    let world = world();
    let list = package("dash by list");
    let initialization = &list.parts[0];
    let path = format!("/guarded/{}", fresh_id());
    let bytes = Media::of(list.files[initialization].clone());
    let allowed = format!("allowed{}.example.net", fresh_id());
    let manifest = |address: &str| {
        list.with_playlist("guarded", list.playlist().replace(initialization.as_str(), address))
    };
    for (origin, host) in FORBIDDEN {
        world.stage.play(host, &path, Reply::media(&bytes));
        let shown = world.show(&manifest(&format!("{origin}{path}")));
        assert_problem(&world.get(&shown.stream_path()), 403, "blocked_address");
        assert_eq!(world.stage.seen_where(|it| it.host == host && it.path() == path).len(), 0, "{origin}");
    }
    world.stage.play(&allowed, &path, Reply::media(&bytes));
    let shown = world.show(&manifest(&format!("https://{allowed}{path}")));
    shown.assert_whole(&world.get(&shown.stream_path()), "at an allowed address");
}

#[test]
fn a_forbidden_address_later_on_is_a_visible_cut() {
    let world = world();
    let ts = package("ts");
    let victim = Victim::of(world, ts);
    world.stage.play("127.0.0.1", "/3.ts", Reply::media(&Media::of(ts.files["3.ts"].clone())));
    let before: usize = ts.parts[..3].iter().map(|part| ts.files[part].len()).sum();
    let answer = victim.under(world, &ts.playlist().replace("\n3.ts\n", "\nhttp://127.0.0.1/3.ts\n"));
    assert_cut_off(&answer, &ts.whole[..before], "later on");
    assert_eq!(world.stage.seen_where(|it| it.host == "127.0.0.1" && it.path() == "/3.ts").len(), 0);
}
