//! Streams of segments, and what else is to be had of an item: its size, and its text.

use std::time::Duration;

use tokio::time::timeout;

use super::Relay;
use super::container::Container;
use super::content::Listing;
use super::entity::{Entity, Verdict};
use super::error::RelayError;
use super::feed::{Feed, Stretch};
use super::listed::Listed;
use super::open::{Opened, Sent, Wanted, look};
use super::reach::{Pass, Reached};
use super::resume::Progress;
use super::source::{Origin, Page};
use super::stream::StreamBody;
use crate::egress::EgressError;

/// Longest wait for a first byte, over the list, a key, and whatever has to be tried again.
const DEADLINE: Duration = Duration::from_secs(120);
/// Longest time for all of what is read whole: 2,400 segments of subtitles, four hours of them, at three a second.
const READ_DEADLINE: Duration = Duration::from_secs(900);

impl Relay {
    /// Neither length nor validators are known of segments, and so there are no ranges.
    pub(super) async fn open_segments(
        &self,
        (guard, permit): Pass,
        page: Page,
        listing: Listing,
        wanted: &Wanted,
    ) -> Result<Opened, RelayError> {
        let entity = Entity::default();
        match wanted.conditions.judge(&entity) {
            Verdict::Failed => return Err(RelayError::PreconditionFailed),
            Verdict::NotModified => return Ok(Opened::without_body(Sent::NotModified, entity)),
            Verdict::Send => {}
        }
        let opening = async {
            let mut feed = Feed::new(Listed::open(self.means(), page, listing).await?);
            let first = feed.next().await?.ok_or(RelayError::NoSegments)?;
            let mut body = StreamBody::of_segments(first, feed, &self.settings, guard, permit);
            let container = Container::of(body.look().await?);
            Ok::<_, RelayError>((body, container))
        };
        // A list may grow without ever holding a byte.
        let opened = timeout(DEADLINE, opening).await.map_err(|_| EgressError::Timeout)?;
        let (body, container) = opened?;
        let body = match wanted.head {
            true => {
                body.leave();
                None
            }
            false => Some(body),
        };
        Ok(Opened { sent: Sent::Whole, entity, body, container })
    }

    /// Bytes of an item, as the CDN says; none of segments, and where it does not say.
    pub async fn size(&self, origin: Origin) -> Result<Option<u64>, RelayError> {
        let _pass = self.pass()?;
        match self.reach(origin) {
            Reached::File(mut source) => Ok(look(&mut source).await?.total),
            Reached::Segments(..) => Ok(None),
        }
    }

    /// All of an item, of at most `most` bytes, each of its segments by itself; of a live one what is listed now. It
    /// counts as a stream until what comes along with it is dropped.
    pub async fn read(&self, origin: Origin, most: usize) -> Result<(Vec<Vec<u8>>, Held), RelayError> {
        let held = Held { _pass: self.pass()? };
        let reading = self.read_whole(origin, most);
        let segments = timeout(READ_DEADLINE, reading).await.map_err(|_| EgressError::Timeout)??;
        Ok((segments, held))
    }

    async fn read_whole(&self, origin: Origin, most: usize) -> Result<Vec<Vec<u8>>, RelayError> {
        let silence = self.settings.idle;
        let (page, listing) = match self.reach(origin) {
            Reached::File(source) => {
                let progress = Box::new(Progress::unopened(source, None, silence));
                let mut bytes = Vec::new();
                Stretch::open(progress, None).await?.read_into(&mut bytes, most, silence).await?;
                return Ok(vec![bytes]);
            }
            Reached::Segments(page, listing) => (page, Listing { complete: true, ..listing }),
        };
        let mut feed = Feed::new(Listed::open(self.means(), page, listing).await?);
        let (mut segments, mut left) = (Vec::new(), most);
        while let Some(stretch) = feed.next().await? {
            let mut bytes = Vec::new();
            stretch.read_into(&mut bytes, left, silence).await.map_err(|error| match error {
                RelayError::TooLong(_) => RelayError::TooLong(most),
                error => error,
            })?;
            left -= bytes.len();
            segments.push(bytes);
        }
        Ok(segments)
    }
}

/// A place among the streams.
pub struct Held {
    _pass: Pass,
}
