//! Who is measured, and how each of them is started. All do the same: take connections on one address and pass them
//! on to another, with one worker thread; those that trace send every span to the same sink by OTLP/gRPC.

use std::{
    env, fs, io,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::Command,
};

use bench::load::Protocol;

/// Who stands between the load and the origin.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Contender {
    /// Nobody: the load asks the origin. What the others add to its latency is theirs.
    Direct,
    /// The floor: a forwarder that looks at nothing.
    TcpCopy,
    /// The sidecar, tracing every request.
    Meshtrace,
    /// Envoy, without tracing.
    Envoy,
    /// Envoy with its OpenTelemetry tracer, tracing every request.
    EnvoyOtel,
}

impl Contender {
    pub(crate) const ALL: [Self; 5] = [
        Self::Direct,
        Self::TcpCopy,
        Self::Meshtrace,
        Self::Envoy,
        Self::EnvoyOtel,
    ];

    /// The name on the command line, in the table and in the JSON.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Direct => "direct",
            Self::TcpCopy => "tcp-copy",
            Self::Meshtrace => "meshtrace",
            Self::Envoy => "envoy",
            Self::EnvoyOtel => "envoy-otel",
        }
    }

    /// Whether spans are expected of it.
    pub(crate) fn traces(self) -> bool {
        matches!(self, Self::Meshtrace | Self::EnvoyOtel)
    }
}

impl std::fmt::Display for Contender {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(self.name())
    }
}

/// Where a contender stands.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place {
    /// Where it takes connections.
    pub(crate) listen: SocketAddr,
    /// Where it passes them on to.
    pub(crate) origin: SocketAddr,
    /// Where it sends spans.
    pub(crate) sink: SocketAddr,
    /// Its own port for metrics and probes, if it has one.
    pub(crate) admin: SocketAddr,
    /// Where it would take the application's own calls. None comes, but a sidecar in a pod has to be ready for them.
    pub(crate) outbound: SocketAddr,
}

/// The programs that are put together.
#[derive(Debug)]
pub(crate) struct Programs {
    /// Where this program is, and all others that the workspace builds.
    beside: PathBuf,
    envoy: PathBuf,
    envoy_flush_spans: u32,
}

impl Programs {
    pub(crate) fn find(envoy: &Path, envoy_flush_spans: u32) -> io::Result<Self> {
        let own = env::current_exe()?;
        let beside = own.parent().map(Path::to_owned).unwrap_or_default();
        Ok(Self {
            beside,
            envoy: envoy.to_owned(),
            envoy_flush_spans,
        })
    }

    /// One of the workspace's own.
    pub(crate) fn own(&self, name: &str) -> Command {
        Command::new(self.beside.join(name))
    }

    /// Whether the contender can be started here; if not, what to do.
    pub(crate) fn check(&self, contender: Contender) -> io::Result<()> {
        let (program, remedy) = match contender {
            Contender::Direct | Contender::TcpCopy => return Ok(()),
            Contender::Meshtrace => (
                self.beside.join("meshtrace-sidecar"),
                "binary not built: run `cargo build --release -p meshtrace-sidecar`",
            ),
            Contender::Envoy | Contender::EnvoyOtel => (
                self.envoy.clone(),
                "not installed: run `make bench`, or name the program with --envoy",
            ),
        };
        if program.exists() {
            return Ok(());
        }
        let names: Vec<_> = Contender::ALL.map(Contender::name).into();
        Err(io::Error::other(format!(
            "{contender}: {remedy} ({} is missing); or choose with --contenders among {}",
            program.display(),
            names.join(",")
        )))
    }

    /// The command that starts the contender, its configuration written to `dir`; none for [`Contender::Direct`].
    pub(crate) fn contender(
        &self,
        contender: Contender,
        protocol: Protocol,
        place: Place,
        dir: &Path,
    ) -> io::Result<Option<Command>> {
        let config = dir.join(format!("{contender}-{}.yaml", protocol.name()));
        let mut command = match contender {
            Contender::Direct => return Ok(None),
            Contender::TcpCopy => {
                let mut command = self.own("tcp-copy");
                command.arg("--listen").arg(place.listen.to_string());
                command.arg("--upstream").arg(place.origin.to_string());
                return Ok(Some(command));
            }
            Contender::Meshtrace => {
                fs::write(&config, meshtrace_config(place))?;
                let mut command = self.own("meshtrace-sidecar");
                command.arg("run").arg("--config");
                command
            }
            Contender::Envoy | Contender::EnvoyOtel => {
                let flush_spans = contender.traces().then_some(self.envoy_flush_spans);
                fs::write(&config, envoy_config(protocol, place, flush_spans)?)?;
                let mut command = Command::new(&self.envoy);
                command.args([
                    "--concurrency",
                    "1",
                    "--disable-hot-restart",
                    "--log-level",
                    "warn",
                ]);
                command.arg("--config-path");
                command
            }
        };
        command.arg(config);
        Ok(Some(command))
    }
}

fn meshtrace_config(place: Place) -> String {
    let Place {
        listen,
        origin,
        sink,
        admin,
        outbound,
    } = place;
    format!(
        "service: bench\n\
         collector: http://{sink}\n\
         inbound: {{ listen: \"{listen}\", upstream: \"{origin}\" }}\n\
         outbound: {{ listen: \"{outbound}\", upstream: \"{origin}\" }}\n\
         admin: \"{admin}\"\n\
         workers: 1\n"
    )
}

/// A listener, one route to one cluster, and the tracer if spans are to be flushed. JSON, which is YAML.
fn envoy_config(protocol: Protocol, place: Place, flush_spans: Option<u32>) -> io::Result<String> {
    let mut manager = serde_json::json!({
        "@type": "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "bench",
        "codec_type": match protocol { Protocol::H1 => "HTTP1", Protocol::H2c => "HTTP2" },
        "route_config": { "virtual_hosts": [{
            "name": "bench",
            "domains": ["*"],
            "routes": [{ "match": { "prefix": "/" }, "route": { "cluster": "origin" } }],
        }] },
        "http_filters": [{
            "name": "envoy.filters.http.router",
            "typed_config": { "@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router" },
        }],
    });
    if let Some(manager) = manager.as_object_mut().filter(|_| flush_spans.is_some()) {
        manager.insert("tracing".to_owned(), envoy_tracing());
    }
    let config = serde_json::json!({
        "static_resources": {
            "listeners": [{
                "name": "bench",
                "address": envoy_address(place.listen),
                "filter_chains": [{ "filters": [{
                    "name": "envoy.filters.network.http_connection_manager",
                    "typed_config": manager,
                }] }],
            }],
            "clusters": [
                envoy_cluster("origin", place.origin, protocol),
                envoy_cluster("sink", place.sink, Protocol::H2c),
            ],
        },
        "layered_runtime": { "layers": [{
            "name": "static",
            "static_layer": { "tracing.opentelemetry.min_flush_spans": flush_spans.unwrap_or_default() },
        }] },
    });
    Ok(serde_json::to_string_pretty(&config)?)
}

fn envoy_tracing() -> serde_json::Value {
    serde_json::json!({
        "random_sampling": { "value": 100 },
        "provider": {
            "name": "envoy.tracers.opentelemetry",
            "typed_config": {
                "@type": "type.googleapis.com/envoy.config.trace.v3.OpenTelemetryConfig",
                "service_name": "bench",
                "grpc_service": { "envoy_grpc": { "cluster_name": "sink" }, "timeout": "10s" },
            },
        },
    })
}

/// A cluster of one address, without the limits that would make Envoy refuse what the load sends.
fn envoy_cluster(name: &str, address: SocketAddr, protocol: Protocol) -> serde_json::Value {
    let options = match protocol {
        Protocol::H1 => serde_json::json!({ "http_protocol_options": {} }),
        Protocol::H2c => serde_json::json!({ "http2_protocol_options": {} }),
    };
    serde_json::json!({
        "name": name,
        "type": "STATIC",
        "connect_timeout": "1s",
        "circuit_breakers": { "thresholds": [{
            "max_connections": 100_000, "max_pending_requests": 100_000, "max_requests": 100_000,
        }] },
        "typed_extension_protocol_options": { "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
            "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
            "explicit_http_config": options,
        } },
        "load_assignment": {
            "cluster_name": name,
            "endpoints": [{ "lb_endpoints": [{ "endpoint": { "address": envoy_address(address) } }] }],
        },
    })
}

fn envoy_address(address: SocketAddr) -> serde_json::Value {
    serde_json::json!({ "socket_address": { "address": address.ip().to_string(), "port_value": address.port() } })
}
