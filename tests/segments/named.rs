//! Sites with extractors of their own that give HLS and DASH, in their real shape.

use super::player::stream_of;
use crate::support::client;
use crate::support::packaged::{PLAYLIST, Package, content, decode_whole, live, package};
use crate::support::stage::broadcasters::{
    self, CLOUDFLARE, Files, PICARTO_EDGE, PICARTO_RECORDINGS, REDDIT_FILMS,
};
use crate::support::stage::{Live, Media, Reply, sha256};
use crate::support::world::{World, assert_problem, format, fresh_id, token, world};
use bytes::Bytes;

/// Thirty-two hexadecimal digits that no other test has.
fn fresh_hex() -> String {
    format!("{:032x}", fresh_id().parse::<u64>().unwrap())
}

/// The files of a package in a folder, and its playlist or manifest under another name.
fn renamed(package: &Package, folder: &str, index: &str) -> Files {
    let name = |name: &str| if name == package.index { index.to_owned() } else { name.to_owned() };
    package.files.iter().map(|(old, bytes)| (format!("{folder}{}", name(old)), bytes.clone())).collect()
}

fn text(text: impl Into<String>) -> Bytes {
    Bytes::from(text.into())
}

/// Checks that a format streams whole, and is the film.
#[track_caller]
fn assert_streams(world: &World, page: &str, format_id: &str, package: &Package) {
    let extraction = world.extract(page);
    let by_token = format!("/stream?data={}", token(&extraction, format_id));
    for path in [by_token, format!("{}&format={format_id}", stream_of(page))] {
        let answer = world.get(&path);
        let said = if answer.status == 200 { String::new() } else { answer.text() };
        assert_eq!((answer.status, answer.end.clone()), (200, Ok(())), "{format_id}: {said}");
        assert_eq!(answer.header("content-type"), Some(package.content_type), "{format_id}");
        assert!(answer.header("x-filename").unwrap().ends_with(&format!(".{}", package.ext)), "{format_id}");
        assert!(answer.body == package.whole, "{format_id}: wrong bytes among {}", answer.body.len());
        decode_whole(&answer.body);
        content(&answer.body).assert_is(&package.source, format_id);
    }
}

/// A film of Cloudflare's: variants that have sound in a group of its own, and a manifest.
fn apart(world: &World, id: &str) -> String {
    let (pictures, sound) = (package("dash by number"), package("adts"));
    let master = "#EXTM3U\n#EXT-X-VERSION:6\n#EXT-X-INDEPENDENT-SEGMENTS\n\
        #EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"group_audio\",NAME=\"original\",LANGUAGE=\"en\",DEFAULT=YES,AUTOSELECT=YES,URI=\"sound/stream.m3u8?useVODOTFE=false\"\n\
        #EXT-X-STREAM-INF:RESOLUTION=320x180,CODECS=\"avc1.42c00c,mp4a.40.2\",BANDWIDTH=700000,AVERAGE-BANDWIDTH=650000,AUDIO=\"group_audio\"\n\
        picture/stream.m3u8?useVODOTFE=false\n";
    let mut files = Files::from([("video.m3u8".to_owned(), text(master))]);
    files.extend(renamed(sound, "sound/", "stream.m3u8"));
    files.extend(renamed(package("fmp4"), "picture/", "stream.m3u8"));
    files.extend(renamed(pictures, "", "video.mpd"));
    broadcasters::cloudflare(&world.stage, id, &files)
}

#[test]
fn cloudflare_with_its_sound_apart() {
    let world = world();
    let page = apart(world, &fresh_hex());
    let extraction = world.extract(&page);
    assert_eq!(extraction["extractor"], "CloudflareStream", "{extraction}");
    // There is no file of both, and so none that comes unasked.
    assert!(extraction.get("default_format").is_none(), "{extraction}");
    let nothing = world.get(&stream_of(&page));
    assert_problem(&nothing, 404, "format_unavailable");
    let join = world.get(&format!("{}&format=bv%2Bba", stream_of(&page)));
    assert_problem(&join, 404, "format_unavailable");
    assert_streams(world, &page, "hls-650", package("fmp4"));
    assert_streams(world, &page, "hls-group_audio-original", package("adts"));
    assert_streams(world, &page, "dash-0", package("dash by number"));
    assert_streams(world, &page, "dash-1", package("dash sound by number"));
    let sound = world.get(&format!("{}&format=bestaudio", stream_of(&page)));
    let wanted = [package("adts"), package("dash sound by number")];
    assert!(wanted.iter().any(|package| sound.body == package.whole), "{}", sound.status);
    let thumbnail = client::get(extraction["thumbnail"].as_str().unwrap());
    assert_eq!(sha256(&thumbnail.body), Media::new(9, 5000).sha256());
}

#[test]
fn cloudflare_with_both_in_one() {
    let world = world();
    let id = fresh_hex();
    let master = |rows: &[(u32, u32)]| {
        let row = |(bandwidth, height): &(u32, u32)| {
            let width = height * 16 / 9;
            format!(
                "#EXT-X-STREAM-INF:BANDWIDTH={bandwidth},CODECS=\"avc1.42c00c,mp4a.40.2\",RESOLUTION={width}x{height}\n\
                 {height}/index.m3u8\n"
            )
        };
        text(format!("#EXTM3U\n{}", rows.iter().map(row).collect::<String>()))
    };
    let mut files = Files::from([("video.m3u8".to_owned(), master(&[(900_000, 360), (2_500_000, 720)]))]);
    files.extend(renamed(package("ts"), "360/", PLAYLIST));
    files.extend(renamed(package("aes by sequence"), "720/", PLAYLIST));
    let page = broadcasters::cloudflare(&world.stage, &id, &files);
    assert_eq!(world.extract(&page)["default_format"], "hls-2500");
    assert_streams(world, &page, "hls-900", package("ts"));
    assert_streams(world, &page, "hls-2500", package("aes by sequence"));
    let answer = world.get(&stream_of(&page));
    assert!(answer.complete() && answer.body == package("aes by sequence").whole, "{}", answer.status);
    // The manifest that is not there was asked for.
    let missing = world.stage.seen_where(|seen| {
        seen.host == CLOUDFLARE && seen.path().ends_with(&format!("{id}/manifest/video.mpd"))
    });
    assert!(!missing.is_empty() && missing.iter().all(|seen| seen.status == 404));
}

#[test]
fn cloudflare_moves_a_film_and_it_is_found_again() {
    let world = World::keyed(&[]);
    let id = fresh_hex();
    let page = apart(&world, &id);
    let path = format!("/stream?data={}", token(&world.extract(&page), "hls-650"));
    let folder = format!("/{id}/manifest/");
    let fmp4 = package("fmp4");
    for (name, bytes) in renamed(fmp4, "moved/", "stream.m3u8") {
        world.stage.play(CLOUDFLARE, &format!("{folder}{name}"), Reply::media(&Media::of(bytes)));
    }
    for name in fmp4.parts.iter().skip(2).map(String::as_str) {
        world.stage.play(CLOUDFLARE, &format!("{folder}picture/{name}"), Reply::status(403));
    }
    let master =
        "#EXTM3U\n#EXT-X-STREAM-INF:CODECS=\"avc1.42c00c,mp4a.40.2\",BANDWIDTH=650000\nmoved/stream.m3u8\n";
    world.stage.play(
        CLOUDFLARE,
        &format!("{folder}video.m3u8"),
        Reply::text("application/x-mpegURL", master),
    );
    let answer = world.get(&path);
    assert_eq!((answer.status, answer.end.clone()), (200, Ok(())), "{} bytes", answer.body.len());
    assert!(answer.body == fmp4.whole, "wrong bytes among {}", answer.body.len());
}

#[test]
fn picarto_live_and_recorded() {
    // Its addresses are told apart by their queries alone: nobody else may use them meanwhile.
    let world = World::keyed(&[]);
    let film = live();
    let segments: Vec<_> = film.parts[..16].iter().map(|part| film.files[part].clone()).collect();
    let broadcast = Live::install(&world.stage, PICARTO_EDGE, segments.clone());
    broadcast.follow(2);
    let master = "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=2500000,CODECS=\"avc1.42c00b,mp4a.40.2\",RESOLUTION=1280x720\n\
                  /live/index.m3u8\n";
    let playlist = "/stream/hls/golive+Setz/index.m3u8";
    world.stage.play(PICARTO_EDGE, playlist, Reply::text("application/vnd.apple.mpegurl", master));
    let page = broadcasters::picarto_live(&world.stage, "Setz", playlist);
    let extraction = world.extract(&page);
    assert_eq!(
        (&extraction["extractor"], &extraction["is_live"]),
        (&"picarto".into(), &true.into()),
        "{extraction}"
    );
    assert_eq!(format(&extraction, "hls-2500")["length_known"], false);
    assert_eq!(extraction["default_format"], "hls-2500");
    let answer = world.get(&stream_of(&page));
    assert_eq!((answer.status, answer.end.clone()), (200, Ok(())), "{} bytes", answer.body.len());
    assert!(answer.body == segments[Live::AT_FIRST.1 - 3..].concat(), "wrong bytes");

    let ts = package("ts");
    let page = broadcasters::picarto_recording(&world.stage, "771008", &ts.files);
    let extraction = world.extract(&page);
    assert_eq!(
        (&extraction["extractor"], extraction.get("is_live")),
        (&"picarto:vod".into(), None),
        "{extraction}"
    );
    assert_streams(&world, &page, "hls", ts);
    assert!(!world.stage.seen_at(PICARTO_RECORDINGS).is_empty());
}

#[test]
fn reddit_with_picture_and_sound_apart() {
    let world = world();
    let id = format!("film{}", fresh_id());
    let fallback = Media::new(501, 60_000);
    let vtt = "WEBVTT\n\n00:00:01.000 --> 00:00:02.000\nHello.\n";
    let master = "#EXTM3U\n#EXT-X-VERSION:4\n\
        #EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"2\",NAME=\"audio\",DEFAULT=YES,AUTOSELECT=YES,URI=\"HLS_AUDIO_64.m3u8\"\n\
        #EXT-X-MEDIA:TYPE=SUBTITLES,GROUP-ID=\"subs\",NAME=\"en\",LANGUAGE=\"en\",URI=\"HLS_CAPTIONS.m3u8\"\n\
        #EXT-X-STREAM-INF:AVERAGE-BANDWIDTH=700000,BANDWIDTH=900000,RESOLUTION=320x180,CODECS=\"avc1.42c00c,mp4a.40.2\",AUDIO=\"2\",SUBTITLES=\"subs\"\n\
        HLS_220.m3u8\n";
    let (pictures, sound) = (package("fmp4 in ranges"), package("adts"));
    let mut files = Files::from([
        ("HLSPlaylist.m3u8".to_owned(), text(master)),
        ("DASH_220.mp4".to_owned(), Bytes::from(fallback.bytes(0..fallback.len()))),
        ("captions.vtt".to_owned(), text(vtt)),
        (
            "HLS_CAPTIONS.m3u8".to_owned(),
            text("#EXTM3U\n#EXT-X-TARGETDURATION:6\n#EXTINF:6,\ncaptions.vtt\n#EXT-X-ENDLIST\n"),
        ),
    ]);
    files.extend(renamed(pictures, "", "HLS_220.m3u8"));
    files.extend(renamed(sound, "", "HLS_AUDIO_64.m3u8"));
    // Each representation is one file: not in pieces at all.
    let both =
        [("220", "avc1.42c00c", "video", "DASH_220.mp4"), ("AUDIO", "mp4a.40.2", "audio", "sound.mp4")];
    let sets: String = both
        .iter()
        .map(|(rep, codecs, kind, file)| {
            format!(
                "<AdaptationSet contentType=\"{kind}\"><Representation id=\"{rep}\" bandwidth=\"650000\" codecs=\"{codecs}\" \
                 mimeType=\"{kind}/mp4\"><BaseURL>{file}</BaseURL><SegmentBase indexRange=\"800-900\">\
                 <Initialization range=\"0-799\"/></SegmentBase></Representation></AdaptationSet>"
            )
        })
        .collect();
    let mpd = format!(
        "<?xml version=\"1.0\"?><MPD xmlns=\"urn:mpeg:dash:schema:mpd:2011\" type=\"static\" \
         mediaPresentationDuration=\"PT6S\"><Period>{sets}</Period></MPD>"
    );
    files.insert("DASHPlaylist.mpd".to_owned(), text(mpd));
    let post = &id[id.len() - 7..];
    let page = broadcasters::reddit(&world.stage, post, &id, &files);
    let extraction = world.extract(&page);
    assert_eq!(extraction["extractor"], "Reddit", "{extraction}");
    assert!(extraction.get("default_format").is_none(), "{extraction}");
    let known = |id: &str| {
        let format = format(&extraction, id);
        (format["length_known"].as_bool(), format["ranges"].as_bool())
    };
    assert_eq!(
        (known("fallback"), known("dash-220"), known("hls-700")),
        ((Some(true), Some(true)), (Some(true), Some(true)), (Some(false), Some(false)))
    );
    for id in ["fallback", "dash-220"] {
        let file = world.get(&format!("{}&format={id}", stream_of(&page)));
        assert_eq!((file.status, sha256(&file.body)), (200, fallback.sha256()), "{id}");
        assert_eq!(file.header("content-length"), Some("60000"), "{id}");
    }
    assert_streams(world, &page, "hls-700", pictures);
    assert_streams(world, &page, "hls-2-audio", sound);
    let captions = &extraction["subtitles"]["en"][0];
    let answer = client::get(&format!("{}&as=srt", captions["stream"].as_str().unwrap()));
    assert_eq!(answer.text().trim_end(), "1\n00:00:01,000 --> 00:00:02,000\nHello.");
    assert!(!world.stage.seen_at(REDDIT_FILMS).is_empty());
}
