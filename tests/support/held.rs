//! A stream that is under way while a test does something else, to see that nothing of it got lost.

use super::client::{self, Open};
use super::stage::tiktok::Video;
use super::stage::{Fault, sha256};
use super::world::{World, post};

/// What comes of the stream at once, in bytes. Its upstream holds back the rest until the stage releases it.
const BEGINNING: usize = 10_000;

/// A stream whose beginning has been read.
pub struct HeldStream {
    stream: Open,
    beginning: Vec<u8>,
    /// The post that it is of. Only the first request for its bytes is held back.
    pub video: Video,
    /// Path and query of its `/stream`.
    pub path: String,
}

impl World {
    /// Opens a stream of a post of its own.
    pub fn hold_stream(&self) -> HeldStream {
        let video = post().install(&self.stage);
        let path = self.stream_path(&video, "audio");
        let stall = Fault::Stall { after: BEGINNING as u64 };
        video.play(&self.stage, "audio", |reply| reply.faults([Some(stall)]));
        let mut stream = client::open("GET", &self.server.url(&path), &[], b"");
        let beginning = stream.read_exactly(BEGINNING);
        HeldStream { stream, beginning, video, path }
    }
}

impl HeldStream {
    /// Releases all that the stage holds back, and checks that the stream came to its end with the right bytes.
    #[track_caller]
    pub fn finish(self, world: &World) {
        world.stage.release();
        let rest = self.stream.finish();
        assert!(rest.complete(), "{:?} after {} bytes more", rest.end, rest.body.len());
        let whole = [self.beginning, rest.body].concat();
        assert_eq!(sha256(&whole), self.video.media("audio").sha256());
    }
}
