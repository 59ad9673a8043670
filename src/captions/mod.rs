//! Subtitles as text: WebVTT (W3C, <https://www.w3.org/TR/webvtt1/>) and SubRip, each made of the other, and the
//! WebVTT segments of HLS (RFC 8216 §3.5) joined into one file.
//!
//! Pure: text in, text out. The time is linear in the input, and what comes out is no longer than five times
//! what went in and a line.

mod join;
mod markup;
#[cfg(test)]
mod properties;
mod srt;
#[cfg(test)]
mod tests;
mod time;
mod vtt;

use std::time::Duration;

pub use join::join;
pub use srt::{parse_srt, to_srt};
pub use vtt::{parse_vtt, to_vtt};

/// A text, and when it is shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cue {
    /// When it appears. Whole milliseconds in what this room gives.
    pub start: Duration,
    /// When it goes. Nothing says that this is later than `start`: such cues are kept, and no player shows them.
    pub end: Duration,
    /// WebVTT's cue text, with tags and character references, of whatever form it was read. Its lines end in
    /// "\n" and are not empty.
    pub text: String,
    /// Where it is shown, as WebVTT says it (`align:start line:0`); empty where nothing is said. SubRip has none.
    pub settings: String,
}

/// How subtitles are written down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// WebVTT.
    Vtt,
    /// SubRip.
    Srt,
}

impl Form {
    /// The form that files with this extension have, if it is one of these.
    pub fn of(ext: &str) -> Option<Self> {
        [Self::Vtt, Self::Srt].into_iter().find(|form| form.ext() == ext)
    }

    /// Extension of files in this form: `vtt` or `srt`.
    pub fn ext(self) -> &'static str {
        match self {
            Self::Vtt => "vtt",
            Self::Srt => "srt",
        }
    }
}

/// Why a text is no subtitles.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CaptionError {
    /// It does not begin with `WEBVTT`.
    #[error("the subtitles are not WebVTT")]
    NotVtt,
    /// It has text, but nothing that is shown from some time to some time.
    #[error("the subtitles are not SubRip")]
    NotSrt,
}

/// Writes subtitles, in one part or in the segments of a playlist, as one file of another form (or of the same).
pub fn convert(segments: &[&str], from: Form, to: Form) -> Result<String, CaptionError> {
    let cues = match from {
        Form::Vtt => join(segments)?,
        Form::Srt => segments.iter().map(|text| parse_srt(text)).collect::<Result<Vec<_>, _>>()?.concat(),
    };
    Ok(match to {
        Form::Vtt => to_vtt(&cues),
        Form::Srt => to_srt(&cues),
    })
}

/// The lines of a text, which end in "\r\n", "\n" or "\r" (the WebVTT standard's line terminators).
#[derive(Clone)]
struct Lines<'a> {
    rest: Option<&'a str>,
}

impl<'a> Lines<'a> {
    /// The lines behind a byte order mark, if there is one.
    fn of(text: &'a str) -> Self {
        Self { rest: Some(text.strip_prefix('\u{feff}').unwrap_or(text)) }
    }
}

impl<'a> Iterator for Lines<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        let rest = self.rest?;
        let Some(end) = rest.find(['\r', '\n']) else {
            self.rest = None;
            return Some(rest);
        };
        let (line, after) = rest.split_at(end);
        self.rest = after.strip_prefix("\r\n").or_else(|| after.get(1..));
        Some(line)
    }
}

/// Adds a line to a cue's text. Blank ones end a cue in both forms, so they are left out.
fn add_line(text: &mut String, line: &str) {
    if line.trim().is_empty() {
        return;
    }
    if !text.is_empty() {
        text.push('\n');
    }
    text.push_str(line);
}
