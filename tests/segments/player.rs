//! A page with a player that offers what a test wants it to.

use crate::support::client::encode;
use crate::support::packaged::Package;
use crate::support::stage::{Media, Reply};
use crate::support::world::{World, fresh_id};

/// A page at a host of its own.
pub struct Player {
    pub host: String,
    inside: String,
    /// Representations of a manifest.
    files: String,
}

impl Player {
    pub fn new() -> Player {
        Player {
            host: format!("player{}.example.net", fresh_id()),
            inside: String::new(),
            files: String::new(),
        }
    }

    /// Offers a plain file under a label, as `720p`, which is its `format_id`, as a manifest of files names one: with
    /// its codecs and height, and without its size.
    pub fn file(mut self, world: &World, label: &str, codecs: &str, media: &Media) -> Player {
        let height: u32 = label.trim_end_matches('p').parse().unwrap();
        let path = format!("/{label}.mp4");
        world.stage.play(&self.host, &path, Reply::media(media).content_type("video/mp4").etag("\"v1\""));
        let width = height * 16 / 9;
        self.files += &format!(
            "<Representation id=\"{label}\" mimeType=\"video/mp4\" codecs=\"{codecs}\" width=\"{width}\" \
             height=\"{height}\"><BaseURL>{path}</BaseURL></Representation>"
        );
        self
    }

    /// Offers a list of variants: bits per second, codecs, height and what is behind each. Their formats are called
    /// `hls-` and kilobits per second.
    pub fn variants(mut self, world: &World, variants: &[(u32, &str, u32, &Package)]) -> Player {
        let mut master = "#EXTM3U\n".to_owned();
        for (bandwidth, codecs, height, package) in variants {
            let width = height * 16 / 9;
            master += &format!(
                "#EXT-X-STREAM-INF:BANDWIDTH={bandwidth},CODECS=\"{codecs}\",RESOLUTION={width}x{height}\n\
                 {bandwidth}/{}\n",
                package.index
            );
            for (name, bytes) in &package.files {
                let path = format!("/{bandwidth}/{name}");
                world.stage.play(&self.host, &path, Reply::media(&Media::of(bytes.clone())));
            }
        }
        world.stage.play(&self.host, "/master.m3u8", Reply::text("application/vnd.apple.mpegurl", master));
        self.inside += "<source src=\"/master.m3u8\" type=\"application/x-mpegurl\">\n";
        self
    }

    /// Offers subtitles.
    pub fn track(mut self, world: &World, language: &str, file: &str, kind: &str, text: &str) -> Player {
        world.stage.play(&self.host, &format!("/{file}"), Reply::text(kind, text));
        self.inside += &format!("<track kind=\"subtitles\" src=\"/{file}\" srclang=\"{language}\">\n");
        self
    }

    /// Puts the page on the stage, and gives its address.
    pub fn install(&self, world: &World) -> String {
        let mut inside = self.inside.clone();
        if !self.files.is_empty() {
            let manifest = format!(
                "<?xml version=\"1.0\"?><MPD xmlns=\"urn:mpeg:dash:schema:mpd:2011\" type=\"static\" \
                 mediaPresentationDuration=\"PT6S\"><Period><AdaptationSet contentType=\"video\">{}</AdaptationSet>\
                 </Period></MPD>",
                self.files
            );
            world.stage.play(&self.host, "/files.mpd", Reply::text("application/dash+xml", manifest));
            inside += "<source src=\"/files.mpd\" type=\"application/dash+xml\">\n";
        }
        let html = format!("<!DOCTYPE html><html><title>A film</title><video>{inside}</video></html>");
        world.stage.play(&self.host, "/", Reply::html(html));
        format!("https://{}/", self.host)
    }

    /// How often a file of it was asked for.
    pub fn asked(&self, world: &World, path: &str) -> usize {
        world.stage.seen_where(|seen| seen.host == self.host && seen.path() == path).len()
    }
}

/// Path and query of `/stream` for a page.
pub fn stream_of(page: &str) -> String {
    format!("/stream?url={}", encode(page))
}
