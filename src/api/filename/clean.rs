//! What every name goes through, whoever made it up.

/// Longest file name in bytes of UTF-8, language and extension included; file systems end at 255.
pub(super) const MAX_NAME: usize = 150;
/// Characters of one text that are looked at: twice what a name could hold, as some of them are dropped.
const MAX_TEXT: usize = 2 * MAX_NAME;
/// Longest language in bytes: what RFC 5646 §4.4.1 asks systems to have room for.
const MAX_LANGUAGE: usize = 35;
/// Dots and blanks, which Windows drops at the end of a name.
const WEAK: [char; 2] = ['.', ' '];

/// `stem.ext` or `stem.language.ext`; none where nothing is left of the stem. An extension that the stem has
/// already is not said twice. `ext` is safe.
pub(super) fn name(stem: &str, language: Option<&str>, ext: &str) -> Option<String> {
    let language = words(language.unwrap_or_default()).replace(' ', "_");
    let suffix = match cut(language.trim_matches(WEAK), MAX_LANGUAGE) {
        "" => format!(".{ext}"),
        language => format!(".{language}.{ext}"),
    };
    let stem = squeezed(stem.chars());
    let stem = without_ext(&stem, ext);
    // A leading dot hides a file, and a leading dash makes it an option.
    let stem = stem.trim_start_matches(['.', '-', ' ']).trim_end_matches(WEAK);
    let stem = if is_device(stem) { format!("_{stem}") } else { stem.to_owned() };
    let stem = shortened(&stem, MAX_NAME.saturating_sub(suffix.len()));
    (!stem.is_empty()).then(|| stem + &suffix)
}

/// The beginning of a text in one line, without control, bidirectional or path characters.
pub(super) fn words(text: &str) -> String {
    squeezed(text.chars().take(MAX_TEXT))
}

fn squeezed(chars: impl Iterator<Item = char>) -> String {
    let safe: String = chars
        .filter(|char| !is_invisible(*char))
        .map(|char| match char {
            '/' | '\\' | ':' | '*' | '?' | '"' | '<' | '>' | '|' => '_',
            char if char.is_control() || is_blank(char) => ' ',
            char => char,
        })
        .collect();
    safe.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Characters that show nothing but change how text around them is shown or compared: bidirectional overrides
/// and isolates, zero widths, soft hyphens, byte order marks, tags.
fn is_invisible(char: char) -> bool {
    matches!(char, '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}'
        | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}'
        | '\u{e0000}'..='\u{e007f}')
}

/// Blanks that Unicode does not count as white space: fillers of Hangul, Braille without dots.
fn is_blank(char: char) -> bool {
    matches!(char, '\u{115f}' | '\u{1160}' | '\u{2800}' | '\u{3164}' | '\u{ffa0}')
}

fn without_ext<'a>(stem: &'a str, ext: &str) -> &'a str {
    match stem.rsplit_once('.') {
        Some((rest, last)) if last.eq_ignore_ascii_case(ext) => rest,
        _ => stem,
    }
}

/// Whether Windows would open a device in place of the file: `CON`, `nul.tar`, `COM1 .x`.
fn is_device(stem: &str) -> bool {
    let base = stem.split('.').next().unwrap_or_default().trim_end().to_uppercase();
    match base.as_str() {
        "CON" | "PRN" | "AUX" | "NUL" | "CONIN$" | "CONOUT$" => true,
        base => {
            let number = base.strip_prefix("COM").or_else(|| base.strip_prefix("LPT")).unwrap_or_default();
            let mut digits = number.chars();
            let is_number = |char: char| char.is_ascii_digit() || matches!(char, '¹' | '²' | '³');
            digits.next().is_some_and(is_number) && digits.next().is_none()
        }
    }
}

/// At most `room` bytes. Cuts in the middle, so that an id in brackets at the end stays.
fn shortened(stem: &str, room: usize) -> String {
    if stem.len() <= room {
        return stem.trim_end_matches(WEAK).to_owned();
    }
    let tail_start = stem.rfind(" [").filter(|start| stem.len() - start <= room / 2).unwrap_or(stem.len());
    let tail = &stem[tail_start..];
    let head = cut(stem, room - tail.len());
    format!("{}{tail}", head.trim_end_matches(WEAK))
}

/// The beginning of a text, in whole characters of at most `bytes` bytes in all.
pub(super) fn cut(text: &str, bytes: usize) -> &str {
    let mut end = bytes.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_character_gets_through_that_should_not() {
        let mut all: Vec<char> = (0..=u32::from(char::MAX)).filter_map(char::from_u32).collect();
        all.retain(|char| {
            let name = name(&format!("a{char}b"), None, "mp4").unwrap();
            name.contains(*char)
        });
        for forbidden in
            "/\\:*?\"<>|\0\t\r\n\u{7f}\u{85}\u{9f}\u{a0}\u{ad}\u{61c}\u{200b}\u{200d}\u{200e}\u{200f}\
                          \u{2028}\u{2029}\u{202a}\u{202e}\u{2066}\u{2069}\u{feff}\u{3164}\u{e0041}"
                .chars()
        {
            assert!(!all.contains(&forbidden), "{forbidden:?}");
        }
        for kept in "aZ09 .-_~'()[]{}!#$%&+,;=@^`é水🌞\u{301}\u{fe0f}\u{5d0}\u{627}".chars() {
            assert!(all.contains(&kept), "{kept:?}");
        }
    }

    #[test]
    fn devices_are_told_from_names() {
        for device in ["CON", "con", "Nul.tar", "com0", "LPT9 .x", "COM²", "conout$"] {
            assert!(is_device(device), "{device}");
        }
        for name in ["", "CONE", "COM", "COM10", "a.con", "LPTx", "nul1", "_nul"] {
            assert!(!is_device(name), "{name}");
        }
    }

    #[test]
    fn cuts_are_between_characters() {
        for length in 0..=12 {
            let cut = cut("a🌞é水b", length);
            assert!(cut.len() <= length && "a🌞é水b".starts_with(cut));
        }
        assert_eq!(shortened("one. two [7]", 8), "one [7]");
        assert_eq!(shortened("abc [7]", 5), "abc [");
        assert_eq!(shortened("abc", 0), "");
    }
}
