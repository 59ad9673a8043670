//! `POST /tiktok`: the shape that clients of the seed's server read.

use bytes::Bytes;
use http::{Request, Response};
use serde::Serialize;

use super::body::Body;
use super::error::{ApiError, Code};
use super::extract::{ExtractRequest, body, json_response};
use super::rendered::Shape;
use super::tickets::{StreamLink, Tickets};
use super::{Api, request};
use crate::extract::{Format, FormatInfo, Found, Metadata};
use crate::ticket::Item;

/// Domains whose pages this endpoint takes, by the parsed host.
const DOMAINS: [&str; 4] = ["tiktok.com", "tiktokv.com", "douyin.com", "iesdouyin.com"];
/// Smallest picture, by its shorter side, that counts as HD.
const HD: u64 = 720;

#[derive(Serialize)]
struct Answer {
    code: u16,
    message: &'static str,
    status: &'static str,
    data: Data,
    #[serde(flatten)]
    about: About,
    statistics: Statistics,
    author: Author,
    #[serde(skip_serializing_if = "Option::is_none")]
    cover: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    audio: Option<String>,
    download_link: DownloadLink,
}

#[derive(Serialize)]
struct Data {
    video_data: Vec<VideoData>,
}

#[derive(Serialize)]
struct VideoData {
    url: String,
    format: String,
    format_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    quality: Option<String>,
    extension: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    filesize: Option<u64>,
    #[serde(rename = "streamData")]
    stream_data: String,
}

#[derive(Serialize)]
struct About {
    title: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    artist: Option<String>,
    /// Milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    duration: Option<u64>,
}

#[derive(Serialize)]
struct Statistics {
    #[serde(skip_serializing_if = "Option::is_none")]
    play_count: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    digg_count: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    comment_count: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    share_count: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    repost_count: Option<u64>,
}

#[derive(Serialize)]
struct Author {
    #[serde(skip_serializing_if = "Option::is_none")]
    nickname: Option<String>,
    #[serde(rename = "uniqueId", skip_serializing_if = "Option::is_none")]
    unique_id: Option<String>,
}

#[derive(Default, Serialize)]
struct DownloadLink {
    #[serde(skip_serializing_if = "Option::is_none")]
    watermark: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    watermark_hd: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    no_watermark: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    no_watermark_hd: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    mp3: Option<String>,
}

impl Api {
    pub(super) async fn tiktok<B>(&self, request: Request<B>) -> Result<Response<Body>, ApiError>
    where
        B: hyper::body::Body<Data = Bytes> + Unpin,
    {
        let base_url = self.settings.links.base_url(&request);
        let asked: ExtractRequest = request::json(request).await?;
        let template = asked.template()?;
        let (ask, fresh) = asked.ask()?;
        if !ask.page.is_within(&DOMAINS) {
            let detail = "this endpoint takes TikTok and Douyin pages; /extract takes all others";
            return Err(ApiError::new(Code::UnsupportedUrl, detail));
        }
        let Found { extracted, cached } = self.extractor.extract(&ask, fresh).await?;
        let tickets = Tickets {
            api: self,
            page: &ask.page,
            extracted: &extracted,
            base_url: &base_url,
            template: template.as_ref(),
        };
        let make = || body(&answer(&tickets)?);
        let body = match cached && template.is_none() {
            true => self.rendered.answer(extracted.number, Shape::Tiktok, &base_url, make)?,
            false => make()?,
        };
        Ok(json_response(body))
    }
}

fn answer(tickets: &Tickets<'_>) -> Result<Answer, ApiError> {
    let mut streamable = Vec::new();
    for format in &tickets.extracted.extraction.formats {
        if let Some(link) = tickets.link(Item::Format(format.info.format_id.clone()))? {
            streamable.push((format, link));
        }
    }
    // The sort is stable: among equals, yt-dlp's order stays.
    streamable.sort_by_key(|(format, _)| rank(format));
    let metadata = &tickets.extracted.extraction.metadata;
    Ok(Answer {
        code: 0,
        message: "Success",
        status: "tunnel",
        about: about(metadata),
        statistics: Statistics {
            play_count: metadata.view_count,
            digg_count: metadata.like_count,
            comment_count: metadata.comment_count,
            share_count: metadata.repost_count,
            repost_count: metadata.repost_count,
        },
        author: Author { nickname: metadata.channel.clone(), unique_id: metadata.uploader.clone() },
        cover: tickets.link(Item::Thumbnail)?.map(|link| link.stream),
        audio: streamable
            .iter()
            .find(|(format, _)| !format.info.has_picture())
            .map(|(_, link)| link.stream.clone()),
        download_link: download_link(&streamable),
        data: Data { video_data: streamable.into_iter().map(video_data).collect() },
    })
}

/// Sorts the best first: picture with sound before picture alone before sound; what plays before what does
/// not; the unmarked before the marked; the larger before the smaller; h264 before the rest at the same size.
fn rank(Format { info, unplayable, .. }: &Format) -> impl Ord + use<> {
    let kind = match (info.has_picture(), info.has_sound()) {
        (true, true) => 0,
        (true, false) => 1,
        (false, _) => 2,
    };
    let size = std::cmp::Reverse(size_class(info).unwrap_or(0));
    (kind, *unplayable, is_watermarked(info), size, !is_h264(info))
}

fn is_watermarked(info: &FormatInfo) -> bool {
    info.watermarked == Some(true)
}

fn is_h264(info: &FormatInfo) -> bool {
    info.vcodec.as_deref().is_some_and(|codec| codec.starts_with("h264") || codec.starts_with("avc"))
}

/// The shorter side in pixels, as TikTok names sizes: its 540p has 576.
fn size_class(info: &FormatInfo) -> Option<u64> {
    match info.width?.min(info.height?) {
        576 => Some(540),
        side => Some(side),
    }
}

fn download_link(streamable: &[(&Format, StreamLink)]) -> DownloadLink {
    let best = |wanted: &dyn Fn(&FormatInfo) -> bool| {
        let mut playable = streamable.iter().filter(|(format, _)| !format.unplayable);
        playable.find(|(format, _)| wanted(&format.info)).map(|(_, link)| link.stream.clone())
    };
    let complete = |info: &FormatInfo| info.has_picture() && info.has_sound();
    let is_hd = |info: &FormatInfo| size_class(info).is_some_and(|class| class >= HD);
    let unmarked = |info: &FormatInfo| complete(info) && !is_watermarked(info);
    let marked = |info: &FormatInfo| complete(info) && is_watermarked(info);
    DownloadLink {
        watermark: best(&marked),
        watermark_hd: best(&|info| marked(info) && is_hd(info)),
        no_watermark: best(&|info| unmarked(info) && is_h264(info)).or_else(|| best(&unmarked)),
        no_watermark_hd: best(&|info| unmarked(info) && is_hd(info)),
        mp3: best(&|info| !info.has_picture()),
    }
}

fn video_data((Format { info, .. }, link): (&Format, StreamLink)) -> VideoData {
    let extension = info.ext.clone().unwrap_or_else(|| "mp4".to_owned());
    let quality = size_class(info).map(|class| format!("{class}p"));
    let format = match (info.has_picture(), &quality) {
        (true, Some(quality)) => format!("video-{quality}"),
        (true, None) => format!("video-{}", info.format_id),
        (false, _) => format!("audio-{extension}"),
    };
    VideoData {
        url: link.stream,
        format,
        format_id: info.format_id.clone(),
        quality,
        extension,
        filesize: info.filesize,
        stream_data: link.token,
    }
}

fn about(metadata: &Metadata) -> About {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "`as` saturates")]
    let millis = |seconds: f64| (seconds * 1000.0).round() as u64;
    About {
        title: metadata.title.clone().unwrap_or_default(),
        description: metadata.description.clone(),
        artist: metadata.artists.as_ref().map(|artists| artists.join(", ")),
        duration: metadata.duration.map(millis),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde_json::Map;

    use super::*;
    use crate::ticket::Link;

    fn format(id: &str, vcodec: &str, acodec: &str, side: u64) -> Format {
        let info = FormatInfo {
            format_id: id.into(),
            ext: Some(if vcodec == "none" { "mp3" } else { "mp4" }.into()),
            vcodec: Some(vcodec.into()),
            acodec: Some(acodec.into()),
            width: (side > 0).then_some(side),
            height: (side > 0).then_some(side * 16 / 9),
            watermarked: Some(id.starts_with("download")),
            ..FormatInfo::default()
        };
        let link = Link { url: String::new(), headers: BTreeMap::new(), cookies: Vec::new(), chunk: None };
        Format { info, single: true, unplayable: vcodec == "bytevc2", link, rest: Map::new() }
    }

    fn sorted(formats: &[Format]) -> Vec<(&Format, StreamLink)> {
        let link = |id: &String| StreamLink { stream: id.clone(), token: String::new() };
        let mut formats: Vec<_> =
            formats.iter().map(|format| (format, link(&format.info.format_id))).collect();
        formats.sort_by_key(|(format, _)| rank(format));
        formats
    }

    #[test]
    fn the_best_comes_first_and_links_mean_what_they_say() {
        let infos = [
            format("audio", "none", "mp3", 0),
            format("silent_1080", "h265", "none", 1080),
            format("bytevc2_1080", "bytevc2", "aac", 1080),
            format("h265_1080", "h265", "aac", 1080),
            format("h265_720", "h265", "aac", 720),
            format("h264_720", "h264", "aac", 720),
            format("h264_540", "h264", "aac", 576),
            format("download", "h264", "aac", 720),
        ];
        let formats = sorted(&infos);
        let order: Vec<_> = formats.iter().map(|(format, _)| format.info.format_id.as_str()).collect();
        assert_eq!(
            order,
            [
                "h265_1080",
                "h264_720",
                "h265_720",
                "h264_540",
                "download",
                "bytevc2_1080",
                "silent_1080",
                "audio"
            ]
        );
        let links = download_link(&formats);
        assert_eq!(links.watermark.as_deref(), Some("download"));
        assert_eq!(links.watermark_hd.as_deref(), Some("download"));
        assert_eq!(links.no_watermark.as_deref(), Some("h264_720"));
        assert_eq!(links.no_watermark_hd.as_deref(), Some("h265_1080"));
        assert_eq!(links.mp3.as_deref(), Some("audio"));
        let entries: Vec<_> = formats.into_iter().map(video_data).collect();
        assert_eq!(entries[3].format, "video-540p");
        assert_eq!(entries[3].quality.as_deref(), Some("540p"));
        assert_eq!(entries[7].format, "audio-mp3");
    }

    #[test]
    fn what_is_not_there_is_absent() {
        let infos = [format("download", "h264", "aac", 360), format("bytevc2", "bytevc2", "aac", 1080)];
        let links = download_link(&sorted(&infos));
        assert_eq!(links.watermark.as_deref(), Some("download"));
        assert!(links.watermark_hd.is_none() && links.no_watermark.is_none() && links.mp3.is_none());
        assert!(links.no_watermark_hd.is_none());
    }
}
