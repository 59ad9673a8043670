//! Media playlists (RFC 8216 §4.3.2, §4.3.3): the segments of a video.

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use super::keys::encryption;
use super::parse::{attribute, byte_range, lines, milliseconds, number, tag};
use super::segments::{Builder, KeyTag, MapTag};
use super::{PlaylistError, Segments};

/// Shortest target duration, and shortest time from one load to the next: the tag's values are whole seconds.
const MIN_TARGET: u32 = 1000;
/// Target durations that are left for a new client to play: RFC 8216 §6.3.3.
const LEFT_AT_START: u64 = 3;

/// The segments of a video, as far as they are there.
#[derive(Debug, Clone)]
pub struct Media {
    /// The segments.
    pub segments: Segments,
    /// Whether none will be added.
    pub ended: bool,
    /// `EXT-X-TARGETDURATION`, or the longest duration of a segment where there is none; from a second to 49 days.
    pub target: Duration,
    start: u64,
    pace: Duration,
}

impl Media {
    /// These segments, where nothing is added any more and nobody asks how long they are.
    pub(super) fn ended(segments: Segments) -> Self {
        let (start, second) = (segments.first(), Duration::from_secs(1));
        Self { segments, ended: true, target: second, start, pace: second }
    }

    /// The sequence number where a new client begins: the first if ended, else the last one from which three target
    /// durations are left (RFC 8216 §6.3.3), or the first where there are not as many.
    pub fn start(&self) -> u64 {
        self.start
    }

    /// How long to wait from the end of one load to the next (RFC 8216 §6.3.4): the target duration, or the longest of
    /// the segments' where that is less, for some servers set the target so high that segments would be missed; at least
    /// a second. Half of it where the last load brought nothing new.
    pub fn reload_after(&self, changed: bool) -> Duration {
        if changed { self.pace } else { self.pace / 2 }
    }
}

/// Reads the lines of a media playlist.
pub(super) fn read(text: &str, builder: Builder) -> Result<Media, PlaylistError> {
    let mut reader = Reader::new(builder);
    for line in lines(text) {
        match line.strip_prefix('#') {
            Some(_) => reader.tag(line)?,
            None => reader.segment(line)?,
        }
    }
    reader.finish()
}

struct Reader<'a> {
    builder: Builder,
    /// Milliseconds of each segment.
    durations: Vec<u32>,
    target: u32,
    first: u64,
    ended: bool,
    /// Whether the segments that follow are advertisements.
    in_ad: bool,
    key: Option<KeyTag>,
    map: Option<MapTag>,
    next: Next,
    /// Where the part of a file that was the last segment ends.
    before: Option<(&'a str, u64)>,
}

/// What the tags say of the segment that follows.
#[derive(Default)]
struct Next {
    duration: u32,
    range: Option<(u64, Option<u64>)>,
    gap: bool,
}

impl<'a> Reader<'a> {
    fn new(builder: Builder) -> Self {
        Self {
            builder,
            durations: Vec::new(),
            target: 0,
            first: 0,
            ended: false,
            in_ad: false,
            key: None,
            map: None,
            next: Next::default(),
            before: None,
        }
    }

    /// A line that begins with `#`. What is unknown is ignored (§6.3.1).
    fn tag(&mut self, line: &str) -> Result<(), PlaylistError> {
        let (name, value) = tag(line);
        match name {
            "#EXTINF" => self.next.duration = milliseconds(value)?,
            "#EXT-X-BYTERANGE" => self.next.range = Some(byte_range(value)?),
            "#EXT-X-GAP" => self.next.gap = true,
            "#EXT-X-KEY" => {
                self.key = self.builder.aes().tag(value, self.builder.addresses(), self.key.as_ref())?;
            }
            "#EXT-X-MAP" => self.map = Some(self.map(value)?),
            "#EXT-X-TARGETDURATION" => self.target = milliseconds(value)?,
            "#EXT-X-MEDIA-SEQUENCE" => self.first = number(value)?,
            // A list that must not change (§4.3.3.5) is whole, also where the end is not said.
            "#EXT-X-PLAYLIST-TYPE" => self.ended |= value == "VOD",
            "#EXT-X-ENDLIST" => self.ended = true,
            // Adobe Access: `_has_drm` of `yt_dlp/downloader/hls.py`.
            "#EXT-X-FAXS-CM" => return Err(encryption("FAXS-CM")),
            _ => self.in_ad = advertisement(line).unwrap_or(self.in_ad),
        }
        Ok(())
    }

    /// Other than for segments, no part came before that one without an offset could continue: as with yt-dlp, it begins
    /// at 0.
    fn map(&self, list: &str) -> Result<MapTag, PlaylistError> {
        let address = attribute(list, "URI").ok_or(PlaylistError::Attribute("URI"))?;
        let range = match attribute(list, "BYTERANGE").map(byte_range).transpose()? {
            Some((length, offset)) => Some(range(offset.unwrap_or(0), length)?),
            None => None,
        };
        let known = self.map.as_ref().filter(|map| *map.address == *address);
        let address = match known {
            Some(map) => Arc::clone(&map.address),
            None => {
                self.builder.addresses().map(address)?;
                Arc::from(address)
            }
        };
        Ok(MapTag { address, range, key: self.key.clone() })
    }

    /// An advertisement is left out, but counted: the numbers of the segments behind it are vectors, and the same after
    /// the next load.
    fn segment(&mut self, address: &'a str) -> Result<(), PlaylistError> {
        let next = std::mem::take(&mut self.next);
        let range = match next.range {
            Some((length, Some(offset))) => Some(range(offset, length)?),
            Some((length, None)) => {
                let (_, end) = self.before.filter(|(of, _)| *of == address).ok_or(PlaylistError::Range)?;
                Some(range(end, length)?)
            }
            None => None,
        };
        self.before = range.as_ref().map(|range| (address, range.end));
        let gap = next.gap || self.in_ad;
        self.builder.push(address, range, gap, self.key.as_ref(), self.map.as_ref())?;
        self.durations.push(next.duration);
        Ok(())
    }

    fn finish(self) -> Result<Media, PlaylistError> {
        let longest = self.durations.iter().copied().max().unwrap_or(0);
        let target = if self.target == 0 { longest } else { self.target }.max(MIN_TARGET);
        let pace = if longest == 0 { target } else { longest.clamp(MIN_TARGET, target) };
        let segments = self.builder.finish(self.first)?;
        let start = if self.ended { 0 } else { edge(&self.durations, u64::from(target) * LEFT_AT_START) };
        let start = segments.first() + start as u64;
        let [target, pace] = [target, pace].map(|time| Duration::from_millis(time.into()));
        Ok(Media { segments, ended: self.ended, target, start, pace })
    }
}

fn range(start: u64, length: u64) -> Result<Range<u64>, PlaylistError> {
    let end = start.checked_add(length).filter(|end| *end > start).ok_or(PlaylistError::Range)?;
    Ok(start..end)
}

/// Whether what follows is an advertisement, where the line says: `is_ad_fragment_start` and `is_ad_fragment_end` of
/// `yt_dlp/downloader/hls.py`, for Anvato and Uplynk.
fn advertisement(line: &str) -> Option<bool> {
    let says = |starts: bool, ends: bool| if starts { Some(true) } else { ends.then_some(false) };
    if line.starts_with("#ANVATO-SEGMENT-INFO") {
        says(line.contains("type=ad"), line.contains("type=master"))
    } else if line.starts_with("#UPLYNK-SEGMENT") {
        says(line.ends_with(",ad"), line.ends_with(",segment"))
    } else {
        None
    }
}

/// Index of the last segment from which at least so many milliseconds are left; 0 where all are fewer.
fn edge(durations: &[u32], wanted: u64) -> usize {
    let mut left = 0;
    for (index, duration) in durations.iter().enumerate().rev() {
        left += u64::from(*duration);
        if left >= wanted {
            return index;
        }
    }
    0
}
