//! Where the keys of stream links come from.

use std::path::PathBuf;

use super::error::Origin;
use super::{Reader, command, table};
use crate::check::KeyPlace;
use crate::ticket::{self, KeyError, KeyMaterial};

/// Name of the systemd credential that holds the key.
const CREDENTIAL: &str = "encryption_key";

impl Reader<'_> {
    /// The key that seals, then the old ones.
    pub(super) fn keys(&mut self, warnings: &mut Vec<String>) -> Vec<KeyMaterial> {
        let text_key = |text: &str| KeyMaterial::new(text.as_bytes()).map_err(|error| error.to_string());
        let given = self.optional("ENCRYPTION_KEY", text_key);
        let from_file = self.optional("ENCRYPTION_KEY_FILE", key_file);
        let credential = self.credential().and_then(|path| match key_file(&path.to_string_lossy()) {
            Ok(key) => Some(key),
            Err(what) => {
                self.problem(table::find("ENCRYPTION_KEY_FILE"), Origin::Default, what);
                None
            }
        });
        let unset = self.raw("ENCRYPTION_KEY").is_none() && self.raw("ENCRYPTION_KEY_FILE").is_none();
        let current = given.or(from_file).or(credential).or_else(|| {
            // After a problem there will be no start, and so no need to make a file.
            (unset && self.problems.is_empty() && !command::only_looks(self.flags))
                .then(|| self.state_key(warnings))
                .flatten()
        });
        let old_keys =
            |text: &str| text.split(',').map(|key| text_key(key.trim())).collect::<Result<Vec<_>, _>>();
        let old = self.optional("ENCRYPTION_KEYS_OLD", old_keys).unwrap_or_default();
        current.into_iter().chain(old).collect()
    }

    fn credential(&self) -> Option<PathBuf> {
        let path = PathBuf::from(self.env.var("CREDENTIALS_DIRECTORY")?).join(CREDENTIAL);
        path.is_file().then_some(path)
    }

    /// Where [`Reader::keys`] has the key that seals from.
    pub(super) fn key_place(&self) -> KeyPlace {
        if self.raw("ENCRYPTION_KEY").is_some() {
            return KeyPlace::Given;
        }
        let file = self.text("ENCRYPTION_KEY_FILE").map(PathBuf::from).or_else(|| self.credential());
        let state = || self.state_dir().map(KeyPlace::State);
        file.map(KeyPlace::File).or_else(state).unwrap_or(KeyPlace::Memory)
    }

    fn state_key(&mut self, warnings: &mut Vec<String>) -> Option<KeyMaterial> {
        let error = match self.state_dir() {
            Some(folder) => match ticket::state_key(&folder) {
                Ok(key) => return Some(key),
                Err(error @ KeyError::Io(_)) => format!("{}: {error}", folder.display()),
                Err(error) => {
                    let what = format!("the key in {} can't be used: {error}", folder.display());
                    self.problem(table::find("STATE_DIR"), Origin::Default, what);
                    return None;
                }
            },
            None => "neither STATE_DIR nor HOME is set".to_owned(),
        };
        warnings
            .push(format!("the key of stream links is kept in memory only, so a restart ends them: {error}"));
        KeyMaterial::random().ok()
    }

    fn state_dir(&self) -> Option<PathBuf> {
        if let Some(folder) = self.text("STATE_DIR") {
            return Some(PathBuf::from(folder));
        }
        // systemd sets a colon-separated list (systemd.exec(5)).
        if let Some(folders) = self.env.var("STATE_DIRECTORY") {
            return folders.split(':').next().map(PathBuf::from);
        }
        let state =
            self.env.var("XDG_STATE_HOME").filter(|folder| folder.starts_with('/')).map(PathBuf::from);
        let home = || self.env.var("HOME").filter(|folder| folder.starts_with('/'));
        let state = state.or_else(|| Some(PathBuf::from(home()?).join(".local/state")));
        state.map(|state| state.join("sluice"))
    }
}

fn key_file(path: &str) -> Result<KeyMaterial, String> {
    let secret = std::fs::read(path).map_err(|error| format!("{path}: {error}"))?;
    KeyMaterial::new(&secret).map_err(|error| format!("{path}: {error}"))
}

#[cfg(test)]
mod tests {
    use super::super::tests::load_with;
    use super::*;

    #[test]
    fn a_check_makes_no_key_and_knows_where_it_would_be() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().to_str().unwrap();
        let place = |vars: &[(&'static str, &str)]| {
            let all = [&[("STATE_DIR", path)], vars].concat();
            load_with(&["check"], &all).unwrap().check.key
        };
        assert_eq!(place(&[]), KeyPlace::State(folder.path().to_owned()));
        assert_eq!(place(&[("ENCRYPTION_KEY", "a secret of some length")]), KeyPlace::Given);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
        let file = folder.path().join(CREDENTIAL);
        std::fs::write(&file, "a secret of some length").unwrap();
        assert_eq!(place(&[("CREDENTIALS_DIRECTORY", path)]), KeyPlace::File(file.clone()));
        let given = file.to_str().unwrap();
        assert_eq!(place(&[("ENCRYPTION_KEY_FILE", given)]), KeyPlace::File(file.clone()));
    }
}
