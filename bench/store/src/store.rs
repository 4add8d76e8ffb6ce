//! The stores that are measured: how each is started, when it has done all with what it was sent, and how it is asked.

use std::fmt;
use std::fs;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::server::Server;
use crate::traces::{Sample, service};

/// How long a store may take to put away what it was sent last.
const SETTLING: Duration = Duration::from_secs(300);
/// How often is looked whether it has.
const GLANCE: Duration = Duration::from_millis(200);
/// A store that uses no more of the processor than [`QUIET`] for so long has.
const QUIET_FOR: Duration = Duration::from_secs(3);
const QUIET: Duration = Duration::from_millis(60);

/// A store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Store {
    /// Our collector.
    Meshtrace,
    /// Jaeger with Badger, the store that it embeds.
    Jaeger,
}

impl Store {
    /// Starts `program` with its data in a folder.
    ///
    /// # Errors
    /// It cannot be started, or does not answer.
    pub(crate) async fn start(self, program: &Path, data: &Path) -> io::Result<Server> {
        let (grpc, query) = (free()?, free()?);
        let arguments = match self {
            // it seals what is older than about a minute
            Self::Meshtrace => {
                let data = data.display();
                let flags = format!(
                    "--otlp-grpc={grpc} --query={query} --otlp-http=127.0.0.1:0 --zipkin=127.0.0.1:0 --admin=127.0.0.1:0 \
                     --retention=16m --durability=batch --data-max-bytes=64GiB --data={data}"
                );
                flags.split(' ').map(str::to_owned).collect()
            }
            Self::Jaeger => {
                let file = data.join("jaeger.json");
                fs::write(&file, jaeger(grpc, query, data).to_string())?;
                vec!["--config".to_owned(), file.display().to_string()]
            }
        };
        Server::start(program, &arguments, grpc, query).await
    }

    /// Waits until it has put away what it was sent.
    ///
    /// # Errors
    /// It goes on for longer than [`SETTLING`].
    pub(crate) async fn settle(self, server: &Server, data: &Path) -> io::Result<()> {
        let waiting = Instant::now();
        let (mut since, mut used) = (Instant::now(), server.cpu());
        loop {
            let is_done = match self {
                // everything is sealed
                Self::Meshtrace => bytes(&data.join("log")) == 0,
                Self::Jaeger => {
                    if server.cpu().saturating_sub(used) > QUIET {
                        (since, used) = (Instant::now(), server.cpu());
                    }
                    since.elapsed() > QUIET_FOR
                }
            };
            if is_done {
                return Ok(());
            }
            if waiting.elapsed() > SETTLING {
                let message = format!("{self} still works on what it was sent");
                return Err(io::Error::new(io::ErrorKind::TimedOut, message));
            }
            tokio::time::sleep(GLANCE).await;
        }
    }

    /// What its data takes on the disk, once it has ended.
    pub(crate) fn bytes(self, data: &Path) -> u64 {
        match self {
            Self::Meshtrace => bytes(&data.join("segments")),
            Self::Jaeger => bytes(data),
        }
    }

    /// Asks for the only trace with a value of `shop.request.id`. Jaeger has to be told the service.
    pub(crate) fn by_attribute(self, sample: &Sample) -> String {
        let request = &sample.request;
        match self {
            Self::Meshtrace => format!("/api/traces?limit=20&tag=shop.request.id:{request}"),
            Self::Jaeger => format!(
                "/api/traces?limit=20&lookback=2h&service={}&tags=%7B%22shop.request.id%22:%22{request}%22%7D",
                service(sample.service)
            ),
        }
    }

    /// Asks for the 20 slowest. `None`: it cannot be asked that; Jaeger orders the newest by duration, not all.
    pub(crate) fn slowest(self) -> Option<&'static str> {
        match self {
            Self::Meshtrace => Some("/api/traces?limit=20&lookback=2h&order=duration"),
            Self::Jaeger => None,
        }
    }
}

impl fmt::Display for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Meshtrace => "meshtrace",
            Self::Jaeger => "jaeger-badger",
        })
    }
}

/// Jaeger's configuration: OTLP straight into Badger, as durable as ours in mode `batch`.
fn jaeger(grpc: SocketAddr, query: SocketAddr, data: &Path) -> serde_json::Value {
    let folder = |name: &str| data.join(name).display().to_string();
    json!({
        "service": {
            "extensions": ["jaeger_storage", "jaeger_query"],
            "pipelines": {"traces": {
                "receivers": ["otlp"], "processors": ["batch"], "exporters": ["jaeger_storage_exporter"],
            }},
            "telemetry": {"logs": {"level": "error"}, "metrics": {"level": "none"}},
        },
        "extensions": {
            "jaeger_query": {
                "storage": {"traces": "kept"},
                "http": {"endpoint": query.to_string()},
                "grpc": {"endpoint": "127.0.0.1:0"},
            },
            "jaeger_storage": {"backends": {"kept": {"badger": {
                "directories": {"keys": folder("keys"), "values": folder("values")},
                "ephemeral": false,
                "ttl": {"spans": "48h"},
            }}}},
        },
        "receivers": {"otlp": {"protocols": {"grpc": {"endpoint": grpc.to_string()}}}},
        "processors": {"batch": {}},
        "exporters": {"jaeger_storage_exporter": {"trace_storage": "kept"}},
    })
}

/// An address that nobody listens on.
fn free() -> io::Result<SocketAddr> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()
}

/// What the files in a folder and those below it take on the disk. A file with holes takes less than it is long.
fn bytes(folder: &Path) -> u64 {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let sizes = entries.map(|entry| match entry.metadata() {
        Ok(metadata) if metadata.is_dir() => bytes(&entry.path()),
        Ok(metadata) => metadata.blocks() * 512,
        Err(_) => 0,
    });
    sizes.sum()
}
