//! Python as the server has it, with one more plugin of yt-dlp's.

use std::os::unix::fs::symlink;
use std::path::Path;
use tempfile::TempDir;

/// A folder for `PYENV_DIR`: the runtime, the package and its plugins, and the plugin that is in a folder of `tests`.
pub fn python_with(plugin: &str) -> TempDir {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let pyenv = tempfile::tempdir().unwrap();
    std::fs::create_dir(pyenv.path().join("plugins")).unwrap();
    for part in ["runtime", "sluice", "plugins/sluice"] {
        symlink(root.join("pyenv").join(part), pyenv.path().join(part)).unwrap();
    }
    symlink(root.join("tests").join(plugin), pyenv.path().join("plugins/more")).unwrap();
    pyenv
}
