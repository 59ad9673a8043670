//! Files of the operator's: whether they can be read, and by whom else.

use std::fs::{self, File};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use super::report::Check;
use super::{KeyPlace, Subjects};
use crate::admission::{self, Keys};
use crate::ticket::{self, KeyError, StateKey};

/// Those bits of a mode that are about everybody.
const OTHERS: u32 = 0o007;

/// All that is ever written: the random key of stream links, where there is no other.
pub(super) fn state(key: &KeyPlace) -> Check {
    const NAME: &str = "state";
    const KEEP: &str = "let this user write there, or set STATE_DIR, or ENCRYPTION_KEY_FILE; until then a restart ends all links";
    let folder = match key {
        KeyPlace::Given | KeyPlace::File(_) => {
            return Check::ok(NAME, "the key of links is given, so nothing is written");
        }
        KeyPlace::Memory => return Check::warn(NAME, "neither STATE_DIR nor HOME is set", KEEP),
        KeyPlace::State(folder) => folder,
    };
    let file = ticket::state_file(folder);
    match ticket::try_state(folder) {
        Ok(StateKey::Kept) => Check::ok(NAME, format!("the key of links is in {}", file.display())),
        Ok(StateKey::ToBeMade) => Check::ok(NAME, format!("the first start will make {}", file.display())),
        Err(error @ KeyError::Io(_)) => Check::warn(NAME, format!("{}: {error}", file.display()), KEEP),
        Err(error) => Check::fail(
            NAME,
            format!("{}: {error}", file.display()),
            "remove it: a new key is made, and links of the old one end",
        ),
    }
}

/// Files with secrets in them: each has to be readable for this process, and for nobody else.
pub(super) fn files(subjects: &Subjects<'_>) -> Vec<Check> {
    let mut files: Vec<(&str, PathBuf)> = Vec::new();
    match &subjects.check.key {
        KeyPlace::File(path) => files.push(("the key of links", path.clone())),
        KeyPlace::State(folder) => files.push(("the key of links", ticket::state_file(folder))),
        KeyPlace::Given | KeyPlace::Memory => {}
    }
    files.extend(subjects.server.tls.iter().map(|tls| ("TLS_KEY", tls.key.clone())));
    files.extend(subjects.extract.cookies.iter().map(|path| ("COOKIES_PATH", path.clone())));
    // One that is not there is told of elsewhere.
    files.iter().filter(|(_, path)| path.exists()).map(|(what, path)| private(what, path)).collect()
}

fn private(what: &str, path: &Path) -> Check {
    const NAME: &str = "secrets";
    let shown = path.display();
    if let Err(error) = File::open(path) {
        return Check::warn(NAME, format!("{what}: {shown}: {error}"), "let this user read it");
    }
    let mode = fs::metadata(path).map_or(0, |file| file.permissions().mode() & 0o777);
    match mode & OTHERS {
        0 => Check::ok(NAME, format!("{what}: {shown} has mode {mode:04o}")),
        _ => Check::warn(
            NAME,
            format!("{what}: {shown} has mode {mode:04o}, so every user of this machine may have it"),
            format!("chmod o= {shown}"),
        ),
    }
}

/// The file of keys, which a server with a bad one would not start with.
pub(super) fn keys(settings: &admission::Settings) -> Option<Check> {
    const NAME: &str = "api-keys";
    let path = settings.keys_file.as_deref()?;
    Some(match Keys::read(path, settings.limits) {
        Ok(keys) => Check::ok(NAME, format!("{} in {}", keys.count(), path.display())),
        Err(error) => {
            Check::fail(NAME, error.to_string(), "correct it; `sluice keygen NAME` prints a line for it")
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::State;

    fn with_mode(path: &Path, mode: u32) {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    }

    #[test]
    fn a_secret_that_all_may_read_is_worth_a_warning() {
        let file = tempfile::NamedTempFile::new().unwrap();
        for (mode, state) in
            [(0o600, State::Ok), (0o640, State::Ok), (0o644, State::Warn), (0o604, State::Warn)]
        {
            with_mode(file.path(), mode);
            assert_eq!(private("TLS_KEY", file.path()).state, state, "{mode:o}");
        }
    }

    #[test]
    fn looking_at_the_state_makes_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let state = |folder: &Path| super::state(&KeyPlace::State(folder.to_owned()));
        let below = folder.path().join("not/yet");
        assert_eq!((state(&below).state, state(folder.path()).state), (State::Ok, State::Ok));
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
        fs::write(ticket::state_file(folder.path()), "short").unwrap();
        assert_eq!(state(folder.path()).state, State::Fail);
        assert_eq!(state(&ticket::state_file(folder.path()).join("below")).state, State::Warn);
        assert_eq!(super::state(&KeyPlace::Memory).state, State::Warn);
        assert_eq!(super::state(&KeyPlace::Given).state, State::Ok);
    }
}
