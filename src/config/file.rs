//! Settings files: `KEY=value` lines, as systemd's `EnvironmentFile` (systemd.exec(5)).
//!
//! Unlike systemd, a trailing ` # comment` is cut from a value without quotes, as the seed's `.env` files have
//! them.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

/// Bytes of a file that are read.
const MAX_FILE: u64 = 1 << 20;

/// Why a file is not one of settings.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// It can't be read.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// A line has no `=`, or no name before it.
    #[error("line {0} is not KEY=value")]
    Line(usize),
    /// A quote is not closed on its line, or something follows it.
    #[error("line {0} has a quote that does not end its value")]
    Quote(usize),
}

pub(super) fn read(path: &Path) -> Result<BTreeMap<String, String>, FileError> {
    let mut text = String::new();
    File::open(path)?.take(MAX_FILE).read_to_string(&mut text)?;
    // Editors of other systems put a byte order mark in front.
    parse(text.strip_prefix('\u{feff}').unwrap_or(&text))
}

pub(super) fn parse(text: &str) -> Result<BTreeMap<String, String>, FileError> {
    let mut values = BTreeMap::new();
    for (index, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with(['#', ';']) {
            continue;
        }
        let line = line.strip_prefix("export ").unwrap_or(line);
        let (name, value) = line.split_once('=').ok_or(FileError::Line(index + 1))?;
        let name = name.trim();
        if name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_') {
            return Err(FileError::Line(index + 1));
        }
        let value = unquoted(value.trim()).ok_or(FileError::Quote(index + 1))?;
        values.insert(name.to_owned(), value);
    }
    Ok(values)
}

fn unquoted(value: &str) -> Option<String> {
    let quote = match value.chars().next() {
        Some(quote @ ('"' | '\'')) => quote,
        _ => {
            let comment =
                if value.starts_with('#') { Some(0) } else { value.find(" #").or(value.find("\t#")) };
            return Some(value[..comment.unwrap_or(value.len())].trim_end().to_owned());
        }
    };
    let mut plain = String::new();
    let mut chars = value[1..].chars();
    loop {
        match chars.next()? {
            '\\' if quote == '"' => plain.push(chars.next()?),
            char if char == quote => {
                let rest = chars.as_str().trim_start();
                return (rest.is_empty() || rest.starts_with('#')).then_some(plain);
            }
            char => plain.push(char),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_lines_as_systemd_does() {
        let text = "\n# comment\n; comment\nPORT=8080\nLOG = debug \nexport HOST=::1 # where\nA=\"x # \\\"y\\\"\"\nB='z # w' \nC=a#b\nD=\nE= # nothing\n";
        let values = parse(text).unwrap();
        for (name, value) in [
            ("PORT", "8080"),
            ("LOG", "debug"),
            ("HOST", "::1"),
            ("A", "x # \"y\""),
            ("B", "z # w"),
            ("C", "a#b"),
            ("D", ""),
            ("E", ""),
        ] {
            assert_eq!(values[name], value, "{name}");
        }
    }

    #[test]
    fn says_which_line_is_wrong() {
        assert!(matches!(parse("A=1\nnonsense\n"), Err(FileError::Line(2))));
        assert!(matches!(parse("=1"), Err(FileError::Line(1))));
        assert!(matches!(parse("A='1"), Err(FileError::Quote(1))));
        assert!(matches!(parse("A='1'2"), Err(FileError::Quote(1))));
    }
}
