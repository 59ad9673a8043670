//! Names as yt-dlp's output templates describe them: the part of their syntax that people use.

use super::Subject;
use super::clean;
use super::fields::{Value, value};

/// Longest template in characters.
pub(in crate::api) const MAX_TEMPLATE: usize = 500;
/// Most digits of a width or precision.
const MAX_DIGITS: usize = 3;
/// Characters of a piece that an error shows.
const MAX_SHOWN: usize = 40;
/// What yt-dlp writes for what it does not know.
const NOT_AVAILABLE: &str = "NA";

/// Why a template is not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(in crate::api) enum TemplateError {
    /// It is over [`MAX_TEMPLATE`].
    #[error("the file name template is longer than {MAX_TEMPLATE} characters")]
    TooLong,
    /// A percent sign that begins nothing.
    #[error("`{0}` in the file name template: a field is written %(title)s, and a percent sign %%")]
    Percent(String),
    /// `%(title`
    #[error("`{0}` in the file name template: the parenthesis is not closed")]
    Open(String),
    /// `%(upload_date>%Y)s`, `%()s`
    #[error("`{0}` in the file name template: in the parentheses go names of fields, as in title,id|default")]
    Fields(String),
    /// `%(title)q`
    #[error("`{0}` in the file name template: after the parentheses goes one of s, .30s, .30B, d, 05d")]
    Conversion(String),
}

/// A template for file names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::api) struct Template(Vec<Piece>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Literal(String),
    Field(Field),
}

/// `%(names|default)conversion`
#[derive(Debug, Clone, PartialEq, Eq)]
struct Field {
    /// The first that is known counts.
    names: Vec<String>,
    default: Option<String>,
    conversion: Conversion,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Conversion {
    /// `s`, `.30s`: at most so many characters.
    Characters(Option<usize>),
    /// `B`, `.30B`: at most so many bytes of UTF-8.
    Bytes(Option<usize>),
    /// `d`, `05d`: a whole number of at least so many digits.
    Integer(usize),
}

impl Template {
    /// Reads a template. An empty one is none: it renders to nothing.
    pub(in crate::api) fn parse(text: &str) -> Result<Self, TemplateError> {
        if text.chars().count() > MAX_TEMPLATE {
            return Err(TemplateError::TooLong);
        }
        let mut pieces = Vec::new();
        let mut rest = text;
        while let Some((literal, after)) = rest.split_once('%') {
            pieces.push(Piece::Literal(literal.to_owned()));
            let percent = &rest[literal.len()..];
            rest = if let Some(after) = after.strip_prefix('%') {
                pieces.push(Piece::Literal("%".to_owned()));
                after
            } else if let Some(inner) = after.strip_prefix('(') {
                let (field, after) = Field::parse(percent, inner)?;
                pieces.push(Piece::Field(field));
                after
            } else {
                return Err(TemplateError::Percent(percent.chars().take(2).collect()));
            };
        }
        pieces.push(Piece::Literal(rest.to_owned()));
        pieces.retain(|piece| *piece != Piece::Literal(String::new()));
        Ok(Self(pieces))
    }

    /// Whether it says something of the file, other than a literal.
    pub(in crate::api) fn has_fields(&self) -> bool {
        self.0.iter().any(|piece| matches!(piece, Piece::Field(_)))
    }

    /// The name of a file, not yet clean. Its length is bounded by the template's.
    pub(super) fn render(&self, subject: &Subject<'_>) -> String {
        let mut name = String::new();
        for piece in &self.0 {
            match piece {
                Piece::Literal(text) => name.push_str(text),
                Piece::Field(field) => name.push_str(&field.render(subject)),
            }
        }
        name
    }
}

impl Field {
    /// Reads what comes after `%(`, and gives what comes after the field. `whole` begins with the percent sign.
    fn parse<'a>(whole: &str, inner: &'a str) -> Result<(Self, &'a str), TemplateError> {
        let shown = |length: usize| {
            let piece: String = whole.chars().take(length.min(MAX_SHOWN)).collect();
            if length > MAX_SHOWN { piece + "…" } else { piece }
        };
        let (key, after) =
            inner.split_once(')').ok_or_else(|| TemplateError::Open(shown(whole.chars().count())))?;
        // To the letter that ends a conversion, if there is one.
        let ending = after.find(|char: char| char.is_ascii_alphabetic()).map_or(0, |letter| letter + 1);
        let length = "%()".len() + key.chars().count() + after[..ending].chars().count();
        let (names, default) = match key.split_once('|') {
            Some((names, default)) => (names, Some(default.to_owned())),
            None => (key, None),
        };
        let is_name = |name: &str| {
            !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
        };
        if !names.split(',').all(is_name) {
            return Err(TemplateError::Fields(shown(length)));
        }
        let (conversion, after) =
            Conversion::parse(after).ok_or_else(|| TemplateError::Conversion(shown(length)))?;
        let names = names.split(',').map(str::to_owned).collect();
        Ok((Self { names, default, conversion }, after))
    }

    fn render(&self, subject: &Subject<'_>) -> String {
        let known = self.names.iter().find_map(|name| value(subject, name).filter(|value| !value.is_empty()));
        known
            .and_then(|value| self.conversion.apply(&value))
            // Never converted, as in yt-dlp.
            .unwrap_or_else(|| self.default.clone().unwrap_or_else(|| NOT_AVAILABLE.to_owned()))
    }
}

impl Conversion {
    /// Reads what comes after the parentheses, and gives what comes after the conversion.
    fn parse(text: &str) -> Option<(Self, &str)> {
        let (flag, text) = match text.as_bytes().first()? {
            b'.' => (Some('.'), &text[1..]),
            b'0' => (Some('0'), &text[1..]),
            _ => (None, text),
        };
        let digits = text.len() - text.trim_start_matches(|char: char| char.is_ascii_digit()).len();
        let (number, text) = text.split_at_checked(digits).filter(|_| digits <= MAX_DIGITS)?;
        let number = number.parse().ok();
        let conversion = match (flag, number, text.as_bytes().first()?) {
            (None, None, b's') => Self::Characters(None),
            (Some('.'), Some(limit), b's') => Self::Characters(Some(limit)),
            (None, None, b'B') => Self::Bytes(None),
            (Some('.'), Some(limit), b'B') => Self::Bytes(Some(limit)),
            (None, None, b'd') => Self::Integer(0),
            (Some('0'), width, b'd') => Self::Integer(width.unwrap_or(0)),
            _ => return None,
        };
        Some((conversion, &text[1..]))
    }

    /// None where a number is asked for and the value is none.
    fn apply(self, value: &Value) -> Option<String> {
        Some(match self {
            Self::Characters(limit) => value.text().chars().take(limit.unwrap_or(usize::MAX)).collect(),
            Self::Bytes(limit) => clean::cut(&value.text(), limit.unwrap_or(usize::MAX)).to_owned(),
            Self::Integer(width) => format!("{:0width$}", value.integer()?),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::extract::{FormatInfo, Metadata};

    fn rendered(template: &str) -> String {
        let metadata = Metadata {
            id: Some("0730".into()),
            title: Some("Schleuse Süd 🌞🌞 am Rhein".into()),
            channel: Some("Gate/Keeper".into()),
            uploader: Some("\u{200b} ".into()),
            view_count: Some(78_000),
            like_count: Some(0),
            duration: Some(75.5),
            ..Metadata::default()
        };
        let format = FormatInfo { tbr: Some(-3.7), ext: Some("mp4".into()), ..FormatInfo::default() };
        Template::parse(template).unwrap().render(&Subject::format(&metadata, &format))
    }

    /// Each expectation, but for the marked ones, is what `YoutubeDL.evaluate_outtmpl` of 2026.10.26 gives.
    #[test]
    fn templates_mean_what_yt_dlp_means() {
        for (template, expected) in [
            ("%(title)s", "Schleuse Süd 🌞🌞 am Rhein"),
            ("%(title).10s", "Schleuse S"),
            ("%(title).15s", "Schleuse Süd 🌞🌞"),
            ("%(title).15B", "Schleuse Süd "),
            ("%(title).16B", "Schleuse Süd "),
            ("%(title)B", "Schleuse Süd 🌞🌞 am Rhein"),
            ("%(title).0s-", "-"),
            ("%(view_count)d", "78000"),
            ("%(view_count)08d", "00078000"),
            ("%(view_count)05d", "78000"),
            ("%(view_count)0d", "78000"),
            ("%(view_count).3s", "780"),
            ("%(like_count)03d", "000"),
            ("%(like_count|none)s", "0"),
            ("%(duration)s", "75.5"),
            ("%(duration)d", "75"),
            ("%(duration_string)s", "1-15"),
            ("%(tbr)06d", "-00003"),
            ("%(id)s", "0730"),
            ("%(id)06d", "000730"),
            ("%(title)d", "NA"),
            ("%(title|x)d", "x"),
            ("%(title,view_count)d", "NA"),
            ("%(nope)s.%(ext)s", "NA.mp4"),
            ("%(nope).1s", "NA"),
            ("%(nope)05d", "NA"),
            ("%(nope|x)s", "x"),
            ("%(nope|)s-", "-"),
            ("%(nope|abc).1s", "abc"),
            ("%(nope|abc)05d", "abc"),
            ("%(nope|a,b)s", "a,b"),
            ("%(nope|100%%)s", "100%%"),
            ("%(nope,title)s", "Schleuse Süd 🌞🌞 am Rhein"),
            ("%(nope,nope2|d)s", "d"),
            ("100%% %(id)s", "100% 0730"),
            ("%%(title)s", "%(title)s"),
            ("%%%(id)s", "%0730"),
            ("", ""),
            // yt-dlp: a look-alike of the slash.
            ("%(channel)s", "Gate_Keeper"),
            // yt-dlp: what can't be seen is known all the same.
            ("%(uploader|nobody)s", "nobody"),
        ] {
            assert_eq!(rendered(template), expected, "{template}");
        }
    }

    #[test]
    fn what_is_not_understood_is_named() {
        use TemplateError::*;
        type Kind = fn(String) -> TemplateError;
        let cases: [(&str, Kind, &str); 22] = [
            ("50% off", Percent, "% "),
            ("%s", Percent, "%s"),
            ("a%", Percent, "%"),
            ("%\u{202e}", Percent, "%\u{202e}"),
            ("x %(title", Open, "%(title"),
            ("%(", Open, "%("),
            ("%()s", Fields, "%()s"),
            ("%(title,)s", Fields, "%(title,)s"),
            ("%(|x)s", Fields, "%(|x)s"),
            ("%(title )s", Fields, "%(title )s"),
            ("%(artists.0)s", Fields, "%(artists.0)s"),
            ("%(upload_date>%Y-%m)s.mp4", Fields, "%(upload_date>%Y-%m)s"),
            ("%(view_count+1)d", Fields, "%(view_count+1)d"),
            ("%(title&x)s", Fields, "%(title&x)s"),
            ("%(a %(id)s", Fields, "%(a %(id)s"),
            ("%(title)", Conversion, "%(title)"),
            ("%(title)q", Conversion, "%(title)q"),
            ("%(title)30s", Conversion, "%(title)30s"),
            ("%(title).s", Conversion, "%(title).s"),
            ("%(title).9999s", Conversion, "%(title).9999s"),
            ("%(view_count)+d", Conversion, "%(view_count)+d"),
            ("%(title)é", Conversion, "%(title)"),
        ];
        for (template, kind, piece) in cases {
            assert_eq!(Template::parse(template), Err(kind(piece.to_owned())), "{template}");
        }
        let long = format!("%({}", "x".repeat(400));
        assert_eq!(Template::parse(&long), Err(Open(format!("%({}…", "x".repeat(MAX_SHOWN - 2)))));
        assert!(Template::parse(&"水".repeat(MAX_TEMPLATE)).is_ok());
        assert_eq!(Template::parse(&"x".repeat(MAX_TEMPLATE + 1)), Err(TooLong));
    }

    #[test]
    fn literals_are_known() {
        assert!(!Template::parse("100%% mine.mp4").unwrap().has_fields());
        assert!(Template::parse("mine %(id)s").unwrap().has_fields());
    }
}
