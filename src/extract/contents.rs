//! Whether a runtime is what was built: every file of it against the list that `pyenv/contents` has made.
//!
//! Before Python runs, for it is too late afterwards: of a library that ends early the kernel kills who loads it
//! (SIGBUS), and without its own modules CPython writes pages to standard error.

use std::io;
use std::path::{Path, PathBuf};

use ring::digest::{SHA256, digest};

/// Name of the list in the runtime.
const LIST: &str = "contents";

/// How closely files are looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Look {
    /// Whether each is there, and as long as it was: a look at the folders, some milliseconds.
    Sizes,
    /// Every byte: some tenths of a second, more where the disk is slow.
    Bytes,
}

/// Files that are not what they were.
#[derive(Debug, thiserror::Error)]
#[error(
    "the Python runtime in {} is damaged: {} {what}{}",
    runtime.display(),
    file.display(),
    more(*others)
)]
pub struct Damage {
    runtime: PathBuf,
    /// The first of them, below the runtime.
    file: PathBuf,
    what: Harm,
    /// How many more there are.
    others: usize,
}

fn more(others: usize) -> String {
    if others == 0 { String::new() } else { format!(" (and {others} more)") }
}

/// What has happened to a file.
#[derive(Debug, thiserror::Error)]
enum Harm {
    #[error("has {has} bytes instead of {had}")]
    Size { has: u64, had: u64 },
    #[error("holds other bytes")]
    Bytes,
    #[error("can't be read: {0}")]
    Io(#[from] io::Error),
    #[error("is no such list")]
    List,
}

/// Compares a runtime with its list, and says how many files are on it; nothing of a runtime that has no list.
pub(super) fn compare(runtime: &Path, look: Look) -> Result<Option<usize>, Damage> {
    let damage = |file: &Path, what, others| Damage {
        runtime: runtime.to_owned(),
        file: file.to_owned(),
        what,
        others,
    };
    let list = match std::fs::read_to_string(runtime.join(LIST)) {
        Ok(list) => list,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(damage(Path::new(LIST), error.into(), 0)),
    };
    let entries: Option<Vec<_>> = list.lines().map(Entry::read).collect();
    // One without entries is what is left of a list that was not written to its end.
    let entries = entries.filter(|entries| !entries.is_empty());
    let entries = entries.ok_or_else(|| damage(Path::new(LIST), Harm::List, 0))?;
    let mut harmed =
        entries.iter().filter_map(|entry| Some((entry.path, entry.compare(runtime, look).err()?)));
    match harmed.next() {
        None => Ok(Some(entries.len())),
        Some((file, what)) => Err(damage(file, what, harmed.count())),
    }
}

/// A line of the list.
struct Entry<'a> {
    digest: &'a str,
    size: u64,
    path: &'a Path,
}

impl<'a> Entry<'a> {
    fn read(line: &'a str) -> Option<Self> {
        let mut words = line.splitn(3, ' ');
        let (digest, size) = (words.next()?, words.next()?.parse().ok()?);
        Some(Self { digest, size, path: Path::new(words.next()?) })
    }

    fn compare(&self, runtime: &Path, look: Look) -> Result<(), Harm> {
        let path = runtime.join(self.path);
        let has = std::fs::metadata(&path)?.len();
        if has != self.size {
            return Err(Harm::Size { has, had: self.size });
        }
        if look == Look::Bytes && hexadecimal(digest(&SHA256, &std::fs::read(&path)?).as_ref()) != self.digest
        {
            return Err(Harm::Bytes);
        }
        Ok(())
    }
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_shorter_or_other_is_damage() {
        let folder = tempfile::tempdir().unwrap();
        let runtime = folder.path();
        assert_eq!(compare(runtime, Look::Bytes).unwrap(), None);
        let write = |name: &str, text: &str| std::fs::write(runtime.join(name), text).unwrap();
        let digest = hexadecimal(digest(&SHA256, b"film").as_ref());
        write(LIST, &format!("{digest} 4 a film\n{digest} 4 b\n"));
        let said = |look| compare(runtime, look).unwrap_err().to_string();
        write("b", "film");
        assert!(said(Look::Sizes).contains("a film can't be read"), "{}", said(Look::Sizes));
        write("a film", "film");
        assert_eq!(compare(runtime, Look::Sizes).unwrap(), Some(2));
        assert_eq!(compare(runtime, Look::Bytes).unwrap(), Some(2));
        write("b", "fill");
        assert_eq!(compare(runtime, Look::Sizes).unwrap(), Some(2));
        assert!(said(Look::Bytes).contains("b holds other bytes"), "{}", said(Look::Bytes));
        write("a film", "");
        assert!(said(Look::Bytes).contains("0 bytes instead of 4 (and 1 more)"), "{}", said(Look::Bytes));
        for text in ["nonsense\n", ""] {
            write(LIST, text);
            assert!(said(Look::Sizes).contains("no such list"), "{}", said(Look::Sizes));
        }
    }
}
