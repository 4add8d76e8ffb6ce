//! CoreDNS on the node's address, for the names of Services. It knows no other names and asks nobody.

use std::time::Duration;

use crate::daemon::Daemons;
use crate::failure::{Failure, output};
use crate::parts::Site;
use crate::parts::network::NODE;

const READY: Duration = Duration::from_secs(60);

/// Starts it.
pub(crate) fn start(site: Site<'_>, daemons: &mut Daemons<'_>) -> Result<(), Failure> {
    let kubeconfig = site.text("kubeconfig/dns");
    let corefile = format!(
        ".:53 {{
    bind {NODE}
    errors
    ready 127.0.0.1:8181
    kubernetes cluster.local in-addr.arpa {{
        kubeconfig {kubeconfig}
        pods insecure
    }}
}}
"
    );
    let mut dns = site.program("dns");
    dns.arg("-conf")
        .arg(site.place.write("config/Corefile", &corefile)?);
    daemons.start("dns", dns)
}

/// Waits until it knows the Services.
pub(crate) fn wait_for(site: Site<'_>, daemons: &mut Daemons<'_>) -> Result<(), Failure> {
    daemons.wait("DNS", READY, "dns", || {
        output(
            site.namespaces
                .command("bash")
                .args(["-c", "exec 3<>/dev/tcp/127.0.0.1/8181"]),
        )?;
        Ok(true)
    })
}
