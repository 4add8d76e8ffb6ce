//! kube-proxy, which turns connections to Services to their pods.

use serde_json::json;

use crate::daemon::Daemons;
use crate::failure::Failure;
use crate::parts::Site;
use crate::parts::network::PODS;

/// Starts it. The table of connections is the machine's, so its size is left as it is.
pub(crate) fn start(site: Site<'_>, daemons: &mut Daemons<'_>) -> Result<(), Failure> {
    let configuration = json!({
        "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
        "kind": "KubeProxyConfiguration",
        "mode": "nftables",
        "clusterCIDR": PODS,
        "hostnameOverride": "node",
        "clientConnection": {"kubeconfig": site.text("kubeconfig/kube-proxy")},
        "conntrack": {"maxPerCore": 0, "min": 0},
    });
    let mut proxy = site.program("kube-proxy");
    proxy.arg("--config").arg(
        site.place
            .write("config/kube-proxy.json", &format!("{configuration:#}\n"))?,
    );
    daemons.start("kube-proxy", proxy)
}
