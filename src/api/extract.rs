//! `GET`, `POST /extract`: a page's description, with a stream link for each of its files.

use std::collections::BTreeMap;
use std::time::{Duration, UNIX_EPOCH};

use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderValue, Method, Request, Response};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::body::{self, Body};
use super::error::{ApiError, Code};
use super::filename::Template;
use super::rendered::Shape;
use super::tickets::{StreamLink, Tickets};
use super::{Api, request};
use crate::extract::{Ask, Entry, Format, FormatInfo, Found, Kind, MAX_ENTRIES, Metadata, PageUrl};
use crate::ticket::Item;

/// Farthest entry of a playlist that an answer can begin at: yt-dlp fetches what lies before it, too.
const MAX_OFFSET: u32 = 10_000;

/// What is asked for.
#[derive(Deserialize)]
pub(super) struct ExtractRequest {
    pub(super) url: Option<String>,
    #[serde(default)]
    pub(super) format: Option<String>,
    #[serde(default)]
    pub(super) filename: Option<String>,
    #[serde(default)]
    fresh: Flag,
    #[serde(default)]
    offset: Option<u32>,
    #[serde(default)]
    limit: Option<u32>,
}

/// `true` or `1`, as JSON or in a query.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Flag(bool);

impl<'de> Deserialize<'de> for Flag {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match Value::deserialize(deserializer)? {
            Value::Null => Ok(Self(false)),
            Value::Bool(flag) => Ok(Self(flag)),
            Value::Number(number) if number.as_u64().is_some_and(|number| number < 2) => {
                Ok(Self(number.as_u64() == Some(1)))
            }
            Value::String(text) => Ok(Self(is_set(&text))),
            _ => Err(serde::de::Error::custom("`fresh` is true or false")),
        }
    }
}

/// Whether a flag's text switches it on.
pub(super) fn is_set(text: &str) -> bool {
    matches!(text, "1" | "true")
}

impl ExtractRequest {
    /// What a query asks for.
    fn of_query<B>(request: &Request<B>) -> Result<Self, ApiError> {
        let number = |name| {
            let parse = |text: String| {
                text.parse().map_err(|_| ApiError::new(Code::BadRequest, format!("`{name}` is no number")))
            };
            request::parameter(request, name).map(parse).transpose()
        };
        Ok(Self {
            url: request::parameter(request, "url"),
            format: request::parameter(request, "format"),
            filename: request::parameter(request, "filename"),
            fresh: Flag(request::parameter(request, "fresh").is_some_and(|text| is_set(&text))),
            offset: number("offset")?,
            limit: number("limit")?,
        })
    }

    /// The page, and whether the site is to be asked again.
    pub(super) fn ask(&self) -> Result<(Ask, bool), ApiError> {
        let limit = self.limit.unwrap_or(MAX_ENTRIES);
        if !(1..=MAX_ENTRIES).contains(&limit) {
            return Err(ApiError::new(Code::BadRequest, format!("`limit` is from 1 to {MAX_ENTRIES}")));
        }
        let offset = self.offset.unwrap_or(0);
        if offset > MAX_OFFSET {
            return Err(ApiError::new(Code::BadRequest, format!("`offset` is at most {MAX_OFFSET}")));
        }
        Ok((Ask { page: page(self.url.as_deref())?, offset, limit }, self.fresh.0))
    }

    /// The template for the names of the files.
    pub(super) fn template(&self) -> Result<Option<Template>, ApiError> {
        Ok(self.filename.as_deref().map(Template::parse).transpose()?)
    }
}

#[derive(Serialize)]
struct FormatView<'a> {
    #[serde(flatten)]
    info: &'a FormatInfo,
    #[serde(flatten)]
    link: Option<StreamLink>,
}

#[derive(Serialize)]
struct SubtitleView<'a> {
    ext: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    #[serde(flatten)]
    link: StreamLink,
}

#[derive(Serialize)]
struct ImageView {
    #[serde(skip_serializing_if = "Option::is_none")]
    width: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    height: Option<u64>,
    #[serde(flatten)]
    link: StreamLink,
}

/// The contract's `Extraction`.
#[derive(Serialize)]
struct ExtractionView<'a> {
    kind: Kind,
    #[serde(flatten)]
    metadata: &'a Metadata,
    #[serde(skip_serializing_if = "Option::is_none")]
    thumbnail: Option<String>,
    formats: Vec<FormatView<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    default_format: Option<&'a str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    images: Vec<ImageView>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    subtitles: BTreeMap<&'a str, Vec<SubtitleView<'a>>>,
    #[serde(skip_serializing_if = "<[Entry]>::is_empty")]
    entries: &'a [Entry],
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<String>,
    cached: bool,
}

impl Api {
    pub(super) async fn extract<B>(&self, request: Request<B>) -> Result<Response<Body>, ApiError>
    where
        B: hyper::body::Body<Data = Bytes> + Unpin,
    {
        let base_url = self.settings.links.base_url(&request);
        let asked = match *request.method() {
            Method::POST => request::json(request).await?,
            _ => ExtractRequest::of_query(&request)?,
        };
        let template = asked.template()?;
        let (ask, fresh) = asked.ask()?;
        let Found { extracted, cached } = self.extractor.extract(&ask, fresh).await?;
        let chosen = match asked.format.filter(|selector| !selector.is_empty()) {
            Some(selector) => Some(self.extractor.select(&extracted.extraction, &selector).await?),
            None => None,
        };
        let tickets = Tickets {
            api: self,
            page: &ask.page,
            extracted: &extracted,
            base_url: &base_url,
            template: template.as_ref(),
        };
        let make = || body(&view(&tickets, chosen.as_deref(), cached)?);
        let body = match cached && chosen.is_none() && template.is_none() {
            true => self.rendered.answer(extracted.number, Shape::Extract, &base_url, make)?,
            false => make()?,
        };
        Ok(json_response(body))
    }
}

/// The page that a client names.
pub(super) fn page(url: Option<&str>) -> Result<PageUrl, ApiError> {
    let url = url.filter(|url| !url.trim().is_empty()).ok_or_else(|| ApiError::missing("url"))?;
    Ok(PageUrl::parse(url)?)
}

pub(super) fn body(value: &impl Serialize) -> Result<Bytes, ApiError> {
    Ok(serde_json::to_vec(value).map_err(ApiError::internal)?.into())
}

pub(super) fn json(value: &impl Serialize) -> Result<Response<Body>, ApiError> {
    Ok(json_response(body(value)?))
}

/// A JSON answer. It holds capabilities, so it is for nobody's cache.
pub(super) fn json_response(bytes: Bytes) -> Response<Body> {
    let mut response = Response::new(body::full(bytes));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

fn view<'a>(
    tickets: &Tickets<'a>,
    chosen: Option<&[String]>,
    cached: bool,
) -> Result<ExtractionView<'a>, ApiError> {
    let extraction = &tickets.extracted.extraction;
    let wanted = |format: &&Format| chosen.is_none_or(|ids| ids.contains(&format.info.format_id));
    let formats = extraction
        .formats
        .iter()
        .filter(wanted)
        .map(|format| {
            let link = tickets.link(Item::Format(format.info.format_id.clone()))?;
            Ok(FormatView { info: &format.info, link })
        })
        .collect::<Result<Vec<_>, ApiError>>()?;
    if chosen.is_some() && formats.is_empty() {
        return Err(ApiError::new(Code::FormatUnavailable, "the selector matches no format"));
    }
    Ok(ExtractionView {
        kind: extraction.kind,
        metadata: &extraction.metadata,
        thumbnail: tickets.link(Item::Thumbnail)?.map(|link| link.stream),
        formats,
        default_format: extraction.default.as_deref(),
        images: images(tickets)?,
        subtitles: subtitles(tickets)?,
        entries: &extraction.entries,
        expires_at: extraction.expires_at.and_then(rfc3339),
        cached,
    })
}

fn images(tickets: &Tickets<'_>) -> Result<Vec<ImageView>, ApiError> {
    let mut views = Vec::new();
    for (index, image) in (0..).zip(&tickets.extracted.extraction.images) {
        if let Some(link) = tickets.link(Item::Image(index))? {
            views.push(ImageView { width: image.width, height: image.height, link });
        }
    }
    Ok(views)
}

fn subtitles<'a>(tickets: &Tickets<'a>) -> Result<BTreeMap<&'a str, Vec<SubtitleView<'a>>>, ApiError> {
    let extraction = &tickets.extracted.extraction;
    let mut views = BTreeMap::new();
    for (language, files) in &extraction.subtitles {
        let mut of_language = Vec::new();
        for file in files {
            let item = Item::Subtitle { language: language.clone(), ext: file.ext.clone() };
            if let Some(link) = tickets.link(item)? {
                of_language.push(SubtitleView { ext: &file.ext, name: file.name.as_deref(), link });
            }
        }
        views.insert(language.as_str(), of_language);
    }
    Ok(views)
}

fn rfc3339(unix_seconds: u64) -> Option<String> {
    let time = UNIX_EPOCH.checked_add(Duration::from_secs(unix_seconds))?;
    Some(humantime::format_rfc3339_seconds(time).to_string())
}
