//! `GET`, `POST /extract`: a page's description, with a stream link for each of its files.

mod asked;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderValue, Method, Request, Response};
use serde::Serialize;

use super::body::{self, Body};
use super::error::{ApiError, Code};
use super::rendered::Shape;
use super::tickets::{StreamLink, Tickets};
use super::visit::Visit;
use super::{Api, request};
use crate::admission::Caller;
use crate::extract::{Asker, By, Entry, Format, FormatInfo, Found, Kind, Metadata, Subtitle};
use crate::ticket::Item;

pub use asked::ExtractRequest;
pub(super) use asked::{is_set, page};

/// How JSON is laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layout {
    /// On one line, for programs.
    Line,
    /// With a line for each field, for people.
    Pretty,
}

#[derive(Serialize)]
struct FormatView<'a> {
    #[serde(flatten)]
    info: &'a FormatInfo,
    /// Whether a stream of it says how long it is, and can be had in parts: segments do not.
    length_known: bool,
    ranges: bool,
    #[serde(flatten)]
    link: Option<StreamLink>,
}

#[derive(Serialize)]
struct SubtitleView<'a> {
    ext: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    automatic: bool,
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
    #[serde(skip_serializing_if = "Option::is_none")]
    entries: Option<&'a [Entry]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<String>,
    cached: bool,
}

impl Api {
    pub(super) async fn extract<B>(
        &self,
        request: Request<B>,
        visit: &Visit,
    ) -> Result<Response<Body>, ApiError>
    where
        B: hyper::body::Body<Data = Bytes> + Unpin,
    {
        let caller = self.admitted(&request, visit)?;
        let base_url = self.settings.links.base_url(&request);
        let asked = match *request.method() {
            Method::POST => request::json(request).await?,
            _ => ExtractRequest::of_query(&request)?,
        };
        Ok(json_response(self.described(&asked, &base_url, Layout::Line, (visit, &caller)).await?))
    }

    /// An `Extraction` as JSON, with links that begin with `base_url`, for somebody at this very machine.
    pub async fn describe(
        &self,
        asked: &ExtractRequest,
        base_url: &str,
        layout: Layout,
    ) -> Result<Bytes, ApiError> {
        let visit = Visit::local(Arc::clone(&self.metrics));
        self.described(asked, base_url, layout, (&visit, &Caller::here())).await
    }

    async fn described(
        &self,
        asked: &ExtractRequest,
        base_url: &str,
        layout: Layout,
        (visit, caller): (&Visit, &Caller),
    ) -> Result<Bytes, ApiError> {
        let template = asked.template()?;
        let (ask, fresh) = asked.ask(self.extractor.max_entries())?;
        let Found { extracted, cached } = self.found(visit, caller, &ask, fresh).await?;
        let wish = asked.wish()?;
        let extraction = &extracted.extraction;
        let chosen = match wish.is_nothing() {
            true => None,
            false if extraction.is_playlist() => return Err(no_file_but_entries()),
            false => {
                let asker = Asker(self.admission.number(caller));
                Some(self.chosen(&ask.page, extraction, &wish, asker).await?)
            }
        };
        let tickets = Tickets {
            api: self,
            page: &ask.page,
            extracted: &extracted,
            base_url,
            template: template.as_ref(),
        };
        let make = || laid_out(&view(&tickets, chosen.as_deref(), cached)?, layout);
        match cached && chosen.is_none() && template.is_none() && layout == Layout::Line {
            true => self.rendered.answer(extracted.number, Shape::Extract, base_url, make),
            false => make(),
        }
    }
}

/// What there is to say where a file of a playlist is asked for.
pub(super) fn no_file_but_entries() -> ApiError {
    ApiError::new(
        Code::FormatUnavailable,
        "this page is a playlist, which has no file of its own; /extract lists its entries",
    )
}

pub(super) fn body(value: &impl Serialize) -> Result<Bytes, ApiError> {
    laid_out(value, Layout::Line)
}

fn laid_out(value: &impl Serialize, layout: Layout) -> Result<Bytes, ApiError> {
    let json = match layout {
        Layout::Line => serde_json::to_vec(value),
        Layout::Pretty => serde_json::to_vec_pretty(value),
    };
    Ok(json.map_err(ApiError::internal)?.into())
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
            let is_file = format.delivery.by == Some(By::File) && !format.link.no_resume;
            Ok(FormatView { info: &format.info, length_known: is_file, ranges: is_file, link })
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
        // Of a playlist even where there are none.
        entries: extraction.is_playlist().then_some(&extraction.entries),
        expires_at: rfc3339(tickets.expires_at()),
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
        for (index, Subtitle { ext, name, automatic, .. }) in files.iter().enumerate() {
            let Some(item) = extraction.subtitle_item(language, index) else { continue };
            if let Some(link) = tickets.link(item)? {
                let name = name.as_deref();
                of_language.push(SubtitleView { ext, name, automatic: *automatic, link });
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
