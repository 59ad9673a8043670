//! Small files that are read whole: playlists and keys.

use std::future::poll_fn;
use std::io::Read as _;
use std::time::Duration;

use flate2::read::GzDecoder;
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

/// All of a file of at most `most` bytes, and the address that gave it, redirects followed. What passes is tried again.
pub(super) async fn load(means: &Means, link: &Link, most: usize) -> Result<(Url, Vec<u8>), RelayError> {
    let mut pauses = PAUSES.iter();
    loop {
        let failure = match timeout(DEADLINE, load_once(means, link, most)).await {
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

async fn load_once(means: &Means, link: &Link, most: usize) -> Result<(Url, Vec<u8>), RelayError> {
    let ask = Ask { takes_gzip: true, ..Ask::default() };
    let (url, Reply::Whole(entity, body)) = fetch_from(&means.client, link, &ask).await? else {
        return Err(RelayError::WrongPart);
    };
    let mut bytes = Vec::new();
    read_into(&mut bytes, &mut Part::new(body, entity.total), most, means.silence).await?;
    match entity.gzip {
        true => Ok((url, unpacked(&bytes, most)?)),
        false => Ok((url, bytes)),
    }
}

/// What is packed (RFC 1952), of at most `most` bytes.
fn unpacked(packed: &[u8], most: usize) -> Result<Vec<u8>, RelayError> {
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
    loop {
        let next = timeout(silence, poll_fn(|cx| part.poll_data(cx))).await;
        let Some(data) = next.map_err(|_| RelayError::Broken)?.map_err(|_| RelayError::Broken)? else {
            return Ok(());
        };
        if bytes.len() + data.len() > most {
            return Err(RelayError::TooLong(most));
        }
        bytes.extend_from_slice(&data);
    }
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
