//! containerd, which runs pods' containers with runc, and the network that each pod gets from it.

use std::time::Duration;

use serde_json::json;

use crate::daemon::Daemons;
use crate::failure::{Failure, output};
use crate::parts::network::PODS;
use crate::parts::{Site, images};

/// Where the kubelet finds it, inside.
pub(crate) const SOCKET: &str = "/run/containerd/containerd.sock";
const READY: Duration = Duration::from_secs(60);

/// Starts it.
pub(crate) fn start(site: Site<'_>, daemons: &mut Daemons<'_>) -> Result<(), Failure> {
    site.place.write("config/containerd.toml", &configuration(site))?;
    // every pod on a link of its own to the node: what goes to a Service and comes back passes through netfilter both
    // ways, which on a bridge it would do with a further kernel module only
    let network = json!({
        "cniVersion": "1.0.0",
        "name": "pods",
        "plugins": [{
            "type": "ptp",
            "ipam": {
                "type": "host-local",
                "ranges": [[{"subnet": PODS}]],
                "routes": [{"dst": "0.0.0.0/0"}],
            },
        }],
    });
    std::fs::create_dir_all(site.place.path("config/cni")).unwrap_or_default();
    site.place
        .write("config/cni/pods.conflist", &format!("{network:#}\n"))?;
    let mut containerd = site.program("containerd");
    containerd.arg(site.option("--config", "config/containerd.toml"));
    daemons.start("containerd", containerd)
}

/// Waits until it can be asked for something.
pub(crate) fn wait_for(site: Site<'_>, daemons: &mut Daemons<'_>) -> Result<(), Failure> {
    daemons.wait("containerd", READY, "containerd", || {
        output(
            site.program("ctr")
                .args(["--namespace=k8s.io", "images", "list", "--quiet"]),
        )?;
        Ok(true)
    })
}

/// - `restrict_oom_score_adj`: without CAP_SYS_RESOURCE nobody may lower a process's score, and no pod would start
/// - the sandbox's image is imported, and nothing is ever pulled
fn configuration(site: Site<'_>) -> String {
    format!(
        r#"version = 3
disabled_plugins = ["io.containerd.nri.v1.nri", "io.containerd.snapshotter.v1.btrfs", "io.containerd.snapshotter.v1.zfs"]

[plugins.'io.containerd.cri.v1.images']
snapshotter = "overlayfs"

[plugins.'io.containerd.cri.v1.images'.pinned_images]
sandbox = "{pause}"

[plugins.'io.containerd.cri.v1.runtime']
restrict_oom_score_adj = true

[plugins.'io.containerd.cri.v1.runtime'.containerd]
default_runtime_name = "runc"

[plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc]
runtime_type = "io.containerd.runc.v2"

[plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc.options]
BinaryName = "runc"
SystemdCgroup = false

[plugins.'io.containerd.cri.v1.runtime'.cni]
bin_dirs = ["{bin}"]
conf_dir = "{cni}"
"#,
        pause = images::PAUSE,
        bin = site.text("bin"),
        cni = site.text("config/cni"),
    )
}
