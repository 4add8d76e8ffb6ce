//! API server, controller manager and scheduler.

use std::time::Duration;

use crate::credentials::Authority;
use crate::daemon::Daemons;
use crate::failure::Failure;
use crate::parts::Site;
use crate::parts::network::{KUBERNETES, NODE, SERVICES};

/// Where the API server is asked, by all but pods.
pub(crate) const SERVER: &str = "https://10.66.0.1:6443";
const ISSUER: &str = "https://kubernetes.default.svc.cluster.local";
/// A loaded machine takes its time over the first start, with all built-in objects to make.
const READY: Duration = Duration::from_secs(180);

/// Certificates and kubeconfigs of all who speak with the API server.
pub(crate) fn credentials(site: Site<'_>) -> Result<(), Failure> {
    let authority = Authority::create(site.place)?;
    let names = [
        NODE,
        KUBERNETES,
        "127.0.0.1",
        "localhost",
        "kubernetes",
        "kubernetes.default",
        "kubernetes.default.svc",
        "kubernetes.default.svc.cluster.local",
    ];
    authority.server("kube-apiserver", &names)?;
    authority.server("kubelet-server", &[NODE, "node"])?;
    for (file, user, group) in [
        ("admin", "administrator", "system:masters"),
        ("dns", "dns", "system:masters"),
        ("kube-controller-manager", "system:kube-controller-manager", ""),
        ("kube-proxy", "system:kube-proxy", ""),
        ("kube-scheduler", "system:kube-scheduler", ""),
        ("kubelet", "system:node:node", "system:nodes"),
    ] {
        authority.client(file, user, group, SERVER)?;
    }
    Ok(())
}

/// Starts the API server.
pub(crate) fn start_api_server(site: Site<'_>, daemons: &mut Daemons<'_>) -> Result<(), Failure> {
    let mut server = site.program("kube-apiserver");
    server
        .args([
            &format!("--etcd-servers={}", super::etcd::URL),
            &format!("--advertise-address={NODE}"),
            &format!("--service-cluster-ip-range={SERVICES}"),
            &format!("--service-account-issuer={ISSUER}"),
            "--authorization-mode=Node,RBAC",
            "--enable-admission-plugins=NodeRestriction",
            "--allow-privileged=true",
            "--kubelet-preferred-address-types=InternalIP",
        ])
        .arg(site.option("--tls-cert-file", "pki/kube-apiserver.crt"))
        .arg(site.option("--tls-private-key-file", "pki/kube-apiserver.key"))
        .arg(site.option("--client-ca-file", "pki/ca.crt"))
        .arg(site.option("--kubelet-certificate-authority", "pki/ca.crt"))
        .arg(site.option("--kubelet-client-certificate", "pki/admin.crt"))
        .arg(site.option("--kubelet-client-key", "pki/admin.key"))
        .arg(site.option("--service-account-key-file", "pki/tokens.pub"))
        .arg(site.option("--service-account-signing-key-file", "pki/tokens.key"));
    daemons.start("kube-apiserver", server)
}

/// Waits until the API server answers.
pub(crate) fn wait_for_api_server(site: Site<'_>, daemons: &mut Daemons<'_>) -> Result<(), Failure> {
    daemons.wait("the API server", READY, "kube-apiserver", || {
        Ok(site.kubectl(&["get", "--raw", "/readyz"])? == "ok")
    })
}

/// Starts what acts on what the API server holds.
pub(crate) fn start_controllers(site: Site<'_>, daemons: &mut Daemons<'_>) -> Result<(), Failure> {
    let mut manager = site.program("kube-controller-manager");
    manager
        .args([
            "--bind-address=127.0.0.1",
            "--leader-elect=false",
            "--use-service-account-credentials",
        ])
        .arg(site.option("--kubeconfig", "kubeconfig/kube-controller-manager"))
        .arg(site.option("--root-ca-file", "pki/ca.crt"))
        .arg(site.option("--cluster-signing-cert-file", "pki/ca.crt"))
        .arg(site.option("--cluster-signing-key-file", "pki/ca.key"))
        .arg(site.option("--service-account-private-key-file", "pki/tokens.key"));
    daemons.start("kube-controller-manager", manager)?;

    let mut scheduler = site.program("kube-scheduler");
    scheduler
        .args(["--bind-address=127.0.0.1", "--leader-elect=false"])
        .arg(site.option("--kubeconfig", "kubeconfig/kube-scheduler"));
    daemons.start("kube-scheduler", scheduler)
}

/// Waits for the first service account, without which no pod is admitted.
pub(crate) fn wait_for_service_account(site: Site<'_>, daemons: &mut Daemons<'_>) -> Result<(), Failure> {
    daemons.wait(
        "the first service account",
        READY,
        "kube-controller-manager",
        || Ok(!site.kubectl(&["get", "serviceaccount", "default"])?.is_empty()),
    )
}
