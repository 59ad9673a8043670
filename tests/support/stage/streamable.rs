//! Streamable on the stage: a site that yt-dlp asks as itself, by `requests`, and not as a browser.

use super::media::Media;
use super::{Reply, Stage};
use serde_json::json;

/// What yt-dlp asks.
pub const API: &str = "ajax.streamable.com";
/// Where films live.
pub const FILMS: &str = "films.streamable.com";

/// A film.
#[derive(Clone, Debug)]
pub struct Clip {
    id: String,
    pub media: Media,
}

impl Clip {
    /// Puts a film of `size` bytes on the stage. `id` is a decimal number.
    pub fn install(stage: &Stage, id: &str, size: u64) -> Clip {
        let clip = Clip { id: id.to_owned(), media: Media::new(id.parse().unwrap(), size) };
        stage.play(API, &clip.path(), clip.page());
        stage.play(FILMS, &clip.film(), Reply::media(&clip.media).content_type("video/mp4"));
        clip
    }

    /// The address that a client gives.
    pub fn page_url(&self) -> String {
        format!("https://streamable.com/{}", self.id)
    }

    /// The path at [`API`] that yt-dlp asks for.
    pub fn path(&self) -> String {
        format!("/videos/{}", self.id)
    }

    /// What is answered there.
    pub fn page(&self) -> Reply {
        let url = format!("https://{FILMS}{}", self.film());
        let file = json!({"url": url, "width": 640, "height": 360, "size": self.media.len()});
        let page = json!({"status": 2, "title": format!("Clip {}", self.id), "files": {"mp4": file}});
        Reply::text("application/json", page.to_string())
    }

    fn film(&self) -> String {
        format!("/video/{}.mp4", self.id)
    }
}
