//! A part of a list: where it is, how it is decrypted, and the way to where it is now.

use std::ops::Range;
use std::sync::Arc;

use tokio::sync::Mutex;
use url::Url;

use super::error::RelayError;
use super::listed::Listed;
use super::source::Renewal;
use crate::ticket::Link;

/// A list, for all who are about its segments.
pub(super) type Shared = Arc<Mutex<Listed>>;

/// Which part of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// The segment of this number.
    Segment(u64),
    /// What comes before it.
    MapOf(u64),
}

impl Place {
    pub(super) fn number(self) -> u64 {
        match self {
            Self::Segment(number) | Self::MapOf(number) => number,
        }
    }
}

/// How AES-128 is undone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Cipher {
    pub(super) key: [u8; 16],
    pub(super) iv: [u8; 16],
}

/// Where a part is.
#[derive(Debug, Clone)]
pub(super) struct Piece {
    pub(super) url: Url,
    pub(super) range: Option<Range<u64>>,
    pub(super) cipher: Option<Cipher>,
}

/// A way for a part to a new link: the list that named it.
pub(super) struct ByList {
    pub(super) listed: Shared,
    pub(super) place: Place,
    pub(super) piece: Piece,
    /// [`Listed::renewals`] when the piece was had.
    pub(super) renewals: u32,
}

impl ByList {
    /// The link that this part of the list has now, after the list was had again.
    pub(super) async fn renew(&mut self, refused: &RelayError) -> Result<Link, Renewal> {
        let mut listed = self.listed.lock().await;
        if listed.renewals() == self.renewals {
            match listed.have_again(refused).await {
                Renewal::Done => {}
                renewal => return Err(renewal),
            }
        }
        self.renewals = listed.renewals();
        let piece = listed.piece(self.place).await.map_err(|error| {
            tracing::info!(%error, "the new list does not name it");
            Renewal::Failed
        })?;
        // Otherwise the rest of this one would be that of another.
        if (&piece.range, piece.cipher) != (&self.piece.range, self.piece.cipher) {
            tracing::info!("the new list is cut in another way");
            return Err(Renewal::Failed);
        }
        Ok(listed.link_to(&piece.url))
    }
}
