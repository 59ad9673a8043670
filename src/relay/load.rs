//! Small files that are read whole: playlists and keys.

use std::future::poll_fn;
use std::time::Duration;

use tokio::time::{sleep, timeout};
use url::Url;

use super::error::RelayError;
use super::failure::Failure;
use super::listed::Means;
use super::part::Part;
use super::upstream::{Ask, Reply, fetch_from};
use crate::ticket::Link;

/// Longest pauses before each further try, in milliseconds.
const PAUSES: [u64; 3] = [50, 250, 750];

/// All of a file of at most `most` bytes, and the address that gave it, redirects followed. What passes is tried again.
pub(super) async fn load(means: &Means, link: &Link, most: usize) -> Result<(Url, Vec<u8>), RelayError> {
    let mut pauses = PAUSES.iter();
    loop {
        let failure = match load_once(means, link, most).await {
            Ok(loaded) => return Ok(loaded),
            Err(error) => Failure::from(error),
        };
        let (true, Some(pause)) = (failure.may_pass(), pauses.next()) else {
            return Err(failure.into_error());
        };
        tracing::info!(%failure, "a list or key is asked for again");
        sleep(Duration::from_millis(fastrand::u64(pause / 2..=*pause))).await;
    }
}

async fn load_once(means: &Means, link: &Link, most: usize) -> Result<(Url, Vec<u8>), RelayError> {
    let (url, Reply::Whole(entity, body)) = fetch_from(&means.client, link, &Ask::default()).await? else {
        return Err(RelayError::WrongPart);
    };
    let mut bytes = Vec::new();
    read_into(&mut bytes, &mut Part::new(body, entity.total), most, means.silence).await?;
    Ok((url, bytes))
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
