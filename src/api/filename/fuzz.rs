//! What must hold of the names of files, whatever a site calls its pages and a client its files. A check that fails
//! panics.
//!
//! `scripts/fuzz` calls this with what it comes upon, and the property tests with what they make up.

use crate::extract::Metadata;

use super::{Part, Subject, Template, disposition as header, encoded, name, renamed};

/// Longest name in bytes.
const MAX_NAME: usize = 150;
/// Extensions as sites write them, and what becomes of them.
const EXTENSIONS: [(&str, &str); 5] =
    [("mp4", "mp4"), ("WebM", "webm"), ("vtt", "vtt"), ("exe", "bin"), ("a/../b\r\n", "bin")];
/// Never at the end of a text in UTF-8, nor within one.
const BETWEEN: u8 = 0xFF;

/// A choice, and then texts with a byte 255 between them: a title, an id, a language and a template.
pub fn disposition(data: &[u8]) {
    let Some((choice, texts)) = data.split_first() else { return };
    let mut texts = texts.splitn(4, |byte| *byte == BETWEEN).map(String::from_utf8_lossy);
    let [title, id, language, template] =
        std::array::from_fn(|_| texts.next().unwrap_or_default().into_owned());
    let inline = choice & 1 == 1;
    for text in [&title, &id, &language, &template] {
        says(text, inline);
    }
    let (written, ext) = EXTENSIONS[usize::from(choice >> 2) % EXTENSIONS.len()];
    let metadata = Metadata { title: Some(title), id: Some(id), ..Metadata::default() };
    let part = (choice & 2 == 2).then_some(Part::Language(&language));
    let subject = Subject::other(&metadata, part, written);
    let plain = name(&subject, None);
    is_safe(&plain, ext);
    says(&plain, inline);
    let Ok(template) = Template::parse(&template) else { return };
    for named in [name(&subject, Some(&template)), renamed(&plain, part, &template)] {
        is_safe(&named, ext);
        says(&named, inline);
    }
}

/// The header has two parameters, of which the second says the whole text and the first as much of it as ASCII can.
fn says(text: &str, inline: bool) {
    let value = header(text, inline);
    let kind = if inline { "inline" } else { "attachment" };
    let parameters = value.as_ref().and_then(|value| value.to_str().ok()).and_then(|value| {
        value.strip_prefix(kind)?.strip_prefix("; filename=\"")?.split_once("\"; filename*=UTF-8''")
    });
    let Some((plain, extended)) = parameters else { panic!("{value:?} for {text:?}") };
    assert!(plain.bytes().all(|byte| matches!(byte, b' '..=b'~') && !b"\"\\%".contains(&byte)), "{plain:?}");
    assert_eq!(plain.chars().count(), text.chars().count(), "{plain:?}");
    assert!(plain.chars().zip(text.chars()).all(|(plain, char)| plain == char || plain == '_'), "{plain:?}");
    assert_eq!(extended, encoded(text));
    assert_eq!(decoded(extended).as_deref(), Some(text.as_bytes()), "{extended:?}");
}

/// RFC 8187 §3.2.1, `value-chars`: anything else is none.
fn decoded(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        rest = match first {
            b'%' => {
                let (digits, after) = after.split_first_chunk::<2>()?;
                let digits = std::str::from_utf8(digits).ok().filter(|digits| !digits.starts_with('+'))?;
                bytes.push(u8::from_str_radix(digits, 16).ok()?);
                after
            }
            b'a'..=b'z'
            | b'A'..=b'Z'
            | b'0'..=b'9'
            | b'!'
            | b'#'
            | b'$'
            | b'&'
            | b'+'
            | b'-'
            | b'.'
            | b'^'
            | b'_'
            | b'`'
            | b'|'
            | b'~' => {
                bytes.push(*first);
                after
            }
            _ => return None,
        };
    }
    Some(bytes)
}

/// It is one name in one folder on every system, shows as what it is, and has that extension.
fn is_safe(name: &str, ext: &str) {
    assert!(name.len() <= MAX_NAME, "{} bytes: {name}", name.len());
    let stem = name.strip_suffix(ext).and_then(|name| name.strip_suffix('.'));
    assert!(stem.is_some_and(|stem| !stem.is_empty()), "{name:?} is not of {ext}");
    let forbidden = |char: char| {
        char.is_control()
            || "/\\:*?\"<>|".contains(char)
            || matches!(char, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
    };
    assert!(!name.contains(forbidden), "{name:?}");
    assert!(!name.starts_with(['.', '-', ' ']), "{name:?}");
    let first = name.split('.').next().unwrap_or_default().trim_end().to_ascii_lowercase();
    assert!(!["con", "prn", "aux", "nul", "com1", "lpt9"].contains(&first.as_str()), "{name:?}");
}
