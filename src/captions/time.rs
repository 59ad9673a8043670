//! When something is shown: `00:01:02.345`, with a comma in SubRip.

use std::fmt::Write as _;
use std::time::Duration;

/// Most hours that are read: a hundred years, more than a broadcast that counts from 1970. Sums in ticks of 90 kHz
/// stay within 64 bits.
const MAX_HOURS: u64 = 999_999;

/// Between the two times of a cue.
pub(super) const ARROW: &str = "-->";

/// A cue's line of timings: `start --> end` and what comes behind, without blanks around it (WebVTT standard, 6.3,
/// "collect WebVTT cue timings and settings").
pub(super) fn timings<'a>(line: &'a str, points: &[char]) -> Option<(Duration, Duration, &'a str)> {
    let (start, rest) = time(blanks_off(line), points)?;
    let rest = blanks_off(rest).strip_prefix(ARROW)?;
    let (end, rest) = time(blanks_off(rest), points)?;
    Some((start, end, rest.trim_matches(is_blank)))
}

fn is_blank(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\u{c}')
}

fn blanks_off(text: &str) -> &str {
    text.trim_start_matches(is_blank)
}

/// A time at the beginning of a text, and what is behind it ("collect a WebVTT timestamp"). Hours may be absent, or
/// of any number of digits: some sites write one.
pub(super) fn time<'a>(text: &'a str, points: &[char]) -> Option<(Duration, &'a str)> {
    let (first, rest) = number(text, 1..=20)?;
    let (second, rest) = number(rest.strip_prefix(':')?, 2..=2)?;
    let (hours, minutes, seconds, rest) = match rest.strip_prefix(':') {
        Some(rest) => {
            let (third, rest) = number(rest, 2..=2)?;
            (first, second, third, rest)
        }
        None if text.len() - rest.len() == "00:00".len() => (0, first, second, rest),
        None => return None,
    };
    let (milliseconds, rest) = number(rest.strip_prefix(points)?, 3..=3)?;
    if hours > MAX_HOURS || minutes > 59 || seconds > 59 {
        return None;
    }
    let seconds = (hours * 60 + minutes) * 60 + seconds;
    Some((Duration::from_millis(seconds * 1000 + milliseconds), rest))
}

/// All the digits at the beginning, if they are as many as allowed and their number fits into 64 bits.
fn number(text: &str, digits: std::ops::RangeInclusive<usize>) -> Option<(u64, &str)> {
    let end = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, rest) = text.split_at(end);
    digits.contains(&end).then_some(())?;
    Some((number.parse().ok()?, rest))
}

/// Writes `start --> end`, always with hours.
pub(super) fn write(out: &mut String, start: Duration, end: Duration, point: char) {
    write_time(out, start, point);
    out.push(' ');
    out.push_str(ARROW);
    out.push(' ');
    write_time(out, end, point);
}

fn write_time(out: &mut String, time: Duration, point: char) {
    let seconds = time.as_secs();
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    // Into a String, this can't fail.
    let _ = write!(out, "{hours:02}:{minutes:02}:{seconds:02}{point}{:03}", time.subsec_millis());
}
