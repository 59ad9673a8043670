//! The shape that clients of the seed's server read. What is not known is absent.

use serde::Serialize;

#[derive(Serialize)]
pub(super) struct Answer {
    pub(super) code: u16,
    pub(super) message: &'static str,
    pub(super) status: &'static str,
    pub(super) data: Data,
    #[serde(flatten)]
    pub(super) about: About,
    pub(super) statistics: Statistics,
    pub(super) author: Author,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) cover: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) audio: Option<String>,
    pub(super) download_link: DownloadLink,
    /// Of a photo post.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) photos: Vec<Photo>,
}

#[derive(Serialize)]
pub(super) struct Data {
    pub(super) video_data: Vec<VideoData>,
}

#[derive(Serialize)]
pub(super) struct VideoData {
    pub(super) url: String,
    pub(super) format: String,
    pub(super) format_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) quality: Option<String>,
    pub(super) extension: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) filesize: Option<u64>,
    #[serde(rename = "streamData")]
    pub(super) stream_data: String,
}

#[derive(Serialize)]
pub(super) struct About {
    pub(super) title: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) description: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) artist: Option<String>,
    /// Milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) duration: Option<u64>,
    /// Milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) music_duration: Option<u64>,
}

#[derive(Serialize)]
pub(super) struct Statistics {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) play_count: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) digg_count: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) comment_count: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) share_count: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) repost_count: Option<u64>,
}

#[derive(Serialize)]
pub(super) struct Author {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) nickname: Option<String>,
    #[serde(rename = "uniqueId", skip_serializing_if = "Option::is_none")]
    pub(super) unique_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) signature: Option<String>,
    /// The largest there is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) avatar: Option<String>,
    #[serde(rename = "avatarThumb", skip_serializing_if = "Option::is_none")]
    pub(super) avatar_thumb: Option<String>,
    #[serde(rename = "avatarMedium", skip_serializing_if = "Option::is_none")]
    pub(super) avatar_medium: Option<String>,
    #[serde(rename = "avatarLarger", skip_serializing_if = "Option::is_none")]
    pub(super) avatar_larger: Option<String>,
}

#[derive(Serialize)]
pub(super) struct Photo {
    #[serde(rename = "type")]
    pub(super) kind: &'static str,
    pub(super) url: String,
}

/// One link, or those of all photos.
#[derive(Serialize)]
#[serde(untagged)]
pub(super) enum Links {
    One(String),
    All(Vec<String>),
}

#[derive(Default, Serialize)]
pub(super) struct DownloadLink {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) watermark: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) watermark_hd: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) no_watermark: Option<Links>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) no_watermark_hd: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) mp3: Option<String>,
}
