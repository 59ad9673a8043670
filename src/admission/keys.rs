//! The file of keys: who has one, by the SHA-256 of each.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::digest::{SHA256, SHA256_OUTPUT_LEN, digest};
use ring::rand::{SecureRandom as _, SystemRandom};
use subtle::ConstantTimeEq as _;

use super::account::Account;
use super::{Limits, Sites, limits};

/// What keys begin with, so that people and scanners know them for what they are.
const PREFIX: &str = "sluice_";
/// Random bytes of a key.
const SECRET: usize = 32;
/// Largest file that is read.
const MAX_FILE: u64 = 16 << 20;
/// Longest name of a key.
const MAX_NAME: usize = 64;

type Digest = [u8; SHA256_OUTPUT_LEN];

/// One key.
#[derive(Debug)]
pub struct Key {
    /// What it is called in logs and metrics.
    pub name: Arc<str>,
    digest: Digest,
    pub(super) sites: Option<Sites>,
    pub(super) account: Account,
}

/// Why a file of keys can't be used. No text holds a key or its digest.
#[derive(Debug, thiserror::Error)]
pub enum KeysError {
    /// It can't be read.
    #[error("{}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// It is larger than any list of keys.
    #[error("{}: larger than {MAX_FILE} bytes", .0.display())]
    Large(PathBuf),
    /// Lines of it are no keys.
    #[error("{}: {}", path.display(), problems.join("; "))]
    Lines {
        /// The file.
        path: PathBuf,
        /// What is wrong, each with the line's number.
        problems: Vec<String>,
    },
}

type Table = HashMap<Digest, Arc<Key>>;

/// What tells that a file has changed: device, inode, size, and time of the last change.
type Stamp = (u64, u64, u64, i64, i64);

/// The keys of a file, as it was when it was last read.
pub struct Keys {
    path: PathBuf,
    defaults: Limits,
    table: RwLock<Arc<Table>>,
    /// Of the file as it was read, and as it was at the last look.
    stamps: Mutex<[Option<Stamp>; 2]>,
}

impl Keys {
    /// Reads the file. `defaults`: for keys that it says nothing else of.
    pub fn read(path: &Path, defaults: Limits) -> Result<Self, KeysError> {
        let stamp = stamp(path);
        let table = parse(path, &text(path)?, defaults, &Table::new())?;
        tracing::info!(keys = table.len(), "keys read");
        let (path, table) = (path.to_owned(), RwLock::new(Arc::new(table)));
        Ok(Self { path, defaults, table, stamps: Mutex::new([stamp; 2]) })
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.table.read().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// Whose key this is.
    pub(super) fn find(&self, shown: &[u8]) -> Option<Arc<Key>> {
        // What is looked up is a digest, so that the time which that takes tells nothing of any key.
        let shown = hashed(shown);
        let table = Arc::clone(&self.table.read().unwrap_or_else(PoisonError::into_inner));
        table.get(&shown).filter(|key| bool::from(key.digest.ct_eq(&shown))).cloned()
    }

    /// Reads the file again if it has changed. One that can't be used leaves the keys as they are.
    pub(super) fn refresh(&self) {
        let now = stamp(&self.path);
        let mut stamps = self.stamps.lock().unwrap_or_else(PoisonError::into_inner);
        let [read, last] = &mut *stamps;
        // Only once it stays as it is: it may be half written.
        let settled = std::mem::replace(last, now) == now;
        if !settled || *read == now {
            return;
        }
        *read = now;
        let known = Arc::clone(&self.table.read().unwrap_or_else(PoisonError::into_inner));
        match text(&self.path).and_then(|text| parse(&self.path, &text, self.defaults, &known)) {
            Ok(table) => {
                tracing::info!(keys = table.len(), "keys read anew");
                *self.table.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(table);
            }
            Err(error) => tracing::error!(%error, "the keys stay as they were"),
        }
    }
}

fn stamp(path: &Path) -> Option<Stamp> {
    let file = std::fs::metadata(path).ok()?;
    Some((file.dev(), file.ino(), file.size(), file.mtime(), file.mtime_nsec()))
}

fn text(path: &Path) -> Result<String, KeysError> {
    let read = || {
        // A pipe or a device would never end.
        let size = std::fs::metadata(path)?.len();
        (size <= MAX_FILE).then(|| std::fs::read_to_string(path)).transpose()
    };
    let text = read().map_err(|source| KeysError::Read { path: path.to_owned(), source })?;
    text.ok_or_else(|| KeysError::Large(path.to_owned()))
}

/// Keys that are `known` keep what is counted of them, but for the rate where that is another.
fn parse(path: &Path, text: &str, defaults: Limits, known: &Table) -> Result<Table, KeysError> {
    let (mut table, mut names, mut problems) = (Table::new(), HashMap::new(), Vec::new());
    for (number, line) in (1..).zip(text.lines()) {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let key = match key(line, defaults) {
            Ok(key) => key,
            Err(problem) => {
                problems.push(format!("line {number}: {problem}"));
                continue;
            }
        };
        if let Some(first) = names.insert(Arc::clone(&key.name), number) {
            problems.push(format!("line {number}: {} is on line {first}, too", key.name));
        }
        let key = match known.get(&key.digest) {
            Some(same) if same.is_like(&key) => Arc::clone(same),
            Some(other) => {
                key.account.take_over(&other.account);
                Arc::new(key)
            }
            None => Arc::new(key),
        };
        if let Some(other) = table.insert(key.digest, Arc::clone(&key)) {
            problems.push(format!("line {number}: {} and {} have the same key", key.name, other.name));
        }
    }
    match problems.is_empty() {
        true => Ok(table),
        false => Err(KeysError::Lines { path: path.to_owned(), problems }),
    }
}

/// `name sha256hex [rate=30/m] [streams=4] [bytes=50G] [sites=tiktok,vimeo.com]`.
fn key(line: &str, defaults: Limits) -> Result<Key, String> {
    let mut words = line.split_whitespace();
    let (Some(name), Some(hex)) = (words.next(), words.next()) else {
        return Err("not of the form NAME SHA256 [OPTIONS]".to_owned());
    };
    check_name(name)?;
    let digest = unhexed(hex).ok_or("the second word is no SHA-256 of 64 hexadecimal digits")?;
    let (mut limits, mut sites) = (defaults, None);
    for word in words {
        match word.split_once('=') {
            Some(("rate", rate)) => limits.rate = unless_off(rate, str::parse)?,
            Some(("streams", count)) => {
                limits.streams = unless_off(count, |count| {
                    count.parse().map_err(|_| format!("{count:?} is no number of streams"))
                })?
            }
            Some(("bytes", bytes)) => limits.bytes = unless_off(bytes, limits::bytes)?,
            Some(("sites", list)) => sites = Some(list.parse()?),
            _ => return Err(format!("{word:?} is none of rate=, streams=, bytes=, sites=")),
        }
    }
    Ok(Key { name: name.into(), digest, sites, account: Account::new(limits) })
}

/// `off` is no limit, where there is one for all others.
fn unless_off<T>(text: &str, parse: impl Fn(&str) -> Result<T, String>) -> Result<Option<T>, String> {
    if text == "off" { Ok(None) } else { parse(text).map(Some) }
}

fn check_name(name: &str) -> Result<(), String> {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._@-".contains(&byte);
    match name.len() <= MAX_NAME && name.bytes().all(is_plain) {
        true => Ok(()),
        false => Err(format!("a name has letters, digits and ._@- alone, {MAX_NAME} at most")),
    }
}

impl Key {
    fn is_like(&self, other: &Self) -> bool {
        self.name == other.name
            && self.sites == other.sites
            && self.account.limits() == other.account.limits()
    }
}

/// A new key, and the line of the file for it.
pub fn new_key(name: &str) -> Result<(String, String), String> {
    check_name(name)?;
    let mut secret = [0; SECRET];
    SystemRandom::new().fill(&mut secret).map_err(|_| "no random bytes")?;
    let key = format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(secret));
    let line = hashed(key.as_bytes()).iter().fold(format!("{name} "), |mut line, byte| {
        // Writing to a string does not fail.
        let _ = write!(line, "{byte:02x}");
        line
    });
    Ok((key, line))
}

fn hashed(key: &[u8]) -> Digest {
    let mut hashed = Digest::default();
    hashed.copy_from_slice(digest(&SHA256, key).as_ref());
    hashed
}

fn unhexed(text: &str) -> Option<Digest> {
    let mut digest = Digest::default();
    if text.len() != 2 * digest.len() || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    for (byte, pair) in digest.iter_mut().zip(text.as_bytes().chunks(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
    }
    Some(digest)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Result<Table, KeysError> {
        parse(Path::new("keys"), text, Limits::default(), &Table::new())
    }

    #[test]
    fn a_new_key_is_known_by_its_line() {
        let (key, line) = new_key("alice").unwrap();
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), format!("# keys\n\n{line}  rate=2/m sites=tiktok\n")).unwrap();
        let keys = Keys::read(file.path(), Limits::default()).unwrap();
        let found = keys.find(key.as_bytes()).unwrap();
        assert_eq!((&*found.name, found.account.limits().rate.unwrap().count.get()), ("alice", 2));
        for wrong in ["", &key[1..], &format!("{key} "), &line, "sluice_"] {
            assert!(keys.find(wrong.as_bytes()).is_none(), "{wrong:?}");
        }
        assert!(new_key("a b").is_err() && new_key(&"a".repeat(65)).is_err());
    }

    #[test]
    fn a_file_that_changes_is_read_anew_and_a_bad_one_is_not() {
        let (one, first) = new_key("one").unwrap();
        let (two, second) = new_key("two").unwrap();
        let file = tempfile::NamedTempFile::new().unwrap();
        let write = |text: &str| std::fs::write(file.path(), text).unwrap();
        write(&format!("{first} rate=2/h\n"));
        let keys = Keys::read(file.path(), Limits::default()).unwrap();
        let had = keys.find(one.as_bytes()).unwrap();
        write(&format!("{first} rate=2/h\n{second}\n"));
        keys.refresh();
        keys.refresh();
        assert!(Arc::ptr_eq(&had, &keys.find(one.as_bytes()).unwrap()), "what it has had still counts");
        assert!(keys.find(two.as_bytes()).is_some());
        write("nonsense\n");
        keys.refresh();
        keys.refresh();
        assert!(keys.find(two.as_bytes()).is_some());
        write(&format!("{first} rate=3/h\n"));
        keys.refresh();
        keys.refresh();
        assert!(keys.find(two.as_bytes()).is_none());
        assert!(!Arc::ptr_eq(&had, &keys.find(one.as_bytes()).unwrap()));
    }

    #[test]
    fn every_bad_line_is_named_and_no_digest() {
        let hash = "ab".repeat(32);
        let text = format!(
            "a {hash}\nb\nc {hash}\nd xyz\na {}\ne/f {}\ng {} rate=1\nh {} speed=1\ni {} streams=0\nj {} bytes=lots\n",
            "cd".repeat(32),
            "01".repeat(32),
            "02".repeat(32),
            "03".repeat(32),
            "04".repeat(32),
            "05".repeat(32),
        );
        let Err(KeysError::Lines { problems, .. }) = parsed(&text) else { panic!("it was taken") };
        let lines: Vec<_> = problems.iter().map(|problem| problem.split(':').next().unwrap()).collect();
        assert_eq!(
            lines,
            ["line 2", "line 3", "line 4", "line 5", "line 6", "line 7", "line 8", "line 9", "line 10"]
        );
        assert!(problems.iter().all(|problem| !problem.contains(&hash)));
        assert!(parsed("").unwrap().is_empty());
    }

    #[test]
    fn a_key_may_have_other_limits_than_all_others() {
        let defaults =
            Limits { rate: Some("1/m".parse().unwrap()), streams: 2.try_into().ok(), bytes: Some(1) };
        let line = |options: &str| {
            key(&format!("a {} {options}", "ab".repeat(32)), defaults).unwrap().account.limits()
        };
        assert_eq!(line(""), defaults);
        assert_eq!(line("rate=off streams=off bytes=off"), Limits::default());
        assert_eq!(line("bytes=2G").bytes, Some(2 << 30));
    }
}
