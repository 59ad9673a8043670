//! File names of streams: a client's template or `title [id].ext`, always safe to save and with the file's own
//! extension at the end.

mod clean;
mod fields;
#[cfg(any(test, fuzzing))]
pub mod fuzz;
mod header;
mod media_type;
#[cfg(test)]
mod properties;
mod template;

pub(super) use header::{disposition, encoded};
pub(super) use media_type::{content_type, ext_of};
#[cfg(test)]
pub(super) use template::MAX_TEMPLATE;
pub(super) use template::{Template, TemplateError};

use std::borrow::Cow;

use crate::extract::{FormatInfo, Metadata};

/// A name where nothing is known that could be one.
const UNNAMED: &str = "video";

/// A file that wants a name.
#[derive(Debug, Clone, Copy)]
pub(super) struct Subject<'a> {
    metadata: &'a Metadata,
    format: Option<&'a FormatInfo>,
    part: Option<Part<'a>>,
    ext: &'static str,
}

/// What tells files of one page apart that are no formats; it stands before their extension.
#[derive(Debug, Clone, Copy)]
pub(super) enum Part<'a> {
    /// Of subtitles, as yt-dlp keys them.
    Language(&'a str),
    /// Of an image among several, from 1.
    Number(u32),
    /// Any other.
    Word(&'static str),
}

impl<'a> Part<'a> {
    /// Numbers have two digits at least, so that names sort as the images do.
    fn text(self) -> Cow<'a, str> {
        match self {
            Self::Language(text) | Self::Word(text) => text.into(),
            Self::Number(number) => format!("{number:02}").into(),
        }
    }
}

impl<'a> Subject<'a> {
    /// One of a page's formats.
    pub(super) fn format(metadata: &'a Metadata, format: &'a FormatInfo) -> Self {
        let ext = media_type::safe_ext(format.ext.as_deref().unwrap_or_default());
        Self { metadata, format: Some(format), part: None, ext }
    }

    /// Another file of a page: a picture, or subtitles.
    pub(super) fn other(metadata: &'a Metadata, part: Option<Part<'a>>, ext: &str) -> Self {
        Self { metadata, format: None, part, ext: media_type::safe_ext(ext) }
    }

    fn with_stem(&self, stem: &str) -> Option<String> {
        clean::name(stem, self.part.map(Part::text).as_deref(), self.ext)
    }
}

/// The name that a template gives to a file, or the default one: `title [id].ext`, `title [id].language.ext`,
/// `title [id].01.ext`.
pub(super) fn name(subject: &Subject<'_>, template: Option<&Template>) -> String {
    template
        .and_then(|template| from_template(subject, template))
        .or_else(|| subject.with_stem(&default_stem(subject.metadata)))
        .unwrap_or_else(|| format!("{UNNAMED}.{}", subject.ext))
}

/// The name that a literal template gives to a file that has one already; the extension stays.
pub(super) fn renamed(filename: &str, part: Option<Part<'_>>, template: &Template) -> String {
    let ext = filename.rsplit_once('.').map_or("", |(_, ext)| ext);
    let nothing = Metadata::default();
    let subject = Subject::other(&nothing, part, ext);
    from_template(&subject, template).unwrap_or_else(|| filename.to_owned())
}

/// A name with the first of these extensions, unless it has one of them.
pub(super) fn with_extension(filename: &str, fitting: &[&str]) -> String {
    let (stem, ext) = filename.rsplit_once('.').unwrap_or((filename, ""));
    match fitting.first() {
        Some(usual) if !fitting.iter().any(|fit| ext.eq_ignore_ascii_case(fit)) => format!("{stem}.{usual}"),
        _ => filename.to_owned(),
    }
}

/// None where the template comes to nothing.
fn from_template(subject: &Subject<'_>, template: &Template) -> Option<String> {
    subject.with_stem(&template.render(subject))
}

/// As yt-dlp's default template, with the author in place of a title that is not there.
fn default_stem(metadata: &Metadata) -> String {
    let words = |text: &Option<String>| clean::words(text.as_deref().unwrap_or_default());
    let about = [&metadata.title, &metadata.uploader, &metadata.channel]
        .into_iter()
        .map(words)
        .find(|words| !words.is_empty());
    let id = words(&metadata.id);
    match about {
        Some(about) if id.is_empty() => about,
        Some(about) => format!("{about} [{id}]"),
        None => id,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn metadata(title: &str) -> Metadata {
        Metadata { id: Some("7301".into()), title: Some(title.into()), ..Metadata::default() }
    }

    fn named(title: &str) -> String {
        name(&Subject::other(&metadata(title), None, "mp4"), None)
    }

    fn templated(title: &str, template: &str) -> String {
        let template = Template::parse(template).unwrap();
        name(&Subject::other(&metadata(title), None, "mp4"), Some(&template))
    }

    #[test]
    fn an_extension_is_put_right() {
        for (name, fitting, expected) in [
            ("a.mp4", &["ts", "m2ts"][..], "a.ts"),
            ("a.M2TS", &["ts", "m2ts"], "a.M2TS"),
            ("a.b", &["ts"], "a.ts"),
            ("a", &["ts"], "a.ts"),
            ("a.mp4", &[], "a.mp4"),
        ] {
            assert_eq!(with_extension(name, fitting), expected);
        }
    }

    #[test]
    fn names_are_safe_and_keep_their_id() {
        for (title, expected) in [
            ("A dance", "A dance [7301].mp4"),
            ("été 🌞", "été 🌞 [7301].mp4"),
            ("../../etc/passwd", "_.._etc_passwd [7301].mp4"),
            ("a\r\nSet-Cookie: x", "a Set-Cookie_ x [7301].mp4"),
            ("\u{202e}gpj.exe", "gpj.exe [7301].mp4"),
            ("Wasser\u{ad}stra\u{200b}ße", "Wasserstraße [7301].mp4"),
            ("-rf", "rf [7301].mp4"),
            ("CON", "CON [7301].mp4"),
            ("con.", "_con. [7301].mp4"),
            ("nul.txt", "_nul.txt [7301].mp4"),
            ("  ", "7301.mp4"),
            ("\u{200b}\u{3164}", "7301.mp4"),
        ] {
            assert_eq!(named(title), expected);
        }
        for title in ["x".repeat(1000), "é".repeat(1000), "🌞".repeat(1000), "a\u{301}".repeat(1000)] {
            let name = named(&title);
            assert!(name.len() <= clean::MAX_NAME && name.ends_with(" [7301].mp4"), "{name}");
        }
    }

    #[test]
    fn what_is_not_known_is_not_in_the_name() {
        let text = |text: &str| Some(text.to_owned());
        let named = |metadata: Metadata| name(&Subject::other(&metadata, None, "mp4"), None);
        assert_eq!(named(Metadata::default()), "video.mp4");
        assert_eq!(named(Metadata { title: text("T"), ..Metadata::default() }), "T.mp4");
        assert_eq!(named(Metadata { id: text("nul"), ..Metadata::default() }), "_nul.mp4");
        let of_author = Metadata { id: text("7"), uploader: text("sluice"), ..Metadata::default() };
        assert_eq!(named(of_author), "sluice [7].mp4");
        for id in ["i".repeat(1000), "🌞".repeat(1000), " [".repeat(1000)] {
            for title in [None, text("T")] {
                let name = named(Metadata { id: text(&id), title, ..Metadata::default() });
                assert!(name.len() <= clean::MAX_NAME && name.ends_with(".mp4"), "{name}");
            }
        }
    }

    #[test]
    fn extensions_are_those_of_media() {
        let metadata = metadata("T");
        for (ext, expected) in [
            ("webm", "T [7301].webm"),
            ("MP4", "T [7301].mp4"),
            ("exe", "T [7301].bin"),
            ("html", "T [7301].bin"),
            ("a/../b", "T [7301].bin"),
            ("unknown_video", "T [7301].bin"),
            ("", "T [7301].bin"),
        ] {
            assert_eq!(name(&Subject::other(&metadata, None, ext), None), expected);
        }
    }

    #[test]
    fn subtitles_say_their_language() {
        let metadata = metadata("T");
        let named = |language: &str, template: Option<&str>| {
            let template = template.map(|template| Template::parse(template).unwrap());
            name(&Subject::other(&metadata, Some(Part::Language(language)), "vtt"), template.as_ref())
        };
        assert_eq!(named("zh-Hans", None), "T [7301].zh-Hans.vtt");
        assert_eq!(named("zh-Hans", Some("%(title)s.%(ext)s")), "T.zh-Hans.vtt");
        assert_eq!(named("../\r\nx", None), "T [7301].__x.vtt");
        assert_eq!(named("\u{200b}", None), "T [7301].vtt");
        assert!(named(&"l".repeat(1000), Some(&"t".repeat(500))).len() <= clean::MAX_NAME);
    }

    #[test]
    fn images_say_their_number() {
        let metadata = metadata("T");
        let named = |part: Part<'_>, template: Option<&str>| {
            let template = template.map(|template| Template::parse(template).unwrap());
            name(&Subject::other(&metadata, Some(part), "webp"), template.as_ref())
        };
        assert_eq!(named(Part::Number(1), None), "T [7301].01.webp");
        assert_eq!(named(Part::Number(100), Some("%(title)s-%(language)s.%(ext)s")), "T-NA.100.webp");
        assert_eq!(named(Part::Word("avatar"), Some("mine")), "mine.avatar.webp");
    }

    #[test]
    fn templates_end_in_the_real_extension() {
        for (template, expected) in [
            ("%(title)s", "T.mp4"),
            ("%(title)s.%(ext)s", "T.mp4"),
            ("%(title)s.MP4", "T.mp4"),
            ("%(ext)s", "mp4.mp4"),
            ("x.html", "x.html.mp4"),
            ("x.exe\0", "x.exe.mp4"),
            ("x.mp4.exe", "x.mp4.exe.mp4"),
            ("nul", "_nul.mp4"),
            ("Com\u{b9} .%(ext)s", "_Com\u{b9}.mp4"),
            ("name. . .", "name.mp4"),
            ("../../%(id)s", "_.._7301.mp4"),
            ("a\r\nX-Evil: 1", "a X-Evil_ 1.mp4"),
            ("C:\\x", "C__x.mp4"),
            ("100%%", "100%.mp4"),
        ] {
            assert_eq!(templated("T", template), expected, "{template:?}");
        }
        for nothing in ["", " ", "..", ".%(ext)s", "-", "\u{202e}\u{200f}", "%(nope|)s"] {
            assert_eq!(templated("T", nothing), "T [7301].mp4", "{nothing:?}");
        }
        assert!(templated(&"🌞".repeat(999), "%(title)s%(title)s%(id)s").len() <= clean::MAX_NAME);
    }

    #[test]
    fn a_literal_renames() {
        let renamed = |filename: &str, template: &str| {
            renamed(filename, Some(Part::Language("en")), &Template::parse(template).unwrap())
        };
        assert_eq!(renamed("T [7].en.vtt", "mine"), "mine.en.vtt");
        assert_eq!(renamed("T [7].en.vtt", "mine.html"), "mine.html.en.vtt");
        assert_eq!(renamed("T [7].en.vtt", "/"), "_.en.vtt");
        assert_eq!(renamed("T [7].en.vtt", ".."), "T [7].en.vtt");
    }
}
