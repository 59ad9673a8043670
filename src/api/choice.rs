//! Which of a page's formats a client gets: by yt-dlp's selector or by default, and within a size.

use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream;
use tokio::time::timeout;

use super::Api;
use super::content::content;
use super::error::{ApiError, Code};
use crate::extract::{Asker, By, Delivery, Extraction, Format, PageUrl};
use crate::relay::Origin;
use crate::ticket::Item;

/// Most formats whose size the site's servers are asked for.
const MAX_ASKED: usize = 16;
/// How many of them at a time.
const ASKED_AT_ONCE: usize = 4;
/// Longest wait for one of them.
const ASK_TIMEOUT: Duration = Duration::from_secs(10);

/// What is wanted of a page.
#[derive(Debug, Default)]
pub(super) struct Wish {
    /// yt-dlp's selector; unset, what plays everywhere.
    pub(super) selector: Option<String>,
    /// Most bytes of the file.
    pub(super) max_bytes: Option<u64>,
}

impl Wish {
    /// Refuses a limit that nothing could be within.
    pub(super) fn new(selector: Option<String>, max_bytes: Option<u64>) -> Result<Self, ApiError> {
        match max_bytes {
            Some(0) => Err(ApiError::new(Code::BadRequest, "`max_bytes` is at least 1")),
            _ => Ok(Self { selector: selector.filter(|selector| !selector.is_empty()), max_bytes }),
        }
    }

    /// Whether it is the same for everybody who wishes for nothing.
    pub(super) fn is_nothing(&self) -> bool {
        self.selector.is_none() && self.max_bytes.is_none()
    }
}

impl Api {
    /// The ids of the formats that a wish comes to, at least one.
    pub(super) async fn chosen(
        &self,
        page: &PageUrl,
        extraction: &Extraction,
        wish: &Wish,
        asker: Asker,
    ) -> Result<Vec<String>, ApiError> {
        let Some(most) = wish.max_bytes else {
            let Some(selector) = &wish.selector else {
                let default = extraction.default.clone().ok_or_else(|| no_default(extraction))?;
                return Ok(vec![default]);
            };
            let formats: Vec<_> = extraction.formats.iter().collect();
            return Ok(self.extractor.select(&formats, selector, asker).await?);
        };
        let fit = self.within(page, extraction, most).await;
        if fit.is_empty() {
            return Err(ApiError::not_there(format!(
                "no format of this page is known to have at most {most} bytes"
            )));
        }
        let Some(selector) = &wish.selector else {
            // All of them count for what kind of page this is: one of videos has no sound for a default.
            let formats = without_others(extraction, &fit);
            let formats: Vec<_> = formats.iter().collect();
            return Ok(self.extractor.select(&formats, "", asker).await?);
        };
        Ok(self.extractor.select(&fit, selector, asker).await?)
    }

    /// The formats that have at most so many bytes, as far as that can be known.
    async fn within<'a>(&self, page: &PageUrl, extraction: &'a Extraction, most: u64) -> Vec<&'a Format> {
        let streamable = extraction.formats.iter().filter(|format| format.delivery.by.is_some());
        let is_asked =
            |format: &Format| format.info.filesize.is_none() && format.delivery.by == Some(By::File);
        let mut asked = 0;
        let sizes = streamable.map(|format| {
            let ask = is_asked(format) && asked < MAX_ASKED;
            asked += usize::from(ask);
            async move {
                let size = match ask {
                    true => self.size(page, extraction, format).await,
                    false => known_size(extraction, format),
                };
                (format, size)
            }
        });
        // In their order, best first.
        let sizes = stream::iter(sizes.collect::<Vec<_>>()).buffered(ASKED_AT_ONCE);
        let fit = sizes.filter(|(_, size)| std::future::ready(size.is_some_and(|size| size <= most)));
        fit.map(|(format, _)| format).collect().await
    }

    async fn size(&self, page: &PageUrl, extraction: &Extraction, format: &Format) -> Option<u64> {
        let item = Item::Format(format.info.format_id.clone());
        let content = content(extraction, &item)?;
        let origin = Origin { page: page.as_str().to_owned(), item, content };
        match timeout(ASK_TIMEOUT, self.relay.size(origin)).await {
            Ok(Ok(size)) => size,
            Ok(Err(error)) => {
                tracing::info!(%error, format_id = format.info.format_id, "the size is not known");
                None
            }
            Err(_) => None,
        }
    }
}

/// All formats of a page, of which these alone can be had.
fn without_others(extraction: &Extraction, these: &[&Format]) -> Vec<Format> {
    let is_there = |format: &Format| these.iter().any(|fit| std::ptr::eq(*fit, format));
    let strip = |format: &Format| Format { delivery: Delivery::default(), ..format.clone() };
    let formats = extraction.formats.iter();
    formats.map(|format| if is_there(format) { format.clone() } else { strip(format) }).collect()
}

/// What the page says: of segments an estimate, for nobody counts them before they are sent.
fn known_size(extraction: &Extraction, Format { info, delivery, .. }: &Format) -> Option<u64> {
    if info.filesize.is_some() || delivery.by == Some(By::File) {
        return info.filesize;
    }
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "`as` saturates")]
    let by_rate = || Some((info.tbr? * 1000.0 / 8.0 * extraction.metadata.duration?).ceil() as u64);
    info.filesize_approx.or_else(by_rate).filter(|size| *size > 0)
}

fn no_default(extraction: &Extraction) -> ApiError {
    ApiError::not_there(match extraction.images.is_empty() {
        true => "the page has no format with picture and sound in one that can be streamed",
        false => "this post holds photos and no sound; /extract lists the photos",
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_the_page_says_of_a_size() {
        let extraction: Extraction = serde_json::from_value(json!({
            "kind": "video",
            "duration": 10.0,
            "formats": [
                {"format_id": "said", "url": "https://a.example/", "by": "hls", "filesize": 7, "tbr": 800.0},
                {"format_id": "guessed", "url": "https://a.example/", "by": "hls", "filesize_approx": 9},
                {"format_id": "rated", "url": "https://a.example/", "by": "fragments", "tbr": 800.0},
                {"format_id": "unknown", "url": "https://a.example/", "by": "hls"},
                {"format_id": "file", "url": "https://a.example/", "by": "file", "filesize_approx": 9, "tbr": 1.0},
            ],
        }))
        .unwrap();
        let sizes = extraction.formats.iter().map(|format| known_size(&extraction, format));
        // Of a file there is somebody to ask, so that nobody has to guess.
        assert_eq!(sizes.collect::<Vec<_>>(), [Some(7), Some(9), Some(1_000_000), None, None]);
    }

    #[test]
    fn a_wish_that_nothing_answers_is_refused() {
        assert_eq!(Wish::new(None, Some(0)).unwrap_err().code, Code::BadRequest);
        assert!(Wish::new(Some(String::new()), None).unwrap().is_nothing());
        assert!(!Wish::new(None, Some(1)).unwrap().is_nothing());
    }
}
