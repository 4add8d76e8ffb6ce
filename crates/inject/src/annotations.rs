//! The annotations `meshtrace.io/*`: what an admin may say, read with all that is wrong with it at once.
//!
//! They may stand on the pod (or its template), on the workload, and on the namespace. The nearest wins, key by key. A
//! value that cannot be read counts as not given, and is a [`Problem`]; it never keeps a pod from starting.

use std::fmt;
use std::net::IpAddr;

use ipnet::IpNet;
use process::config::nearest;
use serde::{Serialize, Serializer};
use span::{Dialect, Ratio};

use crate::plan::{Capture, Mode};
use crate::pod::Texts;

/// What every key of ours begins with.
pub const PREFIX: &str = "meshtrace.io/";

/// Written by us: the version that has put the sidecar there.
pub const INJECTED: &str = "meshtrace.io/injected";
/// Written by us: why a pod that asked for a sidecar has none.
pub const SKIPPED: &str = "meshtrace.io/skipped";
/// Written by us: the keys that a workload's template has from the workload.
pub const CARRIED: &str = "meshtrace.io/carried";

/// The most problems that are told of one pod.
const MOST_PROBLEMS: usize = 16;
/// The most characters of a value that a problem repeats.
const LONGEST_VALUE: usize = 60;

/// A key that an admin may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Key {
    /// Behind the prefix.
    pub name: &'static str,
    /// Which values it takes, as the end of a sentence that begins with `is not`.
    pub allowed: &'static str,
}

const fn key(name: &'static str, allowed: &'static str) -> Key {
    Key { name, allowed }
}

const INJECT: Key = key("inject", "`true` or `false`");
const MODE: Key = key("mode", "`trace` or `passthrough`");
const CAPTURE: Key = key("capture", "`init` or `none`");
const SERVICE_NAME: Key = key(
    "service-name",
    "a name of 1 to 255 bytes without control characters",
);
const SAMPLING: Key = key("sampling", "a share: `0` to `1`, or `0%` to `100%`");
const PROPAGATE: Key = key(
    "propagate",
    "a dialect: `w3c`, `b3`, `b3multi`, `jaeger`, `ottrace`, `opencensus`, `xray` or `datadog`",
);
const CAPTURE_HEADERS: Key = key("capture-headers", "the name of a header");
const OPAQUE_PORTS: Key = key("opaque-ports", "a port, 1 to 65535");
const SKIP_INBOUND_PORTS: Key = key(
    "skip-inbound-ports",
    "a port, 1 to 65535, or a range such as `9000-9100`",
);
const SKIP_OUTBOUND_PORTS: Key = key("skip-outbound-ports", SKIP_INBOUND_PORTS.allowed);
const SKIP_OUTBOUND_CIDRS: Key = key(
    "skip-outbound-cidrs",
    "an address, or a network such as `10.0.0.0/8` without bits behind its prefix",
);
const EDGE: Key = key("edge", "`true` or `false`");
const CPU: Key = key("cpu", "a CPU quantity, such as `10m` or `0.1`");
const MEMORY: Key = key("memory", "a memory quantity, such as `24Mi` or `1Gi`");
const IMAGE: Key = key("image", "the name of an image");
const LOG_LEVEL: Key = key("log-level", "`error`, `warn`, `info`, `debug` or `trace`");

/// Every key that an admin may use.
pub const KEYS: [Key; 16] = [
    INJECT,
    MODE,
    CAPTURE,
    SERVICE_NAME,
    SAMPLING,
    PROPAGATE,
    CAPTURE_HEADERS,
    OPAQUE_PORTS,
    SKIP_INBOUND_PORTS,
    SKIP_OUTBOUND_PORTS,
    SKIP_OUTBOUND_CIDRS,
    EDGE,
    CPU,
    MEMORY,
    IMAGE,
    LOG_LEVEL,
];

impl Key {
    /// The whole key, as it stands in a document.
    pub fn full(&self) -> String {
        format!("{PREFIX}{}", self.name)
    }
}

/// Where an annotation stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// On the pod, or on the template of pods.
    Pod,
    /// On the workload.
    Workload,
    /// On the namespace.
    Namespace,
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Pod => "pod",
            Self::Workload => "workload",
            Self::Namespace => "namespace",
        })
    }
}

/// An annotation that cannot be used: where, what, what is allowed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Where it stands.
    pub level: Level,
    /// The whole key.
    pub key: String,
    /// What is wrong and what would be right.
    pub what: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} on the {}: {}", self.key, self.level, self.what)
    }
}

impl Serialize for Problem {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// Whether a sidecar is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// Nobody says.
    Unsaid,
    /// Yes.
    Yes,
    /// No.
    No,
    /// Somebody says something else.
    Unclear,
}

/// What an admin wishes. What is not said is `None`.
#[derive(Clone, Debug, PartialEq)]
pub struct Wishes {
    /// Whether there is to be a sidecar.
    pub inject: Wanted,
    /// Whether requests are looked at.
    pub mode: Option<Mode>,
    /// How connections come to the sidecar.
    pub capture: Option<Capture>,
    /// `service.name`.
    pub service_name: Option<String>,
    /// The share of new traces that is kept.
    pub sampling: Option<Ratio>,
    /// Dialects that are written always.
    pub propagate: Option<Vec<Dialect>>,
    /// Headers that are kept on spans.
    pub capture_headers: Option<Vec<String>>,
    /// Ports whose bytes are not looked at.
    pub opaque_ports: Option<Vec<u16>>,
    /// Ports of the pod that are reached directly: each a port or a range.
    pub skip_inbound_ports: Option<Vec<String>>,
    /// Ports elsewhere that the pod reaches directly: each a port or a range.
    pub skip_outbound_ports: Option<Vec<String>>,
    /// Addresses that the pod reaches directly.
    pub skip_outbound_cidrs: Option<Vec<String>>,
    /// Whether requests come in from outside the mesh.
    pub edge: Option<bool>,
    /// The CPU that the sidecar asks for.
    pub cpu: Option<String>,
    /// The memory that the sidecar asks for.
    pub memory: Option<String>,
    /// The sidecar's image.
    pub image: Option<String>,
    /// What the sidecar logs.
    pub log_level: Option<String>,
}

/// Reads the annotations of `levels`, the nearest first.
pub fn read(levels: &[(Level, &Texts)]) -> (Wishes, Vec<Problem>) {
    let mut reader = Reader {
        levels,
        problems: Vec::new(),
    };
    reader.unknown_keys();
    let wishes = Wishes {
        inject: reader.wanted(),
        mode: reader.one(&MODE, Mode::named),
        capture: reader.one(&CAPTURE, Capture::named),
        service_name: reader.one(&SERVICE_NAME, service_name),
        sampling: reader.one(&SAMPLING, |text| text.parse().ok()),
        propagate: reader.list(&PROPAGATE, |text| text.parse().ok()),
        capture_headers: reader.list(&CAPTURE_HEADERS, header),
        opaque_ports: reader.list(&OPAQUE_PORTS, port),
        skip_inbound_ports: reader.list(&SKIP_INBOUND_PORTS, ports),
        skip_outbound_ports: reader.list(&SKIP_OUTBOUND_PORTS, ports),
        skip_outbound_cidrs: reader.list(&SKIP_OUTBOUND_CIDRS, network),
        edge: reader.one(&EDGE, |text| text.parse().ok()),
        cpu: reader.one(&CPU, cpu),
        memory: reader.one(&MEMORY, memory),
        image: reader.one(&IMAGE, image),
        log_level: reader.one(&LOG_LEVEL, log_level),
    };
    reader.problems.truncate(MOST_PROBLEMS);
    (wishes, reader.problems)
}

struct Reader<'a> {
    levels: &'a [(Level, &'a Texts)],
    problems: Vec<Problem>,
}

impl Reader<'_> {
    fn problem(&mut self, level: Level, key: String, what: String) {
        self.problems.push(Problem { level, key, what });
    }

    /// The nearest value, and where it stands.
    fn nearest(&self, key: &Key) -> Option<(Level, String)> {
        let full = key.full();
        self.levels
            .iter()
            .find_map(|(level, texts)| Some((*level, texts.get(&full)?.trim().to_owned())))
    }

    fn refuse(&mut self, level: Level, key: &Key, value: &str) {
        let value: String = value.chars().take(LONGEST_VALUE).collect();
        self.problem(level, key.full(), format!("`{value}` is not {}", key.allowed));
    }

    fn one<T>(&mut self, key: &Key, parse: impl Fn(&str) -> Option<T>) -> Option<T> {
        let (level, text) = self.nearest(key)?;
        let value = parse(&text);
        if value.is_none() {
            self.refuse(level, key, &text);
        }
        value
    }

    /// Items between commas. One that cannot be read is left out; an empty one does not count.
    fn list<T>(&mut self, key: &Key, parse: impl Fn(&str) -> Option<T>) -> Option<Vec<T>> {
        let (level, text) = self.nearest(key)?;
        let mut items = Vec::new();
        for item in text.split(',').map(str::trim).filter(|item| !item.is_empty()) {
            match parse(item) {
                Some(item) => items.push(item),
                None => self.refuse(level, key, item),
            }
        }
        Some(items)
    }

    fn wanted(&mut self) -> Wanted {
        if self.nearest(&INJECT).is_none() {
            return Wanted::Unsaid;
        }
        match self.one(&INJECT, |text| text.parse().ok()) {
            Some(true) => Wanted::Yes,
            Some(false) => Wanted::No,
            None => Wanted::Unclear,
        }
    }

    fn unknown_keys(&mut self) {
        let known: Vec<String> = KEYS.iter().map(Key::full).collect();
        let known: Vec<&str> = known.iter().map(String::as_str).collect();
        let levels = self.levels;
        for (level, texts) in levels {
            for key in texts.keys().filter(|key| !is_known(key)) {
                let meant = nearest(key, &known);
                let what = match meant {
                    Some(meant) => format!("unknown key; did you mean `{meant}`?"),
                    None if key.starts_with(PREFIX) => {
                        let names = KEYS.map(|key| key.name).join(", ");
                        format!("unknown key; known behind `{PREFIX}`: {names}")
                    }
                    None => continue,
                };
                self.problem(*level, key.clone(), what);
            }
        }
    }
}

fn is_known(key: &str) -> bool {
    [INJECTED, SKIPPED, CARRIED].contains(&key)
        || key
            .strip_prefix(PREFIX)
            .is_some_and(|name| KEYS.iter().any(|key| key.name == name))
}

fn service_name(text: &str) -> Option<String> {
    let fits = (1..=255).contains(&text.len()) && !text.chars().any(char::is_control);
    fits.then(|| text.to_owned())
}

fn header(text: &str) -> Option<String> {
    let token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    text.bytes().all(token).then(|| text.to_ascii_lowercase())
}

fn port(text: &str) -> Option<u16> {
    text.parse().ok().filter(|port| *port > 0)
}

/// A port or a range of ports, if it is one.
pub fn ports(text: &str) -> Option<String> {
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    (port(first)? <= port(last)?).then(|| text.to_owned())
}

/// An address or a network without bits behind its prefix, if it is one.
pub fn network(text: &str) -> Option<String> {
    let address = text.parse::<IpAddr>().is_ok();
    let network = text.parse::<IpNet>().is_ok_and(|net| net == net.trunc());
    (address || network).then(|| text.to_owned())
}

/// What Kubernetes would not read as a quantity would keep the pod from being made, so only the plain forms pass.
fn cpu(text: &str) -> Option<String> {
    let thousandths = match text.strip_suffix('m') {
        Some(digits) => digits.parse().ok()?,
        None => {
            let (whole, part) = text.split_once('.').unwrap_or((text, "0"));
            let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
            if !digits(whole) || !digits(part) || part.len() > 3 {
                return None;
            }
            (text.parse::<f64>().ok()? * 1000.0) as u32
        }
    };
    (1..=1_000_000).contains(&thousandths).then(|| text.to_owned())
}

fn memory(text: &str) -> Option<String> {
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at_checked(digits)?;
    let number: u32 = number.parse().ok()?;
    (number > 0 && ["", "k", "M", "G", "Ki", "Mi", "Gi"].contains(&unit)).then(|| text.to_owned())
}

fn image(text: &str) -> Option<String> {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"._-/:@".contains(&byte);
    let begins = text.starts_with(|c: char| c.is_ascii_alphanumeric());
    (begins && text.bytes().all(fits)).then(|| text.to_owned())
}

fn log_level(text: &str) -> Option<String> {
    ["error", "warn", "info", "debug", "trace"]
        .contains(&text)
        .then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(pairs: &[(&str, &str)]) -> Texts {
        let pair = |(key, value): &(&str, &str)| ((*key).to_owned(), (*value).to_owned());
        pairs.iter().map(pair).collect()
    }

    fn problems(pairs: &[(&str, &str)]) -> Vec<String> {
        let (_, problems) = read(&[(Level::Pod, &texts(pairs))]);
        problems.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn the_nearest_wins_key_by_key() {
        let pod = texts(&[("meshtrace.io/sampling", "0.5")]);
        let namespace = texts(&[("meshtrace.io/sampling", "1"), ("meshtrace.io/inject", "true")]);
        let (wishes, problems) = read(&[(Level::Pod, &pod), (Level::Namespace, &namespace)]);
        assert_eq!(wishes.inject, Wanted::Yes);
        assert_eq!(wishes.sampling, Ratio::new(0.5));
        assert_eq!(problems, []);
    }

    #[test]
    fn everything_that_is_wrong_is_told_at_once_with_what_is_allowed_and_what_was_meant() {
        assert_eq!(
            problems(&[
                ("mesh-trace.io/inject", "true"),
                ("meshtrace.io/ports", "80"),
                ("meshtrace.io/samplng", "1"),
                ("meshtrace.io/sampling", "2"),
                ("meshtrace.io/opaque-ports", "80, 0, x"),
                ("prometheus.io/port", "80"),
            ]),
            [
                "mesh-trace.io/inject on the pod: unknown key; did you mean `meshtrace.io/inject`?",
                "meshtrace.io/ports on the pod: unknown key; known behind `meshtrace.io/`: inject, mode, capture, \
                 service-name, sampling, propagate, capture-headers, opaque-ports, skip-inbound-ports, \
                 skip-outbound-ports, skip-outbound-cidrs, edge, cpu, memory, image, log-level",
                "meshtrace.io/samplng on the pod: unknown key; did you mean `meshtrace.io/sampling`?",
                "meshtrace.io/sampling on the pod: `2` is not a share: `0` to `1`, or `0%` to `100%`",
                "meshtrace.io/opaque-ports on the pod: `0` is not a port, 1 to 65535",
                "meshtrace.io/opaque-ports on the pod: `x` is not a port, 1 to 65535",
            ]
        );
    }

    #[test]
    fn only_quantities_that_kubernetes_takes_are_taken() {
        for fits in ["10m", "1", "0.1", "1.5"] {
            assert_eq!(cpu(fits).as_deref(), Some(fits));
        }
        for odd in [
            "", "m", "0", "0m", "-1", "1e3", ".5", "1.", "0.0001", "10Mi", "+1", "nan", "1.5m",
        ] {
            assert_eq!(cpu(odd), None, "{odd}");
        }
        for fits in ["24Mi", "1Gi", "100000000", "5k"] {
            assert_eq!(memory(fits).as_deref(), Some(fits));
        }
        for odd in ["", "Mi", "0Mi", "-1Mi", "24MiB", "24 Mi", "1.5Gi", "24m"] {
            assert_eq!(memory(odd), None, "{odd}");
        }
    }

    #[test]
    fn a_flood_of_problems_is_cut() {
        let pairs: Vec<_> = (0..100)
            .map(|n| (format!("meshtrace.io/x{n}"), String::new()))
            .collect();
        let (_, problems) = read(&[(Level::Pod, &pairs.into_iter().collect())]);
        assert_eq!(problems.len(), MOST_PROBLEMS);
    }
}
