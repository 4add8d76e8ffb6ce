//! The sidecar's configuration: read once, whole, from a file and the environment over it.

mod causes;
mod live;

use std::collections::BTreeMap;
use std::fmt;
use std::net::{Ipv6Addr, SocketAddr};
use std::str::FromStr;
use std::time::Duration;

use contract::{env, port};
use process::config::{Document, Problems, Section, Variable, parsed, text};
use serde::Serialize;

pub use self::causes::{Inferred, NotInferred, ProcessOwner, RequestId};
pub use self::live::{KEYS, Live};

/// Every variable that is read, and the key that it stands for.
pub const VARIABLES: [Variable; 24] = [
    (env::SERVICE, "service"),
    (env::RESOURCE, "resource"),
    (env::COLLECTOR, "collector"),
    (env::OPERATOR, "operator"),
    (env::MODE, "mode"),
    (env::EDGE, "edge"),
    (env::SAMPLING, "sampling"),
    (env::PROPAGATE, "propagate"),
    (env::PROPAGATE_INFERRED, "propagate_inferred"),
    (env::REQUEST_ID, "request_id"),
    (env::PROCESS_OWNER, "process_owner"),
    (env::ROUTES, "routes"),
    (env::OPAQUE_PORTS, "opaque_ports"),
    (env::PROBE_PATHS, "probe_paths"),
    (env::CAPTURE_HEADERS, "capture_headers"),
    (env::REDACT_QUERY, "redact_query"),
    (env::LOG, "log"),
    (env::INBOUND_LISTEN, "inbound.listen"),
    (env::INBOUND_UPSTREAM, "inbound.upstream"),
    (env::OUTBOUND_LISTEN, "outbound.listen"),
    (env::OUTBOUND_UPSTREAM, "outbound.upstream"),
    (env::ADMIN, "admin"),
    (env::MARK, "mark"),
    (env::WORKERS, "workers"),
];

/// The keys that are read when the sidecar starts, and only then.
const FIXED: [&str; 12] = [
    "service",
    "resource",
    "collector",
    "operator",
    "process_owner",
    "inbound",
    "outbound",
    "admin",
    "mark",
    "workers",
    "export",
    "drain",
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
    /// Where settings come from while it runs, `http://host:port`. Without it they stay as they are.
    pub operator: Option<String>,
    /// What can change while it runs, as it was at the start.
    #[serde(flatten)]
    pub live: Live,
    /// Whether it is looked up which process holds a connection.
    pub process_owner: ProcessOwner,
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
    /// What the environment says of what can change, which no later word overrules.
    #[serde(skip)]
    said: Vec<(Variable, String)>,
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
            operator: root.optional("operator", address),
            live: Live::default().read(&mut root),
            process_owner: root
                .optional("process_owner", parsed("`off` or `auto`"))
                .unwrap_or_default(),
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
            said: environment
                .iter()
                .filter(|((_, key), _)| KEYS.contains(key))
                .cloned()
                .collect(),
        };
        let settings = settings.with_listeners(&mut root);
        settings.contradictions(&document);
        root.finish();
        document.finish().map(|()| settings)
    }

    /// [`Self::read`] without the variables that it would refuse, and what it says of each of them: for a pod whose operator
    /// is of another version, and which has to start.
    ///
    /// # Errors
    /// All that is wrong with the file, or with the variables together.
    pub fn read_what_can_be(
        file: (&str, &str),
        variable: impl Fn(&str) -> Option<String>,
    ) -> Result<(Self, Vec<Problems>), Problems> {
        let alone = |name: &str| {
            let only = |asked: &str| variable(asked).filter(|_| asked == name);
            Self::read(file, only).err()
        };
        let refused: BTreeMap<&str, Problems> = VARIABLES
            .iter()
            .filter(|(name, _)| variable(name).is_some())
            .filter_map(|(name, _)| Some((*name, alone(name)?)))
            .collect();
        let settings = Self::read(file, |name| {
            variable(name).filter(|_| !refused.contains_key(name))
        })?;
        Ok((settings, refused.into_values().collect()))
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

    /// What can change, as `document` has it: over the configuration file, and under the environment.
    ///
    /// # Errors
    /// All that is wrong, together; also every key that cannot change while the sidecar runs.
    pub fn changed(&self, name: &str, document: &str) -> Result<Live, Problems> {
        let document = Document::new(name, document, &self.said);
        let mut root = document.root();
        let live = self.live.clone().read(&mut root);
        for key in FIXED {
            root.optional(key, |_| {
                Err::<(), _>("is read when the sidecar starts, and cannot change while it runs".to_owned())
            });
        }
        root.finish();
        document.finish().map(|()| live)
    }

    /// The variable that says the value of a key of [`Live`], if one does.
    pub fn said_by(&self, key: &str) -> Option<&'static str> {
        let said = self.said.iter().find(|((_, said), _)| *said == key);
        said.map(|((variable, _), _)| *variable)
    }

    /// How causes of calls are to be found out. `None` where nobody asks: there are no calls to be seen, or no links
    /// are to be made, now and, as far as that can change, later.
    pub fn causality(&self) -> Option<causality::Settings> {
        let threshold = self.live.propagate_inferred.threshold();
        let wanted = self.live.mode == Mode::Trace && threshold.is_some();
        let may_be_wanted = wanted || self.operator.is_some();
        (self.outbound.is_some() && may_be_wanted).then(|| causality::Settings {
            threshold: threshold.unwrap_or(1.0),
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
    process::config::parse_duration(&text)
        .filter(|duration| *duration > Duration::ZERO && *duration <= Duration::from_secs(3600))
        .ok_or_else(|| format!("`{text}` is not a time like `500ms`, `2s` or `1m30s`, up to an hour"))
}

fn map<S: serde::Serializer>(pairs: &[(String, String)], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_map(pairs.iter().map(|(key, value)| (key, value)))
}

fn display<S: serde::Serializer>(value: &impl fmt::Display, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(value)
}

fn seconds<S: serde::Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&format_args!("{}s", duration.as_secs_f64()))
}

#[cfg(test)]
mod tests {
    use span::{Dialect, Ratio};

    use super::*;

    fn variable(environment: &[(&str, &str)], name: &str) -> Option<String> {
        let found = environment.iter().find(|(key, _)| *key == name);
        found.map(|(_, value)| (*value).to_owned())
    }

    fn read(text: &str, environment: &[(&str, &str)]) -> Result<Settings, Problems> {
        Settings::read(("sidecar.yaml", text), |name| variable(environment, name))
    }

    #[test]
    fn without_a_word_both_listeners_stand_at_their_ports_and_everything_is_sampled() {
        let settings = read("", &[]).unwrap();
        assert_eq!(settings.inbound.unwrap().listen.port(), port::INBOUND);
        assert_eq!(settings.outbound.unwrap().listen.port(), port::OUTBOUND);
        assert_eq!(settings.live.sampling, Ratio::ALL);
        assert!(settings.live.propagate.contains(Dialect::W3c));
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
    fn where_the_pod_has_to_start_what_cannot_be_read_of_the_environment_is_left_out() {
        let environment = [
            (env::PROPAGATE, "b3,of-next-year"),
            (env::LOG, "a=b=c"),
            (env::SAMPLING, "10%"),
        ];
        let read = |file| Settings::read_what_can_be(("file", file), |name| variable(&environment, name));
        let (settings, left_out) = read("").unwrap();
        assert_eq!(settings.live.sampling, Ratio::new(0.1).unwrap());
        assert_eq!(settings.live.propagate, Live::default().propagate);
        let left_out: Vec<_> = left_out.iter().flat_map(Problems::list).collect();
        assert_eq!(left_out.len(), 2, "{left_out:?}");
        assert!(left_out[0].starts_with("MESHTRACE_LOG: "), "{left_out:?}");
        assert!(left_out[1].starts_with("MESHTRACE_PROPAGATE: "), "{left_out:?}");
        // nor does it stand over what is heard later, which could never be taken then
        let changed = settings.changed("operator", "propagate: jaeger\n").unwrap();
        assert!(changed.propagate.contains(Dialect::Jaeger));
        assert!(
            read("sampled: 1\n").is_err(),
            "a file is somebody's, who can be told"
        );
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

    #[test]
    fn what_can_change_stands_over_the_file_and_under_the_environment() {
        let file = "service: bank\nsampling: 10%\nredact_query: false\nedge: true\n";
        let settings = read(file, &[(env::SAMPLING, "50%"), (env::SERVICE, "shop")]).unwrap();
        let live = settings
            .changed("operator", "sampling: 1%\nredact_query: true\n")
            .unwrap();
        assert_eq!(live.sampling, Ratio::new(0.5).unwrap());
        assert!(live.redact_query && live.edge);
        assert_eq!(settings.said_by("sampling"), Some(env::SAMPLING));
        assert_eq!(settings.said_by("redact_query"), None);
        assert_eq!(settings.changed("operator", "").unwrap(), settings.live);
    }

    #[test]
    fn a_change_that_cannot_be_is_refused_whole_with_all_that_is_wrong() {
        let settings = read("", &[]).unwrap();
        let problems = settings
            .changed("operator", "service: x\nsampling: 2\nsampled: 1\nlog: a=b=c\n")
            .unwrap_err();
        let place = |problem: &String| problem.split(':').next().unwrap_or_default().to_owned();
        let places: Vec<_> = problems.list().iter().map(place).collect();
        assert_eq!(places, ["sampling", "log", "service", "sampled"]);
        assert!(
            problems
                .to_string()
                .contains("service: is read when the sidecar starts")
        );
    }

    #[test]
    fn every_key_either_can_change_or_needs_a_restart() {
        let effective = read("mark: 7\noperator: http://o:1\n", &[]).unwrap().effective();
        let keys = effective
            .lines()
            .filter(|line| !line.starts_with([' ', '-']))
            .filter_map(|line| line.split_once(':'))
            .map(|(key, _)| key);
        let mut known = [KEYS, FIXED].concat();
        for key in keys {
            let at = known.iter().position(|known| *known == key);
            known.swap_remove(at.unwrap_or_else(|| panic!("{key}")));
        }
        assert!(known.is_empty(), "{known:?}");
    }

    #[test]
    fn what_the_operator_makes_of_a_policy_is_taken() {
        let document = include_str!("../tests/data/settings-of-a-policy.yaml");
        let live = read("", &[]).unwrap().changed("operator", document).unwrap();
        assert!(live.edge && !live.redact_query && live.propagate.contains(Dialect::B3Multi));
        assert_eq!(live.opaque_ports, [3306]);
        assert_eq!(live.routes.len(), 1);
    }
}
