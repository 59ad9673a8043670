//! What playlists may say in different ways.

use crate::support::packaged::{KEY, KEY_FILE, PLAYLIST, Package, content, decode_whole, encrypted, package};
use crate::support::stage::{Media, Reply};
use crate::support::world::{assert_problem, fresh_id, world};
use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use std::io::Write as _;

/// Streams a package and checks that all of it came.
#[track_caller]
fn assert_streams(package: &Package) {
    let world = world();
    let shown = world.show(package);
    shown.assert_whole(&world.get(&shown.stream_path()), "its own way");
}

/// Other parts under another playlist, joined.
fn joined(of: &Package, name: &'static str, playlist: String, parts: &[&str]) -> Package {
    let whole: Vec<u8> = parts.iter().flat_map(|part| of.files[*part].to_vec()).collect();
    Package { whole: whole.into(), ..of.with_playlist(name, playlist) }
}

#[test]
fn gaps_are_passed_over() {
    let ts = package("ts");
    let text = ts.playlist().replace("#EXTINF:1.000000,\n2.ts", "#EXT-X-GAP\n#EXTINF:1.000000,\n2.ts");
    let mut gap = joined(ts, "a gap", text, &["0.ts", "1.ts", "3.ts", "4.ts", "5.ts"]);
    gap.files.remove("2.ts");
    assert_streams(&gap);
}

#[test]
fn addresses_may_be_of_any_form() {
    let world = world();
    let ts = package("ts");
    let shown = world.show(ts);
    let elsewhere = format!("elsewhere{}.example.net", fresh_id());
    for part in &ts.parts {
        let reply = |name: &str| Reply::media(&Media::of(ts.files[name].clone())).needs_query("part", part);
        world.stage.play(&elsewhere, "/a b/part.ts", Reply::status(404));
        world.stage.play(&elsewhere, &format!("/far/{part}"), reply(part));
        world.stage.play(&shown.host, &format!("/v1/deep/er/{part}"), reply(part));
        world.stage.play(&shown.host, &format!("/up/{part}"), reply(part));
    }
    let forms = [
        "0.ts".to_owned(),
        format!("https://{elsewhere}/far/1.ts?part=1.ts"),
        format!("//{elsewhere}/far/2.ts?part=2.ts"),
        "/up/3.ts?part=3.ts".to_owned(),
        "deep/./er/4.ts?part=4.ts".to_owned(),
        "../up/5.ts?part=5.ts#fragment".to_owned(),
    ];
    let mut text = ts.playlist();
    for (part, form) in ts.parts.iter().zip(&forms) {
        text = text.replace(&format!("\n{part}\n"), &format!("\n{form}\n"));
    }
    shown.play_index(world, &text);
    shown.assert_whole(&world.get(&shown.stream_path()), "forms");
}

#[test]
fn lines_may_end_in_any_way() {
    let ts = package("ts");
    let text = ts.playlist();
    let shapes = [
        text.replace('\n', "\r\n"),
        text.replace('\n', "\n\n"),
        text.replace("#EXTINF", "# a comment\n#EXT-X-UNKNOWN:A=\"b,c\"\n#EXTINF"),
        text.replace("#EXT-X-ENDLIST\n", "#EXT-X-ENDLIST"),
        text.replace("#EXTINF:1.000000,", "#EXTINF:1,"),
        text.replace("#EXTINF:1.000000,", "#EXTINF:1.000000,Titre: \u{e9}t\u{e9}, 1"),
        format!("{text}\n\n"),
    ];
    for shape in shapes {
        assert_streams(&ts.with_playlist("another way", shape));
    }
}

#[test]
fn ranges_may_leave_out_where_they_begin() {
    for name in ["ts in ranges", "fmp4 in ranges"] {
        let package = package(name);
        let mut first = true;
        let text: String = package
            .playlist()
            .lines()
            .map(|line| {
                match line.strip_prefix("#EXT-X-BYTERANGE:").and_then(|range| range.split_once('@')) {
                    Some((length, _)) if !std::mem::take(&mut first) => {
                        format!("#EXT-X-BYTERANGE:{length}\n")
                    }
                    _ => format!("{line}\n"),
                }
            })
            .collect();
        assert_streams(&package.with_playlist("no offsets", text));
    }
}

#[test]
fn keys_may_change_and_end() {
    let ts = package("ts");
    let mut mixed = ts.clone();
    let (first, second) = (*b"the first key 16", *b"another key of16");
    for (part, (key, number)) in
        ts.parts[1..5].iter().zip([(&first, 1), (&first, 2), (&second, 3), (&second, 4)])
    {
        mixed.files.insert(part.clone(), encrypted(&ts.files[part], key, u128::to_be_bytes(number)));
    }
    mixed.files.insert("first.bin".to_owned(), Bytes::copy_from_slice(&first));
    mixed.files.insert("second.bin".to_owned(), Bytes::copy_from_slice(&second));
    let key = |part: &str, tag: &str| (format!("#EXTINF:1.000000,\n{part}\n"), tag.to_owned());
    let mut text = ts.playlist();
    for (line, tag) in [
        key("1.ts", "#EXT-X-KEY:METHOD=AES-128,URI=\"first.bin\"\n"),
        key("3.ts", "#EXT-X-KEY:METHOD=AES-128,URI=\"second.bin\",KEYFORMAT=\"identity\"\n"),
        key("5.ts", "#EXT-X-KEY:METHOD=NONE\n"),
    ] {
        text = text.replace(&line, &format!("{tag}{line}"));
    }
    mixed.files.insert(PLAYLIST.to_owned(), text.into());
    mixed.name = "keys that change";
    assert_streams(&mixed);
}

#[test]
fn an_encrypted_map_is_decrypted_as_the_segments_are() {
    const IV: [u8; 16] = [7; 16];
    let fmp4 = package("fmp4");
    let mut other = fmp4.clone();
    for part in &fmp4.parts {
        other.files.insert(part.clone(), encrypted(&fmp4.files[part], KEY, IV));
    }
    other.files.insert(KEY_FILE.to_owned(), Bytes::from_static(KEY));
    let iv = "07".repeat(16);
    let tag = format!("#EXT-X-KEY:METHOD=AES-128,URI=\"{KEY_FILE}\",IV=0x{iv}\n#EXT-X-MAP");
    let text = fmp4.playlist().replace("#EXT-X-MAP", &tag);
    other.files.insert(PLAYLIST.to_owned(), text.into());
    other.name = "encrypted map";
    assert_streams(&other);
}

#[test]
fn a_map_comes_again_only_where_it_changes() {
    let fmp4 = package("fmp4");
    let map = "#EXT-X-MAP:URI=\"init.mp4\"\n";
    let twice =
        fmp4.playlist().replace("#EXTINF:1.000000,\n3.m4s", &format!("{map}#EXTINF:1.000000,\n3.m4s"));
    assert_streams(&fmp4.with_playlist("the same map", twice));
    // Another one, after a discontinuity: here, of the same film.
    let other = "#EXT-X-DISCONTINUITY\n#EXT-X-MAP:URI=\"other.mp4\"\n#EXTINF:1.000000,\n3.m4s";
    let text = fmp4.playlist().replace("#EXTINF:1.000000,\n3.m4s", other);
    let mut changed = fmp4.clone();
    changed.files.insert("other.mp4".to_owned(), fmp4.files["init.mp4"].clone());
    let parts = ["init.mp4", "0.m4s", "1.m4s", "2.m4s", "other.mp4", "3.m4s", "4.m4s", "5.m4s"];
    let changed = joined(&changed, "another map", text, &parts);
    assert_streams(&changed);
    decode_whole(&changed.whole);
    content(&changed.whole).assert_is(&fmp4.source, "another map");
}

#[test]
fn a_map_that_changes_at_a_gap_comes_all_the_same() {
    let fmp4 = package("fmp4");
    let other = "#EXT-X-DISCONTINUITY\n#EXT-X-MAP:URI=\"other.mp4\"\n#EXT-X-GAP\n#EXTINF:1.000000,\n2.m4s";
    let text = fmp4.playlist().replace("#EXTINF:1.000000,\n2.m4s", other);
    let mut changed = fmp4.clone();
    changed.files.insert("other.mp4".to_owned(), fmp4.files["init.mp4"].clone());
    changed.files.remove("2.m4s");
    let parts = ["init.mp4", "0.m4s", "1.m4s", "other.mp4", "3.m4s", "4.m4s", "5.m4s"];
    assert_streams(&joined(&changed, "a map at a gap", text, &parts));
}

#[test]
fn a_variant_is_chosen_where_the_playlist_has_become_a_list_of_them() {
    let world = world();
    let ts = package("ts");
    let shown = world.show(ts);
    let path = shown.token_path(world);
    let small = package("aes with an iv");
    let poor = format!("poor{}.example.net", fresh_id());
    for name in small.files.keys() {
        world.stage.play(&poor, &format!("/{name}"), Reply::status(500));
    }
    world.stage.play(
        &shown.host,
        "/v1/media.m3u8",
        Reply::text("application/vnd.apple.mpegurl", ts.playlist()),
    );
    let master = format!(
        "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=100000,CODECS=\"avc1.42c00c,mp4a.40.2\"\nhttps://{poor}/index.m3u8\n\
         #EXT-X-STREAM-INF:BANDWIDTH=900000,CODECS=\"avc1.42c00c,mp4a.40.2\"\nmedia.m3u8\n"
    );
    shown.play_index(world, &master);
    shown.assert_whole(&world.get(&path), "a list of variants");
    assert!(world.stage.seen_at(&poor).is_empty());
}

#[test]
fn a_playlist_may_be_packed_and_a_segment_may_not() {
    let world = world();
    let ts = package("ts");
    let shown = world.show(ts);
    let path = shown.token_path(world);
    let packed = |bytes: &[u8]| {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(bytes).unwrap();
        Media::of(encoder.finish().unwrap())
    };
    let index = packed(ts.playlist().as_bytes());
    shown.play(world, PLAYLIST, |reply| reply.bytes_of(&index).header("Content-Encoding", "gzip"));
    shown.assert_whole(&world.get(&path), "a packed playlist");
    let segment = packed(&ts.files["0.ts"]);
    shown.play(world, "0.ts", |reply| reply.bytes_of(&segment).header("Content-Encoding", "gzip"));
    assert_problem(&world.get(&path), 502, "upstream_error");
    // What unpacks to more than a playlist may have is not read to its end.
    shown.play(world, "0.ts", |reply| reply);
    let bomb = packed(&vec![b'\n'; 64 << 20]);
    assert!(bomb.len() < 100_000);
    shown.play(world, PLAYLIST, |reply| reply.bytes_of(&bomb).header("Content-Encoding", "gzip"));
    assert_problem(&world.get(&path), 502, "limit_exceeded");
}
