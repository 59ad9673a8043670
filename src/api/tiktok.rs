//! `POST /tiktok`: the shape that clients of the seed's server read.

mod choice;
mod shape;

use bytes::Bytes;
use http::{Request, Response};

use self::choice::{download_link, rank, size_class};
use self::shape::{About, Answer, Author, Data, Links, Photo, Statistics, VideoData};
use super::body::Body;
use super::error::{ApiError, Code};
use super::extract::{ExtractRequest, body, json_response};
use super::rendered::Shape;
use super::tickets::{StreamLink, Tickets};
use super::visit::Visit;
use super::{Api, request};
use crate::extract::{Extraction, Format, Found};
use crate::ticket::{AvatarSize, Item};

/// Domains whose pages this endpoint takes, by the parsed host.
const DOMAINS: [&str; 4] = ["tiktok.com", "tiktokv.com", "douyin.com", "iesdouyin.com"];

impl Api {
    pub(super) async fn tiktok<B>(
        &self,
        request: Request<B>,
        visit: &Visit,
    ) -> Result<Response<Body>, ApiError>
    where
        B: hyper::body::Body<Data = Bytes> + Unpin,
    {
        let caller = self.admitted(&request, visit)?;
        let base_url = self.settings.links.base_url(&request);
        let asked: ExtractRequest = request::json(request).await?;
        let template = asked.template()?;
        let (ask, fresh) = asked.ask(self.extractor.max_entries())?;
        if !ask.page.is_within(&DOMAINS) {
            let detail = "this endpoint takes TikTok and Douyin pages; /extract takes all others";
            return Err(ApiError::new(Code::UnsupportedUrl, detail));
        }
        let Found { extracted, cached } = self.found(visit, &caller, &ask, fresh).await?;
        if extracted.extraction.is_playlist() {
            let detail =
                "this page is a playlist; /extract lists its entries, each of which this endpoint takes";
            return Err(ApiError::new(Code::UnsupportedUrl, detail));
        }
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
    let extraction = &tickets.extracted.extraction;
    let mut streamable = Vec::new();
    for format in &extraction.formats {
        if let Some(link) = tickets.link(Item::Format(format.info.format_id.clone()))? {
            streamable.push((format, link));
        }
    }
    // The sort is stable: among equals, yt-dlp's order stays.
    streamable.sort_by_key(|(format, _)| rank(format));
    let mut download_link = download_link(&streamable);
    let photos = photos(tickets)?;
    if !photos.is_empty() {
        download_link.no_watermark = Some(Links::All(photos.iter().map(|photo| photo.url.clone()).collect()));
    }
    Ok(Answer {
        code: 0,
        message: "Success",
        status: if photos.is_empty() { "tunnel" } else { "picker" },
        about: about(extraction),
        statistics: statistics(extraction),
        author: author(tickets)?,
        cover: link(tickets, Item::Thumbnail)?,
        audio: streamable
            .iter()
            .find(|(format, _)| !format.info.has_picture())
            .map(|(_, link)| link.stream.clone()),
        download_link,
        photos,
        data: Data { video_data: streamable.into_iter().map(video_data).collect() },
    })
}

fn link(tickets: &Tickets<'_>, item: Item) -> Result<Option<String>, ApiError> {
    Ok(tickets.link(item)?.map(|link| link.stream))
}

fn photos(tickets: &Tickets<'_>) -> Result<Vec<Photo>, ApiError> {
    let mut photos = Vec::new();
    for (index, _) in (0..).zip(&tickets.extracted.extraction.images) {
        photos.extend(link(tickets, Item::Image(index))?.map(|url| Photo { kind: "photo", url }));
    }
    Ok(photos)
}

fn author(tickets: &Tickets<'_>) -> Result<Author, ApiError> {
    let Extraction { metadata, signature, .. } = &tickets.extracted.extraction;
    let avatar = |size| link(tickets, Item::Avatar(size));
    let (thumb, medium, larger) =
        (avatar(AvatarSize::Thumb)?, avatar(AvatarSize::Medium)?, avatar(AvatarSize::Larger)?);
    Ok(Author {
        nickname: metadata.channel.clone(),
        unique_id: metadata.uploader.clone(),
        signature: signature.clone(),
        avatar: larger.clone().or_else(|| medium.clone()).or_else(|| thumb.clone()),
        avatar_thumb: thumb,
        avatar_medium: medium,
        avatar_larger: larger,
    })
}

fn statistics(Extraction { metadata, .. }: &Extraction) -> Statistics {
    Statistics {
        play_count: metadata.view_count,
        digg_count: metadata.like_count,
        comment_count: metadata.comment_count,
        share_count: metadata.repost_count,
        repost_count: metadata.repost_count,
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

fn about(Extraction { metadata, music_duration, .. }: &Extraction) -> About {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "`as` saturates")]
    let millis = |seconds: f64| (seconds * 1000.0).round() as u64;
    About {
        title: metadata.title.clone().unwrap_or_default(),
        description: metadata.description.clone(),
        artist: metadata.artists.as_ref().map(|artists| artists.join(", ")),
        duration: metadata.duration.map(millis),
        music_duration: music_duration.map(|seconds| seconds.saturating_mul(1000)),
    }
}
