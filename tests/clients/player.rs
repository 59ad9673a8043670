//! ffmpeg: a film that it made itself, decoded from the server as from a file.

use super::{cuts, run_well};
use crate::support::film::{Change, Film};
use crate::support::stage::Media;
use crate::support::world::{World, world};
use std::path::Path;

/// A film of twenty seconds and several megabytes, with its index where `flags` put it: at the end, or in front.
fn make_film(folder: &Path, name: &str, flags: &[&str]) -> Media {
    let picture = "testsrc2=size=640x360:rate=25:duration=20";
    let sound = "sine=frequency=440:duration=20";
    let inputs = ["-v", "error", "-f", "lavfi", "-i", picture, "-f", "lavfi", "-i", sound];
    let coding = ["-c:v", "mpeg4", "-q:v", "2", "-g", "25", "-c:a", "aac"];
    run_well("ffmpeg", folder, &[&inputs, &coding[..], flags, &[name]].concat());
    Media::of(std::fs::read(folder.join(name)).unwrap())
}

/// Checksums of `frames` frames after `second`, or of all of them.
fn frames(folder: &Path, source: &str, second: &str, count: Option<&str>) -> String {
    let mut arguments = vec!["-v", "error", "-xerror", "-ss", second, "-i", source];
    arguments.extend(count.iter().flat_map(|count| ["-frames:v", *count, "-an"]));
    arguments.extend(["-f", "framemd5", "-"]);
    String::from_utf8(run_well("ffmpeg", folder, &arguments).stdout).unwrap()
}

/// Checks that every seek gives the frames that it gives in the file.
fn assert_plays(world: &World, folder: &Path, name: &str, film: &Film) {
    let url = world.server.url(&film.link);
    for second in ["17.3", "2", "9.48", "19.9"] {
        let expected = frames(folder, name, second, Some("3"));
        assert!(expected.lines().filter(|line| !line.starts_with('#')).count() >= 1, "{expected}");
        assert_eq!(frames(folder, &url, second, Some("3")), expected, "{name} at {second}");
    }
    assert_eq!(frames(folder, &url, "0", None), frames(folder, name, "0", None), "{name}, all of it");
}

#[test]
fn ffmpeg_seeks_in_a_film() {
    let world = world();
    let folder = tempfile::tempdir().unwrap();
    let unsure: Change = |reply| reply.no_validators();
    for (name, flags, change) in [
        ("last.mp4", &[][..], (|reply| reply) as Change),
        ("first.mp4", &["-movflags", "+faststart"], unsure),
    ] {
        let media = make_film(folder.path(), name, flags);
        let film = world.film(&media, change);
        assert_plays(world, folder.path(), name, &film);
        // It did not read its way there.
        assert!(film.seen(world).iter().any(|it| it.range_start() > media.len() / 2), "{name}: no seek");
        film.play(world, |reply| change(reply).faults(cuts(10, 150_000)));
        assert_plays(world, folder.path(), name, &film);
    }
}
