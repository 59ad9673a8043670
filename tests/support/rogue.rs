//! A server whose Python has one more plugin: extractors that do harm (`rogue/`).

use super::plugin::python_with;
use super::world::World;
use std::fs::{File, OpenOptions};
use std::ops::Deref;
use std::path::PathBuf;
use std::process::Command;
use tempfile::TempDir;

/// The plugin's site.
pub const HOST: &str = "rogue.example.net";

/// A world with that plugin.
pub struct Rogue {
    world: World,
    pyenv: TempDir,
}

impl Rogue {
    /// A stage and a server of one's own, with these settings.
    pub fn with(settings: &[(&str, &str)]) -> Rogue {
        let pyenv = python_with("support/rogue");
        let mut all = vec![("PYENV_DIR", pyenv.path().to_str().unwrap())];
        all.extend_from_slice(settings);
        Rogue { world: World::with(&all), pyenv }
    }

    /// The address of a page whose extractor does that.
    pub fn page(deed: &str, name: &str) -> String {
        format!("https://{HOST}/{deed}/{name}")
    }

    /// Takes Python's package away until what is returned is dropped: no process that starts meanwhile finds it.
    pub fn without_package(&self) -> Away {
        let (place, away) = (self.pyenv.path().join("sluice"), self.pyenv.path().join("away"));
        std::fs::rename(&place, &away).unwrap();
        Away { place, away }
    }

    /// Puts a file into the server's folder of Python.
    pub fn keep(&self, name: &str) -> PathBuf {
        let path = self.pyenv.path().join(name);
        File::create(&path).unwrap();
        path
    }

    /// Makes the pages of that name last until the [`Hold`] is dropped.
    pub fn hold(&self, name: &str) -> Hold {
        let path = self.pyenv.path().join(name);
        assert!(Command::new("mkfifo").arg(&path).status().unwrap().success());
        // Both ways: neither this nor the extractor's opening waits then.
        let fifo = OpenOptions::new().read(true).write(true).open(&path).unwrap();
        Hold { path, fifo }
    }
}

impl Deref for Rogue {
    type Target = World;

    fn deref(&self) -> &World {
        &self.world
    }
}

/// What was taken away, until it is dropped.
pub struct Away {
    place: PathBuf,
    away: PathBuf,
}

impl Drop for Away {
    fn drop(&mut self) {
        std::fs::rename(&self.away, &self.place).unwrap();
    }
}

/// Keeps an extractor busy.
pub struct Hold {
    path: PathBuf,
    fifo: File,
}

impl Drop for Hold {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.path);
    }
}
