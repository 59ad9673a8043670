//! Links the bundled CPython: what the server's build script says of linking holds for the server alone.

use std::path::Path;

fn main() {
    let lib = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../pyenv/runtime/lib");
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rustc-link-arg={}", lib.join("libpython3.11.so.1.0").display());
    println!("cargo::rustc-link-arg=-Wl,-rpath,{}", lib.display());
}
