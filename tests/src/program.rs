//! Programs of this workspace, as they were built.

use std::path::{Path, PathBuf};

/// The repository.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("..")
        .canonicalize()
        .unwrap()
}

/// Where a program of this workspace is: beside the test that asks.
///
/// # Panics
/// It has not been built.
pub fn built(name: &str) -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let folder = test.ancestors().nth(2).expect("tests live in target/*/deps");
    let program = folder.join(name);
    assert!(
        program.is_file(),
        "{} is not there: run `cargo build --workspace --bins` first",
        program.display()
    );
    program
}
