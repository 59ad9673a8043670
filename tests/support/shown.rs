//! A package at a host of the stage, reached as clients reach it: by the address of its playlist or manifest, or by a
//! page that shows it.

use super::client::{Answer, encode};
use super::packaged::Package;
use super::stage::{Media, Outcome, Reply, Seen};
use super::world::{World, format, fresh_id, token};
use bytes::Bytes;

/// A package on the stage.
#[derive(Clone, Debug)]
pub struct Shown {
    pub package: Package,
    pub host: String,
    /// Folder of its files, slashes and all.
    pub folder: String,
    /// The address that a client gives.
    pub url: String,
    /// What `format=` must say; none where there is but one format.
    pub format: Option<String>,
}

impl World {
    /// A package at a host of its own, to be had by the address of its playlist or manifest.
    pub fn show(&self, package: &Package) -> Shown {
        let host = format!("packaged{}.example.net", fresh_id());
        let shown = Shown {
            package: package.clone(),
            url: format!("https://{host}/v1/{}", package.index),
            folder: "/v1/".to_owned(),
            format: package.format.map(str::to_owned),
            host,
        };
        shown.play_all(self);
        shown
    }

    /// The same, to be had by the address of a page with a player.
    pub fn show_on_page(&self, package: &Package) -> Shown {
        let mut shown = self.show(package);
        shown.url = format!("https://{}/", shown.host);
        shown.play_page(self);
        shown
    }
}

/// The reply to a request for a file by that name.
fn reply(name: &str, bytes: &Bytes) -> Reply {
    let kind = match name.rsplit('.').next() {
        Some("m3u8") => "application/vnd.apple.mpegurl",
        Some("mpd") => "application/dash+xml",
        Some("ts") => "video/mp2t",
        Some("aac") => "audio/aac",
        Some("mp4" | "m4s") => "video/mp4",
        _ => "application/octet-stream",
    };
    let media = Media::of(bytes.clone());
    if kind.starts_with("application/") {
        return Reply::new(200, media).content_type(kind);
    }
    Reply::media(&media).content_type(kind).etag(&format!("\"{name}\"")).no_head()
}

impl Shown {
    fn play_all(&self, world: &World) {
        for name in self.package.files.keys() {
            self.play(world, name, |reply| reply);
        }
    }

    /// Serves a file anew, but for what `change` makes of it.
    pub fn play(&self, world: &World, name: &str, change: impl FnOnce(Reply) -> Reply) {
        let bytes = &self.package.files[name];
        world.stage.play(&self.host, &self.path(name), change(reply(name, bytes)));
    }

    /// Serves the playlist, or the manifest, with this text from now on.
    pub fn play_index(&self, world: &World, text: &str) {
        let media = Media::of(text.to_owned());
        self.play(world, self.package.index, |reply| reply.bytes_of(&media));
    }

    fn play_page(&self, world: &World) {
        let kind = if self.package.index.ends_with(".mpd") {
            "application/dash+xml"
        } else {
            "application/x-mpegurl"
        };
        let source = format!("<source src=\"{}\" type=\"{kind}\">", self.path(self.package.index));
        let html =
            format!("<!DOCTYPE html><html><title>A film</title><body><video>{source}</video></body></html>");
        world.stage.play(&self.host, "/", Reply::html(html));
    }

    /// Where on its host a file is.
    pub fn path(&self, name: &str) -> String {
        format!("{}{name}", self.folder)
    }

    /// Moves all files to another folder: there the page shows them, and where they were each answers `status`.
    pub fn moved(&self, world: &World, status: u16) -> Shown {
        let moved = self.moved_but_reachable(world);
        for name in self.package.files.keys() {
            world.stage.play(&self.host, &self.path(name), Reply::status(status));
        }
        moved
    }

    /// The same, but for the old place, which stays as it was.
    pub fn moved_but_reachable(&self, world: &World) -> Shown {
        let moved = Shown { folder: "/v2/".to_owned(), ..self.clone() };
        moved.play_all(world);
        moved.play_page(world);
        moved
    }

    /// Path and query of the `/stream` that extracts and streams in one.
    pub fn stream_path(&self) -> String {
        let format = self.format.as_ref().map_or(String::new(), |id| format!("&format={id}"));
        format!("/stream?url={}{format}", encode(&self.url))
    }

    /// Path and query of the `/stream` of its format's token, after an extraction.
    pub fn token_path(&self, world: &World) -> String {
        let extraction = world.extract(&self.url);
        let id = match &self.format {
            Some(id) => format(&extraction, id)["format_id"].as_str().unwrap().to_owned(),
            None => extraction["formats"][0]["format_id"].as_str().unwrap().to_owned(),
        };
        format!("/stream?data={}", token(&extraction, &id))
    }

    /// What the stage saw of a file.
    pub fn seen(&self, world: &World, name: &str) -> Vec<Seen> {
        let path = self.path(name);
        world.stage.seen_where(|seen| seen.host == self.host && seen.path() == path)
    }

    /// How often the page was asked for.
    pub fn pages_seen(&self, world: &World) -> usize {
        world.stage.seen_where(|seen| seen.host == self.host && seen.path() == "/").len()
    }

    /// Bytes of its parts that were handed out so far.
    pub fn written(&self, world: &World) -> u64 {
        self.package.parts.iter().flat_map(|part| self.seen(world, part)).map(|seen| seen.written).sum()
    }

    /// Blocks until nothing of it is under way.
    pub fn wait_until_quiet(&self, world: &World) {
        world.stage.wait_for(|seen| {
            seen.iter().filter(|seen| seen.host == self.host).all(|seen| seen.outcome != Outcome::Playing)
        });
    }

    /// Checks that all of it came.
    #[track_caller]
    pub fn assert_whole(&self, answer: &Answer, what: &str) {
        let name = self.package.name;
        let count = answer.body.len();
        let said = if answer.status == 200 { String::new() } else { answer.text() };
        assert_eq!(
            (answer.status, answer.end.clone()),
            (200, Ok(())),
            "{name}, {what}: {count} bytes {said}"
        );
        assert!(answer.body == self.package.whole, "{name}, {what}: wrong bytes among {count}");
    }
}
