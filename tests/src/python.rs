//! Clients and servers in Python, with packages from its index.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// A Python with these packages, in a virtual environment that is made once, at `home`.
///
/// `None`, having said why, if it cannot be made. `what` is skipped then.
pub fn with(home: &Path, packages: &[&str], what: &str) -> Option<PathBuf> {
    let (python, whole) = (home.join("bin/python"), home.join("whole"));
    let wanted = packages.join(" ");
    if std::fs::read_to_string(&whole).is_ok_and(|packages| packages == wanted) {
        return Some(python);
    }
    eprintln!(
        "installing {wanted} from the Python package index into {}",
        home.display()
    );
    let mut make = Command::new("python3");
    make.args(["-m", "venv", "--clear"]).arg(home);
    let mut install = Command::new(&python);
    install
        .args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"])
        .args(packages);
    for mut command in [make, install] {
        let problem = match command.output() {
            Ok(output) if output.status.success() => continue,
            Ok(output) => String::from_utf8_lossy(&output.stderr)
                .lines()
                .last()
                .unwrap_or_default()
                .to_owned(),
            Err(error) => error.to_string(),
        };
        eprintln!("SKIPPED: {what}: {command:?}: {problem}");
        return None;
    }
    std::fs::write(whole, wanted).unwrap();
    Some(python)
}

/// Runs a script of `tests/peers` to its end. Returns what it printed.
///
/// # Panics
/// It fails.
pub fn run(python: &Path, script: &str, arguments: &[&str]) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("peers").join(script);
    let Output {
        status,
        stdout,
        stderr,
    } = Command::new(python).arg(path).args(arguments).output().unwrap();
    assert!(
        status.success(),
        "{script}: {status}\n{}",
        String::from_utf8_lossy(&stderr)
    );
    String::from_utf8(stdout).unwrap()
}
