//! The task that moves one upstream body into its channel.

use std::time::Duration;

use http_body_util::BodyExt;
use hyper::body::Incoming;
use tokio::time::timeout;

use super::channel::{Gone, Sender};
use crate::telemetry::StreamGuard;

/// How a stream ended, for the log and the metrics.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Complete,
    ClientGone,
    ClientStuck,
    UpstreamBroken,
    UpstreamStuck,
}

impl End {
    fn label(self) -> &'static str {
        match self {
            Self::Complete => "complete",
            Self::ClientGone => "client_gone",
            Self::ClientStuck => "client_stuck",
            Self::UpstreamBroken => "upstream_broken",
            Self::UpstreamStuck => "upstream_stuck",
        }
    }
}

pub(super) struct Pump {
    pub(super) length: Option<u64>,
    pub(super) idle: Duration,
    pub(super) guard: StreamGuard,
}

impl Pump {
    pub(super) async fn run(self, mut upstream: Incoming, mut sender: Sender, evict: impl FnOnce()) {
        let mut moved = 0;
        let end = self.pump(&mut upstream, &mut sender, &mut moved).await;
        match end {
            End::Complete => sender.complete(),
            End::ClientStuck => evict(),
            End::ClientGone | End::UpstreamBroken | End::UpstreamStuck => drop(sender),
        }
        self.guard.ended(end.label());
        tracing::debug!(bytes = moved, end = end.label(), "stream ended");
    }

    async fn pump(&self, upstream: &mut Incoming, sender: &mut Sender, moved: &mut u64) -> End {
        loop {
            let frame = tokio::select! {
                biased;
                () = sender.closed() => return End::ClientGone,
                frame = timeout(self.idle, upstream.frame()) => frame,
            };
            let bytes = match frame {
                Err(_) => return End::UpstreamStuck,
                Ok(Some(Err(error))) => {
                    tracing::info!(%error, bytes = *moved, "the upstream broke");
                    return End::UpstreamBroken;
                }
                Ok(None) if self.length.is_none_or(|length| length == *moved) => return End::Complete,
                Ok(None) => return End::UpstreamBroken,
                Ok(Some(Ok(frame))) => match frame.into_data() {
                    Ok(bytes) => bytes,
                    // Trailers: nothing that a client needs.
                    Err(_) => continue,
                },
            };
            let size = bytes.len() as u64;
            match timeout(self.idle, sender.send(bytes)).await {
                Err(_) => return End::ClientStuck,
                Ok(Err(Gone)) => return End::ClientGone,
                Ok(Ok(())) => {
                    *moved += size;
                    self.guard.bytes(size);
                }
            }
        }
    }
}
