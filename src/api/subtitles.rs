//! Subtitles in the form that is asked for. They are small, and read whole.

use http::header::{
    CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_LENGTH, CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS,
};
use http::{HeaderValue, Method, Response};
use tokio::task::spawn_blocking;

use super::body::{self, Body};
use super::error::{ApiError, Code};
use super::stream::X_FILENAME;
use super::{Api, filename};
use crate::admission::StreamPass;
use crate::captions::{self, Form};
use crate::relay::{Content, Origin};
use crate::ticket::Item;

/// Subtitles that are not sent as they are.
#[derive(Debug, Clone, Copy)]
pub(super) struct Conversion {
    from: Form,
    to: Form,
}

impl Conversion {
    /// What has to be done to send an item as `wanted`; nothing where its bytes are what is wanted.
    pub(super) fn of(origin: &Origin, wanted: Option<&str>) -> Result<Option<Self>, ApiError> {
        let from = match &origin.item {
            Item::Subtitle { ext, .. } => Form::of(ext),
            _ => None,
        };
        let Some(wanted) = wanted else {
            // Each segment is a file of its own, which would stand in the middle of the one before it.
            let from = from.filter(|_| matches!(origin.content, Content::Segments(_)));
            return Ok(from.map(|from| Self { from, to: from }));
        };
        let to = Form::of(wanted).ok_or_else(|| ApiError::new(Code::BadRequest, "`as` is `vtt` or `srt`"))?;
        let from = from.ok_or_else(|| {
            ApiError::new(Code::BadRequest, "`as` is for subtitles, and of those for vtt and srt")
        })?;
        Ok(Some(Self { from, to }))
    }
}

impl Api {
    /// Reads subtitles and writes them in another form.
    pub(super) async fn subtitles(
        &self,
        origin: Origin,
        conversion: &Conversion,
        name: &str,
        (method, inline): (&Method, bool),
        mut pass: StreamPass,
    ) -> Result<Response<Body>, ApiError> {
        let (segments, held) = self.relay.read(origin, self.settings.subtitle_bytes).await?;
        let Conversion { from, to } = *conversion;
        let converting = spawn_blocking(move || {
            let texts: Vec<_> = segments.iter().map(|bytes| String::from_utf8_lossy(bytes)).collect();
            captions::convert(&texts.iter().map(AsRef::as_ref).collect::<Vec<_>>(), from, to)
        });
        let text = converting.await.map_err(ApiError::internal)?;
        let text = text.map_err(|error| ApiError::new(Code::UpstreamError, error.to_string()))?;
        let name = filename::with_extension(name, &[conversion.to.ext()]);
        let length = text.len() as u64;
        let is_head = method == Method::HEAD;
        pass.spend(if is_head { 0 } else { length });
        let mut response =
            Response::new(if is_head { body::empty() } else { body::kept(text, (held, pass)) });
        let headers = response.headers_mut();
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        headers.insert(CONTENT_TYPE, filename::content_type(&name, None));
        headers.insert(CONTENT_LENGTH, length.into());
        if let Some(disposition) = filename::disposition(&name, inline) {
            headers.insert(CONTENT_DISPOSITION, disposition);
        }
        if let Ok(name) = HeaderValue::try_from(filename::encoded(&name)) {
            headers.insert(X_FILENAME, name);
        }
        Ok(response)
    }
}
