//! Which of a page's formats a client gets: by yt-dlp's selector or by default, and within a size.

use std::time::{Duration, Instant};

use futures_util::StreamExt as _;
use futures_util::stream;
use tokio::time::timeout_at;

use super::Api;
use super::content::content;
use super::error::{ApiError, Code};
use crate::extract::{Asker, By, Extraction, Format, Offer, PageUrl};
use crate::relay::{Origin, RelayError};
use crate::ticket::Item;

/// Most formats whose size the site's servers are asked for.
const MAX_ASKED: usize = 16;
/// How many of them at a time.
const ASKED_AT_ONCE: usize = 4;
/// Longest wait for all of them.
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
            let offers: Vec<_> =
                extraction.formats.iter().map(|format| Offer { format, too_large: false }).collect();
            return Ok(self.extractor.select(&offers, selector, asker).await?);
        };
        let offers = self.within(page, extraction, most).await?;
        if offers.iter().all(|offer| offer.too_large) {
            let detail = format!("no format of this page is known to have at most {most} bytes");
            return Err(ApiError::not_there(detail));
        }
        // Without a selector, what plays everywhere is chosen among them.
        Ok(self.extractor.select(&offers, wish.selector.as_deref().unwrap_or_default(), asker).await?)
    }

    /// All formats, and which have more than so many bytes, or may have, as far as that can be known.
    async fn within<'a>(
        &self,
        page: &PageUrl,
        extraction: &'a Extraction,
        most: u64,
    ) -> Result<Vec<Offer<'a>>, ApiError> {
        let wait = extraction.formats.iter().map(|format| format.link.wait()).max().unwrap_or_default();
        let deadline = Instant::now() + ASK_TIMEOUT + wait;
        let mut asked = 0;
        let sizes = extraction.formats.iter().map(|format| {
            let is_asked = format.info.filesize.is_none() && format.delivery.by == Some(By::File);
            let ask = is_asked && asked < MAX_ASKED;
            asked += usize::from(ask);
            async move {
                let size = match ask {
                    true => self.size(page, extraction, format, deadline).await?,
                    false => known_size(extraction, format),
                };
                let fits = format.delivery.by.is_some() && size.is_some_and(|size| size <= most);
                Ok(Offer { format, too_large: !fits })
            }
        });
        // In their order, best first.
        let offers = stream::iter(sizes.collect::<Vec<_>>()).buffered(ASKED_AT_ONCE);
        offers.collect::<Vec<_>>().await.into_iter().collect()
    }

    /// What the CDN says.
    async fn size(
        &self,
        page: &PageUrl,
        extraction: &Extraction,
        format: &Format,
        deadline: Instant,
    ) -> Result<Option<u64>, ApiError> {
        let item = Item::Format(format.info.format_id.clone());
        let Some(content) = content(extraction, &item) else { return Ok(None) };
        let url = content.link().url.clone();
        if let Some(size) = self.sizes.get(&url) {
            return Ok(Some(size));
        }
        let origin = Origin { page: page.as_str().to_owned(), item, content };
        match timeout_at(deadline.into(), self.relay.size(origin)).await {
            Ok(Ok(Some(size))) => {
                self.sizes.insert(url, size);
                Ok(Some(size))
            }
            Ok(Err(error @ RelayError::Full)) => Err(error.into()),
            Ok(Err(error)) => {
                tracing::info!(%error, format_id = format.info.format_id, "the size is not known");
                Ok(None)
            }
            Ok(Ok(None)) | Err(_) => Ok(None),
        }
    }
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
