//! What an extraction holds. The field names are yt-dlp's; unknown values are absent.

mod delivery;

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::egress::Route;
use crate::ticket::{AvatarSize, Item, Link};

pub use delivery::{By, Delivery};

/// What a page is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// One video.
    Video,
    /// Sound without picture.
    Audio,
    /// A photo post.
    Photos,
    /// Several pages.
    Playlist,
}

/// What the site says about the page: the part of an extraction that clients see as it is.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Metadata {
    /// The site's id of the video.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// Title, shortened by some extractors.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// Full text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// The author's handle, where the site has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uploader: Option<String>,
    /// The author's id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uploader_id: Option<String>,
    /// The author's page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uploader_url: Option<String>,
    /// The author's display name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub channel: Option<String>,
    /// The channel's id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub channel_id: Option<String>,
    /// Seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration: Option<f64>,
    /// Time of publication, Unix seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timestamp: Option<i64>,
    /// Views.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub view_count: Option<u64>,
    /// Likes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub like_count: Option<u64>,
    /// Comments.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comment_count: Option<u64>,
    /// Shares.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repost_count: Option<u64>,
    /// Title of the music.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub track: Option<String>,
    /// Who made the music.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub artists: Option<Vec<String>>,
    /// Album of the music.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub album: Option<String>,
    /// The page, as the site calls it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub webpage_url: Option<String>,
    /// yt-dlp's extractor that answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub extractor: Option<String>,
    /// Whether it is being broadcast now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub is_live: Option<bool>,
    /// Of a playlist: how many entries it has in all, where that is known without asking for them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub playlist_count: Option<u64>,
}

/// What clients see of a format.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct FormatInfo {
    /// Unique among the page's formats.
    pub format_id: String,
    /// File extension.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ext: Option<String>,
    /// yt-dlp's protocol: `https`, `m3u8_native`, …
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub protocol: Option<String>,
    /// Pixels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub width: Option<u64>,
    /// Pixels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub height: Option<u64>,
    /// Frames per second.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fps: Option<f64>,
    /// Codec of the picture, `none` where there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vcodec: Option<String>,
    /// Codec of the sound, `none` where there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub acodec: Option<String>,
    /// kbit/s in all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tbr: Option<f64>,
    /// kbit/s of the picture.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vbr: Option<f64>,
    /// kbit/s of the sound.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub abr: Option<f64>,
    /// Bytes, as the site says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub filesize: Option<u64>,
    /// Bytes, estimated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub filesize_approx: Option<u64>,
    /// Language of the sound.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub language: Option<String>,
    /// The extractor's remark.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub format_note: Option<String>,
    /// Whether the site's mark is in the picture; absent where the site does not tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub watermarked: Option<bool>,
}

impl FormatInfo {
    /// Whether there is a picture, as far as yt-dlp knows.
    pub fn has_picture(&self) -> bool {
        self.vcodec.as_deref() != Some("none")
    }

    /// Whether there is sound, as far as yt-dlp knows.
    pub fn has_sound(&self) -> bool {
        self.acodec.as_deref() != Some("none")
    }
}

/// One way to have the video.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Format {
    /// What clients see.
    #[serde(flatten)]
    pub info: FormatInfo,
    /// How its bytes are had; where it can't be streamed, unset.
    #[serde(default, flatten)]
    pub delivery: Delivery,
    /// Whether no player is known to play it.
    #[serde(default)]
    pub unplayable: bool,
    /// Where it is.
    #[serde(flatten)]
    pub link: Link,
    /// Fields that only yt-dlp's selector looks at.
    #[serde(flatten)]
    pub rest: Map<String, Value>,
}

/// A format, for the selector.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Offer<'a> {
    /// Which.
    #[serde(flatten)]
    pub format: &'a Format,
    /// Whether it counts for what the page has, and is not to be chosen.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub too_large: bool,
}

/// A file of subtitles.
#[derive(Debug, Clone, Deserialize)]
pub struct Subtitle {
    /// File extension.
    pub ext: String,
    /// The language's name, where the site gives one.
    #[serde(default)]
    pub name: Option<String>,
    /// Whether a machine wrote them.
    #[serde(default)]
    pub automatic: bool,
    /// How its bytes are had.
    #[serde(default, flatten)]
    pub delivery: Delivery,
    /// Where it is.
    #[serde(flatten)]
    pub link: Link,
}

/// An image of a photo post.
#[derive(Debug, Clone, Deserialize)]
pub struct Image {
    /// Pixels.
    #[serde(default)]
    pub width: Option<u64>,
    /// Pixels.
    #[serde(default)]
    pub height: Option<u64>,
    /// Where it is.
    #[serde(flatten)]
    pub link: Link,
}

/// A page of a playlist.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Entry {
    /// The site's id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// Title.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// Its page, to be extracted in its turn.
    pub url: String,
}

/// What a page holds.
#[derive(Debug, Clone, Deserialize)]
pub struct Extraction {
    /// What the page is about.
    pub kind: Kind,
    /// What the site says about it.
    #[serde(flatten)]
    pub metadata: Metadata,
    /// Best first.
    #[serde(default)]
    pub formats: Vec<Format>,
    /// `format_id` of what plays everywhere, a file or segments (`pyenv/sluice/choose.py`).
    #[serde(default)]
    pub default: Option<String>,
    /// Picture of the page.
    #[serde(default)]
    pub thumbnail: Option<Link>,
    /// Of a photo post, whose `formats` are its sound alone.
    #[serde(default)]
    pub images: Vec<Image>,
    /// The author's picture.
    #[serde(default)]
    pub avatars: BTreeMap<AvatarSize, Link>,
    /// What the author says of themselves.
    #[serde(default)]
    pub signature: Option<String>,
    /// Seconds of the music that the post takes its sound from.
    #[serde(default)]
    pub music_duration: Option<u64>,
    /// By language.
    #[serde(default)]
    pub subtitles: BTreeMap<String, Vec<Subtitle>>,
    /// Pages of a playlist.
    #[serde(default)]
    pub entries: Vec<Entry>,
    /// Unix seconds: earliest expiry of the links.
    #[serde(default)]
    pub expires_at: Option<u64>,
}

impl Extraction {
    /// Whether the page is several pages, with no file of its own.
    pub fn is_playlist(&self) -> bool {
        self.kind == Kind::Playlist
    }

    /// The format with this id.
    pub fn format(&self, format_id: &str) -> Option<&Format> {
        self.formats.iter().find(|format| format.info.format_id == format_id)
    }

    /// All that this page holds.
    pub fn items(&self) -> impl Iterator<Item = Item> {
        let formats = self.formats.iter().map(|format| Item::Format(format.info.format_id.clone()));
        let subtitles = self.subtitles.iter().flat_map(|(language, files)| {
            (0..files.len()).filter_map(|index| self.subtitle_item(language, index))
        });
        let images = (0..).zip(&self.images).map(|(index, _)| Item::Image(index));
        let avatars = self.avatars.keys().map(|size| Item::Avatar(*size));
        formats.chain([Item::Thumbnail]).chain(images).chain(avatars).chain(subtitles)
    }

    /// Notes by which way all that this page holds is to be fetched.
    pub(super) fn leave_by(&mut self, route: &Route) {
        let formats = self.formats.iter_mut().map(|format| &mut format.link);
        let subtitles = self.subtitles.values_mut().flatten().map(|file| &mut file.link);
        let images = self.images.iter_mut().map(|image| &mut image.link);
        let pictures = self.thumbnail.iter_mut().chain(self.avatars.values_mut());
        for link in formats.chain(subtitles).chain(images).chain(pictures) {
            link.route = route.clone();
        }
    }

    /// The item that a file of subtitles is: the how-manyth of its kind in that language.
    pub fn subtitle_item(&self, language: &str, index: usize) -> Option<Item> {
        let files = self.subtitles.get(language)?;
        let Subtitle { ext, automatic, .. } = files.get(index)?;
        let alike = |file: &&Subtitle| file.ext == *ext && file.automatic == *automatic;
        let nth = u32::try_from(files[..index].iter().filter(alike).count()).ok()?;
        Some(Item::Subtitle { language: language.to_owned(), ext: ext.clone(), automatic: *automatic, nth })
    }

    fn subtitle(&self, item: &Item) -> Option<&Subtitle> {
        let Item::Subtitle { language, ext, automatic, nth } = item else { return None };
        let files = self.subtitles.get(language)?.iter();
        let mut alike = files.filter(|file| file.ext == *ext && file.automatic == *automatic);
        alike.nth(usize::try_from(*nth).ok()?)
    }

    /// Where an item of this page is, and how its bytes are had; nothing where they are not.
    pub fn source(&self, item: &Item) -> Option<(&Link, By, &Delivery)> {
        static FILE: LazyLock<Delivery> = LazyLock::new(Delivery::default);
        let file = |link| Some((link, By::File, &*FILE));
        let (link, delivery) = match item {
            Item::Format(id) => self.format(id).map(|format| (&format.link, &format.delivery))?,
            Item::Subtitle { .. } => self.subtitle(item).map(|file| (&file.link, &file.delivery))?,
            Item::Thumbnail => return self.thumbnail.as_ref().and_then(file),
            Item::Image(index) => {
                return self.images.get(usize::try_from(*index).ok()?).and_then(|image| file(&image.link));
            }
            Item::Avatar(size) => return self.avatars.get(size).and_then(file),
        };
        Some((link, delivery.by?, delivery))
    }
}

#[cfg(test)]
mod tests;
