//! The node's network: one address of its own, ranges for pods and Services, and no way out.

use std::fs;
use std::process::Command;

use crate::failure::{Asked, Failure, output};
use crate::parts::Site;

/// The node's address.
pub(crate) const NODE: &str = "10.66.0.1";
/// Where pods get theirs.
pub(crate) const PODS: &str = "10.67.0.0/22";
/// Where Services get theirs.
pub(crate) const SERVICES: &str = "10.68.0.0/22";
/// The Service of the API server, the first of its range.
pub(crate) const KUBERNETES: &str = "10.68.0.1";

/// Brings up loopback and the interface that holds the node's address.
pub(crate) fn lay_out(site: Site<'_>) -> Result<(), Failure> {
    let ip = |arguments: &str| {
        let mut command: Command = site.namespaces.command("ip");
        output(command.args(arguments.split(' '))).map(drop)
    };
    ip("link set lo up")?;
    // not every kernel has dummy interfaces; this one's other end leads nowhere
    ip("link add node type veth peer name nowhere")?;
    ip(&format!("address add {NODE}/32 dev node"))?;
    ip("link set nowhere up")?;
    ip("link set node up")?;
    // a packet to a Service needs some route before netfilter gets to see it and turns it to a pod
    ip(&format!("route add {SERVICES} dev node"))?;
    let forward = ["sh", "-c", "echo 1 >/proc/sys/net/ipv4/ip_forward"];
    output(site.namespaces.command(forward[0]).args(&forward[1..])).map(drop)?;
    let resolver = site.place.path("config/resolv.conf");
    fs::write(&resolver, format!("nameserver {NODE}\n")).to(|| format!("write {}", resolver.display()))
}
