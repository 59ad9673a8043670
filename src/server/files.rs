//! The limit on open files, and how many streams and connections it leaves room for.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Files that are not streams': listeners, the log, Python's connections, clients that only ask.
const OTHER_FILES: u64 = 256;
/// Those of them that are no client's.
const OWN_FILES: u64 = 128;
/// Files of a stream: the client's socket, the upstream's, and one more while it moves to the next.
const FILES_PER_STREAM: u64 = 3;
/// Where there are fewer files than that, clients have this part of them.
const LEAST_PART: u64 = 4;

/// How much there may be at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Room {
    /// Streams.
    pub streams: usize,
    /// Clients' connections, those of streams among them.
    pub connections: usize,
}

/// Raises the soft limit on open files to the hard one (a soft one of 1,024 would end near 500 streams), and gives as
/// many of the wanted streams as it has room for, and as many of the connections; all that fit, where none are said.
pub fn room_within_limit(streams: usize, connections: Option<usize>) -> Room {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: limit.maximum, ..limit };
    let files = match setrlimit(Resource::Nofile, raised) {
        Ok(()) => limit.maximum,
        Err(error) => {
            tracing::warn!(%error, "the limit on open files can't be raised");
            limit.current
        }
    };
    let room = room(files.unwrap_or(u64::MAX), streams, connections);
    let files = files.map_or_else(|| "unlimited".to_owned(), |files| files.to_string());
    for (name, wanted, has) in
        [("MAX_STREAMS", Some(streams), room.streams), ("MAX_CONNECTIONS", connections, room.connections)]
    {
        if let Some(wanted) = wanted.filter(|wanted| has < *wanted) {
            tracing::warn!(
                files,
                "{name} is {has} instead of {wanted}: the limit on open files allows no more"
            );
        }
    }
    tracing::info!(files, streams = room.streams, connections = room.connections, "limits");
    room
}

/// The limits on open files, the soft and the hard one, of which the server will have the second.
pub fn file_limits() -> (u64, u64) {
    let limit = getrlimit(Resource::Nofile);
    (limit.current.unwrap_or(u64::MAX), limit.maximum.unwrap_or(u64::MAX))
}

/// The limit on open files that so many streams need.
pub fn files_for(streams: usize) -> u64 {
    OTHER_FILES.saturating_add(FILES_PER_STREAM.saturating_mul(streams as u64))
}

/// What so many open files leave room for.
pub fn room(files: u64, streams: usize, connections: Option<usize>) -> Room {
    let number = |count: u64| usize::try_from(count).unwrap_or(usize::MAX);
    let streams = number(files.saturating_sub(OTHER_FILES) / FILES_PER_STREAM).max(1).min(streams);
    // A stream's client is one of the connections.
    let of_streams = (FILES_PER_STREAM - 1).saturating_mul(streams as u64);
    let left = files.saturating_sub(OWN_FILES).saturating_sub(of_streams);
    let most = number(left.max(files / LEAST_PART)).max(1);
    Room { streams, connections: connections.map_or(most, |wanted| wanted.min(most)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_leaves_room_for_a_third_of_it() {
        for (files, streams, connections) in
            [(20_000, 6581, 6710), (1024, 256, 384), (256, 1, 126), (64, 1, 16), (0, 1, 1)]
        {
            assert_eq!(room(files, 1_000_000, None), Room { streams, connections }, "{files}");
        }
        assert_eq!(room(20_000, 4096, None).connections, 11_680);
        assert_eq!(room(20_000, 4096, Some(50)), Room { streams: 4096, connections: 50 });
        assert_eq!(room(1024, 4096, Some(5000)), Room { streams: 256, connections: 384 });
        assert_eq!(room(u64::MAX, 4096, Some(5000)), Room { streams: 4096, connections: 5000 });
    }
}
