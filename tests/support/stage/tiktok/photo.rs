//! The photos of a post.

use super::super::media::Media;
use super::super::{Reply, Stage};
use super::{IMAGES, Video};

/// A photo on the stage.
#[derive(Clone, Debug)]
pub struct Photo {
    pub media: Media,
    /// Path on [`IMAGES`].
    pub path: String,
}

impl Photo {
    pub(super) fn play(&self, stage: &Stage) {
        let kind = if self.path.ends_with(".webp") { "image/webp" } else { "image/jpeg" };
        stage.play(IMAGES, &self.path, Reply::media(&self.media).content_type(kind));
    }
}

impl Video {
    /// The photos, in the order of the page.
    pub fn photos(&self) -> &[Photo] {
        &self.photos
    }

    /// The page's other address, which the site gives for posts of photos.
    pub fn photo_url(&self) -> String {
        self.page_url.replace("/video/", "/photo/")
    }

    /// Shows the same photos at new places, as a page that is fetched again does; the old ones are refused.
    pub fn move_photos(&self, stage: &Stage) {
        let (from, to) = (format!("{}-photo", self.key), format!("{}-new-photo", self.key));
        for photo in &self.photos {
            stage.play(IMAGES, &photo.path, Reply::status(403));
            Photo { path: photo.path.replace(&from, &to), ..photo.clone() }.play(stage);
        }
        let html = self.html.replace(&from, &to);
        self.show_page(stage, |_| self.page_reply(html));
    }
}
