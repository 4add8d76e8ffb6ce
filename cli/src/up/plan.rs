//! Who gets which name, address, environment and host port: the mesh laid out, before anything is started.
//!
//! Pure. The plan is what the front hands to PID 1; nothing else about the mesh crosses.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};

use contract::{env, port};
use serde::{Deserialize, Serialize};

use super::spec::{Families, Mesh, Restart, Service};
use super::tools::Tools;

/// The switch's own address, from which published ports and probes reach the services.
pub(super) const HUB: Address = Address::numbered(1);
/// Prefix lengths of the mesh's two networks.
pub(super) const PREFIX: (u8, u8) = (24, 64);

const COLLECTOR: &str = "collector";
const COLLECTOR_NUMBER: u8 = 2;
const FIRST_REPLICA: u8 = 10;
/// The log level of our own programs: the console belongs to the services.
const QUIET: &str = "warn";

/// Everything that PID 1 has to know.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Plan {
    pub(super) replicas: Vec<Replica>,
    pub(super) collector: Option<Replica>,
    /// In the order of the listeners that are handed over with the plan.
    pub(super) published: Vec<Published>,
    /// The whole text of `/etc/hosts` in the mesh.
    pub(super) hosts: String,
    /// Path of `meshtrace-sidecar`.
    pub(super) sidecar: PathBuf,
    /// What the commands of the services are looked for in.
    pub(super) search_path: String,
    pub(super) show: Show,
}

/// What of the mesh goes to the terminal, and how.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(super) struct Show {
    pub(super) colour: bool,
    /// The services' own lines too, not only what happens to them.
    pub(super) lines: bool,
}

/// One process of a service, with the namespace around it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Replica {
    /// `account`, or `account-0` where there are several.
    pub(super) name: String,
    pub(super) address: Address,
    pub(super) command: Vec<String>,
    pub(super) workdir: PathBuf,
    pub(super) env: Vec<(String, String)>,
    /// It is ready once it listens here.
    pub(super) port: Option<u16>,
    pub(super) restart: Restart,
    /// The environment of its sidecar, if it has one.
    pub(super) sidecar: Option<Vec<(String, String)>>,
}

/// A port of the host that leads into the mesh.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Published {
    pub(super) what: String,
    pub(super) host: SocketAddr,
    pub(super) targets: Vec<SocketAddr>,
}

/// Where a namespace is to be found in the mesh.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Address {
    pub(super) v4: Ipv4Addr,
    pub(super) v6: Ipv6Addr,
}

impl Address {
    /// The `number`th address of the mesh's networks: private ones (RFC 1918, RFC 4193) that exist nowhere else.
    const fn numbered(number: u8) -> Self {
        Self {
            v4: Ipv4Addr::new(10, 201, 0, number),
            v6: Ipv6Addr::new(0xfd6d, 0x6573, 0x6874, 0, 0, 0, 0, number as u16),
        }
    }
}

/// Lays the mesh out. `directory` is the one that the file stands in; with `untraced` no service gets a sidecar and
/// there is no collector.
pub(super) fn lay(mesh: Mesh, directory: &Path, tools: Tools, untraced: bool, show: Show) -> Plan {
    let mut published = Vec::new();
    let collector = mesh.collector.filter(|_| !untraced).map(|host| {
        let collector = collector(directory, &tools);
        let target = SocketAddr::new(IpAddr::V4(collector.address.v4), port::QUERY);
        published.push(Published {
            what: COLLECTOR.to_owned(),
            host,
            targets: vec![target],
        });
        collector
    });
    let mut replicas = Vec::new();
    let mut numbers = FIRST_REPLICA..;
    let mut hosts = Hosts::new(mesh.families);
    if let Some(collector) = &collector {
        hosts.add(collector.address, &[COLLECTOR]);
    }
    for service in mesh.services {
        let addresses: Vec<_> = numbers
            .by_ref()
            .take(service.replicas)
            .map(Address::numbered)
            .collect();
        if let (Some(host), Some(port)) = (service.publish, service.port) {
            let targets = addresses
                .iter()
                .map(|address| SocketAddr::new(IpAddr::V4(address.v4), port))
                .collect();
            published.push(Published {
                what: service.name.clone(),
                host,
                targets,
            });
        }
        for (index, address) in addresses.into_iter().enumerate() {
            let numbered = format!("{}-{index}", service.name);
            hosts.add(address, &[&service.name, &numbered]);
            let name = if service.replicas == 1 {
                service.name.clone()
            } else {
                numbered
            };
            let traced = service.traced && !untraced;
            replicas.push(replica(
                &service,
                name,
                address,
                directory,
                traced,
                collector.as_ref(),
            ));
        }
    }
    Plan {
        replicas,
        collector,
        published,
        hosts: hosts.text,
        sidecar: tools.sidecar,
        search_path: tools.search_path,
        show,
    }
}

fn collector(directory: &Path, tools: &Tools) -> Replica {
    Replica {
        name: COLLECTOR.to_owned(),
        address: Address::numbered(COLLECTOR_NUMBER),
        command: vec![tools.collector.display().to_string()],
        workdir: directory.to_owned(),
        env: vec![("MESHTRACE_COLLECTOR_LOG".to_owned(), QUIET.to_owned())],
        port: Some(port::OTLP_GRPC),
        restart: Restart::OnceReady,
        sidecar: None,
    }
}

fn replica(
    service: &Service,
    name: String,
    address: Address,
    directory: &Path,
    traced: bool,
    collector: Option<&Replica>,
) -> Replica {
    let sidecar = traced.then(|| {
        let mut variables = vec![
            (env::SERVICE.to_owned(), service.name.clone()),
            (
                env::RESOURCE.to_owned(),
                format!("service.instance.id={name},host.name={name}"),
            ),
            (env::ADMIN.to_owned(), format!("0.0.0.0:{}", port::ADMIN)),
            (env::LOG.to_owned(), QUIET.to_owned()),
        ];
        if let Some(collector) = collector {
            let place = format!("http://{}:{}", collector.address.v4, port::OTLP_GRPC);
            variables.push((env::COLLECTOR.to_owned(), place));
        }
        variables.extend(service.sidecar.iter().cloned());
        variables
    });
    Replica {
        name,
        address,
        command: service.command.clone(),
        workdir: directory.join(&service.workdir),
        env: service.env.clone(),
        port: service.port,
        restart: service.restart,
        sidecar,
    }
}

struct Hosts {
    families: Families,
    text: String,
}

impl Hosts {
    fn new(families: Families) -> Self {
        Self {
            families,
            text: "127.0.0.1 localhost\n::1 localhost ip6-localhost ip6-loopback\n".to_owned(),
        }
    }

    fn add(&mut self, address: Address, names: &[&str]) {
        let names = names.join(" ");
        self.text += &format!("{} {names}\n", address.v4);
        if self.families == Families::Dual {
            self.text += &format!("{} {names}\n", address.v6);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::spec;
    use super::*;

    fn plan(text: &str, untraced: bool) -> Plan {
        let tools = Tools {
            sidecar: "/bin/s".into(),
            collector: "/bin/c".into(),
            search_path: "/bin".to_owned(),
        };
        let show = Show {
            colour: false,
            lines: true,
        };
        lay(
            spec::read("mesh.yaml", text).unwrap(),
            Path::new("/m"),
            tools,
            untraced,
            show,
        )
    }

    const TWO: &str = "
ip: dual
services:
  web: {command: [web], port: 80, publish: 8080, replicas: 2, workdir: src}
  db: {command: [db], traced: false}
";

    #[test]
    fn a_name_stands_for_every_replica_and_each_has_one_of_its_own() {
        let plan = plan(TWO, false);
        assert_eq!(
            plan.hosts,
            "127.0.0.1 localhost
::1 localhost ip6-localhost ip6-loopback
10.201.0.2 collector
fd6d:6573:6874::2 collector
10.201.0.10 web web-0
fd6d:6573:6874::a web web-0
10.201.0.11 web web-1
fd6d:6573:6874::b web web-1
10.201.0.12 db db-0
fd6d:6573:6874::c db db-0
"
        );
        let names: Vec<_> = plan
            .replicas
            .iter()
            .map(|replica| replica.name.as_str())
            .collect();
        assert_eq!(names, ["web-0", "web-1", "db"]);
    }

    #[test]
    fn a_published_port_leads_to_every_replica() {
        let plan = plan(TWO, false);
        let published: Vec<_> = plan
            .published
            .iter()
            .map(|p| (p.what.as_str(), p.targets.len()))
            .collect();
        assert_eq!(published, [("collector", 1), ("web", 2)]);
    }

    #[test]
    fn a_traced_replica_tells_its_sidecar_who_it_is_and_where_the_collector_is() {
        let plan = plan(TWO, false);
        let [web, _, db] = plan.replicas.as_slice() else {
            panic!("three replicas")
        };
        let sidecar = web.sidecar.as_ref().unwrap();
        assert!(sidecar.contains(&(env::SERVICE.to_owned(), "web".to_owned())));
        assert!(sidecar.contains(&(env::COLLECTOR.to_owned(), "http://10.201.0.2:4317".to_owned())));
        assert_eq!(web.workdir, Path::new("/m/src"));
        assert!(db.sidecar.is_none());
    }

    #[test]
    fn untraced_is_the_same_mesh_without_sidecars_and_collector() {
        let plan = plan(TWO, true);
        assert!(plan.collector.is_none());
        assert!(plan.replicas.iter().all(|replica| replica.sidecar.is_none()));
        assert_eq!(plan.replicas.len(), 3);
    }
}
