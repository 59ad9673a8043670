//! Small files that are read whole: playlists and keys.

use std::future::poll_fn;
use std::io::Read as _;
use std::time::Duration;

use bytes::Bytes;
use flate2::read::GzDecoder;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{sleep, timeout};
use url::Url;

use super::error::RelayError;
use super::failure::Failure;
use super::lists::Means;
use super::part::Part;
use super::upstream::{Ask, Reply, fetch_from};
use crate::egress::EgressError;
use crate::ticket::Link;

/// Longest time for one try.
const DEADLINE: Duration = Duration::from_secs(60);
/// Longest pauses before each further try, in milliseconds.
const PAUSES: [u64; 3] = [50, 250, 750];

/// A file that was read.
pub(super) struct Loaded {
    /// The address that gave it, redirects followed.
    pub(super) url: Url,
    pub(super) bytes: Vec<u8>,
    /// Whether it is packed by gzip (RFC 1952), whatever was asked for.
    pub(super) gzip: bool,
    /// Its room, until it is not needed any more.
    _room: Option<OwnedSemaphorePermit>,
}

/// All of a file of at most `most` bytes, for `free` of which there is room already. What passes is tried again.
pub(super) async fn load(means: &Means, link: &Link, most: usize, free: usize) -> Result<Loaded, RelayError> {
    let mut pauses = PAUSES.iter();
    loop {
        let failure = match timeout(DEADLINE + link.wait(), load_once(means, link, most, free)).await {
            Ok(Ok(loaded)) => return Ok(loaded),
            Ok(Err(error)) => Failure::from(error),
            Err(_) => Failure::from(RelayError::Egress(EgressError::Timeout)),
        };
        let (true, Some(pause)) = (failure.may_pass(), pauses.next()) else {
            return Err(failure.into_error());
        };
        tracing::info!(%failure, "a list or key is asked for again");
        sleep(Duration::from_millis(fastrand::u64(pause / 2..=*pause))).await;
    }
}

async fn load_once(means: &Means, link: &Link, most: usize, free: usize) -> Result<Loaded, RelayError> {
    let ask = Ask { takes_gzip: true, ..Ask::default() };
    let (url, Reply::Whole(entity, body)) = fetch_from(&means.client, link, &ask).await? else {
        return Err(RelayError::WrongPart);
    };
    let (mut bytes, mut part) = (Vec::new(), Part::new(body, entity.total));
    let mut room = None;
    while let Some(data) = next(&mut part, means.silence).await? {
        take(&mut bytes, &data, most)?;
        match (&mut room, bytes.len().saturating_sub(free)) {
            (_, 0) => {}
            (None, more) => room = Some(means.room_for(more)?),
            (Some(room), more) => means.fit(room, more)?,
        }
    }
    Ok(Loaded { url, bytes, gzip: entity.gzip, _room: room })
}

/// What is packed (RFC 1952), of at most `most` bytes.
pub(super) fn unpacked(packed: &[u8], most: usize) -> Result<Vec<u8>, RelayError> {
    let mut bytes = Vec::new();
    let mut reader = GzDecoder::new(packed).take(most as u64 + 1);
    reader.read_to_end(&mut bytes).map_err(|_| RelayError::Encoded)?;
    if bytes.len() > most { Err(RelayError::TooLong(most)) } else { Ok(bytes) }
}

/// Appends the rest of a part, up to `most` bytes in all.
pub(super) async fn read_into(
    bytes: &mut Vec<u8>,
    part: &mut Part,
    most: usize,
    silence: Duration,
) -> Result<(), RelayError> {
    while let Some(data) = next(part, silence).await? {
        take(bytes, &data, most)?;
    }
    Ok(())
}

async fn next(part: &mut Part, silence: Duration) -> Result<Option<Bytes>, RelayError> {
    let next = timeout(silence, poll_fn(|cx| part.poll_data(cx))).await;
    next.map_err(|_| RelayError::Broken)?.map_err(|_| RelayError::Broken)
}

fn take(bytes: &mut Vec<u8>, data: &Bytes, most: usize) -> Result<(), RelayError> {
    if bytes.len() + data.len() > most {
        return Err(RelayError::TooLong(most));
    }
    bytes.extend_from_slice(data);
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::*;

    #[test]
    fn a_packed_list_is_read_within_its_limit() {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(&[b'x'; 1 << 20]).unwrap();
        let packed = encoder.finish().unwrap();
        assert_eq!(unpacked(&packed, 1 << 20).unwrap().len(), 1 << 20);
        assert!(matches!(unpacked(&packed, (1 << 20) - 1), Err(RelayError::TooLong(_))));
        assert!(matches!(unpacked(&packed[..packed.len() - 9], 1 << 20), Err(RelayError::Encoded)));
        assert!(matches!(unpacked(b"#EXTM3U", 1 << 20), Err(RelayError::Encoded)));
    }
}
