//! What the collector is told: flags, and environment variables behind them. Read once, checked whole.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{ArgMatches, Command};
use contract::port;
use process::config::flags::{self, Setting, setting};
use process::config::{Problems, parsed, text};

use crate::store::Durability;
use crate::time;

/// What the collector does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// Where OTLP over gRPC comes in.
    pub otlp_grpc: SocketAddr,
    /// Where OTLP over HTTP comes in.
    pub otlp_http: SocketAddr,
    /// Where Zipkin's spans come in.
    pub zipkin: SocketAddr,
    /// Where queries are answered.
    pub query: SocketAddr,
    /// Where metrics and probes are answered.
    pub admin: SocketAddr,
    /// Bytes of memory that the store may take, about, where spans are kept in memory. At least [`MIN_STORE_BYTES`].
    pub store_max_bytes: u64,
    /// The folder where spans are kept; none to keep them in memory.
    pub data: Option<PathBuf>,
    /// Bytes of disk that spans may take there. At least [`MIN_DATA_BYTES`].
    pub data_max_bytes: u64,
    /// When a span in that folder is acknowledged.
    pub durability: Durability,
    /// How long a trace is kept.
    pub retention: Duration,
    /// Log levels, as `tracing`'s `EnvFilter` reads them.
    pub log: String,
}

/// A store smaller than this could not keep one request.
pub const MIN_STORE_BYTES: u64 = 1 << 20;

/// A folder smaller than this would be all log and no segments.
pub const MIN_DATA_BYTES: u64 = 64 << 20;

// Kubernetes sets MESHTRACE_COLLECTOR_PORT, MESHTRACE_COLLECTOR_SERVICE_* and MESHTRACE_COLLECTOR_PORT_* beside a Service
// called meshtrace-collector. None of these names may be one of ours.
fn settings() -> [Setting; 11] {
    let any = |port: u16| format!("[::]:{port}");
    [
        setting(
            "otlp_grpc",
            "--otlp-grpc",
            "MESHTRACE_COLLECTOR_OTLP_GRPC",
            "ADDRESS",
            any(port::OTLP_GRPC),
            "Where OTLP over gRPC comes in. [::] takes IPv4 and IPv6",
        ),
        setting(
            "otlp_http",
            "--otlp-http",
            "MESHTRACE_COLLECTOR_OTLP_HTTP",
            "ADDRESS",
            any(port::OTLP_HTTP),
            "Where OTLP over HTTP comes in: POST /v1/traces, protobuf or JSON",
        ),
        setting(
            "zipkin",
            "--zipkin",
            "MESHTRACE_COLLECTOR_ZIPKIN",
            "ADDRESS",
            any(port::ZIPKIN),
            "Where Zipkin's spans come in: POST /api/v2/spans, JSON or protobuf",
        ),
        setting(
            "query",
            "--query",
            "MESHTRACE_COLLECTOR_QUERY",
            "ADDRESS",
            any(port::QUERY),
            "Where the pages and the query API are: for browsers, Grafana, Jaeger UI and `meshtrace traces`",
        ),
        setting(
            "admin",
            "--admin",
            "MESHTRACE_COLLECTOR_ADMIN",
            "ADDRESS",
            any(port::COLLECTOR_ADMIN),
            "Where /metrics, /live and /ready are answered",
        ),
        setting(
            "store_max_bytes",
            "--store-max-bytes",
            "MESHTRACE_COLLECTOR_STORE_MAX_BYTES",
            "SIZE",
            "512MiB".to_owned(),
            "Memory that spans may take, such as 512MiB or 2GiB; the oldest traces go first",
        ),
        setting(
            "data",
            "--data",
            "MESHTRACE_COLLECTOR_DATA",
            "FOLDER",
            String::new(),
            "Folder in which spans are kept, so that they outlive this process. Without it they are kept in memory",
        ),
        setting(
            "data_max_bytes",
            "--data-max-bytes",
            "MESHTRACE_COLLECTOR_DATA_MAX_BYTES",
            "SIZE",
            "10GiB".to_owned(),
            "Disk that spans in --data may take, at least 64MiB; the oldest go first",
        ),
        setting(
            "durability",
            "--durability",
            "MESHTRACE_COLLECTOR_DURABILITY",
            "MODE",
            "batch".to_owned(),
            "When a span in --data is acknowledged: `sync`, once it is on the disk; `batch`, at most 200 ms before",
        ),
        setting(
            "retention",
            "--retention",
            "MESHTRACE_COLLECTOR_RETENTION",
            "DURATION",
            "72h".to_owned(),
            "How long a trace is kept, such as 30m, 72h or 7d",
        ),
        setting(
            "log",
            "--log",
            "MESHTRACE_COLLECTOR_LOG",
            "FILTER",
            "info".to_owned(),
            "What is logged: error, warn, info, debug, trace, or target=level, separated by commas",
        ),
    ]
}

/// The command line, for `--help` and for parsing.
pub fn command() -> Command {
    Command::new("meshtrace-collector")
        .version(env!("CARGO_PKG_VERSION"))
        .about("Receives spans by OTLP or as Zipkin's, joins them into traces, keeps them, and answers questions about them.")
        .after_help(
            "Send spans:   OTEL_EXPORTER_OTLP_ENDPOINT=http://localhost:4317 (gRPC) or http://localhost:4318 (HTTP);\n\
             \x20             Zipkin's to http://localhost:9411/api/v2/spans\n\
             Look at them: http://localhost:16686/, Grafana's Jaeger data source, or `meshtrace traces`",
        )
        .args(flags::arguments(settings()))
}

impl Config {
    /// Checks what was said on the command line and in the environment.
    ///
    /// # Errors
    /// Everything that is wrong, each with the flag or variable that says it and with what is allowed.
    pub fn read(matches: &ArgMatches) -> Result<Self, Problems> {
        let document = flags::document("meshtrace-collector", settings(), matches);
        let mut root = document.root();
        // What does not parse is among the problems, so that what stands in for it is never used.
        let mut address = |key| {
            root.required(
                key,
                parsed("an address with a port, such as [::]:4317 or 127.0.0.1:4317"),
            )
            .unwrap_or(SocketAddr::from(([0; 4], 0)))
        };
        let config = Self {
            otlp_grpc: address("otlp_grpc"),
            otlp_http: address("otlp_http"),
            zipkin: address("zipkin"),
            query: address("query"),
            admin: address("admin"),
            store_max_bytes: root
                .required("store_max_bytes", |value| size(&text(value)?, MIN_STORE_BYTES))
                .unwrap_or(0),
            data: root
                .required("data", text)
                .filter(|folder| !folder.is_empty())
                .map(PathBuf::from),
            data_max_bytes: root
                .required("data_max_bytes", |value| size(&text(value)?, MIN_DATA_BYTES))
                .unwrap_or(0),
            durability: root
                .required("durability", |value| durability(&text(value)?))
                .unwrap_or_default(),
            retention: root
                .required("retention", |value| age(&text(value)?))
                .unwrap_or(Duration::ZERO),
            log: root.required("log", text).unwrap_or_default(),
        };
        let addresses = [
            ("otlp_grpc", config.otlp_grpc),
            ("otlp_http", config.otlp_http),
            ("zipkin", config.zipkin),
            ("query", config.query),
            ("admin", config.admin),
        ];
        for (index, (key, address)) in addresses.iter().enumerate() {
            let others = addresses.iter().take(index);
            if address.port() != 0 && others.into_iter().any(|(_, other)| other == address) {
                root.problem(
                    key,
                    format_args!("`{address}` is taken by another setting; each needs its own"),
                );
            }
        }
        root.finish();
        document.finish()?;
        Ok(config)
    }
}

fn size(text: &str, least: u64) -> Result<u64, String> {
    let least_mib = least >> 20;
    let allowed =
        format!("is not a size of at least {least_mib}MiB, such as 512MiB or 2GiB (units: KiB, MiB, GiB)");
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at_checked(digits).unwrap_or_default();
    let unit = match unit.trim() {
        "" => Some(1),
        "KiB" => Some(1 << 10),
        "MiB" => Some(1 << 20),
        "GiB" => Some(1 << 30),
        _ => None,
    };
    let bytes = number
        .parse::<u64>()
        .ok()
        .zip(unit)
        .and_then(|(number, unit)| number.checked_mul(unit));
    bytes
        .filter(|bytes| *bytes >= least)
        .ok_or_else(|| format!("`{text}` {allowed}"))
}

fn durability(text: &str) -> Result<Durability, String> {
    match text {
        "sync" => Ok(Durability::Sync),
        "batch" => Ok(Durability::Batch),
        _ => Err(format!("`{text}` is not sync or batch")),
    }
}

fn age(text: &str) -> Result<Duration, String> {
    time::parse_duration(text)
        .filter(|age| !age.is_zero())
        .ok_or_else(|| format!("`{text}` is not {}, longer than zero", time::DURATION_ALLOWED))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(arguments: &[&str]) -> Result<Config, Problems> {
        let matches = command().try_get_matches_from([&["meshtrace-collector"], arguments].concat());
        Config::read(&matches.unwrap())
    }

    #[test]
    fn the_defaults_are_the_ports_of_the_field_on_all_addresses() {
        let config = read(&[]).unwrap();
        assert_eq!(config.otlp_grpc, "[::]:4317".parse().unwrap());
        assert_eq!(config.otlp_http, "[::]:4318".parse().unwrap());
        assert_eq!(config.zipkin, "[::]:9411".parse().unwrap());
        assert_eq!(config.query, "[::]:16686".parse().unwrap());
        assert_eq!(config.store_max_bytes, 512 << 20);
        assert_eq!(config.retention, Duration::from_secs(72 * 3600));
        assert_eq!(config.data_max_bytes, 10 << 30);
        assert_eq!((config.data, config.durability), (None, Durability::Batch));
    }

    #[test]
    fn all_problems_come_together_each_with_its_flag() {
        let problems = read(&[
            "--otlp-grpc=4317",
            "--query=[::]:4318",
            "--store-max-bytes=5KiB",
            "--retention=0",
            "--durability=maybe",
            "--data-max-bytes=63MiB",
        ]);
        let problems = problems.unwrap_err();
        let places: Vec<_> = problems
            .list()
            .iter()
            .filter_map(|line| line.split(": ").next())
            .collect();
        assert_eq!(
            places,
            [
                "--otlp-grpc",
                "--store-max-bytes",
                "--data-max-bytes",
                "--durability",
                "--retention",
                "--query"
            ]
        );
    }

    #[test]
    fn no_variable_is_one_that_kubernetes_sets_for_a_service() {
        for setting in settings() {
            let rest = setting.variable.strip_prefix("MESHTRACE_COLLECTOR_").unwrap();
            assert!(
                !rest.starts_with("PORT") && !rest.starts_with("SERVICE"),
                "{rest}"
            );
        }
    }
}
