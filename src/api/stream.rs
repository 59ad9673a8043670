//! `GET`, `HEAD /stream`: the bytes behind a ticket, or those of a page's best format.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::header::{
    ACCEPT_RANGES, CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, ETAG,
    LAST_MODIFIED, X_CONTENT_TYPE_OPTIONS,
};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode, Version};
use hyper::body::{Frame, SizeHint};

use super::body::{self, Body};
use super::choice::Wish;
use super::client::{ClientConnection, Outlet};
use super::content::content;
use super::error::{ApiError, Code};
use super::extract::{is_set, no_file_but_entries, page};
use super::filename::Template;
use super::request::{number, parameter};
use super::subtitles::Conversion;
use super::visit::Visit;
use super::{Api, Door, filename, tickets};
use crate::admission::{Caller, StreamPass};
use crate::extract::{Asker, PageUrl};
use crate::relay::{Broken, Content, Opened, Origin, Sent, StreamBody, Wanted};
use crate::ticket::{Item, Ticket};

pub(super) const X_FILENAME: HeaderName = HeaderName::from_static("x-filename");

impl Api {
    pub(super) async fn stream<B>(
        &self,
        request: Request<B>,
        visit: &Visit,
    ) -> Result<Response<Body>, ApiError> {
        if self.is_draining() {
            return Err(ApiError::new(Code::Draining, "the server is shutting down"));
        }
        let template = parameter(&request, "filename").as_deref().map(Template::parse).transpose()?;
        let template = template.as_ref();
        let token = parameter(&request, "data");
        let caller = match &token {
            // It is the permission itself; a key says only whose limits count.
            Some(_) => self.holder(&request, visit),
            None => self.admitted(&request, visit)?,
        };
        // Before there is work for what will not be served.
        let pass = self.admission.stream(&caller).map_err(|refusal| self.refused(visit, refusal))?;
        let (origin, name) = match token {
            Some(token) => self.behind_token(&token, template, (visit, &caller)).await?,
            None => self.behind_page(&request, template, (visit, &caller)).await?,
        };
        visit.leaves_by(origin.content.link().route.egress.as_ref());
        let inline = parameter(&request, "inline").is_some_and(|value| value == "1");
        if let Some(conversion) = Conversion::of(&origin, parameter(&request, "as").as_deref())? {
            let how = (request.method(), inline);
            return self.subtitles(origin, &conversion, &name, how, pass).await;
        }
        let wanted = Wanted::of(request.method() == Method::HEAD, request.headers());
        let opened = self.relay.open(origin, &wanted).await?;
        let name = match opened.container {
            Some(container) => filename::with_extension(&name, container.extensions()),
            None => name,
        };
        Ok(respond(&request, opened, &name, inline, Passage { visit: visit.clone(), pass }))
    }

    async fn behind_token(
        &self,
        token: &str,
        template: Option<&Template>,
        (visit, caller): (&Visit, &Caller),
    ) -> Result<(Origin, String), ApiError> {
        visit.shows(token);
        let Ticket { page, item, filename, link } = self.sealer.open(token)?;
        let parsed = PageUrl::parse(&page)?;
        visit.about(&parsed);
        let (filename, of_page) = match template {
            Some(template) if template.has_fields() => (filename, Some(template)),
            Some(literal) => (tickets::renamed(&item, &filename, literal), None),
            None => (filename, None),
        };
        if let (Some(link), None) = (&link, of_page) {
            let content = Content::File(link.clone());
            return Ok((Origin { page, item, content }, filename));
        }
        // The link did not fit into the token, or there are many, or the name asks for what only the page says: have it again.
        let ask = self.extractor.whole(parsed);
        let allowance = self.admission.extraction(caller).map_err(|refusal| self.refused(visit, refusal))?;
        visit.allow(allowance);
        let asker = Asker(self.admission.number(caller));
        let found = self.extractor.extract(&ask, false, asker).await?;
        let extraction = &found.extracted.extraction;
        let content =
            content(extraction, &item).ok_or_else(|| ApiError::not_there("the page has it no more"))?;
        let filename = match of_page {
            Some(template) => tickets::named(extraction, &item, content.link(), Some(template)),
            None => filename,
        };
        Ok((Origin { page, item, content }, filename))
    }

    async fn behind_page<B>(
        &self,
        request: &Request<B>,
        template: Option<&Template>,
        (visit, caller): (&Visit, &Caller),
    ) -> Result<(Origin, String), ApiError> {
        let url = parameter(request, "url").ok_or_else(|| ApiError::missing("data"))?;
        if self.settings.closed.contains(&Door::StreamUrl) {
            return Err(ApiError::new(Code::RouteNotFound, "no streams by page address here"));
        }
        let fresh = parameter(request, "fresh").is_some_and(|text| is_set(&text));
        let wish = Wish::new(parameter(request, "format"), number(request, "max_bytes")?)?;
        let ask = self.extractor.whole(page(Some(&url))?);
        let found = self.found(visit, caller, &ask, fresh).await?;
        let extraction = &found.extracted.extraction;
        if extraction.is_playlist() {
            return Err(no_file_but_entries());
        }
        let asker = Asker(self.admission.number(caller));
        let chosen = self.chosen(&ask.page, extraction, &wish, asker).await?;
        let format_id =
            chosen.into_iter().next().ok_or_else(|| ApiError::not_there("no format was chosen"))?;
        let item = Item::Format(format_id.clone());
        let Some(content) = content(extraction, &item) else {
            return Err(ApiError::not_there(format!(
                "format {format_id} is of a kind that can't be streamed"
            )));
        };
        let name = tickets::named(extraction, &item, content.link(), template);
        Ok((Origin { page: ask.page.as_str().to_owned(), item, content }, name))
    }
}

fn respond<B>(
    request: &Request<B>,
    opened: Opened,
    name: &str,
    inline: bool,
    passage: Passage,
) -> Response<Body> {
    let mut response = Response::new(body::empty());
    *response.status_mut() = match &opened.sent {
        Sent::Whole => StatusCode::OK,
        Sent::Part(_) => StatusCode::PARTIAL_CONTENT,
        Sent::NotModified => StatusCode::NOT_MODIFIED,
    };
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    describe(&opened, headers);
    if opened.sent != Sent::NotModified {
        let upstream = opened.entity.content_type.as_ref().and_then(|value| value.to_str().ok());
        headers.insert(CONTENT_TYPE, filename::content_type(name, upstream));
        if let Some(disposition) = filename::disposition(name, inline) {
            headers.insert(CONTENT_DISPOSITION, disposition);
        }
        if let Ok(name) = HeaderValue::try_from(filename::encoded(name)) {
            headers.insert(X_FILENAME, name);
        }
    }
    let length = opened.length();
    if let Some(stream) = opened.body {
        let client = request.extensions().get::<ClientConnection>();
        let outlet = client.map(|client| client.outlet.clone()).unwrap_or_default();
        // HTTP/1.0 may end a body by closing, so that a cut must be a reset to be seen.
        if request.version() < Version::HTTP_11 && length != Some(0) {
            outlet.arm();
        }
        outlet.stream(true);
        passage.visit.streams();
        *response.body_mut() = body::stream(Outgoing { stream, outlet, sent: 0, passage });
    }
    response
}

/// What the CDN says of the file, and which part of it this is.
fn describe(opened: &Opened, headers: &mut HeaderMap) {
    let Opened { sent, entity, .. } = opened;
    if entity.takes_ranges {
        headers.insert(ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    }
    for (name, value) in [(ETAG, &entity.etag), (LAST_MODIFIED, &entity.last_modified)] {
        if let Some(value) = value {
            headers.insert(name, value.clone());
        }
    }
    if let Some(length) = opened.length() {
        headers.insert(CONTENT_LENGTH, length.into());
    }
    if let Sent::Part(range) = sent {
        let total = entity.total.map_or_else(|| "*".to_owned(), |total| total.to_string());
        let text = format!("bytes {}-{}/{total}", range.start, range.end - 1);
        if let Ok(value) = HeaderValue::try_from(text) {
            headers.insert(CONTENT_RANGE, value);
        }
    }
}

/// What a stream leaves behind: its line in the log, and what its client has had.
struct Passage {
    visit: Visit,
    pass: StreamPass,
}

/// A stream that tells its outlet how it goes on.
struct Outgoing {
    stream: StreamBody,
    outlet: Outlet,
    /// Bytes that the client was given.
    sent: u64,
    passage: Passage,
}

impl hyper::body::Body for Outgoing {
    type Data = Bytes;
    type Error = Broken;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        let frame = Pin::new(&mut self.stream).poll_frame(cx);
        if let Poll::Ready(Some(Ok(frame))) = &frame {
            let bytes = frame.data_ref().map_or(0, Bytes::len) as u64;
            self.sent += bytes;
            self.passage.pass.spend(bytes);
        }
        // hyper does not ask for the end of a body whose length it knows.
        let ended = matches!(frame, Poll::Ready(None)) || self.stream.size_hint().exact() == Some(0);
        if ended {
            self.outlet.disarm();
        }
        self.outlet.expect_more(!ended && matches!(frame, Poll::Ready(Some(Ok(_)))));
        match &frame {
            Poll::Ready(Some(Ok(_))) => self.outlet.offer(),
            Poll::Pending => self.outlet.wait_for_client(self.stream.is_held_back()),
            Poll::Ready(_) => {}
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        // Nor of one that says after its last frame that this was it.
        let ended = self.stream.is_end_stream();
        if ended {
            self.outlet.disarm();
            self.outlet.expect_more(false);
        }
        ended
    }

    fn size_hint(&self) -> SizeHint {
        self.stream.size_hint()
    }
}

impl Drop for Outgoing {
    fn drop(&mut self) {
        self.passage.visit.streamed(self.sent, self.stream.resumes());
        self.outlet.stream(false);
        self.outlet.expect_more(false);
        self.outlet.wait_for_client(false);
    }
}
