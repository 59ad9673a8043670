//! Which JavaScript runtime is used: looked for here, once, and by nobody else.

use std::ffi::OsStr;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use super::{Reader, values};
use crate::extract::script::{Kind, Runtime, Settings};

impl Reader<'_> {
    pub(super) fn scripts(&mut self) -> Settings {
        Settings {
            runtime: self.runtime(),
            processes: self.value("JS_PROCESSES", values::number(1, 100)),
            memory: self.value("JS_MEMORY", values::number(64 << 20, 1 << 40)),
            timeout: self.value("JS_TIMEOUT", values::seconds(1, 600)),
        }
    }

    fn runtime(&mut self) -> Option<Runtime> {
        let folders = self.env.var_os("PATH").unwrap_or_default();
        if self.raw("JS_RUNTIME").is_none() {
            return Kind::ALL.into_iter().find_map(|kind| on_path(kind, &folders));
        }
        self.optional("JS_RUNTIME", |text| chosen(text, &folders)).flatten()
    }
}

fn chosen(text: &str, folders: &OsStr) -> Result<Option<Runtime>, String> {
    if text == "off" {
        return Ok(None);
    }
    let (name, path) = text.split_once(':').map_or((text, None), |(name, path)| (name, Some(path)));
    let kind = Kind::ALL.into_iter().find(|kind| kind.name() == name);
    let kind = kind.ok_or_else(|| format!("{name:?} is not one of deno, node, quickjs and off"))?;
    match path {
        None => on_path(kind, folders)
            .map(|found| Some(Runtime { named: true, ..found }))
            .ok_or_else(|| format!("no program {} is on PATH; say where it is", kind.program())),
        Some(path) => {
            let path = std::path::absolute(path).map_err(|error| format!("{path:?}: {error}"))?;
            match is_program(&path) {
                true => Ok(Some(Runtime { kind, path, named: true })),
                false => Err(format!("no program is at {}", path.display())),
            }
        }
    }
}

fn on_path(kind: Kind, folders: &OsStr) -> Option<Runtime> {
    program(kind.program(), folders).map(|path| Runtime { kind, path, named: false })
}

/// The first program of that name.
pub(super) fn program(name: &str, folders: &OsStr) -> Option<PathBuf> {
    let folders = std::env::split_paths(folders);
    // Where the server was started says nothing about what it should run.
    let mut paths = folders.filter(|folder| folder.is_absolute()).map(|folder| folder.join(name));
    paths.find(|path| is_program(path))
}

fn is_program(path: &Path) -> bool {
    path.metadata().is_ok_and(|file| file.is_file() && file.permissions().mode() & 0o111 != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(folder: &Path, name: &str, mode: u32) -> PathBuf {
        let path = folder.join(name);
        std::fs::write(&path, "").unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        path
    }

    #[test]
    fn a_runtime_is_named_with_its_path_or_found_on_path() {
        let (first, second) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let folders = std::env::join_paths([Path::new("here"), first.path(), second.path()]).unwrap();
        put(first.path(), "deno", 0o644);
        let deno = put(second.path(), "deno", 0o755);
        let qjs = put(first.path(), "qjs", 0o755);
        let found =
            |text: &str| chosen(text, &folders).map(|found| found.map(|found| (found.kind, found.path)));
        assert_eq!(found("off"), Ok(None));
        assert_eq!(found("deno"), Ok(Some((Kind::Deno, deno.clone()))));
        assert_eq!(found("quickjs"), Ok(Some((Kind::QuickJs, qjs.clone()))));
        assert_eq!(found(&format!("node:{}", qjs.display())), Ok(Some((Kind::Node, qjs))));
        assert!(found("node").unwrap_err().contains("on PATH"));
        assert!(found("deno:/of/sluice/there/is/none").unwrap_err().contains("no program"));
        assert!(found(&format!("deno:{}", first.path().display())).is_err(), "a folder");
        assert!(found(&format!("deno:{}", first.path().join("deno").display())).is_err(), "not executable");
        assert!(found("bun").unwrap_err().contains("not one of"));
        let kinds = Kind::ALL.map(|kind| on_path(kind, &folders).is_some());
        assert_eq!(kinds, [true, false, true]);
    }
}
