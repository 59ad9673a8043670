//! Links the bundled CPython that `pyenv/build` makes.
//!
//! The whole archive goes into the executable and its C API is exported, because the extension modules
//! of the standard library and of site-packages resolve `Py*` symbols from the process. Static and shared
//! are equally fast (docs/measurements.md); static it is, because the binary then needs no library of
//! ours to be found at start. `SLUICE_LINK_PYTHON=shared` links the shared one, to measure again.

#![expect(clippy::disallowed_methods, reason = "cargo speaks to build scripts by the environment")]

use std::path::Path;
use std::process::ExitCode;

/// What Debian's `libpython3.11.a` itself needs (sysconfig: LIBS, SYSLIBS, MODLIBS), by file name, so
/// that the libraries alone are enough and their `-dev` packages need not be there.
const LIBRARIES: [&str; 3] = [":libz.so.1", ":libexpat.so.1", "m"];

fn main() -> ExitCode {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-env-changed=SLUICE_LINK_PYTHON");
    let root = std::env::var("CARGO_MANIFEST_DIR").unwrap_or_default();
    let lib = Path::new(&root).join("pyenv/runtime/lib");
    let shared = std::env::var("SLUICE_LINK_PYTHON").is_ok_and(|value| value == "shared");
    let library = lib.join(if shared { "libpython3.11.so.1.0" } else { "libpython3.11.a" });
    println!("cargo::rerun-if-changed={}", library.display());
    if !library.is_file() {
        println!(
            "cargo::error=the bundled Python runtime is missing: run pyenv/build (or scripts/setup) first"
        );
        return ExitCode::FAILURE;
    }
    if shared {
        link_arg(&library.display().to_string());
        link_arg(&format!("-Wl,-rpath,{}", lib.display()));
        return ExitCode::SUCCESS;
    }
    link_arg("-Wl,--whole-archive");
    link_arg(&library.display().to_string());
    link_arg("-Wl,--no-whole-archive");
    for symbols in ["Py*", "_Py*"] {
        link_arg(&format!("-Wl,--export-dynamic-symbol={symbols}"));
    }
    for name in LIBRARIES {
        link_arg(&format!("-l{name}"));
    }
    ExitCode::SUCCESS
}

fn link_arg(arg: &str) {
    println!("cargo::rustc-link-arg={arg}");
}
