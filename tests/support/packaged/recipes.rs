//! How each package is made.

use super::ffmpeg::{Scene, encrypted, package, shoot};
use super::probe::{Content, content};
use super::written;
use super::{KEY, KEY_FILE, MANIFEST, PLAYLIST, Package};
use bytes::Bytes;
use std::collections::BTreeMap;
use std::path::Path;

const FILM: &str = "film.ts";
const SECOND: &str = "second.ts";

/// HLS in segments of a second, whole.
const HLS: [&str; 8] = ["-f", "hls", "-hls_time", "1", "-hls_playlist_type", "vod", "-hls_list_size", "0"];

/// What MP4 wants of streams that come from TS.
const FOR_MP4: [&str; 6] = ["-bsf:a", "aac_adtstoasc", "-tag:v", "avc1", "-tag:a", "mp4a"];

const DASH: [&str; 6] = ["-f", "dash", "-seg_duration", "1", "-use_template", "1"];

/// An initialization vector that is no sequence number.
const IV: &str = "00112233445566778899aabbccddeeff";

type Files = BTreeMap<String, Bytes>;

/// One of every kind.
pub(super) fn all() -> Vec<Package> {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    shoot(folder, FILM, &Scene { picture: "testsrc2=s=320x180", rate: 25, pitch: 440, seconds: 6 });
    shoot(folder, SECOND, &Scene { picture: "smptebars=s=320x180", rate: 25, pitch: 880, seconds: 3 });
    let of = |name: &str| content(&std::fs::read(folder.join(name)).unwrap());
    let (source, second) = (of(FILM), of(SECOND));
    let ts = ts(folder, &source);
    let mut all = vec![
        fmp4(folder, &source),
        ts_ranges(folder, &ts),
        fmp4_ranges(folder, &source),
        explicit_iv(folder, &ts),
        sequence_iv(&ts),
        discontinuity(folder, &ts, &second),
        adts(folder, &source),
        ts,
    ];
    all.extend(dash(folder, &source));
    all
}

/// What is shown live.
pub(super) fn live() -> Package {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    shoot(folder, FILM, &Scene { picture: "testsrc2=s=160x90", rate: 5, pitch: 440, seconds: 70 });
    let live = ts(folder, &content(&std::fs::read(folder.join(FILM)).unwrap()));
    assert_eq!(live.parts.len(), 70);
    Package { name: "live", ..live }
}

fn hls(options: &[&'static str]) -> Vec<&'static str> {
    let mut all = HLS.to_vec();
    all.extend(options);
    all.push(PLAYLIST);
    all
}

/// Files of that ending, in the order of the numbers that they are called by.
fn numbered(files: &Files, ending: &str) -> Vec<String> {
    let mut names: Vec<_> =
        files.keys().filter_map(|name| name.strip_suffix(ending)?.parse::<u32>().ok()).collect();
    names.sort_unstable();
    names.into_iter().map(|number| format!("{number}{ending}")).collect()
}

fn joined(files: &Files, parts: &[String]) -> Bytes {
    parts.iter().flat_map(|part| files[part].to_vec()).collect()
}

fn made(name: &'static str, files: Files, parts: Vec<String>, source: &Content) -> Package {
    let whole = joined(&files, &parts);
    let mp4 = !parts[0].ends_with(".ts");
    Package {
        name,
        whole,
        files,
        index: PLAYLIST,
        format: None,
        parts,
        content_type: if mp4 { "video/mp4" } else { "video/mp2t" },
        ext: if mp4 { "mp4" } else { "ts" },
        source: source.clone(),
    }
}

fn ts(folder: &Path, source: &Content) -> Package {
    let files = package(folder, FILM, &hls(&["-hls_segment_filename", "%d.ts"]));
    let parts = numbered(&files, ".ts");
    made("ts", files, parts, source)
}

fn fmp4(folder: &Path, source: &Content) -> Package {
    let mut options = FOR_MP4.to_vec();
    options.extend(hls(&[
        "-hls_segment_type",
        "fmp4",
        "-hls_fmp4_init_filename",
        "init.mp4",
        "-hls_segment_filename",
        "%d.m4s",
    ]));
    let files = package(folder, FILM, &options);
    let parts = [vec!["init.mp4".to_owned()], numbered(&files, ".m4s")].concat();
    made("fmp4", files, parts, source)
}

/// The bytes are those of [`ts`].
fn ts_ranges(folder: &Path, ts: &Package) -> Package {
    let options = hls(&["-hls_flags", "single_file", "-hls_segment_filename", "all.ts"]);
    let made = made("ts in ranges", package(folder, FILM, &options), vec!["all.ts".to_owned()], &ts.source);
    assert!(made.whole == ts.whole && made.playlist().contains("#EXT-X-BYTERANGE"));
    made
}

fn fmp4_ranges(folder: &Path, source: &Content) -> Package {
    let mut options = FOR_MP4.to_vec();
    options.extend(hls(&[
        "-hls_segment_type",
        "fmp4",
        "-hls_flags",
        "single_file",
        "-hls_segment_filename",
        "all.mp4",
    ]));
    let made = made("fmp4 in ranges", package(folder, FILM, &options), vec!["all.mp4".to_owned()], source);
    assert!(made.playlist().contains("BYTERANGE=\""));
    made
}

/// Encrypted by ffmpeg; plain, the bytes are those of [`ts`].
fn explicit_iv(folder: &Path, ts: &Package) -> Package {
    std::fs::write(folder.join(KEY_FILE), KEY).unwrap();
    std::fs::write(folder.join("info"), format!("{KEY_FILE}\n../{KEY_FILE}\n{IV}\n")).unwrap();
    let options = hls(&["-hls_key_info_file", "../info", "-hls_segment_filename", "%d.ts"]);
    encrypted_as("aes with an iv", package(folder, FILM, &options), ts)
}

/// Encrypted by openssl: ffmpeg writes one vector down even where it is given none. The numbers are not small.
fn sequence_iv(ts: &Package) -> Package {
    const FIRST: u128 = 70_000;
    let mut files = ts.files.clone();
    for (index, part) in ts.parts.iter().enumerate() {
        let iv = (FIRST + index as u128).to_be_bytes();
        files.insert(part.clone(), encrypted(&ts.files[part], KEY, iv));
    }
    let tags = format!("#EXT-X-MEDIA-SEQUENCE:{FIRST}\n#EXT-X-KEY:METHOD=AES-128,URI=\"{KEY_FILE}\"\n");
    let playlist = ts.playlist().replace("#EXT-X-MEDIA-SEQUENCE:0\n", &tags);
    files.insert(PLAYLIST.to_owned(), playlist.into());
    encrypted_as("aes by sequence", files, ts)
}

fn encrypted_as(name: &'static str, mut files: Files, plain: &Package) -> Package {
    files.insert(KEY_FILE.to_owned(), Bytes::from_static(KEY));
    let made = made(name, files, plain.parts.clone(), &plain.source);
    assert!(made.playlist().contains("METHOD=AES-128") && made.whole != plain.whole);
    Package { whole: plain.whole.clone(), ..made }
}

/// Two films, one after the other, whose clocks begin anew.
fn discontinuity(folder: &Path, ts: &Package, second: &Content) -> Package {
    let anew = ["-hls_ts_options", "mpegts_flags=+initial_discontinuity", "-hls_segment_filename", "b%d.ts"];
    let next = package(folder, SECOND, &hls(&anew));
    let mut files = ts.files.clone();
    let next_parts: Vec<_> = (0..3).map(|number| format!("b{number}.ts")).collect();
    files.extend(next_parts.iter().map(|part| (part.clone(), next[part].clone())));
    let next_lines: String = next_parts.iter().map(|part| format!("#EXTINF:1.000000,\n{part}\n")).collect();
    let end = format!("#EXT-X-DISCONTINUITY\n{next_lines}#EXT-X-ENDLIST");
    files.insert(PLAYLIST.to_owned(), ts.playlist().replace("#EXT-X-ENDLIST", &end).into());
    let parts = [ts.parts.clone(), next_parts].concat();
    made("discontinuity", files, parts, &ts.source.clone().then(second))
}

/// Sound alone, in packed segments that begin with the tag of RFC 8216 §3.4.
fn adts(folder: &Path, source: &Content) -> Package {
    let options =
        ["-map", "-0:v", "-f", "segment", "-segment_time", "1", "-segment_format", "adts", "%d.aac"];
    let mut files = package(folder, FILM, &options);
    let parts = numbered(&files, ".aac");
    for (index, part) in parts.iter().enumerate() {
        let tagged = [written::transport_timestamp(index as u64 * 90_000), files[part].to_vec()].concat();
        files.insert(part.clone(), tagged.into());
    }
    files.insert(PLAYLIST.to_owned(), written::playlist(&parts).into());
    let made = made("adts", files, parts, &source.sound_alone());
    Package { content_type: "audio/aac", ext: "aac", ..made }
}

/// Pictures and sound are formats of their own, called by their numbers.
fn dash(folder: &Path, source: &Content) -> Vec<Package> {
    let make = |timeline: &'static str| {
        let mut options = FOR_MP4.to_vec();
        options.extend(DASH);
        options.extend(["-use_timeline", timeline, MANIFEST]);
        package(folder, FILM, &options)
    };
    let (template, timeline) = (make("0"), make("1"));
    let text = |files: &Files| String::from_utf8(files[MANIFEST].to_vec()).unwrap();
    assert!(!text(&template).contains("SegmentTimeline") && text(&timeline).contains("<SegmentTimeline>"));
    let mut list = template.clone();
    list.insert(MANIFEST.to_owned(), written::segment_lists(&template).into());
    let packages = [
        (["dash by number", "dash sound by number"], template),
        (["dash by timeline", "dash sound by timeline"], timeline),
        (["dash by list", "dash sound by list"], list),
    ];
    packages.into_iter().flat_map(|(names, files)| of_manifest(names, &files, source)).collect()
}

fn of_manifest(names: [&'static str; 2], files: &Files, source: &Content) -> [Package; 2] {
    let [picture, sound] = ["0", "1"].map(|id| {
        let parts = written::representation(files, id);
        let name = names[usize::from(id == "1")];
        Package { index: MANIFEST, format: Some(id), ..made(name, files.clone(), parts, source) }
    });
    [
        Package { source: source.picture_alone(), ..picture },
        Package { source: source.sound_alone(), content_type: "audio/mp4", ext: "m4a", ..sound },
    ]
}
