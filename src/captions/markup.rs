//! What is inside a cue: WebVTT's cue text (W3C WebVTT, section 6.4) and SubRip's, which has a little of HTML's.

/// Longest character reference that is read, between `&` and `;`: `#x10ffff`.
const MAX_REFERENCE: usize = 8;

/// WebVTT's cue text as SubRip's. A tag that is not closed reaches up to the end, as in browsers.
pub(super) fn to_srt(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(['<', '&']) {
        out.push_str(&rest[..at]);
        let found = &rest[at..];
        rest = match found.strip_prefix('<') {
            Some(tag) => {
                let (tag, after) = tag.split_once('>').unwrap_or((tag, ""));
                push_tag(&mut out, tag);
                after
            }
            None => push_reference(&mut out, found),
        };
    }
    out.push_str(rest);
    out
}

/// `b`, `i` and `u`, without their classes; no other tag.
fn push_tag(out: &mut String, tag: &str) {
    let (slash, name) = tag.strip_prefix('/').map_or(("", tag), |name| ("/", name));
    let name = name.split(['.', ' ', '\t', '\n']).next().unwrap_or_default();
    if let "b" | "i" | "u" = name {
        out.extend(["<", slash, name, ">"]);
    }
}

/// The character that a reference at the beginning stands for, or its `&`; what is behind it.
fn push_reference<'a>(out: &mut String, found: &'a str) -> &'a str {
    let name = &found[1..];
    let end = name.bytes().take(MAX_REFERENCE + 1).position(|c| c == b';');
    if let Some((end, c)) = end.and_then(|end| Some((end, character(&name[..end])?))) {
        out.push(c);
        return &name[end + 1..];
    }
    out.push('&');
    name
}

fn character(name: &str) -> Option<char> {
    Some(match name {
        "amp" => '&',
        "lt" => '<',
        "gt" => '>',
        "quot" => '"',
        "apos" => '\'',
        "nbsp" => '\u{a0}',
        "lrm" => '\u{200e}',
        "rlm" => '\u{200f}',
        _ => {
            let number = name.strip_prefix('#')?;
            let number = match number.strip_prefix(['x', 'X']) {
                Some(hex) => u32::from_str_radix(hex, 16).ok()?,
                None => number.parse().ok()?,
            };
            // A line's end would end the cue.
            char::from_u32(number).filter(|c| !c.is_control())?
        }
    })
}

/// A line of SubRip as WebVTT's cue text: `<b>`, `<i>` and `<u>` stay tags, `<font …>` and `{\an8}` go (WebVTT has neither),
/// everything else is text.
pub(super) fn from_srt(line: &str) -> String {
    let mut out = String::with_capacity(line.len());
    let mut rest = line;
    while let Some(at) = rest.find(['<', '>', '&', '{']) {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        let (written, length) = tag(rest).unwrap_or_else(|| plain(rest));
        out.push_str(written);
        rest = &rest[length..];
    }
    out.push_str(rest);
    out
}

/// A tag at the beginning: what WebVTT has for it, and its length.
fn tag(text: &str) -> Option<(&'static str, usize)> {
    const KEPT: [&str; 6] = ["<b>", "<i>", "<u>", "</b>", "</i>", "</u>"];
    let starts = |start: &str| text.get(..start.len()).is_some_and(|found| found.eq_ignore_ascii_case(start));
    if let Some(kept) = KEPT.into_iter().find(|kept| starts(kept)) {
        return Some((kept, kept.len()));
    }
    let end = if starts("<font") || starts("</font") {
        '>'
    } else if starts("{\\") {
        '}'
    } else {
        return None;
    };
    // Up to the next mark, whatever it is: a text of nothing but `{\` is not gone through once for each.
    let inside = text[1..].find(['<', '{', '>', '}'])? + 1;
    text[inside..].starts_with(end).then_some(("", inside + 1))
}

/// A mark that is text.
fn plain(text: &str) -> (&'static str, usize) {
    let written = match text.as_bytes().first() {
        Some(b'<') => "&lt;",
        Some(b'>') => "&gt;",
        Some(b'&') => "&amp;",
        _ => "{",
    };
    (written, 1)
}
