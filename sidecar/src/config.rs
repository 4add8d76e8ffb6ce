//! The sidecar's configuration: read once, whole, from a file and the environment over it.

mod causes;

use std::fmt;
use std::net::{Ipv6Addr, SocketAddr};
use std::str::FromStr;
use std::time::Duration;

use contract::{env, port};
use process::config::{Document, Problems, Section, Variable, boolean, list, parsed, text};
use serde::Serialize;
use span::{Dialect, DialectSet, Ratio};

pub use self::causes::{Inferred, NotInferred, ProcessOwner, RequestId};
use crate::record::routes::Template;

/// Every variable that is read, and the key that it stands for.
pub const VARIABLES: [Variable; 20] = [
    (env::SERVICE, "service"),
    (env::RESOURCE, "resource"),
    (env::COLLECTOR, "collector"),
    (env::MODE, "mode"),
    (env::SAMPLING, "sampling"),
    (env::PROPAGATE, "propagate"),
    (env::PROPAGATE_INFERRED, "propagate_inferred"),
    (env::REQUEST_ID, "request_id"),
    (env::PROCESS_OWNER, "process_owner"),
    (env::ROUTES, "routes"),
    (env::OPAQUE_PORTS, "opaque_ports"),
    (env::PROBE_PATHS, "probe_paths"),
    (env::CAPTURE_HEADERS, "capture_headers"),
    (env::INBOUND_LISTEN, "inbound.listen"),
    (env::INBOUND_UPSTREAM, "inbound.upstream"),
    (env::OUTBOUND_LISTEN, "outbound.listen"),
    (env::OUTBOUND_UPSTREAM, "outbound.upstream"),
    (env::ADMIN, "admin"),
    (env::MARK, "mark"),
    (env::WORKERS, "workers"),
];

/// What the sidecar will do.
#[derive(Clone, Debug, Serialize)]
pub struct Settings {
    /// `service.name` of every span.
    pub service: String,
    /// Further resource attributes.
    #[serde(serialize_with = "map")]
    pub resource: Vec<(String, String)>,
    /// Where spans go, `http://host:port`. Without it none are made.
    pub collector: Option<String>,
    /// Whether requests are looked at.
    pub mode: Mode,
    /// The share of new traces that is kept.
    #[serde(serialize_with = "display")]
    pub sampling: Ratio,
    /// Dialects that are written always, besides those a request already speaks.
    #[serde(serialize_with = "names")]
    pub propagate: DialectSet,
    /// Which links are made where the application forwards no context.
    #[serde(serialize_with = "display")]
    pub propagate_inferred: Inferred,
    /// Whether inbound requests are given an `x-request-id` that have none.
    pub request_id: RequestId,
    /// Whether it is looked up which process holds a connection.
    pub process_owner: ProcessOwner,
    /// Route templates, before those that are learned.
    #[serde(serialize_with = "displays")]
    pub routes: Vec<Template>,
    /// Destination ports whose bytes are not looked at.
    pub opaque_ports: Vec<u16>,
    /// Paths that only probes ask for.
    pub probe_paths: Vec<String>,
    /// Headers, in lower case, that are kept on spans.
    pub capture_headers: Vec<String>,
    /// Whether the values of query strings stay out of spans.
    pub redact_query: bool,
    /// Connections into the pod.
    pub inbound: Option<Listener>,
    /// Connections out of the pod.
    pub outbound: Option<Listener>,
    /// Metrics, probes, and this configuration.
    pub admin: SocketAddr,
    /// The netfilter mark on our own connections.
    pub mark: Option<u32>,
    /// Threads that carry traffic.
    pub workers: usize,
    /// How spans leave.
    pub export: Export,
    /// How long connections may go on after the signal to stop.
    #[serde(serialize_with = "seconds")]
    pub drain: Duration,
}

/// Whether requests are looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// They are traced.
    Trace,
    /// All bytes pass unseen.
    Passthrough,
}

/// Where connections come in, and where they go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Listener {
    /// The address to listen on.
    pub listen: SocketAddr,
    /// A fixed upstream; otherwise the connection's original destination.
    pub upstream: Option<SocketAddr>,
}

/// How spans leave.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Export {
    /// The most bytes of encoded spans that wait. Spans beyond are dropped and counted.
    pub queue_bytes: usize,
    /// The size at which a batch leaves before its time.
    pub batch_bytes: usize,
    /// The longest that a span waits for its batch.
    #[serde(serialize_with = "seconds")]
    pub interval: Duration,
    /// How long a batch is tried again before it is dropped and counted.
    #[serde(serialize_with = "seconds")]
    pub retry_for: Duration,
}

impl FromStr for Mode {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        match text {
            "trace" => Ok(Self::Trace),
            "passthrough" => Ok(Self::Passthrough),
            _ => Err(()),
        }
    }
}

impl Settings {
    /// Reads `file` (its name and its text) and the variables over it, given by `variable`.
    ///
    /// # Errors
    /// All that is wrong, together.
    pub fn read(file: (&str, &str), variable: impl Fn(&str) -> Option<String>) -> Result<Self, Problems> {
        let environment: Vec<_> = VARIABLES
            .iter()
            .filter_map(|known| Some((*known, variable(known.0)?)))
            .collect();
        let document = Document::new(file.0, file.1, &environment);
        let mut root = document.root();
        let settings = Self {
            service: root
                .optional("service", word)
                .unwrap_or_else(|| "unknown_service".to_owned()),
            resource: root.pairs_or_list("resource"),
            collector: root.optional("collector", address),
            mode: root
                .optional("mode", parsed("`trace` or `passthrough`"))
                .unwrap_or(Mode::Trace),
            sampling: root
                .optional("sampling", parsed("a share: `0` to `1`, or `0%` to `100%`"))
                .unwrap_or(Ratio::ALL),
            propagate: root
                .optional("propagate", list(explained::<Dialect>))
                .map_or_else(
                    || [Dialect::W3c].into_iter().collect(),
                    |dialects| dialects.into_iter().collect(),
                ),
            propagate_inferred: root.optional("propagate_inferred", explained).unwrap_or_default(),
            request_id: root
                .optional("request_id", parsed("`off` or `create`"))
                .unwrap_or_default(),
            process_owner: root
                .optional("process_owner", parsed("`off` or `auto`"))
                .unwrap_or_default(),
            routes: root.optional("routes", list(explained)).unwrap_or_default(),
            opaque_ports: root
                .optional("opaque_ports", list(parsed("a port, 1 to 65535")))
                .unwrap_or_default(),
            probe_paths: root.optional("probe_paths", list(path)).unwrap_or_default(),
            capture_headers: root.optional("capture_headers", list(header)).unwrap_or_default(),
            redact_query: root.optional("redact_query", boolean).unwrap_or(true),
            inbound: None,
            outbound: None,
            admin: root
                .optional("admin", parsed("an address with port"))
                .unwrap_or_else(|| any(port::ADMIN)),
            mark: root.optional("mark", mark),
            workers: root
                .optional("workers", parsed("a number of threads"))
                .unwrap_or_else(usual_workers),
            export: Export::read(root.section("export")),
            drain: root
                .optional("drain", duration)
                .unwrap_or(Duration::from_secs(20)),
        };
        let settings = settings.with_listeners(&mut root);
        settings.contradictions(&document);
        root.finish();
        document.finish().map(|()| settings)
    }

    /// The listeners that are named; both, at their usual ports, if none is.
    fn with_listeners(mut self, root: &mut Section<'_>) -> Self {
        let sections = [("inbound", port::INBOUND), ("outbound", port::OUTBOUND)];
        let [inbound, outbound] = sections.map(|(key, port)| {
            let mut section = root.section(key);
            let named = !section.is_empty();
            let listener = Listener {
                listen: section
                    .optional("listen", parsed("an address with port"))
                    .unwrap_or_else(|| any(port)),
                upstream: section.optional("upstream", parsed("an address with port")),
            };
            section.finish();
            (named, listener)
        });
        let none = !inbound.0 && !outbound.0;
        self.inbound = (none || inbound.0).then_some(inbound.1);
        self.outbound = (none || outbound.0).then_some(outbound.1);
        self
    }

    fn contradictions(&self, document: &Document) {
        if self.workers == 0 || self.workers > 64 {
            document.problem(
                "workers",
                format_args!("`{}` is not between 1 and 64", self.workers),
            );
        }
        let listeners = [("inbound", self.inbound), ("outbound", self.outbound)];
        let ports = listeners
            .iter()
            .filter_map(|(key, listener)| Some((*key, (*listener)?.listen)));
        let mut taken = vec![("admin", self.admin)];
        for (key, address) in ports {
            if let Some((other, _)) = taken.iter().find(|(_, other)| clash(*other, address)) {
                document.problem(
                    &format!("{key}.listen"),
                    format_args!("`{address}` is taken by `{other}`"),
                );
            }
            taken.push((key, address));
        }
        for (key, listener) in listeners {
            if let Some(Listener {
                listen,
                upstream: Some(upstream),
            }) = listener
                && leads_to(upstream, listen)
            {
                let what = format_args!("`{upstream}` is the listener itself");
                document.problem(&format!("{key}.upstream"), what);
            }
        }
        if self.export.batch_bytes > self.export.queue_bytes {
            document.problem("export.batch_bytes", "is larger than `export.queue_bytes`");
        }
    }

    /// How causes of calls are to be found out. `None` where nobody asks: there are no calls to be seen, or no links
    /// are to be made.
    pub fn causality(&self) -> Option<causality::Settings> {
        let sees_calls = self.outbound.is_some() && self.mode == Mode::Trace;
        let threshold = self.propagate_inferred.threshold().filter(|_| sees_calls)?;
        Some(causality::Settings {
            threshold,
            ..causality::Settings::default()
        })
    }

    /// As a document that reads as these settings.
    pub fn effective(&self) -> String {
        process::config::render(self)
    }
}

impl Export {
    fn read(mut section: Section<'_>) -> Self {
        let bytes = || parsed("a number of bytes");
        let export = Self {
            queue_bytes: section.optional("queue_bytes", bytes()).unwrap_or(4 << 20),
            batch_bytes: section.optional("batch_bytes", bytes()).unwrap_or(256 << 10),
            interval: section
                .optional("interval", duration)
                .unwrap_or(Duration::from_secs(1)),
            retry_for: section
                .optional("retry_for", duration)
                .unwrap_or(Duration::from_secs(30)),
        };
        section.finish();
        export
    }
}

fn any(port: u16) -> SocketAddr {
    (Ipv6Addr::UNSPECIFIED, port).into()
}

/// Whether two listening addresses get in each other's way.
fn clash(a: SocketAddr, b: SocketAddr) -> bool {
    a.port() == b.port()
        && a.port() != 0
        && (a.ip() == b.ip() || a.ip().is_unspecified() || b.ip().is_unspecified())
}

/// Whether a connection to `upstream` would arrive at the listener. Which other addresses are this host's is not known.
fn leads_to(upstream: SocketAddr, listen: SocketAddr) -> bool {
    let (to, at) = (upstream.ip().to_canonical(), listen.ip().to_canonical());
    let here = to.is_loopback() || to.is_unspecified();
    upstream.port() == listen.port()
        && (to == at || here && at.is_unspecified() || to.is_unspecified() && at.is_loopback())
}

/// As many threads as there are processors to run them, and not more than two: each carries some 80,000 requests a
/// second.
fn usual_workers() -> usize {
    std::thread::available_parallelism().map_or(1, |count| count.get().min(2))
}

/// Reads a scalar by its [`FromStr`], whose error says what is allowed.
fn explained<T: FromStr<Err: fmt::Display>>(value: &process::config::Value) -> Result<T, String> {
    text(value)?
        .trim()
        .parse()
        .map_err(|error: T::Err| error.to_string())
}

fn word(value: &process::config::Value) -> Result<String, String> {
    let text = text(value)?;
    if text.trim().is_empty() || text.len() > 255 {
        Err("has to be 1 to 255 bytes".to_owned())
    } else {
        Ok(text)
    }
}

fn address(value: &process::config::Value) -> Result<String, String> {
    let text = text(value)?;
    let fits = text.strip_prefix("http://").is_some_and(|rest| {
        let authority = rest.strip_suffix('/').unwrap_or(rest);
        authority.rsplit_once(':').is_some_and(|(host, port)| {
            !host.is_empty() && !host.contains(['/', '@']) && port.parse::<u16>().is_ok()
        })
    });
    if fits {
        Ok(text)
    } else {
        Err(format!("`{text}` is not `http://host:port`"))
    }
}

/// `28020` or `0x6d74`, as netfilter's tools write it.
fn mark(value: &process::config::Value) -> Result<u32, String> {
    let text = text(value)?;
    let read = match text.strip_prefix("0x") {
        Some(digits) => u32::from_str_radix(digits, 16),
        None => text.parse(),
    };
    read.ok()
        .filter(|mark| *mark > 0)
        .ok_or_else(|| format!("`{text}` is not a mark, 1 to 4294967295 or 0x1 to 0xffffffff"))
}

fn path(value: &process::config::Value) -> Result<String, String> {
    let text = text(value)?;
    if text.starts_with('/') {
        Ok(text)
    } else {
        Err(format!("`{text}` is not a path that begins with `/`"))
    }
}

fn header(value: &process::config::Value) -> Result<String, String> {
    let text = text(value)?;
    let token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    if !text.is_empty() && text.bytes().all(token) {
        Ok(text.to_ascii_lowercase())
    } else {
        Err(format!("`{text}` is not the name of a header"))
    }
}

/// `500ms`, `2s`, `1m30s`.
fn duration(value: &process::config::Value) -> Result<Duration, String> {
    let text = text(value)?;
    process::config::duration(&text)
        .filter(|duration| *duration > Duration::ZERO && *duration <= Duration::from_secs(3600))
        .ok_or_else(|| format!("`{text}` is not a time like `500ms`, `2s` or `1m30s`, up to an hour"))
}

fn map<S: serde::Serializer>(pairs: &[(String, String)], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_map(pairs.iter().map(|(key, value)| (key, value)))
}

fn display<S: serde::Serializer>(value: &impl fmt::Display, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(value)
}

fn displays<S: serde::Serializer>(values: &[Template], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(values.iter().map(ToString::to_string))
}

fn names<S: serde::Serializer>(dialects: &DialectSet, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(dialects.iter().map(Dialect::name))
}

fn seconds<S: serde::Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&format_args!("{}s", duration.as_secs_f64()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str, environment: &[(&str, &str)]) -> Result<Settings, Problems> {
        let variable = |name: &str| {
            environment
                .iter()
                .find(|(key, _)| *key == name)
                .map(|(_, value)| (*value).to_owned())
        };
        Settings::read(("sidecar.yaml", text), variable)
    }

    #[test]
    fn without_a_word_both_listeners_stand_at_their_ports_and_everything_is_sampled() {
        let settings = read("", &[]).unwrap();
        assert_eq!(settings.inbound.unwrap().listen.port(), port::INBOUND);
        assert_eq!(settings.outbound.unwrap().listen.port(), port::OUTBOUND);
        assert_eq!(settings.sampling, Ratio::ALL);
        assert!(settings.propagate.contains(Dialect::W3c));
    }

    #[test]
    fn a_file_that_names_one_listener_has_only_that_one() {
        let settings = read("inbound: { listen: 127.0.0.1:1, upstream: 127.0.0.1:2 }", &[]).unwrap();
        assert!(settings.inbound.is_some() && settings.outbound.is_none());
    }

    #[test]
    fn an_upstream_is_refused_where_it_is_the_listener_and_not_for_its_port() {
        let refused = |listen: &str, upstream: &str| {
            let text = format!("inbound: {{ listen: \"{listen}\", upstream: \"{upstream}\" }}");
            read(&text, &[]).is_err()
        };
        assert!(refused("127.0.0.1:8080", "127.0.0.1:8080"));
        assert!(refused("[::]:8080", "127.0.0.1:8080"));
        assert!(refused("0.0.0.0:8080", "[::1]:8080"));
        assert!(refused("127.0.0.1:8080", "0.0.0.0:8080"));
        assert!(!refused("0.0.0.0:8080", "10.1.2.3:8080"));
        assert!(!refused("10.1.2.4:8080", "127.0.0.1:8080"));
    }

    #[test]
    fn every_problem_is_named_with_its_place_and_what_is_allowed() {
        let text = "servise: a\nsampling: 2\npropagate: [w3c, zipkin]\ncollector: collector:4317\nworkers: 0\n\
                    inbound: { listen: nowhere }\nadmin: 127.0.0.1:9\nexport: { interval: soon }\n";
        let problems = read(text, &[(env::OUTBOUND_LISTEN, "127.0.0.1:9")])
            .unwrap_err()
            .to_string();
        for expected in [
            "sidecar.yaml: 8 problems",
            "servise: unknown key; did you mean `service`?",
            "sampling: `2` is not a share",
            "propagate: `zipkin` is not a dialect",
            "collector: `collector:4317` is not `http://host:port`",
            "workers: `0` is not between 1 and 64",
            "inbound.listen: `nowhere` is not an address with port",
            "MESHTRACE_OUTBOUND_LISTEN: `127.0.0.1:9` is taken by `admin`",
            "export.interval: `soon` is not a time",
        ] {
            assert!(problems.contains(expected), "{expected}\n{problems}");
        }
    }

    #[test]
    fn the_effective_settings_read_as_themselves() {
        let text = "service: bank\nresource: { k8s.pod.name: bank-0 }\nsampling: 10%\npropagate: [b3, jaeger]\n\
                    routes: [\"GET /a/{id}\"]\ncollector: http://c:4317\npropagate_inferred: exact\nrequest-id: create\nprocess_owner: off\nmark: 7\ndrain: 1.5s\nworkers: 1\n";
        let settings = read(text, &[]).unwrap();
        let again = read(&settings.effective(), &[]).unwrap();
        assert_eq!(settings.effective(), again.effective());
        assert_eq!(again.drain, Duration::from_millis(1500));
    }
}
