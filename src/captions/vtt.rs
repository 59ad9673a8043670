//! WebVTT, read as browsers read it (W3C WebVTT, section 6.1, "WebVTT file parsing").

use std::time::Duration;

use super::time::{self, ARROW};
use super::{CaptionError, Cue, Lines, add_line};

const MAGIC: &str = "WEBVTT";
const POINT: char = '.';

/// RFC 8216 §3.5: which moment of the stream's MPEG-2 clock a moment of the segment's own clock is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Map {
    /// Ticks of 90 kHz. The clock has 33 bits.
    pub(super) mpegts: u64,
    pub(super) local: Duration,
}

/// The cues of a WebVTT file, in its order.
///
/// Identifiers, comments, styles and regions are left out, and so are cues with wrong timings.
/// [`CaptionError::NotVtt`] where it does not begin with `WEBVTT`.
pub fn parse_vtt(text: &str) -> Result<Vec<Cue>, CaptionError> {
    Ok(parse(text)?.1)
}

/// The same, and the map in the header.
pub(super) fn parse(text: &str) -> Result<(Option<Map>, Vec<Cue>), CaptionError> {
    let mut lines = Lines::of(text);
    let after = lines.next().and_then(|line| line.strip_prefix(MAGIC)).ok_or(CaptionError::NotVtt)?;
    if !(after.is_empty() || after.starts_with([' ', '\t'])) {
        return Err(CaptionError::NotVtt);
    }
    let (found, lines) = header(lines);
    Ok((found, cues(lines)))
}

/// The header ends with an empty line, or before the first line with an arrow.
fn header(mut lines: Lines<'_>) -> (Option<Map>, Lines<'_>) {
    let mut found = None;
    loop {
        let before = lines.clone();
        match lines.next() {
            Some(line) if line.contains(ARROW) => return (found, before),
            None | Some("") => return (found, lines),
            Some(line) => found = found.or_else(|| map(line)),
        }
    }
}

/// `X-TIMESTAMP-MAP=MPEGTS:900000,LOCAL:00:00:00.000`, in either order (yt-dlp's `webvtt.Magic`).
fn map(line: &str) -> Option<Map> {
    let (mut mpegts, mut local) = (None, None);
    for part in line.strip_prefix("X-TIMESTAMP-MAP=")?.split(',') {
        match part.trim().split_once(':')? {
            ("MPEGTS", ticks) => mpegts = ticks.parse().ok(),
            ("LOCAL", moment) => local = time::time(moment, &[POINT]),
            _ => {}
        }
    }
    Some(Map { mpegts: mpegts?, local: local?.0 })
}

/// A line with an arrow begins a cue wherever it stands, and ends the one before it; what is in no cue is passed over:
/// identifiers, comments, styles, regions, and the texts of cues with wrong timings.
fn cues(lines: Lines<'_>) -> Vec<Cue> {
    let mut cues = Vec::new();
    let mut open: Option<Cue> = None;
    for line in lines {
        if line.contains(ARROW) {
            cues.extend(open.take());
            open = begin(line);
        } else if line.is_empty() {
            cues.extend(open.take());
        } else if let Some(cue) = &mut open {
            add_line(&mut cue.text, line);
        }
    }
    cues.extend(open);
    cues
}

fn begin(line: &str) -> Option<Cue> {
    let (start, end, settings) = time::timings(line, &[POINT])?;
    Some(Cue { start, end, text: String::new(), settings: settings.to_owned() })
}

/// Cues as a WebVTT file. Read again, it gives the same cues, if their texts are what [`Cue::text`] says.
pub fn to_vtt(cues: &[Cue]) -> String {
    let mut out = format!("{MAGIC}\n\n");
    for cue in cues {
        time::write(&mut out, cue.start, cue.end, POINT);
        if !cue.settings.is_empty() {
            out.push(' ');
            out.push_str(&cue.settings);
        }
        out.push('\n');
        if !cue.text.is_empty() {
            out.push_str(&cue.text);
            out.push('\n');
        }
        out.push('\n');
    }
    out
}
