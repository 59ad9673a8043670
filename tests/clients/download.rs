//! curl, wget and aria2: parts, downloads that go on after a kill, and many connections at once.

use super::{cuts, program, run, run_well};
use crate::support::film::Film;
use crate::support::random::{Random, seed};
use crate::support::stage::{Fault, Media, Outcome};
use crate::support::world::{World, world};
use std::path::Path;
use std::time::{Duration, Instant};

#[test]
fn curl_fetches_parts() {
    let world = world();
    let film = world.film(&Media::new(200, 1_000_000), |reply| reply);
    let folder = tempfile::tempdir().unwrap();
    let url = world.server.url(&film.link);
    for (asked, from, to) in [
        ("0-0", 0, 1),
        ("100-199", 100, 200),
        ("500000-", 500_000, 1_000_000),
        ("-700", 999_300, 1_000_000),
        ("999000-5000000", 999_000, 1_000_000),
    ] {
        let output = run_well("curl", folder.path(), &["-sSf", "-r", asked, &url]);
        assert!(output.stdout == film.media.bytes(from..to), "-r {asked}: {} bytes", output.stdout.len());
    }
    // curl's code for a status of 400 and above.
    let outside = run("curl", folder.path(), &["-sSf", "-r", "1000000-", &url]);
    assert_eq!(outside.status.code(), Some(22), "{outside:?}");
}

/// Size of a file, 0 where there is none.
fn size(file: &Path) -> u64 {
    file.metadata().map_or(0, |metadata| metadata.len())
}

/// Blocks until a file is longer than `size`. The file system has no event that all machines offer.
fn wait_for_growth(file: &Path, beyond: u64) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while size(file) <= beyond {
        assert!(Instant::now() < deadline, "{} bytes after 30 s, not {beyond}", size(file));
        std::thread::park_timeout(Duration::from_millis(1));
    }
}

/// Starts a downloader, kills it in the middle, and does it again, `kills` times; then lets it come to its end.
fn kill_and_continue(world: &World, kills: usize, name: &str, arguments: &[&str]) {
    const SIZE: u64 = 3 << 20;
    let mut random = Random::of(seed());
    // Each answer stops somewhere and waits: the kill comes at a random byte, however fast the machine is.
    let stops: Vec<u64> = (0..kills).map(|_| 80_000 + random.below(120_000)).collect();
    let stalls = stops.iter().map(|after| Some(Fault::Stall { after: *after }));
    let film = world.film(&Media::new(201, SIZE), |reply| reply.faults(stalls));
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("film.mp4");
    let url = world.server.url(&film.link);
    let arguments = [arguments, &["film.mp4", &url]].concat();

    let mut starts = Vec::new();
    for (turn, stop) in stops.iter().enumerate() {
        let before = size(&file);
        starts.push(before);
        let mut child = program(name, folder.path(), &arguments).spawn().unwrap();
        // What is short of the stop by less than this may stay in buffers of the program.
        wait_for_growth(&file, before + random.below(stop - 70_000));
        child.kill().unwrap();
        child.wait().unwrap();
        film.wait_for(world, |seen| seen.len() == turn + 1 && seen[turn].outcome == Outcome::ClientGone);
    }
    starts.push(size(&file));
    assert!(starts.is_sorted() && starts[1] > 0 && size(&file) < SIZE, "{starts:?}");
    run_well(name, folder.path(), &arguments);
    assert!(std::fs::read(&file).unwrap() == film.bytes_from(0), "{name}: wrong bytes");
    assert_fetched_from(world, &film, &starts);
}

#[track_caller]
fn assert_fetched_from(world: &World, film: &Film, starts: &[u64]) {
    let asked: Vec<u64> = film.seen(world).iter().map(|it| it.range_start()).collect();
    assert_eq!(asked, starts);
}

#[test]
fn curl_goes_on_after_ten_kills() {
    kill_and_continue(world(), 10, "curl", &["-sSf", "-C", "-", "-o"]);
}

#[test]
fn wget_goes_on_where_it_was_killed() {
    kill_and_continue(world(), 3, "wget", &["-q", "-c", "-O"]);
}

#[test]
fn a_whole_download_is_not_begun_again() {
    let world = world();
    let film = world.film(&Media::new(202, 100_000), |reply| reply);
    let folder = tempfile::tempdir().unwrap();
    let url = world.server.url(&film.link);
    for _ in 0..2 {
        run_well("wget", folder.path(), &["-q", "-c", "-O", "film.mp4", &url]);
        assert!(std::fs::read(folder.path().join("film.mp4")).unwrap() == film.bytes_from(0));
    }
    let again: u64 = film.seen(world)[1..].iter().filter(|it| it.status < 300).map(|it| it.written).sum();
    assert!(again < 100_000, "{again} bytes were fetched again");
}

#[test]
fn aria2_fetches_many_parts_at_once() {
    const SIZE: u64 = 16 << 20;
    let world = world();
    // Slow enough for the second connection to find something left to do.
    let slow = Fault::Slow { chunk: 64 << 10, pause: Duration::from_millis(2) };
    let paced = world.film(&Media::new(203, SIZE), |reply| reply.fault(slow));
    let broken = world.film(&Media::new(204, SIZE), |reply| reply.faults(cuts(24, 400_000)));
    let folder = tempfile::tempdir().unwrap();
    for (film, name) in [(&paced, "paced"), (&broken, "broken")] {
        let url = world.server.url(&film.link);
        let arguments = [
            "--no-conf",
            "-q",
            "-x8",
            "-s8",
            "-k1M",
            "--file-allocation=none",
            "--max-tries=1",
            "-o",
            name,
            &url,
        ];
        run_well("aria2c", folder.path(), &arguments);
        assert!(
            std::fs::read(folder.path().join(name)).unwrap() == film.bytes_from(0),
            "{name}: wrong bytes"
        );
    }
    let mut starts: Vec<u64> = paced.seen(world).iter().map(|it| it.range_start()).collect();
    starts.sort_unstable();
    starts.dedup();
    assert!(starts.len() >= 4, "{starts:?}");
}
