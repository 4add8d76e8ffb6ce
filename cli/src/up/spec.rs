//! `mesh.yaml`, read strictly: everything wrong with it is reported at once, each with its place.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::num::NonZeroU16;
use std::path::PathBuf;

use contract::{env, port};
use process::config::{Document, Problems, Section, list, parsed, text};
use serde::{Deserialize, Serialize};
use serde_yaml::Value;

/// So many replicas a mesh may have in all: one machine, and one small subnet.
pub(super) const MAX_REPLICAS: usize = 200;

/// Names that mean something else in a mesh already.
const RESERVED: [&str; 2] = ["collector", "localhost"];

/// A mesh as the user wrote it, found to make sense.
#[derive(Debug, PartialEq)]
pub(super) struct Mesh {
    pub(super) families: Families,
    /// Where the collector's query API is published on the host; no collector if absent.
    pub(super) collector: Option<SocketAddr>,
    pub(super) services: Vec<Service>,
}

/// The addresses that a service's name stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Families {
    /// IPv4 only, as in most clusters: a program that listens on IPv4 alone is found by all.
    Ipv4,
    /// IPv4 and IPv6.
    Dual,
}

/// One entry under `services`.
#[derive(Debug, PartialEq)]
pub(super) struct Service {
    pub(super) name: String,
    pub(super) command: Vec<String>,
    /// Relative to the directory of the file.
    pub(super) workdir: PathBuf,
    pub(super) port: Option<u16>,
    pub(super) publish: Option<SocketAddr>,
    pub(super) env: Vec<(String, String)>,
    pub(super) replicas: usize,
    pub(super) traced: bool,
    pub(super) restart: Restart,
    /// Variables of the sidecar's environment.
    pub(super) sidecar: Vec<(String, String)>,
}

/// What happens when a program ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Restart {
    /// It stays ended.
    Never,
    /// It is started again unless it ended with code 0.
    OnFailure,
    /// It is started again.
    Always,
    /// It is started again if it has ever been ready: what never was never will be. For our own programs.
    OnceReady,
}

/// Reads a mesh.
///
/// # Errors
/// Everything that is wrong with it.
pub(super) fn read(name: &str, source: &str) -> Result<Mesh, Problems> {
    let document = Document::new(name, source, &[]);
    let mut root = document.root();
    let families = root.optional("ip", families).unwrap_or(Families::Ipv4);
    let collector = collector(root.section("collector"));
    let for_all = sidecar(root.section("sidecar"));
    let mut services: Vec<_> = root
        .section("services")
        .named()
        .map(|(name, section)| service(&document, name, section))
        .collect();
    if services.is_empty() {
        root.problem("services", "at least one service, as `name: {command: ...}`");
    }
    root.finish();
    agree(&document, collector, &services);
    document.finish()?;
    for service in &mut services {
        // what stands later wins
        service.sidecar.splice(0..0, for_all.iter().cloned());
    }
    Ok(Mesh {
        families,
        collector,
        services,
    })
}

fn collector(mut section: Section<'_>) -> Option<SocketAddr> {
    let enabled = section.optional("enabled", process::config::boolean);
    let publish = section.optional("publish", host_address);
    if enabled == Some(false) && publish.is_some() {
        section.problem("publish", "there is nothing to publish, `enabled` is false");
    }
    section.finish();
    (enabled != Some(false)).then(|| publish.unwrap_or_else(|| loopback(port::QUERY)))
}

fn service(document: &Document, name: String, mut section: Section<'_>) -> Service {
    if let Err(what) = service_name(&name) {
        document.problem(section.place(), what);
    }
    let command = section.required("command", command).unwrap_or_default();
    let workdir = section
        .optional("workdir", text)
        .unwrap_or_else(|| ".".to_owned());
    let port = section.optional("port", port_number);
    let publish = section.optional("publish", host_address);
    let env = section.section("env").pairs();
    let replicas = section.optional("replicas", replicas).unwrap_or(1);
    let traced = section
        .optional("traced", process::config::boolean)
        .unwrap_or(true);
    let restart = section.optional("restart", restart).unwrap_or(Restart::Never);
    let sidecar = sidecar(section.section("sidecar"));
    if publish.is_some() && port.is_none() {
        section.problem("publish", "needs `port`, the port that the service listens on");
    }
    if !traced && !sidecar.is_empty() {
        section.problem("sidecar", "there is none to set up, `traced` is false");
    }
    section.finish();
    Service {
        name,
        command,
        workdir: workdir.into(),
        port,
        publish,
        env,
        replicas,
        traced,
        restart,
        sidecar,
    }
}

/// The keys that are handed to the sidecar as they are; it judges their values itself.
fn sidecar(mut section: Section<'_>) -> Vec<(String, String)> {
    const PASSED_ON: [(&str, &str); 13] = [
        ("mode", env::MODE),
        ("edge", env::EDGE),
        ("sampling", env::SAMPLING),
        ("propagate", env::PROPAGATE),
        ("propagate_inferred", env::PROPAGATE_INFERRED),
        ("request_id", env::REQUEST_ID),
        ("process_owner", env::PROCESS_OWNER),
        ("routes", env::ROUTES),
        ("opaque_ports", env::OPAQUE_PORTS),
        ("probe_paths", env::PROBE_PATHS),
        ("capture_headers", env::CAPTURE_HEADERS),
        ("workers", env::WORKERS),
        ("log", env::LOG),
    ];
    let mut variables = Vec::new();
    for (key, variable) in PASSED_ON {
        if let Some(values) = section.optional(key, list(text)) {
            variables.push((variable.to_owned(), values.join(",")));
        }
    }
    section.finish();
    variables
}

/// What no single entry shows: names and published addresses that are taken twice, and the size of it all.
fn agree(document: &Document, collector: Option<SocketAddr>, services: &[Service]) {
    let mut published: BTreeSet<SocketAddr> = collector.into_iter().collect();
    let names: BTreeSet<&str> = services.iter().map(|service| service.name.as_str()).collect();
    for Service {
        name,
        publish,
        replicas,
        ..
    } in services
    {
        if let Some(address) = publish
            && !published.insert(*address)
        {
            document.problem(
                &format!("services.{name}.publish"),
                format_args!("{address} is published twice"),
            );
        }
        for replica in (0..*replicas).map(|index| format!("{name}-{index}")) {
            if names.contains(replica.as_str()) {
                let place = format!("services.{replica}");
                document.problem(
                    &place,
                    format_args!("is the name of a replica of `{name}` already"),
                );
            }
        }
    }
    let replicas: usize = services.iter().map(|service| service.replicas).sum();
    if replicas > MAX_REPLICAS {
        let what = format_args!("{replicas} replicas in all; a mesh has at most {MAX_REPLICAS}");
        document.problem("services", what);
    }
}

fn service_name(name: &str) -> Result<(), String> {
    let inner = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if name.is_empty()
        || name.len() > 40
        || !name.chars().all(inner)
        || name.starts_with('-')
        || name.ends_with('-')
    {
        return Err(
            "a service's name is a host name: a to z, 0 to 9 and - inside, at most 40 characters".to_owned(),
        );
    }
    if RESERVED.contains(&name) {
        return Err(format!("`{name}` is taken; choose another name"));
    }
    Ok(())
}

fn command(value: &Value) -> Result<Vec<String>, String> {
    let words = match value {
        Value::Sequence(_) => list(text)(value)?,
        _ => match text(value)? {
            line if line.trim().is_empty() => Vec::new(),
            line => vec!["/bin/sh".to_owned(), "-c".to_owned(), line],
        },
    };
    if words.first().is_none_or(String::is_empty) {
        return Err("has to be a program with its arguments: a list, or one line for the shell".to_owned());
    }
    Ok(words)
}

fn families(value: &Value) -> Result<Families, String> {
    match text(value)?.as_str() {
        "ipv4" => Ok(Families::Ipv4),
        "dual" => Ok(Families::Dual),
        other => Err(format!("`{other}` is not `ipv4` or `dual`")),
    }
}

fn restart(value: &Value) -> Result<Restart, String> {
    match text(value)?.as_str() {
        "never" => Ok(Restart::Never),
        "on-failure" => Ok(Restart::OnFailure),
        "always" => Ok(Restart::Always),
        other => Err(format!("`{other}` is not `never`, `on-failure` or `always`")),
    }
}

fn replicas(value: &Value) -> Result<usize, String> {
    let allowed = "a number from 1 to 200";
    let count = parsed::<usize>(allowed)(value)?;
    if (1..=MAX_REPLICAS).contains(&count) {
        Ok(count)
    } else {
        Err(format!("`{count}` is not {allowed}"))
    }
}

fn port_number(value: &Value) -> Result<u16, String> {
    parsed::<NonZeroU16>("a port, 1 to 65535")(value).map(NonZeroU16::get)
}

fn host_address(value: &Value) -> Result<SocketAddr, String> {
    if let Ok(port) = port_number(value) {
        return Ok(loopback(port));
    }
    parsed("a port of 127.0.0.1 (8080) or an address with port (0.0.0.0:8080)")(value)
}

fn loopback(port: u16) -> SocketAddr {
    SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_needs_only_a_command() {
        let mesh = read("mesh.yaml", "services:\n  web:\n    command: sleep 1\n").unwrap();
        let web = mesh.services.first().unwrap();
        assert_eq!(web.command, ["/bin/sh", "-c", "sleep 1"]);
        assert_eq!((web.replicas, web.traced, web.restart), (1, true, Restart::Never));
        assert_eq!(mesh.collector, Some("127.0.0.1:16686".parse().unwrap()));
    }

    #[test]
    fn everything_can_be_said() {
        let text = "
ip: dual
collector: {publish: 0.0.0.0:9999}
sidecar: {mode: trace}
services:
  web:
    command: [python3, web.py]
    workdir: src
    port: 80
    publish: 8080
    env: {A: 1, B: two}
    replicas: 3
    restart: on-failure
    sidecar: {sampling: 10%, routes: ['/a/{id}', '/b']}
  batch: {command: [batch], traced: false}
";
        let mesh = read("mesh.yaml", text).unwrap();
        assert_eq!(mesh.families, Families::Dual);
        assert_eq!(mesh.collector, Some("0.0.0.0:9999".parse().unwrap()));
        let [web, batch] = mesh.services.as_slice() else {
            panic!("two services")
        };
        assert_eq!(web.publish, Some("127.0.0.1:8080".parse().unwrap()));
        assert_eq!(
            web.env,
            [("A", "1"), ("B", "two")].map(|(k, v)| (k.to_owned(), v.to_owned()))
        );
        assert_eq!(
            web.sidecar,
            [
                ("MESHTRACE_MODE", "trace"),
                ("MESHTRACE_SAMPLING", "10%"),
                ("MESHTRACE_ROUTES", "/a/{id},/b")
            ]
            .map(|(k, v)| (k.to_owned(), v.to_owned()))
        );
        assert!(!batch.traced);
    }

    #[test]
    fn all_problems_are_reported_together_with_their_places() {
        let text = "
ip: ipv5
collector: {enabled: false, publish: 1}
services:
  Web: {command: []}
  a: {command: x, port: 0, replicas: 2, publish: 7, traced: false, sidecar: {sampling: 1}}
  a-1: {command: x, port: 9, publish: 8, restart: sometimes}
  b: {comand: x, port: 9, publish: 8}
";
        assert_eq!(
            read("mesh.yaml", text).unwrap_err().list(),
            [
                "ip: `ipv5` is not `ipv4` or `dual`",
                "collector.publish: there is nothing to publish, `enabled` is false",
                "services.Web: a service's name is a host name: a to z, 0 to 9 and - inside, at most 40 characters",
                "services.Web.command: has to be a program with its arguments: a list, or one line for the shell",
                "services.a.port: `0` is not a port, 1 to 65535",
                "services.a.publish: needs `port`, the port that the service listens on",
                "services.a.sidecar: there is none to set up, `traced` is false",
                "services.a-1.restart: `sometimes` is not `never`, `on-failure` or `always`",
                "services.b.command: is required",
                "services.b.comand: unknown key; did you mean `command`?",
                "services.a-1: is the name of a replica of `a` already",
                "services.b.publish: 127.0.0.1:8 is published twice",
            ]
            .map(str::to_owned)
        );
    }

    #[test]
    fn a_mesh_without_services_is_refused() {
        let problems = read("mesh.yaml", "collector: {}").unwrap_err();
        assert_eq!(
            problems.list(),
            ["services: at least one service, as `name: {command: ...}`".to_owned()]
        );
    }
}
