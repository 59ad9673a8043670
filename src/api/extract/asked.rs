//! What is asked for, in a query or as JSON.

use http::Request;
use serde::Deserialize;
use serde_json::Value;

use crate::api::choice::Wish;
use crate::api::error::{ApiError, Code};
use crate::api::filename::Template;
use crate::api::request::{number, parameter};
use crate::extract::{Ask, PageUrl};

/// Farthest entry of a playlist that an answer can begin at: yt-dlp fetches what lies before it, too.
const MAX_OFFSET: u32 = 10_000;

/// What is asked for.
#[derive(Debug, Default, Deserialize)]
pub struct ExtractRequest {
    /// The page; required.
    pub(crate) url: Option<String>,
    /// yt-dlp's selector.
    #[serde(default)]
    pub(crate) format: Option<String>,
    /// Most bytes of the format that is chosen.
    #[serde(default)]
    pub(crate) max_bytes: Option<u64>,
    /// Template of the files' names.
    #[serde(default)]
    pub(crate) filename: Option<String>,
    /// Whether the site is to be asked again.
    #[serde(default)]
    pub(crate) fresh: Flag,
    /// Of a playlist: entries left out at its beginning.
    #[serde(default)]
    pub(crate) offset: Option<u32>,
    /// Of a playlist: most entries.
    #[serde(default)]
    pub(crate) limit: Option<u32>,
}

/// `true` or `1`, as JSON or in a query.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Flag(bool);

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
pub(in crate::api) fn is_set(text: &str) -> bool {
    matches!(text, "1" | "true")
}

impl ExtractRequest {
    /// What a query asks for.
    pub(super) fn of_query<B>(request: &Request<B>) -> Result<Self, ApiError> {
        Ok(Self {
            url: parameter(request, "url"),
            format: parameter(request, "format"),
            filename: parameter(request, "filename"),
            fresh: Flag(parameter(request, "fresh").is_some_and(|text| is_set(&text))),
            max_bytes: number(request, "max_bytes")?,
            offset: number(request, "offset")?,
            limit: number(request, "limit")?,
        })
    }

    /// The page, and whether the site is to be asked again; of a playlist at most `max_entries`.
    pub(in crate::api) fn ask(&self, max_entries: u32) -> Result<(Ask, bool), ApiError> {
        let limit = self.limit.unwrap_or(max_entries);
        if !(1..=max_entries).contains(&limit) {
            return Err(ApiError::new(Code::BadRequest, format!("`limit` is from 1 to {max_entries}")));
        }
        let offset = self.offset.unwrap_or(0);
        if offset > MAX_OFFSET {
            return Err(ApiError::new(Code::BadRequest, format!("`offset` is at most {MAX_OFFSET}")));
        }
        Ok((Ask { page: page(self.url.as_deref())?, offset, limit }, self.fresh.0))
    }

    /// Which of the page's formats.
    pub(in crate::api) fn wish(&self) -> Result<Wish, ApiError> {
        Wish::new(self.format.clone(), self.max_bytes)
    }

    /// The template for the names of the files.
    pub(in crate::api) fn template(&self) -> Result<Option<Template>, ApiError> {
        Ok(self.filename.as_deref().map(Template::parse).transpose()?)
    }
}

/// The page that a client names.
pub(in crate::api) fn page(url: Option<&str>) -> Result<PageUrl, ApiError> {
    let url = url.filter(|url| !url.trim().is_empty()).ok_or_else(|| ApiError::missing("url"))?;
    Ok(PageUrl::parse(url)?)
}
