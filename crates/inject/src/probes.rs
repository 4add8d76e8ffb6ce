//! What the application's own probes mean for its sidecar.
//!
//! HTTP and gRPC probes reach the application through the sidecar and tell the truth. A `tcpSocket` probe would not: the
//! sidecar takes every connection, so the kubelet would find an application ready that does not listen yet. Ports that
//! are probed like that are therefore reached directly, unless the admin says which ones are.

use crate::pod::{Container, Pod, TcpSocket};

/// The paths of HTTP probes, sorted: requests for them are noise. `/` is left out, since more than probes ask for it,
/// and the kubelet's own probes are known by their user agent anyway.
pub(crate) fn paths(pod: &Pod) -> Vec<String> {
    let probes = pod.all_containers().flat_map(Container::probes);
    let mut paths: Vec<String> = probes
        .filter_map(|(_, probe)| probe.http_get.as_ref())
        .filter_map(|get| get.path.split(['?', '#']).next())
        .filter(|path| path.len() > 1 && path.starts_with('/') && !path.contains([',', '$']))
        .map(str::to_owned)
        .collect();
    paths.sort();
    paths.dedup();
    paths
}

/// The ports that are probed by `tcpSocket`, in order, each with the container and the probe that does.
pub(crate) fn tcp_ports(pod: &Pod) -> Vec<(u16, String)> {
    let mut ports: Vec<(u16, String)> = Vec::new();
    for container in pod.all_containers() {
        for (field, probe) in container.probes() {
            let port = probe.tcp_socket.as_ref().and_then(|tcp| number(tcp, container));
            ports.extend(port.map(|port| (port, format!("{} of container {}", field, container.name))));
        }
    }
    ports.sort_by_key(|(port, _)| *port);
    ports.dedup_by_key(|(port, _)| *port);
    ports
}

fn number(tcp: &TcpSocket, container: &Container) -> Option<u16> {
    let by_name = |name: &str| container.ports.iter().find(|port| port.name == name);
    match tcp.port.as_str() {
        Some(name) => name
            .parse()
            .ok()
            .or_else(|| by_name(name).map(|port| port.container_port)),
        None => tcp.port.as_u64().and_then(|port| port.try_into().ok()),
    }
}
