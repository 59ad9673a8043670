//! The limit on open files, and how many streams it leaves room for.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Files that are not streams': listeners, the log, Python's connections, clients that only ask.
const OTHER_FILES: u64 = 256;
/// Files of a stream: the client's socket, the upstream's, and one more while it moves to the next.
const FILES_PER_STREAM: u64 = 3;

/// Raises the soft limit on open files to the hard one (a soft one of 1,024 would end near 500 streams), and gives
/// as many of `wanted` streams as it has room for.
pub fn streams_within_limit(wanted: usize) -> usize {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: limit.maximum, ..limit };
    let files = match setrlimit(Resource::Nofile, raised) {
        Ok(()) => limit.maximum,
        Err(error) => {
            tracing::warn!(%error, "the limit on open files can't be raised");
            limit.current
        }
    };
    let streams = files.map_or(wanted, |files| room(files).min(wanted));
    let files = files.map_or_else(|| "unlimited".to_owned(), |files| files.to_string());
    if streams < wanted {
        tracing::warn!(
            files,
            "MAX_STREAMS is {streams} instead of {wanted}: the limit on open files allows no more"
        );
    } else {
        tracing::info!(files, streams, "limits");
    }
    streams
}

fn room(files: u64) -> usize {
    let streams = files.saturating_sub(OTHER_FILES) / FILES_PER_STREAM;
    usize::try_from(streams).unwrap_or(usize::MAX).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_leaves_room_for_a_third_of_it() {
        for (files, streams) in [(20_000, 6581), (1024, 256), (256, 1), (0, 1)] {
            assert_eq!(room(files), streams, "{files}");
        }
    }
}
