//! Subtitles through tickets: as they are, or as the other format.

use super::player::Player;
use crate::javascript::DENO;
use crate::support::client::{self, Answer};
use crate::support::packaged::package;
use crate::support::stage::{Media, Reply, youtube};
use crate::support::world::{World, assert_problem, world};
use serde_json::Value;

const VTT: &str = "WEBVTT\n\nNOTE a remark\n\n1\n00:00:01.000 --> 00:00:02.500 align:start\nA gate <i>opens</i>.\n\n\
                   00:00:03.000 --> 00:00:04.000\nWater &amp; light.\nTwo lines.\n";

/// What [`VTT`] is as SubRip.
const AS_SRT: &str = "1\n00:00:01,000 --> 00:00:02,500\nA gate <i>opens</i>.\n\n\
                      2\n00:00:03,000 --> 00:00:04,000\nWater & light.\nTwo lines.\n";

const SRT: &str = "1\n00:00:01,000 --> 00:00:02,500\nEin Tor \u{f6}ffnet sich.\n\n2\n00:00:03,000 --> 00:00:04,000\nWasser.\n";

/// What [`SRT`] is as WebVTT: its cues, whatever stands around them.
const AS_VTT: [&str; 3] = [
    "WEBVTT\n",
    "00:00:01.000 --> 00:00:02.500\nEin Tor \u{f6}ffnet sich.\n",
    "00:00:03.000 --> 00:00:04.000\nWasser.",
];

/// The entry of the only file of a language.
#[track_caller]
fn only<'a>(extraction: &'a Value, language: &str) -> &'a Value {
    let files = extraction["subtitles"][language].as_array().unwrap_or_else(|| panic!("{extraction}"));
    assert_eq!(files.len(), 1, "{files:?}");
    &files[0]
}

fn fetch(file: &Value, more: &str) -> Answer {
    client::get(&format!("{}{more}", file["stream"].as_str().unwrap()))
}

/// Checks the text, the type and the name of a file of subtitles.
#[track_caller]
fn assert_file(answer: &Answer, ext: &str, text: &str) {
    assert_eq!((answer.status, answer.end.clone()), (200, Ok(())), "{}", answer.text());
    assert_eq!(answer.text().trim_end(), text.trim_end());
    assert_kind(answer, ext);
}

#[track_caller]
fn assert_kind(answer: &Answer, ext: &str) {
    let kind = if ext == "vtt" { "text/vtt" } else { "application/x-subrip" };
    assert!(answer.header("content-type").unwrap().starts_with(kind), "{:?}", answer.headers);
    assert!(answer.header("x-filename").unwrap().ends_with(&format!(".{ext}")), "{:?}", answer.headers);
}

/// A page with English as WebVTT and German as SubRip.
fn two_languages(world: &World) -> Value {
    let player = Player::new()
        .file(world, "360p", "avc1.64001f, mp4a.40.2", &Media::new(401, 50_000))
        .track(world, "en", "en.vtt", "text/vtt", VTT)
        .track(world, "de", "de.srt", "application/x-subrip", SRT);
    world.extract(&player.install(world))
}

#[test]
fn files_come_as_they_are() {
    let extraction = two_languages(world());
    let (english, german) = (only(&extraction, "en"), only(&extraction, "de"));
    assert_eq!((&english["ext"], &german["ext"]), (&"vtt".into(), &"srt".into()));
    assert!(english.get("automatic").is_none() && english.get("url").is_none(), "{english}");
    assert_file(&fetch(english, ""), "vtt", VTT);
    assert_file(&fetch(german, ""), "srt", SRT);
    assert_file(&fetch(german, "&as=srt"), "srt", SRT);
    // Written anew, WebVTT is without what nobody sees.
    let english = fetch(english, "&as=vtt");
    assert_kind(&english, "vtt");
    let text = english.text();
    assert!(text.starts_with("WEBVTT\n") && !text.contains("a remark"), "{text}");
    for line in ["00:00:01.000 --> 00:00:02.500", "A gate <i>opens</i>.", "Water &amp; light.\nTwo lines."] {
        assert!(text.contains(line), "{line} in {text}");
    }
}

#[test]
fn each_may_be_had_as_the_other() {
    let extraction = two_languages(world());
    let (english, german) = (only(&extraction, "en"), only(&extraction, "de"));
    assert_file(&fetch(english, "&as=srt"), "srt", AS_SRT);
    let answer = fetch(german, "&as=vtt");
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_kind(&answer, "vtt");
    let text = answer.text();
    assert!(AS_VTT.iter().all(|part| text.contains(part)) && text.starts_with("WEBVTT\n"), "{text}");
    let head = client::request("HEAD", &format!("{}&as=srt", english["stream"].as_str().unwrap()), &[], b"");
    assert_eq!((head.status, head.body.len()), (200, 0));
    assert_kind(&head, "srt");
}

#[test]
fn what_is_no_format_of_subtitles_is_refused() {
    let world = world();
    let extraction = two_languages(world);
    let english = only(&extraction, "en");
    assert_problem(&fetch(english, "&as=ass"), 400, "bad_request");
    // A film is none.
    let film = &extraction["formats"][0];
    assert_problem(&fetch(film, "&as=srt"), 400, "bad_request");
    assert_eq!(fetch(film, "").status, 200);
}

#[test]
fn what_is_no_webvtt_is_not_made_into_anything() {
    let world = world();
    let player = Player::new()
        .file(world, "360p", "avc1.64001f, mp4a.40.2", &Media::new(402, 50_000))
        .track(world, "en", "en.vtt", "text/vtt", VTT);
    let extraction = world.extract(&player.install(world));
    let english = only(&extraction, "en");
    assert_file(&fetch(english, "&as=srt"), "srt", AS_SRT);
    for text in ["<!DOCTYPE html><p>Not found.", "", "\u{0}\u{1}\u{2}"] {
        world.stage.play(&player.host, "/en.vtt", Reply::text("text/vtt", text));
        assert_problem(&fetch(english, "&as=srt"), 502, "upstream_error");
    }
    world.stage.play(&player.host, "/en.vtt", Reply::status(500));
    assert_problem(&fetch(english, "&as=srt"), 502, "upstream_error");
}

/// A list of variants with subtitles in pieces of two seconds, whose clock is that of the segments.
fn in_pieces(world: &World) -> (Player, Value) {
    let player = Player::new();
    let host = &player.host;
    let m3u8 = |text: String| Reply::text("application/vnd.apple.mpegurl", text);
    let piece = |cue: &str| format!("WEBVTT\nX-TIMESTAMP-MAP=MPEGTS:126000,LOCAL:00:00:00.000\n\n{cue}\n");
    let cues = [
        "00:00:01.000 --> 00:00:02.500\nThe first.",
        // Cut at the border of two pieces, and so in both.
        "00:00:02.500 --> 00:00:04.500\nThe second.",
        "00:00:02.500 --> 00:00:04.500\nThe second.\n\n00:00:05.000 --> 00:00:05.500\nThe third.",
    ];
    let mut list = "#EXTM3U\n#EXT-X-TARGETDURATION:2\n".to_owned();
    for (index, cue) in cues.into_iter().enumerate() {
        world.stage.play(host, &format!("/subtitles/{index}.vtt"), Reply::text("text/vtt", piece(cue)));
        list += &format!("#EXTINF:2,\n{index}.vtt\n");
    }
    world.stage.play(host, "/subtitles/en.m3u8", m3u8(format!("{list}#EXT-X-ENDLIST\n")));
    let ts = package("ts");
    for (name, bytes) in &ts.files {
        world.stage.play(host, &format!("/film/{name}"), Reply::media(&Media::of(bytes.clone())));
    }
    let master = "#EXTM3U\n#EXT-X-MEDIA:TYPE=SUBTITLES,GROUP-ID=\"subs\",NAME=\"English\",LANGUAGE=\"en\",URI=\"subtitles/en.m3u8\"\n\
                  #EXT-X-STREAM-INF:BANDWIDTH=800000,CODECS=\"avc1.42c00c,mp4a.40.2\",SUBTITLES=\"subs\"\nfilm/index.m3u8\n";
    world.stage.play(host, "/master.m3u8", m3u8(master.to_owned()));
    let extraction = world.extract(&format!("https://{host}/master.m3u8"));
    (player, extraction)
}

#[test]
fn those_in_pieces_come_as_one_file() {
    let world = world();
    let (_, extraction) = in_pieces(world);
    let english = only(&extraction, "en");
    assert_eq!(english["ext"], "vtt");
    let srt = fetch(english, "&as=srt");
    assert_file(
        &srt,
        "srt",
        "1\n00:00:01,000 --> 00:00:02,500\nThe first.\n\n2\n00:00:02,500 --> 00:00:04,500\nThe second.\n\n\
         3\n00:00:05,000 --> 00:00:05,500\nThe third.\n",
    );
    let vtt = fetch(english, "");
    assert_eq!((vtt.status, vtt.end.clone()), (200, Ok(())), "{}", vtt.text());
    assert_kind(&vtt, "vtt");
    let text = vtt.text();
    assert!(text.starts_with("WEBVTT\n"), "{text}");
    for line in ["The first.", "The second.", "The third."] {
        assert_eq!(text.matches(line).count(), 1, "{line} in {text}");
    }
    assert_eq!(text.matches("WEBVTT").count(), 1, "{text}");
}

#[test]
fn a_piece_that_is_lost_is_no_clean_end() {
    let world = world();
    let (player, extraction) = in_pieces(world);
    let english = only(&extraction, "en");
    assert_eq!(fetch(english, "&as=srt").status, 200);
    world.stage.play(&player.host, "/subtitles/2.vtt", Reply::status(500));
    for more in ["", "&as=srt"] {
        let answer = fetch(english, more);
        assert!(answer.status == 502 || !answer.complete(), "{more}: {}", answer.text());
    }
}

#[test]
fn automatic_captions_are_marked() {
    let world = World::with(&[("JS_RUNTIME", DENO)]);
    let video = youtube::Video::captioned(
        &world.stage,
        "stage-film9",
        &[("en", None, VTT), ("de", Some("asr"), VTT)],
    );
    let extraction = world.extract(&video.page_url());
    let english = only_of(&extraction, "en", "vtt");
    assert!(english.get("automatic").is_none(), "{english}");
    assert_file(&fetch(english, "&as=srt"), "srt", AS_SRT);
    // Of those made by a machine there is one file for each language.
    let german = only(&extraction, "de");
    assert_eq!((&german["automatic"], &german["ext"]), (&true.into(), &"vtt".into()), "{german}");
    assert_file(&fetch(german, ""), "vtt", VTT);
    assert_file(&fetch(german, "&as=srt"), "srt", AS_SRT);
}

/// The entry of a language's only file of that kind.
#[track_caller]
fn only_of<'a>(extraction: &'a Value, language: &str, ext: &str) -> &'a Value {
    let files = extraction["subtitles"][language].as_array().unwrap_or_else(|| panic!("{extraction}"));
    let found: Vec<_> = files.iter().filter(|file| file["ext"] == ext).collect();
    assert_eq!(found.len(), 1, "{files:?}");
    found[0]
}
