//! Puts the pages of `ui/` into the program: every file that `make ui` wrote to `ui/dist`, as it is and as gzip.
//!
//! Without these files the program builds as well, and says where its pages would be how they come to be.

// Cargo speaks to build scripts by the environment.
#![allow(clippy::disallowed_methods)]

use std::env;
use std::error::Error;
use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::write::GzEncoder;

fn main() -> Result<(), Box<dyn Error>> {
    let dist = Path::new(&env::var("CARGO_MANIFEST_DIR")?)
        .join("../ui/dist")
        .canonicalize()?;
    let out = PathBuf::from(env::var("OUT_DIR")?);
    // The folder is in the repository, empty but for a file without a name, so that there is always something to watch.
    println!("cargo::rerun-if-changed={}", dist.display());
    let mut files = Vec::new();
    list(&dist, &mut files)?;
    files.sort();
    let mut table = String::from("&[\n");
    for (index, file) in files.iter().enumerate() {
        let packed = out.join(format!("{index}.gz"));
        fs::write(&packed, gzip(&fs::read(file)?)?)?;
        let path = file
            .strip_prefix(&dist)?
            .to_str()
            .ok_or("a page's name has to be UTF-8")?;
        writeln!(
            table,
            "    Page {{ path: {path:?}, plain: include_bytes!({file:?}), gzip: include_bytes!({packed:?}) }},",
        )?;
    }
    table.push_str("]\n");
    fs::write(out.join("pages.rs"), table)?;
    Ok(())
}

/// Every file below `folder`, those without a name (`.gitkeep`) left out.
fn list(folder: &Path, files: &mut Vec<PathBuf>) -> std::io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            list(&entry.path(), files)?;
        } else if !entry.file_name().to_string_lossy().starts_with('.') {
            files.push(entry.path());
        }
    }
    Ok(())
}

fn gzip(bytes: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut packed = GzEncoder::new(Vec::new(), Compression::best());
    packed.write_all(bytes)?;
    packed.finish()
}
