//! The kubelet, which has the containers of pods run.

use std::time::Duration;

use serde_json::json;

use crate::daemon::Daemons;
use crate::failure::Failure;
use crate::parts::network::NODE;
use crate::parts::{Site, containerd};

const READY: Duration = Duration::from_secs(120);

/// Starts it.
///
/// - `cgroupRoot`: pods stay below the node's own cgroup, so that nothing of theirs is left elsewhere
/// - `maxOpenFiles`: more than the usual million cannot be allowed without CAP_SYS_RESOURCE
/// - images are never collected: they were imported, and could not be pulled again
/// - nothing is evicted for a full disk: it is the machine's, and full of other things
pub(crate) fn start(site: Site<'_>, daemons: &mut Daemons<'_>) -> Result<(), Failure> {
    let configuration = json!({
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "address": NODE,
        "authentication": {
            "anonymous": {"enabled": false},
            "webhook": {"enabled": true},
            "x509": {"clientCAFile": site.text("pki/ca.crt")},
        },
        "authorization": {"mode": "Webhook"},
        "tlsCertFile": site.text("pki/kubelet-server.crt"),
        "tlsPrivateKeyFile": site.text("pki/kubelet-server.key"),
        "containerRuntimeEndpoint": format!("unix://{}", containerd::SOCKET),
        "cgroupDriver": "cgroupfs",
        "cgroupRoot": format!("/{}", site.place.name()),
        "failCgroupV1": false,
        "failSwapOn": false,
        "maxOpenFiles": 20_000,
        "clusterDNS": [NODE],
        "clusterDomain": "cluster.local",
        "resolvConf": site.text("config/resolv.conf"),
        "imageGCHighThresholdPercent": 100,
        "evictionHard": {"memory.available": "100Mi", "nodefs.available": "0%", "imagefs.available": "0%"},
        "syncFrequency": "10s",
        "nodeStatusUpdateFrequency": "5s",
    });
    let file = site
        .place
        .write("config/kubelet.json", &format!("{configuration:#}\n"))?;
    let mut kubelet = site.program("kubelet");
    kubelet
        .arg("--config")
        .arg(file)
        .arg(site.option("--kubeconfig", "kubeconfig/kubelet"))
        .args(["--hostname-override=node", &format!("--node-ip={NODE}")]);
    daemons.start("kubelet", kubelet)
}

/// Waits until pods can be put on the node.
pub(crate) fn wait_for(site: Site<'_>, daemons: &mut Daemons<'_>) -> Result<(), Failure> {
    let ready = "jsonpath={.status.conditions[?(@.type=='Ready')].status}";
    daemons.wait("the node to be ready", READY, "kubelet", || {
        Ok(site.kubectl(&["get", "node", "node", "--output", ready])? == "True")
    })
}
