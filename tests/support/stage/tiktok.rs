//! TikTok as its extractor sees it: a page of the real shape and a media CDN that wants the page's cookie and Referer.
//!
//! The shape follows yt-dlp's `tiktok.py` (`_extract_web_formats`, `_parse_aweme_video_web`).

mod page;
mod photo;
pub mod traps;
mod video;

use super::media::Media;
use super::{Reply, Stage};
use page::{Item, Rendition};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

pub use photo::Photo;
pub use video::Video;

/// Where pages live.
pub const PAGES: &str = "www.tiktok.com";
/// Where media lives: below `.tiktok.com`, so that the page's cookie belongs to it.
pub const CDN: &str = "v16-webapp-prime.tiktok.com";
/// Where covers and avatars live; wants neither cookie nor Referer.
pub const IMAGES: &str = "p16-sign-va.tiktokcdn.com";

const USER: &str = "sluice";
const CDN_FOLDER: &str = "/video/tos/useast5";
const MEDIA_FOLDER: &str = "/tos-useast5-ve-0068c003-tx";
const IMAGE_BYTES: u64 = 5_000;

/// Size of a film's best rendition, in bytes, unless told otherwise: more than one socket buffer, quick to hash.
const DEFAULT_SIZE: u64 = 600_000;

/// The renditions of every video: codec, size class, bits per second, size as a percentage of the best.
/// The 1080p of bytevc1 has no sound, as its path says; bytevc2 is what no player plays.
const LADDER: [(&str, &str, u32, u64); 9] = [
    ("h264", "1080p", 2_800_000, 100),
    ("h264", "720p", 1_600_000, 60),
    ("h264", "540p", 1_200_000, 40),
    ("h264", "540p", 700_000, 25),
    ("h264", "360p", 400_000, 16),
    ("bytevc1", "1080p", 1_400_000, 50),
    ("bytevc1", "720p", 800_000, 30),
    ("bytevc1", "540p", 500_000, 20),
    ("bytevc2", "1080p", 900_000, 33),
];

/// The `format_id` that yt-dlp gives to the best rendition that plays everywhere. `play` is the same file.
pub const BEST: &str = "h264_1080p_2800000";

/// A post to be put on the stage.
#[derive(Debug)]
pub struct TikTok {
    item: Item,
    size: u64,
    /// What each `DataSize` says beyond the true size, in bytes.
    size_lie: i64,
    delay: Duration,
    photos: usize,
    silent: bool,
}

impl TikTok {
    /// A video of twelve formats by `@sluice`. `id` is a decimal number.
    pub fn video(id: &str) -> TikTok {
        let item = Item {
            id: id.to_owned(),
            key: format!("{:016x}", id.parse::<u64>().unwrap()),
            user: USER.to_owned(),
            nickname: "Sluice Gate".to_owned(),
            title: format!("A film of water #{id}"),
            expires: unix_now() + 6 * 3600,
            ..Item::default()
        };
        TikTok { item, size: DEFAULT_SIZE, size_lie: 0, delay: Duration::ZERO, photos: 0, silent: false }
    }

    /// A post of `count` photos with a sound.
    pub fn photos(id: &str, count: usize) -> TikTok {
        TikTok { photos: count, ..TikTok::video(id) }
    }

    /// Leaves the sound away.
    pub fn silent(self) -> TikTok {
        TikTok { silent: true, ..self }
    }

    /// The description, from which yt-dlp takes the title.
    pub fn title(mut self, title: &str) -> TikTok {
        self.item.title = title.to_owned();
        self
    }

    /// The author's display name.
    pub fn nickname(mut self, nickname: &str) -> TikTok {
        self.item.nickname = nickname.to_owned();
        self
    }

    /// Size of the best rendition in bytes; the others keep their share of it.
    pub fn size(self, bytes: u64) -> TikTok {
        TikTok { size: bytes, ..self }
    }

    /// Makes every `DataSize` wrong by this many bytes.
    pub fn size_lie(self, by: i64) -> TikTok {
        TikTok { size_lie: by, ..self }
    }

    /// How much later than at once the page and the heads of the media come.
    pub fn delay(self, delay: Duration) -> TikTok {
        TikTok { delay, ..self }
    }

    /// What `expire=` in the media links says, in seconds from now.
    pub fn expires_in(mut self, seconds: u64) -> TikTok {
        self.item.expires = unix_now() + seconds;
        self
    }

    /// Makes the page's cookie longer by this many bytes.
    pub fn cookie_padding(mut self, bytes: usize) -> TikTok {
        self.item.cookie_padding = bytes;
        self
    }

    /// Binds the media's links to the address that fetched the page: to any other they answer 403.
    pub fn bound(mut self) -> TikTok {
        self.item.bound = true;
        self
    }

    /// Puts the page and its media on the stage.
    pub fn install(mut self, stage: &Stage) -> Video {
        let mut video = self.install_media(stage);
        video.html = page::html(&self.item);
        video.show_page(stage, |reply| reply);
        if !video.photos.is_empty() {
            let path = video.path.replace("/video/", "/photo/");
            stage.play(PAGES, &path, video.page_reply(video.html.clone()));
        }
        video
    }

    /// Like [`TikTok::install`], with the same page and media at the address of every id of every user.
    pub fn install_for_any_id(mut self, stage: &Stage) -> Video {
        let mut video = self.install_media(stage);
        video.html = page::html(&self.item);
        let any = video.clone();
        stage.play_below(PAGES, "/@", move |path| match path.split_once("/video/") {
            Some((_, id)) => {
                any.any_pages.fetch_add(1, Ordering::Relaxed);
                any.page_reply(any.html.replace(&any.id, id))
            }
            None => Reply::status(404),
        });
        video
    }

    fn install_media(&mut self, stage: &Stage) -> Video {
        let seed = self.item.id.parse::<u64>().unwrap().wrapping_mul(1000);
        let mut video = Video {
            page_url: format!("https://{PAGES}/@{USER}/video/{}", self.item.id),
            path: format!("/@{USER}/video/{}", self.item.id),
            id: self.item.id.clone(),
            key: self.item.key.clone(),
            chain_token: self.item.chain_token(),
            expires: self.item.expires,
            delay: self.delay,
            bound: self.item.bound,
            html: String::new(),
            formats: Vec::new(),
            photos: Vec::new(),
            any_pages: Arc::default(),
        };
        if self.photos == 0 {
            for (index, (codec, class, bitrate, percent)) in LADDER.into_iter().enumerate() {
                let media = Media::new(seed + index as u64, self.size * percent / 100);
                let silent = codec == "bytevc1" && class == "1080p";
                let format_id = format!("{codec}_{class}_{bitrate}");
                let path =
                    video.add(&format_id, media.clone(), if silent { "media-video-hvc1/" } else { "" });
                let said = media.len().saturating_add_signed(self.size_lie);
                let url = self.item.media_url(&path, "video_mp4");
                self.item.renditions.push(Rendition { format_id, bitrate, said, url });
            }
            let best = Media::new(seed, self.size);
            self.item.play = Some(self.item.media_url(&video.add("play", best, ""), "video_mp4"));
            let marked = Media::new(seed + 100, self.size * 11 / 10);
            self.item.download = Some(self.item.media_url(&video.add("download", marked, ""), "video_mp4"));
        }
        if !self.silent {
            let sound = video.add("audio", Media::new(seed + 101, self.size / 10), "");
            self.item.music = self.item.media_url(&sound, "audio_mpeg");
        }
        for format in &video.formats {
            video.play(stage, &format.format_id, |reply| reply);
        }
        for (index, name) in page::IMAGE_NAMES.into_iter().enumerate() {
            let image = Media::new(seed + 200 + index as u64, IMAGE_BYTES);
            stage.play(IMAGES, &self.item.image_path(name), Reply::media(&image).content_type("image/jpeg"));
        }
        for index in 0..self.photos {
            let media = Media::new(seed + 300 + index as u64, IMAGE_BYTES * 4);
            let photo = Photo { media, path: self.item.photo_path(index) };
            photo.play(stage);
            self.item.photos.push(self.item.image_url(&photo.path));
            video.photos.push(photo);
        }
        video
    }
}

/// A page without a video, as TikTok serves it for `status_code` (10204: blocked or gone, 10216: private post,
/// 10222: private account). Gives its address.
pub fn status_page(stage: &Stage, id: &str, status_code: i64) -> String {
    let path = format!("/@{USER}/video/{id}");
    stage.play(PAGES, &path, Reply::html(page::status_html(status_code)));
    format!("https://{PAGES}{path}")
}

/// A post that redirects strangers to the login page. Gives its address.
pub fn login_wall(stage: &Stage, id: &str) -> String {
    let path = format!("/@{USER}/video/{id}");
    stage.play(PAGES, &path, Reply::redirect(302, &format!("https://{PAGES}/login?redirect_url={path}")));
    stage.play(PAGES, "/login", Reply::html("<!DOCTYPE html><title>Log in | TikTok</title>"));
    format!("https://{PAGES}{path}")
}

/// A `vm.tiktok.com` link to `target`. Gives its address.
pub fn short_link(stage: &Stage, code: &str, target: &str) -> String {
    redirect(stage, "vm.tiktok.com", &format!("/{code}"), 301, target)
}

/// An address that redirects to `target`. Gives it whole.
pub fn redirect(stage: &Stage, host: &str, path: &str, status: u16, target: &str) -> String {
    stage.play(host, path, Reply::redirect(status, target));
    format!("https://{host}{path}")
}

fn unix_now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}
