//! The node's own cgroup in every hierarchy, below which the kubelet puts its pods.
//!
//! On a machine with version 1 there is one hierarchy for each controller, with version 2 a single one for all.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::daemon::wait;
use crate::failure::{Asked, Failure};
use crate::place::Place;

/// What a kubelet cannot do without.
const NEEDED: [&str; 4] = ["cpu", "cpuset", "memory", "pids"];
/// How long the kernel may take to empty the cgroups of processes that were ended.
const EMPTY: Duration = Duration::from_secs(20);

/// The hierarchies of this machine.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Hierarchies {
    /// One for each controller, or for a few together, and perhaps one without any.
    V1(Vec<PathBuf>),
    /// One for all.
    V2(PathBuf),
}

impl Hierarchies {
    /// Those that are mounted, or the controllers that are missing in them.
    pub(crate) fn of_this_machine() -> Result<Self, Vec<&'static str>> {
        let mounts = fs::read_to_string("/proc/self/mounts").unwrap_or_default();
        Self::among(&mounts, |file| fs::read_to_string(file).unwrap_or_default())
    }

    /// Those in a table of mounts, as proc_pid_mounts(5) has it.
    fn among(mounts: &str, read: impl Fn(&Path) -> String) -> Result<Self, Vec<&'static str>> {
        let mut v1 = Vec::new();
        let mut controllers: Vec<String> = Vec::new();
        let mut v2 = None;
        for line in mounts.lines() {
            let mut fields = line.split(' ').skip(1);
            match (fields.next(), fields.next(), fields.next()) {
                (Some(at), Some("cgroup"), Some(options)) => {
                    v1.push(PathBuf::from(at));
                    controllers.extend(options.split(',').map(str::to_owned));
                }
                (Some(at), Some("cgroup2"), Some(_)) => v2 = Some(PathBuf::from(at)),
                _ => {}
            }
        }
        // beside those of version 1 it has no controllers, yet containers get a cgroup in it too
        let unified = if v1.is_empty() {
            v2
        } else {
            v1.extend(v2);
            None
        };
        if let Some(at) = &unified {
            let listed = read(&at.join("cgroup.controllers"));
            controllers = listed.split_whitespace().map(str::to_owned).collect();
        }
        let missing: Vec<_> = NEEDED
            .into_iter()
            .filter(|needed| !controllers.iter().any(|it| it == needed))
            .collect();
        match unified {
            _ if !missing.is_empty() => Err(missing),
            Some(at) => Ok(Self::V2(at)),
            None => Ok(Self::V1(v1)),
        }
    }

    fn roots(&self) -> &[PathBuf] {
        match self {
            Self::V1(roots) => roots,
            Self::V2(root) => std::slice::from_ref(root),
        }
    }

    /// Makes the node's cgroup in each.
    pub(crate) fn create(&self, place: &Place) -> Result<(), Failure> {
        for root in self.roots() {
            let own = root.join(place.name());
            fs::create_dir_all(&own).to(|| format!("make the cgroup {}", own.display()))?;
            // nothing can run in a cpuset that has no processor; the new one begins empty in version 1
            for file in ["cpuset.cpus", "cpuset.mems"] {
                if let (Self::V1(_), Ok(all)) = (self, fs::read_to_string(root.join(file))) {
                    let seeded = own.join(file);
                    fs::write(&seeded, all).to(|| format!("write {}", seeded.display()))?;
                }
            }
            if let Self::V2(_) = self {
                for parent in [root, &own] {
                    let passed_on = parent.join("cgroup.subtree_control");
                    let all = NEEDED.map(|controller| format!("+{controller}")).join(" ");
                    fs::write(&passed_on, all).to(|| format!("write {}", passed_on.display()))?;
                }
            }
        }
        Ok(())
    }

    /// Removes it with all below it, where it is there.
    pub(crate) fn remove(&self, place: &Place) -> Result<(), Failure> {
        for root in self.roots() {
            let own = root.join(place.name());
            wait(
                &format!("the cgroup {} to be empty", own.display()),
                EMPTY,
                None,
                || {
                    remove(&own)?;
                    Ok(true)
                },
            )?;
        }
        Ok(())
    }
}

/// A cgroup's files go with it; only those below it have to be removed before.
fn remove(cgroup: &Path) -> Result<(), Failure> {
    let Ok(entries) = fs::read_dir(cgroup) else {
        return Ok(());
    };
    for entry in entries.flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            remove(&entry.path())?;
        }
    }
    fs::remove_dir(cgroup).to(|| format!("remove the cgroup {}", cgroup.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const HYBRID: &str = "\
cgroup /sys/fs/cgroup/cpu,cpuacct cgroup rw,relatime,cpu,cpuacct 0 0
cgroup /sys/fs/cgroup/cpuset cgroup rw,relatime,cpuset 0 0
cgroup /sys/fs/cgroup/memory cgroup rw,relatime,memory 0 0
cgroup /sys/fs/cgroup/pids cgroup rw,relatime,pids 0 0
cgroup2 /sys/fs/cgroup/unified cgroup2 rw,relatime 0 0
";

    #[test]
    fn a_unified_hierarchy_beside_others_is_one_of_them() {
        let Ok(Hierarchies::V1(roots)) = Hierarchies::among(HYBRID, |_| String::new()) else {
            panic!("the hierarchies of version 1 are complete");
        };
        assert_eq!(roots.len(), 5);
    }

    #[test]
    fn a_unified_hierarchy_is_used_if_it_is_the_only_one() {
        let read = |file: &Path| {
            assert_eq!(file, Path::new("/sys/fs/cgroup/cgroup.controllers"));
            "cpuset cpu io memory pids\n".to_owned()
        };
        let found = Hierarchies::among("cgroup2 /sys/fs/cgroup cgroup2 rw 0 0\n", read);
        assert_eq!(found, Ok(Hierarchies::V2("/sys/fs/cgroup".into())));
    }

    #[test]
    fn controllers_that_are_missing_are_named() {
        let without = HYBRID.replace(",pids", "");
        assert_eq!(Hierarchies::among(&without, |_| String::new()), Err(vec!["pids"]));
        assert_eq!(
            Hierarchies::among("", |_| String::new()),
            Err(NEEDED.to_vec()),
            "a machine without any"
        );
    }
}
