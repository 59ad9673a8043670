//! What a template may say of a file, by yt-dlp's names.

use std::borrow::Cow;
use std::time::{Duration, UNIX_EPOCH};

use super::{Part, Subject, clean};
use crate::extract::FormatInfo;

/// Latest time that has a date: the end of the year 9999, in Unix seconds.
const LAST_SECOND: u64 = 253_402_300_799;

/// The value of a field.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Value {
    /// Clean.
    Text(String),
    Integer(u64),
    Number(f64),
}

impl Value {
    fn of_text(text: &str) -> Self {
        Self::Text(clean::words(text))
    }

    pub(super) fn is_empty(&self) -> bool {
        matches!(self, Self::Text(text) if text.is_empty())
    }

    /// As it is written; whole numbers without a fraction.
    pub(super) fn text(&self) -> Cow<'_, str> {
        match self {
            Self::Text(text) => text.into(),
            Self::Integer(number) => number.to_string().into(),
            Self::Number(number) => number.to_string().into(),
        }
    }

    /// The number that it is or spells, without its fraction.
    pub(super) fn integer(&self) -> Option<i64> {
        match self {
            Self::Text(text) => text.parse().ok().or_else(|| whole(text.parse().ok()?)),
            Self::Integer(number) => i64::try_from(*number).ok(),
            Self::Number(number) => whole(*number),
        }
    }
}

fn whole(number: f64) -> Option<i64> {
    #[expect(clippy::cast_possible_truncation, reason = "`as` cuts the fraction, and saturates")]
    number.is_finite().then_some(number as i64)
}

/// The field of that name; none where there is no such field, or nothing is known.
pub(super) fn value(subject: &Subject<'_>, name: &str) -> Option<Value> {
    let text = |text: &Option<String>| text.as_deref().map(Value::of_text);
    let integer = |number: Option<u64>| number.map(Value::Integer);
    let number = |number: Option<f64>| number.map(Value::Number);
    let page = subject.metadata;
    match name {
        "id" => text(&page.id),
        "title" | "fulltitle" => text(&page.title),
        "uploader" => text(&page.uploader),
        "uploader_id" => text(&page.uploader_id),
        "channel" => text(&page.channel),
        "channel_id" => text(&page.channel_id),
        "timestamp" => page.timestamp.map(|seconds| Value::Text(seconds.to_string())),
        "upload_date" => page.timestamp.and_then(date).map(Value::Text),
        "duration" => number(page.duration),
        "duration_string" => page.duration.and_then(whole).map(|seconds| Value::Text(clock(seconds))),
        "view_count" => integer(page.view_count),
        "like_count" => integer(page.like_count),
        "comment_count" => integer(page.comment_count),
        "repost_count" => integer(page.repost_count),
        "track" => text(&page.track),
        "artist" | "artists" => page.artists.as_ref().map(|artists| Value::of_text(&artists.join(", "))),
        "album" => text(&page.album),
        "extractor" => text(&page.extractor),
        "ext" => Some(Value::of_text(subject.ext)),
        "language" if subject.format.is_none() => match subject.part? {
            Part::Language(language) => Some(Value::of_text(language)),
            Part::Number(_) | Part::Word(_) => None,
        },
        _ => of_format(subject.format?, name),
    }
}

fn of_format(format: &FormatInfo, name: &str) -> Option<Value> {
    let text = |text: &Option<String>| text.as_deref().map(Value::of_text);
    let integer = |number: Option<u64>| number.map(Value::Integer);
    let number = |number: Option<f64>| number.map(Value::Number);
    match name {
        "format_id" => Some(Value::of_text(&format.format_id)),
        "format_note" => text(&format.format_note),
        "width" => integer(format.width),
        "height" => integer(format.height),
        "resolution" => resolution(format).map(Value::Text),
        "fps" => number(format.fps),
        "vcodec" => text(&format.vcodec),
        "acodec" => text(&format.acodec),
        "tbr" => number(format.tbr),
        "vbr" => number(format.vbr),
        "abr" => number(format.abr),
        "filesize" => integer(format.filesize),
        "filesize_approx" => integer(format.filesize_approx),
        "language" => text(&format.language),
        _ => None,
    }
}

/// As yt-dlp's `format_resolution`.
fn resolution(format: &FormatInfo) -> Option<String> {
    if !format.has_picture() && format.has_sound() {
        return Some("audio only".to_owned());
    }
    match (format.width, format.height) {
        (Some(width), Some(height)) => Some(format!("{width}x{height}")),
        (None, Some(height)) => Some(format!("{height}p")),
        (Some(width), None) => Some(format!("{width}x_")),
        (None, None) => None,
    }
}

/// `YYYYMMDD` in UTC; none before 1970.
fn date(unix_seconds: i64) -> Option<String> {
    let seconds = u64::try_from(unix_seconds).ok().filter(|seconds| *seconds <= LAST_SECOND)?;
    let time = UNIX_EPOCH.checked_add(Duration::from_secs(seconds))?;
    let mut date = humantime::format_rfc3339_seconds(time).to_string();
    date.truncate("YYYY-MM-DD".len());
    Some(date.replace('-', ""))
}

/// `S`, `M-SS` or `H-MM-SS`, as yt-dlp writes durations in file names.
fn clock(seconds: i64) -> String {
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    match (hours, minutes) {
        (0, 0) => seconds.to_string(),
        (0, _) => format!("{minutes}-{seconds:02}"),
        _ => format!("{hours}-{minutes:02}-{seconds:02}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::extract::Metadata;

    const DOCS: &str = include_str!("../../../docs/names.md");

    fn page() -> Metadata {
        serde_json::from_value(serde_json::json!({
            "id": "7301", "title": "T\u{202e}/", "uploader": "sluice", "uploader_id": "68", "channel": "Gate",
            "channel_id": "c1", "timestamp": 1_759_312_800, "duration": 3675, "view_count": 1, "like_count": 2,
            "comment_count": 3, "repost_count": 4, "track": "Water", "artists": ["A", "B"], "album": "Rivers",
            "extractor": "TikTok",
        }))
        .unwrap()
    }

    fn format() -> FormatInfo {
        serde_json::from_value(serde_json::json!({
            "format_id": "h264_540p", "ext": "mp4", "width": 576, "height": 1024, "fps": 30.0, "vcodec": "h264",
            "acodec": "aac", "tbr": 700.5, "vbr": 600, "abr": 100, "filesize": 5, "filesize_approx": 6,
            "language": "en", "format_note": "note",
        }))
        .unwrap()
    }

    fn text(name: &str) -> Option<String> {
        value(&Subject::format(&page(), &format()), name).map(|value| value.text().into_owned())
    }

    #[test]
    fn fields_are_the_documented_ones() {
        let (_, rows) = DOCS.split_once("\n## Fields\n").unwrap();
        let (rows, _) = rows.split_once("\n## ").unwrap();
        let cells = rows.lines().filter_map(|line| line.strip_prefix("| `")?.split_once("` |"));
        let documented: Vec<&str> = cells.flat_map(|(names, _)| names.split("`, `")).collect();
        assert!(documented.len() > 30, "{documented:?}");
        for name in documented {
            assert!(text(name).is_some(), "{name}");
        }
        for name in ["", "nope", "url", "http_headers", "cookies", "description", "webpage_url"] {
            assert_eq!(text(name), None, "{name}");
        }
    }

    #[test]
    fn fields_hold_what_yt_dlp_says() {
        for (name, expected) in [
            ("title", "T_"),
            ("upload_date", "20251001"),
            ("timestamp", "1759312800"),
            ("duration", "3675"),
            ("duration_string", "1-01-15"),
            ("artist", "A, B"),
            ("resolution", "576x1024"),
            ("fps", "30"),
            ("tbr", "700.5"),
            ("ext", "mp4"),
        ] {
            assert_eq!(text(name).as_deref(), Some(expected), "{name}");
        }
        let (page, format) = (page(), format());
        let of = |change: fn(&mut FormatInfo)| {
            let mut format = format.clone();
            change(&mut format);
            value(&Subject::format(&page, &format), "resolution").map(|value| value.text().into_owned())
        };
        assert_eq!(of(|it| it.vcodec = Some("none".into())).as_deref(), Some("audio only"));
        assert_eq!(of(|it| it.width = None).as_deref(), Some("1024p"));
        assert_eq!(of(|it| (it.width, it.height) = (None, None)), None);
        let subtitles = Subject::other(&page, Some(Part::Language("zh")), "vtt");
        assert_eq!(value(&subtitles, "language"), Some(Value::Text("zh".into())));
        assert_eq!(value(&subtitles, "height"), None);
    }

    #[test]
    fn dates_have_an_end() {
        assert_eq!(date(0).as_deref(), Some("19700101"));
        assert_eq!(date(951_782_400).as_deref(), Some("20000229"));
        assert_eq!(date(253_402_300_799).as_deref(), Some("99991231"));
        assert_eq!((date(-1), date(253_402_300_800), date(i64::MAX)), (None, None, None));
    }

    #[test]
    fn numbers_are_found_in_texts() {
        for (text, expected) in [
            ("7301000000000000001", Some(7_301_000_000_000_000_001)),
            ("1e3", Some(1000)),
            ("-2.9", Some(-2)),
            ("12a", None),
            ("inf", None),
            ("", None),
        ] {
            assert_eq!(Value::Text(text.into()).integer(), expected, "{text}");
        }
        assert_eq!(Value::Integer(u64::MAX).integer(), None);
    }
}
