//! A live broadcast: a playlist whose window moves by events, and segments that are gone once it has passed.

use super::media::Media;
use super::{Fault, Reply, Stage};
use bytes::Bytes;
use std::collections::VecDeque;
use std::fmt::Write as _;
use std::sync::{Arc, Mutex};

/// Segments that the playlist holds at a time.
const WINDOW: usize = 6;

/// Segments that have been made when the broadcast is first looked at.
const BEGUN: usize = 8;

/// Number of the first segment that there ever was.
const FIRST: u64 = 4_294_967_290;

/// What a test makes of a reply.
type Change = Box<dyn FnOnce(Reply) -> Reply>;

/// The broadcast, as the test holds it.
#[derive(Clone)]
pub struct Live {
    script: Arc<Mutex<Script>>,
}

struct Script {
    segments: Vec<Arc<Reply>>,
    /// Segments that have been made so far; those before the window are gone.
    made: usize,
    /// Once segment n is asked for there are at least so many after it; none where the test moves the window.
    ahead: Option<usize>,
    /// Whether the end is told with the last segment.
    ends: bool,
    /// Every window that was shown: the first segment and the one past the last.
    shown: Vec<(usize, usize)>,
    playlist_faults: VecDeque<Option<Fault>>,
}

impl Live {
    /// Where, in order, the playlist begins and ends that the first reader finds.
    pub const AT_FIRST: (usize, usize) = (BEGUN - WINDOW, BEGUN);

    /// Puts a broadcast of these segments at `https://HOST/live/index.m3u8`. They have to be of a second each.
    pub fn install(stage: &Stage, host: &str, segments: impl IntoIterator<Item = Bytes>) -> Live {
        let segments = segments.into_iter().map(|bytes| Arc::new(segment(bytes, |reply| reply))).collect();
        let script = Script {
            segments,
            made: BEGUN,
            ahead: None,
            ends: true,
            shown: Vec::new(),
            playlist_faults: VecDeque::new(),
        };
        let live = Live { script: Arc::new(Mutex::new(script)) };
        live.also_in(stage, host, "/live/");
        live
    }

    /// Shows it in another folder of the host, too.
    pub fn also_in(&self, stage: &Stage, host: &str, folder: &'static str) {
        let script = self.script.clone();
        stage.play_below(host, folder, move |path| script.lock().unwrap().answer(&path[folder.len()..]));
    }

    /// From now on there are `ahead` segments after the newest that was asked for, until all are made.
    pub fn follow(&self, ahead: usize) {
        self.script.lock().unwrap().ahead = Some(ahead);
    }

    /// Makes the window end before segment `made`.
    pub fn show(&self, made: usize) {
        let mut script = self.script.lock().unwrap();
        script.made = made.min(script.segments.len());
    }

    /// Does not tell that the broadcast is over, not even with its last segment.
    pub fn endless(&self) {
        self.script.lock().unwrap().ends = false;
    }

    /// The broadcast is over: no segment comes after those that there are.
    pub fn end(&self) {
        let mut script = self.script.lock().unwrap();
        let made = script.made;
        script.segments.truncate(made);
        script.ends = true;
    }

    /// Lets the playlist go wrong once per entry, one entry per request (`None`: that one is played well).
    pub fn playlist_faults(&self, faults: impl IntoIterator<Item = Option<Fault>>) {
        self.script.lock().unwrap().playlist_faults.extend(faults);
    }

    /// Serves a segment anew, but for what `change` makes of it.
    pub fn play(&self, index: usize, change: impl FnOnce(Reply) -> Reply + 'static) {
        let change: Change = Box::new(change);
        let mut script = self.script.lock().unwrap();
        let media = script.segments[index].media.clone();
        let whole = media.bytes(0..media.len());
        script.segments[index] = Arc::new(segment(whole.into(), change));
    }

    /// How often the playlist was asked for.
    pub fn playlists(&self) -> usize {
        self.script.lock().unwrap().shown.len()
    }

    /// Windows that differed from the one before, as they were shown.
    pub fn changes(&self) -> Vec<(usize, usize)> {
        let mut shown = self.script.lock().unwrap().shown.clone();
        shown.dedup();
        shown
    }
}

impl Script {
    fn answer(&mut self, name: &str) -> Arc<Reply> {
        if name == "index.m3u8" {
            return Arc::new(self.playlist());
        }
        let index = name.strip_suffix(".ts").and_then(|number| number.parse::<usize>().ok());
        match index.filter(|index| (self.made.saturating_sub(WINDOW)..self.made).contains(index)) {
            Some(index) => {
                if let Some(ahead) = self.ahead {
                    self.made = self.made.max(index + 1 + ahead).min(self.segments.len());
                }
                self.segments[index].clone()
            }
            None => Arc::new(Reply::status(404)),
        }
    }

    fn playlist(&mut self) -> Reply {
        let first = self.made.saturating_sub(WINDOW);
        self.shown.push((first, self.made));
        let mut text = format!(
            "#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:1\n#EXT-X-MEDIA-SEQUENCE:{}\n",
            FIRST + first as u64
        );
        for index in first..self.made {
            let _ = write!(text, "#EXTINF:1.000,\n{index}.ts\n");
        }
        if self.ends && self.made == self.segments.len() {
            text.push_str("#EXT-X-ENDLIST\n");
        }
        Reply::text("application/vnd.apple.mpegurl", text)
            .faults([self.playlist_faults.pop_front().flatten()])
    }
}

fn segment(bytes: Bytes, change: impl FnOnce(Reply) -> Reply) -> Reply {
    change(Reply::media(&Media::of(bytes)).content_type("video/mp2t").no_head())
}
