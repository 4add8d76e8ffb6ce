//! The programs that a node consists of: built from published Go modules, and kept for the next time.
//!
//! Two module files, `kubernetes/` and `node/`, hold every version and every checksum. What was built from one of them is
//! kept in a folder that is named after its content, so a changed version is another folder and a kept one never stale.

use std::fs::{self, File};
use std::hash::Hasher;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use twox_hash::XxHash3_64;

use crate::failure::{Asked, Failure, output};

/// The programs of one module file.
struct Module {
    folder: &'static str,
    /// Flags for the linker beside `-s -w`.
    link: &'static str,
    /// What each is called, and the package that it is.
    programs: &'static [(&'static str, &'static str)],
}

const MODULES: [Module; 2] = [
    Module {
        folder: "node",
        link: "",
        programs: &[
            ("pause", "./pause"),
            ("dns", "./dns"),
            ("etcd", "go.etcd.io/etcd/server/v3"),
            ("containerd", "github.com/containerd/containerd/v2/cmd/containerd"),
            (
                "containerd-shim-runc-v2",
                "github.com/containerd/containerd/v2/cmd/containerd-shim-runc-v2",
            ),
            ("ctr", "github.com/containerd/containerd/v2/cmd/ctr"),
            ("ptp", "github.com/containernetworking/plugins/plugins/main/ptp"),
            (
                "loopback",
                "github.com/containernetworking/plugins/plugins/main/loopback",
            ),
            (
                "host-local",
                "github.com/containernetworking/plugins/plugins/ipam/host-local",
            ),
        ],
    },
    Module {
        folder: "kubernetes",
        // what a build of a release sets; without it the API server says that it is v0.0.0
        link: "-X k8s.io/component-base/version.gitVersion=v1.37.1 \
               -X k8s.io/component-base/version.gitMajor=1 \
               -X k8s.io/component-base/version.gitMinor=37 \
               -X k8s.io/client-go/pkg/version.gitVersion=v1.37.1",
        programs: &[
            ("kubectl", "k8s.io/kubernetes/cmd/kubectl"),
            ("kube-apiserver", "k8s.io/kubernetes/cmd/kube-apiserver"),
            (
                "kube-controller-manager",
                "k8s.io/kubernetes/cmd/kube-controller-manager",
            ),
            ("kube-scheduler", "k8s.io/kubernetes/cmd/kube-scheduler"),
            ("kube-proxy", "k8s.io/kubernetes/cmd/kube-proxy"),
            ("kubelet", "k8s.io/kubernetes/cmd/kubelet"),
        ],
    },
];

/// Where kept programs are, for an environment as `get` reads it.
///
/// # Errors
/// It says neither where caches are nor where home is.
pub fn cache(get: impl Fn(&str) -> Option<PathBuf>) -> Result<PathBuf, Failure> {
    let caches = get("XDG_CACHE_HOME").or_else(|| Some(get("HOME")?.join(".cache")));
    let caches = caches.ok_or_else(|| Failure::Unfit("neither XDG_CACHE_HOME nor HOME is set".to_owned()))?;
    Ok(caches.join("meshtrace/cluster"))
}

/// Builds what is not in `cache` yet and returns the folders, one for each module file.
///
/// # Errors
/// A module cannot be fetched ([`Failure::Unfit`]) or a program cannot be built.
pub fn ready(cache: &Path, say: impl Fn(&str)) -> Result<Vec<PathBuf>, Failure> {
    MODULES.iter().map(|module| module.ready(cache, &say)).collect()
}

impl Module {
    /// Where the module file and the programs of ours are.
    fn source(&self) -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join(self.folder)
    }

    fn ready(&self, cache: &Path, say: &impl Fn(&str)) -> Result<PathBuf, Failure> {
        let kept = cache.join(self.key()?);
        fs::create_dir_all(cache).to(|| format!("make the folder {}", cache.display()))?;
        // two that want the same at the same time: the second waits and finds it
        let lock = cache.join(format!("{}.lock", self.folder));
        let lock = File::create(&lock).to(|| format!("make {}", lock.display()))?;
        lock.lock().to(|| format!("lock {}", cache.display()))?;
        if kept.is_dir() {
            return Ok(kept);
        }
        say(&format!("fetching what is in {}/go.mod", self.folder));
        output(self.go().args(["mod", "download"])).map_err(|failure| {
            Failure::Unfit(format!("the programs of the node cannot be fetched: {failure}"))
        })?;
        // nobody ever finds half of it
        let unfinished = kept.with_extension("unfinished");
        for (name, package) in self.programs {
            let begin = Instant::now();
            output(
                self.go()
                    .args(["build", "-trimpath", "-ldflags"])
                    .arg(format!("-s -w {}", self.link))
                    .arg("-o")
                    .arg(unfinished.join(name))
                    .arg(package),
            )?;
            say(&format!("built {name} in {} s", begin.elapsed().as_secs()));
        }
        fs::rename(&unfinished, &kept).to(|| format!("keep {}", kept.display()))?;
        Ok(kept)
    }

    fn go(&self) -> Command {
        let mut command = Command::new("go");
        command.current_dir(self.source()).env("CGO_ENABLED", "0");
        command
    }

    /// The folder's name and the sum of all that its programs are made of.
    fn key(&self) -> Result<String, Failure> {
        let mut sum = XxHash3_64::new();
        sum.write(self.link.as_bytes());
        let own = self
            .programs
            .iter()
            .filter_map(|(_, package)| package.strip_prefix("./"));
        let own = own.map(|folder| format!("{folder}/main.go"));
        for file in ["go.mod".to_owned(), "go.sum".to_owned()].into_iter().chain(own) {
            let path = self.source().join(file);
            sum.write(&fs::read(&path).to(|| format!("read {}", path.display()))?);
        }
        for (name, package) in self.programs {
            sum.write(name.as_bytes());
            sum.write(package.as_bytes());
        }
        Ok(format!("{}-{:016x}", self.folder, sum.finish()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kept_programs_are_where_caches_are() {
        let with = |name: &'static str| move |asked: &str| (asked == name).then(|| PathBuf::from("/there"));
        assert_eq!(
            cache(with("XDG_CACHE_HOME")).unwrap(),
            Path::new("/there/meshtrace/cluster")
        );
        assert_eq!(
            cache(with("HOME")).unwrap(),
            Path::new("/there/.cache/meshtrace/cluster")
        );
        assert!(cache(|_| None).is_err());
    }

    #[test]
    fn every_program_is_named_in_the_file_that_keeps_its_module() {
        for module in &MODULES {
            let tools = fs::read_to_string(module.source().join("tools.go")).unwrap();
            for (name, package) in module.programs {
                let named = package.starts_with("./") || tools.contains(&format!("_ \"{package}\""));
                assert!(
                    named,
                    "{name} is built from {package}, which {}/tools.go lacks",
                    module.folder
                );
            }
        }
    }

    #[test]
    fn the_version_that_is_shown_is_the_one_that_is_built() {
        for module in &MODULES {
            let versions = module.link.matches("=v").count();
            let file = fs::read_to_string(module.source().join("go.mod")).unwrap();
            let shown: Vec<_> = module
                .link
                .split_whitespace()
                .filter_map(|it| it.rsplit_once("=v"))
                .collect();
            assert_eq!(shown.len(), versions);
            for (_, version) in shown {
                assert!(
                    file.contains(&format!("k8s.io/kubernetes v{version}\n")),
                    "{version}"
                );
            }
        }
    }
}
