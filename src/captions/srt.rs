//! SubRip, which has no standard: what ffmpeg's `libavformat/srtdec.c` and players take.

use std::fmt::Write as _;

use super::time;
use super::{CaptionError, Cue, Lines, add_line, markup};

/// A full stop is read too: many files have it.
const POINTS: [char; 2] = [',', '.'];

/// The cues of a SubRip file, in its order. Numbers need not be right, or be there; positions are left out.
///
/// An empty file has none. [`CaptionError::NotSrt`] where there is text and no cue in it.
pub fn parse_srt(text: &str) -> Result<Vec<Cue>, CaptionError> {
    let mut cues = Vec::new();
    let mut open: Option<Cue> = None;
    let mut anything = false;
    for line in Lines::of(text) {
        if let Some((start, end, _position)) = time::timings(line, &POINTS) {
            cues.extend(open.take().map(without_number));
            open = Some(Cue { start, end, text: String::new(), settings: String::new() });
        } else if line.trim().is_empty() {
            cues.extend(open.take());
            continue;
        } else if let Some(cue) = &mut open {
            add_line(&mut cue.text, &markup::from_srt(line));
        }
        anything = true;
    }
    cues.extend(open);
    if cues.is_empty() && anything { Err(CaptionError::NotSrt) } else { Ok(cues) }
}

/// Where no empty line is between two cues, the last line of the first is the number of the second.
fn without_number(mut cue: Cue) -> Cue {
    let last = cue.text.rfind('\n').unwrap_or(0);
    if cue.text[last..].trim().bytes().all(|c| c.is_ascii_digit()) {
        cue.text.truncate(last);
    }
    cue
}

/// Cues as a SubRip file: numbered from 1, of WebVTT's tags `<b>`, `<i>` and `<u>` kept, character references decoded.
/// Cues without a text are left out, for they show nothing.
pub fn to_srt(cues: &[Cue]) -> String {
    let mut out = String::new();
    let mut count = 0_u64;
    for cue in cues {
        let mut text = String::new();
        for line in Lines::of(&markup::to_srt(&cue.text)) {
            add_line(&mut text, line);
        }
        if text.is_empty() {
            continue;
        }
        count += 1;
        // Into a String, this can't fail.
        let _ = writeln!(out, "{count}");
        time::write(&mut out, cue.start, cue.end, POINTS[0]);
        let _ = write!(out, "\n{text}\n\n");
    }
    out
}
