//! Finding the programs that the mesh is made of.

use std::env::{join_paths, split_paths};
use std::path::{Path, PathBuf};

/// Programs by their paths.
#[derive(Debug)]
pub(super) struct Tools {
    pub(super) sidecar: PathBuf,
    pub(super) collector: PathBuf,
    /// `PATH` for the services: the directory of `meshtrace` itself, then the user's.
    pub(super) search_path: String,
}

/// A program that the mesh cannot do without is nowhere.
#[derive(Debug, thiserror::Error)]
#[error("`{program}` is neither beside meshtrace in {beside} nor on PATH: {remedy}")]
pub struct Missing {
    program: &'static str,
    beside: String,
    remedy: &'static str,
}

/// Finds what is needed: beside the executable `own` first, then along `path`.
///
/// # Errors
/// One is needed and missing. What is not needed may be missing.
pub(super) fn find(own: &Path, path: &str, needs: Needs) -> Result<Tools, Missing> {
    let beside = own.parent().unwrap_or(Path::new("/"));
    let build = "build it (cargo build --release) or install it there";
    let places = || std::iter::once(beside.to_owned()).chain(split_paths(path));
    let locate = |program: &'static str, needed: bool, remedy: &'static str| match places()
        .map(|place| place.join(program))
        .find(|p| p.is_file())
    {
        Some(found) => Ok(found),
        None if !needed => Ok(PathBuf::from(program)),
        None => Err(Missing {
            program,
            beside: beside.display().to_string(),
            remedy,
        }),
    };
    locate("ip", true, "install the package iproute2")?;
    Ok(Tools {
        sidecar: locate("meshtrace-sidecar", needs.sidecar, build)?,
        collector: locate("meshtrace-collector", needs.collector, build)?,
        search_path: join_paths(places())
            .map_or_else(|_| path.to_owned(), |p| p.to_string_lossy().into_owned()),
    })
}

/// Which of the programs this mesh needs.
#[derive(Clone, Copy, Debug)]
pub(super) struct Needs {
    pub(super) sidecar: bool,
    pub(super) collector: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOTHING: Needs = Needs {
        sidecar: false,
        collector: false,
    };

    fn program(directory: &Path, name: &str) {
        std::fs::write(directory.join(name), "").unwrap();
    }

    #[test]
    fn what_stands_beside_meshtrace_wins_over_the_path() {
        let (beside, path) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        for directory in [beside.path(), path.path()] {
            program(directory, "meshtrace-sidecar");
            program(directory, "ip");
        }
        let needs = Needs {
            sidecar: true,
            ..NOTHING
        };
        let tools = find(
            &beside.path().join("meshtrace"),
            path.path().to_str().unwrap(),
            needs,
        )
        .unwrap();
        assert_eq!(tools.sidecar, beside.path().join("meshtrace-sidecar"));
    }

    #[test]
    fn a_missing_program_says_what_to_do() {
        let empty = tempfile::tempdir().unwrap();
        let error = find(&empty.path().join("meshtrace"), "/nowhere", NOTHING)
            .unwrap_err()
            .to_string();
        assert!(error.contains("`ip`") && error.contains("iproute2"), "{error}");

        program(empty.path(), "ip");
        let needs = Needs {
            collector: true,
            ..NOTHING
        };
        let error = find(&empty.path().join("meshtrace"), "/nowhere", needs)
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("`meshtrace-collector`") && error.contains("cargo build"),
            "{error}"
        );
    }

    #[test]
    fn what_is_not_needed_may_be_missing() {
        let empty = tempfile::tempdir().unwrap();
        program(empty.path(), "ip");
        assert!(find(&empty.path().join("meshtrace"), "/nowhere", NOTHING).is_ok());
    }
}
