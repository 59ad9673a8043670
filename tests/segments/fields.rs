//! What an extractor says of a playlist beside its address: yt-dlp's own fields.

use crate::support::client::{Answer, encode};
use crate::support::packaged::{KEY, KEY_FILE, Package, package};
use crate::support::plugin::python_with;
use crate::support::shown::Shown;
use crate::support::stage::Reply;
use crate::support::world::{World, assert_problem};
use std::fmt::Write as _;
use std::sync::LazyLock;
use tempfile::TempDir;

/// A world with the plugin of `fields/`.
static WORLD: LazyLock<(World, TempDir)> = LazyLock::new(|| {
    let pyenv = python_with("segments/fields");
    (World::keyed(&[("PYENV_DIR", pyenv.path().to_str().unwrap())]), pyenv)
});

/// Streams a package by way of a page that says these fields of its playlist.
fn streamed(shown: &Shown, fields: &str) -> Answer {
    let page = format!("https://fields.example.net/?playlist={}{fields}", encode(&shown.url));
    WORLD.0.get(&format!("/stream?url={}", encode(&page)))
}

/// Serves all but the playlist to those alone who ask with that query.
fn wanting(shown: &Shown, files: &[String], (name, value): (&str, &str)) {
    for file in files {
        shown.play(&WORLD.0, file, |reply| reply.needs_query(name, value));
    }
}

fn encrypted() -> &'static Package {
    package("aes with an iv")
}

fn keys() -> Vec<String> {
    vec![KEY_FILE.to_owned()]
}

#[test]
fn queries_go_to_segments_and_to_keys() {
    let world = &WORLD.0;
    let shown = world.show(encrypted());
    wanting(&shown, &shown.package.parts, ("sig", "a b"));
    wanting(&shown, &keys(), ("sig", "a b"));
    assert_problem(&streamed(&shown, "&none=1"), 502, "upstream_error");
    let for_all = format!("&extra_param_to_segment_url={}", encode("sig=a%20b"));
    shown.assert_whole(&streamed(&shown, &for_all), "one query for all");
    wanting(&shown, &keys(), ("key", "2"));
    assert_problem(&streamed(&shown, &for_all), 502, "upstream_error");
    let apart = format!("{for_all}&extra_param_to_key_url={}", encode("key=2"));
    shown.assert_whole(&streamed(&shown, &apart), "one of their own for keys");
}

#[test]
fn a_key_that_the_extractor_knows_goes_before_the_playlists() {
    let world = &WORLD.0;
    let shown = world.show(encrypted());
    shown.play(world, KEY_FILE, |_| Reply::status(404));
    assert_problem(&streamed(&shown, "&none=1"), 502, "upstream_error");
    let hex = KEY.iter().fold(String::new(), |mut hex, byte| {
        write!(hex, "{byte:02x}").unwrap();
        hex
    });
    shown.assert_whole(&streamed(&shown, &format!("&key={hex}")), "the key");
    let elsewhere = Shown { folder: "/keys/".to_owned(), ..shown.clone() };
    elsewhere.play(world, KEY_FILE, |reply| reply);
    let uri = format!("https://{}{}", shown.host, elsewhere.path(KEY_FILE));
    shown.assert_whole(&streamed(&shown, &format!("&uri={}", encode(&uri))), "its address");
}

#[test]
fn a_playlist_that_was_read_is_not_asked_for_again() {
    let world = &WORLD.0;
    for package in [package("ts"), package("fmp4 in ranges")] {
        let shown = world.show(package);
        shown.assert_whole(&streamed(&shown, "&read=1"), package.name);
        assert_eq!(shown.seen(world, package.index).len(), 1, "{}", package.name);
        shown.assert_whole(&streamed(&shown, "&none=1"), package.name);
        assert_eq!(shown.seen(world, package.index).len(), 2, "{}: positive control", package.name);
    }
}
