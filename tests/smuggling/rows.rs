//! The tables, read.

use super::{Came, INNER};

/// The tables.
const TABLES: [&str; 3] =
    [include_str!("framing.txt"), include_str!("fields.txt"), include_str!("targets.txt")];

/// What is sent, and what comes of it.
pub(super) struct Row {
    pub(super) name: String,
    pub(super) bytes: Vec<u8>,
    pub(super) answers: Vec<Expected>,
    /// Whether the connection stays for another request.
    pub(super) stays: bool,
    /// Whether the client ends its side after what it sends.
    pub(super) cut: bool,
}

/// An answer.
#[derive(Clone, Debug)]
pub(super) enum Expected {
    Status(u16),
    /// That of [`INNER`].
    Inner,
}

impl Expected {
    pub(super) fn is(&self, came: &Came) -> bool {
        match self {
            Expected::Status(status) => came.status == *status && !came.inner,
            Expected::Inner => came.status == 200 && came.inner,
        }
    }
}

impl Row {
    /// How often [`INNER`] is to be served.
    pub(super) fn inner(&self) -> usize {
        self.answers.iter().filter(|one| matches!(one, Expected::Inner)).count()
    }

    fn of(heading: &str) -> Row {
        let (name, rest) = heading.split_once("] ").unwrap_or_else(|| panic!("{heading}"));
        let mut row =
            Row { name: name.to_owned(), bytes: Vec::new(), answers: Vec::new(), stays: false, cut: false };
        for word in rest.split(' ') {
            match word {
                "-" | "close" => {}
                "open" => row.stays = true,
                "cut" => row.cut = true,
                "inner" => row.answers.push(Expected::Inner),
                status => row.answers.push(Expected::Status(status.parse().unwrap())),
            }
        }
        assert!(rest.contains("close") != row.stays, "{name}: open or close");
        row
    }
}

pub(super) fn all() -> Vec<Row> {
    let mut rows: Vec<Row> = Vec::new();
    for line in TABLES.into_iter().flat_map(str::lines) {
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        match line.strip_prefix('[') {
            Some(heading) => rows.push(Row::of(heading)),
            None => rows.last_mut().unwrap().bytes.extend(expanded(line)),
        }
    }
    rows
}

/// With what stands in braces. Braces around anything else are themselves.
fn expanded(mut text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    while let Some((before, from)) = text.find('{').map(|at| text.split_at(at)) {
        bytes.extend(unescaped(before));
        let named = from[1..].split_once('}').and_then(|(named, rest)| Some((written_out(named)?, rest)));
        match named {
            Some((named, rest)) => {
                bytes.extend(named);
                text = rest;
            }
            None => {
                bytes.push(b'{');
                text = &from[1..];
            }
        }
    }
    bytes.extend(unescaped(text));
    bytes
}

fn written_out(named: &str) -> Option<Vec<u8>> {
    if named == "inner" {
        return Some(INNER.into());
    }
    let (piece, count) = named.rsplit_once('*')?;
    let piece = piece.strip_prefix('(').and_then(|piece| piece.strip_suffix(')')).unwrap_or(piece);
    Some(unescaped(piece).repeat(count.parse().ok()?))
}

fn unescaped(text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        rest = after;
        if *first != b'\\' {
            bytes.push(*first);
            continue;
        }
        let (escape, after) = rest.split_first().unwrap_or_else(|| panic!("{text}"));
        rest = after;
        bytes.push(match escape {
            b'r' => b'\r',
            b'n' => b'\n',
            b't' => b'\t',
            b'0' => 0,
            b'\\' => b'\\',
            b'x' => {
                let (digits, after) = rest.split_at(2);
                rest = after;
                u8::from_str_radix(std::str::from_utf8(digits).unwrap(), 16).unwrap()
            }
            _ => panic!("{text}"),
        });
    }
    bytes
}
