//! The WebVTT segments of HLS as one file (yt-dlp's `downloader/hls.py`, `pack_fragment`).

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

use super::vtt::{self, Map};
use super::{CaptionError, Cue};

/// MPEG-2's clock has 33 bits (ISO/IEC 13818-1), at 90 kHz: it begins anew after 26.5 hours.
const WRAP: u64 = 1 << 33;
const TICKS_PER_MILLISECOND: i64 = 90;

/// The cues of segments, each a WebVTT file with a header of its own, in the order of the playlist.
///
/// All times are on the clock of the first segment that has an `X-TIMESTAMP-MAP` (RFC 8216 §3.5): those of a later one
/// are moved by what the maps say of both. A segment without a map stays as it is. A cue that is in two segments, whole or
/// cut in two at their boundary, becomes one. Among several segments, one without any text has no cues.
pub fn join(segments: &[&str]) -> Result<Vec<Cue>, CaptionError> {
    if let [one] = segments {
        return vtt::parse_vtt(one);
    }
    let mut clock = Clock::default();
    let mut joined = Joined::default();
    for segment in segments.iter().filter(|segment| !segment.trim().is_empty()) {
        let (map, cues) = vtt::parse(segment)?;
        let shift = clock.shift(map);
        cues.into_iter().for_each(|cue| joined.add(moved(cue, shift)));
    }
    Ok(joined.cues)
}

/// Where the segments' clocks stand to each other.
#[derive(Default)]
struct Clock {
    /// The local moment of the first map.
    first: Option<i64>,
    /// What the last map said.
    last: u64,
    /// How many ticks that is behind the first map's, the clock's rounds counted.
    passed: i64,
}

impl Clock {
    /// How many ticks a segment's cues are moved by.
    fn shift(&mut self, map: Option<Map>) -> i64 {
        let Some(Map { mpegts, local }) = map else {
            return 0;
        };
        let (mpegts, local) = (mpegts % WRAP, ticks(local));
        let Some(first) = self.first else {
            (self.first, self.last) = (Some(local), mpegts);
            return 0;
        };
        // Forward by less than half a round, or backward: segments may step back a little.
        let forward = (mpegts + WRAP - self.last) % WRAP;
        self.passed += forward.cast_signed() - if forward > WRAP / 2 { WRAP.cast_signed() } else { 0 };
        self.last = mpegts;
        self.passed - (local - first)
    }
}

/// Times that are read have at most 2^42 milliseconds (`time::MAX_HOURS`).
fn ticks(time: Duration) -> i64 {
    i64::try_from(time.as_millis()).unwrap_or(i64::MAX / TICKS_PER_MILLISECOND) * TICKS_PER_MILLISECOND
}

fn moved(cue: Cue, shift: i64) -> Cue {
    // To the nearest millisecond, and not before the beginning.
    let moved = |time| {
        let milliseconds =
            (ticks(time) + shift + TICKS_PER_MILLISECOND / 2).div_euclid(TICKS_PER_MILLISECOND);
        Duration::from_millis(milliseconds.try_into().unwrap_or(0))
    };
    Cue { start: moved(cue.start), end: moved(cue.end), ..cue }
}

/// Cues so far, each found by its end, text and settings. Hashes alone are kept beside them: texts are not held twice.
#[derive(Default)]
struct Joined {
    cues: Vec<Cue>,
    hashes: RandomState,
    found: HashMap<u64, usize>,
}

impl Joined {
    fn add(&mut self, cue: Cue) {
        if self.ending(cue.end, &cue).is_some_and(|known| self.cues[known].start <= cue.start) {
            return;
        }
        let cut = self.ending(cue.start, &cue).filter(|_| cue.start <= cue.end);
        let key = self.key(cue.end, &cue);
        let place = match cut {
            Some(known) => {
                self.cues[known].end = cue.end;
                known
            }
            None => {
                self.cues.push(cue);
                self.cues.len() - 1
            }
        };
        self.found.insert(key, place);
    }

    /// The place of a cue that ends at a time and shows the same.
    fn ending(&self, end: Duration, like: &Cue) -> Option<usize> {
        let place = *self.found.get(&self.key(end, like))?;
        let known = &self.cues[place];
        (known.end == end && known.text == like.text && known.settings == like.settings).then_some(place)
    }

    fn key(&self, end: Duration, cue: &Cue) -> u64 {
        self.hashes.hash_one((end, &cue.text, &cue.settings))
    }
}
