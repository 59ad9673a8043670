//! A page with a player that offers what a test wants it to.

use crate::support::client::encode;
use crate::support::packaged::Package;
use crate::support::stage::{Media, Reply};
use crate::support::world::{World, fresh_id};

/// A page at a host of its own.
pub struct Player {
    pub host: String,
    inside: String,
}

impl Player {
    pub fn new() -> Player {
        Player { host: format!("player{}.example.net", fresh_id()), inside: String::new() }
    }

    /// Offers a plain file under a label, which is its `format_id` and says its height.
    pub fn file(mut self, world: &World, label: &str, codecs: &str, media: &Media) -> Player {
        let path = format!("/{label}.mp4");
        world.stage.play(&self.host, &path, Reply::media(media).content_type("video/mp4").etag("\"v1\""));
        self.inside +=
            &format!("<source src=\"{path}\" type='video/mp4; codecs=\"{codecs}\"' label=\"{label}\">\n");
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
        let html = format!("<!DOCTYPE html><html><title>A film</title><video>{}</video></html>", self.inside);
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
