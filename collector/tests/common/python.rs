//! What other people's tracers in Python send. They come from the Python package index into virtual environments under
//! `target/`, once.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A Python with these packages. A file written last says that the environment is whole; tests that run in other processes
/// wait for the one that makes it.
fn with(packages: &[&str], name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let turn = File::create(folder.join(format!("{name}.lock"))).unwrap();
    turn.lock().unwrap();
    let home = folder.join(name);
    let (python, whole) = (home.join("bin/python"), home.join("whole"));
    let wanted = packages.join(" ");
    if std::fs::read_to_string(&whole).is_ok_and(|packages| packages == wanted) {
        return python;
    }
    run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&home));
    run(Command::new(&python)
        .args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"])
        .args(packages));
    std::fs::write(whole, wanted).unwrap();
    python
}

fn run(command: &mut Command) {
    let status = command
        .status()
        .unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(status.success(), "{command:?}: {status}");
}

/// Runs a script of this folder, with these packages in an environment of that name, to its end.
pub(crate) async fn script(
    (packages, name): (&'static [&'static str], &'static str),
    script: &'static str,
    arguments: Vec<String>,
) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join(script);
    let running = tokio::task::spawn_blocking(move || {
        run(Command::new(with(packages, name)).arg(path).args(arguments));
    });
    running.await.unwrap();
}
