//! A post that is on the stage: its files, how they are served, and what was seen of them.

use super::super::media::Media;
use super::super::{Outcome, Reply, Seen, Stage};
use super::{CDN, CDN_FOLDER, MEDIA_FOLDER, PAGES, Photo, status_page};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// A post on the stage.
#[derive(Clone, Debug)]
pub struct Video {
    pub(super) page_url: String,
    pub(super) path: String,
    pub(super) id: String,
    pub(super) key: String,
    pub(super) chain_token: String,
    pub(super) expires: u64,
    pub(super) delay: Duration,
    pub(super) bound: bool,
    pub(super) html: String,
    pub(super) formats: Vec<OnStage>,
    pub(super) photos: Vec<Photo>,
    pub(super) any_pages: Arc<AtomicU64>,
}

/// One file of a post.
#[derive(Clone, Debug)]
pub struct OnStage {
    /// As yt-dlp names it.
    pub format_id: String,
    pub media: Media,
    /// Path on [`CDN`].
    pub path: String,
}

impl Video {
    /// The page's address.
    pub fn page_url(&self) -> &str {
        &self.page_url
    }

    /// All files, in the order of the page.
    pub fn formats(&self) -> &[OnStage] {
        &self.formats
    }

    /// The file behind a `format_id`. Panics when the post has none.
    pub fn format(&self, format_id: &str) -> &OnStage {
        self.formats.iter().find(|format| format.format_id == format_id).unwrap()
    }

    /// The bytes behind a `format_id`.
    pub fn media(&self, format_id: &str) -> &Media {
        &self.format(format_id).media
    }

    /// The value of the cookie that the CDN asks for. Never to be seen by a client.
    pub fn chain_token(&self) -> &str {
        &self.chain_token
    }

    /// When the links end, in Unix seconds.
    pub fn expires(&self) -> u64 {
        self.expires
    }

    /// Serves a format anew, as the CDN does but for what `change` makes of it (faults, mostly).
    pub fn play(&self, stage: &Stage, format_id: &str, change: impl FnOnce(Reply) -> Reply) {
        let format = self.format(format_id);
        let content_type = if format_id == "audio" { "audio/mpeg" } else { "video/mp4" };
        let reply = Reply::media(&format.media)
            .content_type(content_type)
            .etag(&format!("\"{}-{format_id}\"", self.key))
            .last_modified("Wed, 01 Oct 2025 10:00:00 GMT")
            .needs_cookie("tt_chain_token", &self.chain_token)
            .needs_referer(&format!("https://{PAGES}/"))
            .no_head()
            .delay(self.delay);
        let reply = if self.bound { reply.needs_same_address() } else { reply };
        stage.play(CDN, &format.path, change(reply));
    }

    /// Serves the page anew, as `change` makes it.
    pub fn show_page(&self, stage: &Stage, change: impl FnOnce(Reply) -> Reply) {
        stage.play(PAGES, &self.path, change(self.page_reply(self.html.clone())));
    }

    /// The page, for other places.
    pub fn page(&self) -> Reply {
        self.page_reply(self.html.clone())
    }

    /// The path of the page at [`PAGES`].
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Shows the same media at new places under a new cookie, as a page that is fetched again does. The old places
    /// go on as they are. Gives the post as it is shown from now on.
    pub fn move_media(&self, stage: &Stage) -> Video {
        let (from, to) =
            (format!("{MEDIA_FOLDER}/{}-", self.key), format!("{MEDIA_FOLDER}/{}-new-", self.key));
        let escaped = |text: &str| text.replace('/', "\\u002F");
        let mut moved = self.clone();
        moved.html = self.html.replace(&escaped(&from), &escaped(&to));
        moved.chain_token.push_str("new");
        for format in &mut moved.formats {
            format.path = format.path.replace(&from, &to);
        }
        for format in &moved.formats {
            moved.play(stage, &format.format_id, |reply| reply);
        }
        moved.show_page(stage, |reply| reply);
        moved
    }

    /// Takes the post away: its page says that there is none. The media stays where it is.
    pub fn take_down(&self, stage: &Stage) {
        status_page(stage, &self.id, 10204);
    }

    /// How often the page was asked for.
    pub fn pages_seen(&self, stage: &Stage) -> usize {
        stage.seen_where(|seen| seen.host == PAGES && seen.path() == self.path).len()
    }

    /// How many pages were served, whatever their id, by [`super::TikTok::install_for_any_id`]: counted even where
    /// requests are not recorded.
    pub fn any_pages(&self) -> u64 {
        self.any_pages.load(Ordering::Relaxed)
    }

    pub(super) fn page_reply(&self, html: String) -> Reply {
        let token = &self.chain_token;
        let cookie = format!("tt_chain_token={token}; Domain=.tiktok.com; Path=/; Secure; HttpOnly");
        let reply = Reply::html(html).delay(self.delay).cookie(&cookie);
        if self.bound { reply.personal() } else { reply }
    }

    /// What the stage saw of this post: its page, its media, its images.
    pub fn seen(&self, stage: &Stage) -> Vec<Seen> {
        stage.seen_where(|seen| self.concerns(seen))
    }

    /// What the CDN saw of one format.
    pub fn seen_of(&self, stage: &Stage, format_id: &str) -> Vec<Seen> {
        let path = &self.format(format_id).path;
        stage.seen_where(|seen| seen.host == CDN && seen.path() == path)
    }

    /// Blocks until a client has left before one of a format's answers was out, and none is under way.
    pub fn wait_client_gone(&self, stage: &Stage, format_id: &str) {
        let path = &self.format(format_id).path;
        stage.wait_for(|seen| {
            let mut outcomes = seen.iter().filter(|it| it.path() == path).map(|it| it.outcome);
            outcomes.clone().all(|outcome| outcome != Outcome::Playing)
                && outcomes.any(|outcome| outcome == Outcome::ClientGone)
        });
    }

    /// Whether a request was for this post.
    pub fn concerns(&self, seen: &Seen) -> bool {
        seen.path().contains(&self.id) || seen.path().contains(&self.key)
    }

    pub(super) fn add(&mut self, format_id: &str, media: Media, tail: &str) -> String {
        let path = format!("{CDN_FOLDER}{MEDIA_FOLDER}/{}-{format_id}/{tail}", self.key);
        self.formats.push(OnStage { format_id: format_id.to_owned(), media, path: path.clone() });
        path
    }
}
