//! The dialect matrix: each dialect in, each dialect configured, one trace id from end to end, whether the
//! applications forward their headers or not.
//!
//! What a dialect's headers say is read and written here by the words of its own documentation, not by our crate.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, missing_docs)]

use std::collections::BTreeMap;
use std::fmt::Write as _;

use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use serde_json::Value;
use stories::mesh::{Mesh, Span};

const DIALECTS: [&str; 8] = [
    "w3c",
    "b3",
    "b3multi",
    "jaeger",
    "ottrace",
    "opencensus",
    "xray",
    "datadog",
];

/// Those in which trace ids of 64 bits are usual.
const SHORT: [&str; 5] = ["b3", "b3multi", "jaeger", "ottrace", "datadog"];

/// A trace and the span in it that asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Context {
    trace: u128,
    span: u64,
}

/// For every dialect two services that are configured to speak it: `front-…` asks `back-…`.
fn matrix() -> String {
    let mut yaml = "services:\n".to_owned();
    for dialect in DIALECTS {
        write!(
            yaml,
            "
  front-{dialect}:
    {{command: [python3, app.py], port: 8080, publish: auto, env: {{NEXT: 'back-{dialect}:8080'}},
     sidecar: {{propagate: {dialect}}}}}
  back-{dialect}: {{command: [python3, app.py], port: 8080, sidecar: {{propagate: {dialect}}}}}
"
        )
        .unwrap();
    }
    yaml
}

/// Every dialect in, to every pair of services. All requests are made before the first answer is looked at, because
/// spans take a moment to arrive.
fn ask_all(mesh: &Mesh, path: &str, digits: usize) -> Vec<Heard> {
    let pairs = DIALECTS
        .iter()
        .flat_map(|incoming| DIALECTS.map(|configured| (*incoming, configured)));
    let asked = pairs.enumerate().map(|(number, (incoming, configured))| {
        let sent = Context {
            trace: (0xfeed_0000_0000_0000_u128 << 64) | 0xabcd_0000_0000_0000 | number as u128,
            span: 0x1234_0000_0000_0000,
        };
        Heard::ask(mesh, incoming, configured, path, sent, digits)
    });
    asked.collect()
}

#[test]
fn every_dialect_in_reaches_the_far_end_in_the_dialect_configured_though_nobody_forwards_it() {
    let Some(mesh) = Mesh::up(&matrix()) else { return };
    for dialect in DIALECTS {
        mesh.warm(&format!("front-{dialect}"));
    }
    for heard in ask_all(&mesh, "/orders", 32) {
        let last = heard.last_span(&mesh, Span::is_joined);
        assert_eq!(heard.context(heard.configured), Some(last), "{heard:#?}");
        for silent in DIALECTS.iter().filter(|dialect| **dialect != heard.configured) {
            assert_eq!(
                heard.context(silent),
                None,
                "nobody has asked for {silent}: {heard:#?}"
            );
        }
    }
}

#[test]
fn an_application_that_forwards_its_headers_blindly_has_propagated_links_and_no_dialect_is_stale() {
    let Some(mesh) = Mesh::up(&matrix()) else { return };
    for heard in ask_all(&mesh, "/forward", 32) {
        let last = heard.last_span(&mesh, is_propagated);
        for spoken in [heard.incoming, heard.configured] {
            assert_eq!(heard.context(spoken), Some(last), "stale in {spoken}: {heard:#?}");
        }
    }
}

#[test]
fn a_trace_id_of_64_bits_is_padded_on_the_way_and_comes_out_as_it_came_in() {
    let Some(mesh) = Mesh::up(&matrix()) else { return };
    let asked = SHORT.into_iter().enumerate().map(|(number, incoming)| {
        let sent = Context {
            trace: 0xabcd_0000_0000_0000 | number as u128,
            span: 0x1234_0000_0000_0000,
        };
        Heard::ask(&mesh, incoming, "w3c", "/forward", sent, 16)
    });
    for heard in asked.collect::<Vec<_>>() {
        let last = heard.last_span(&mesh, is_propagated);
        assert_eq!(heard.context("w3c"), Some(last), "{heard:#?}");
        let trace_id = &speak(heard.incoming, last, 16)[0].1;
        let digits = trace_id.split(['-', ':']).next().unwrap();
        let header = &heard.headers[&speak(heard.incoming, last, 16)[0].0];
        assert_eq!(
            header.split(['-', ':']).next().unwrap(),
            digits,
            "as long as it came in: {heard:#?}"
        );
    }
}

/// What the application at the far end has received.
#[derive(Debug)]
struct Heard {
    incoming: &'static str,
    configured: &'static str,
    sent: Context,
    headers: BTreeMap<String, String>,
}

impl Heard {
    fn ask(
        mesh: &Mesh,
        incoming: &'static str,
        configured: &'static str,
        path: &str,
        sent: Context,
        digits: usize,
    ) -> Self {
        let headers = speak(incoming, sent, digits);
        let headers: Vec<_> = headers.iter().map(|(name, value)| (&**name, &**value)).collect();
        let answer = mesh
            .ask(&format!("front-{configured}"), "GET", path, &headers)
            .json();
        let headers = answer["next"]["headers"].as_array().unwrap().iter();
        Self {
            incoming,
            configured,
            sent,
            headers: headers
                .map(|pair| (text(&pair[0]).to_ascii_lowercase(), text(&pair[1])))
                .collect(),
        }
    }

    /// The last sidecar's span, three below the one that was sent, all of one trace. How the one in the middle was found
    /// is as it is `expected` to be.
    fn last_span(&self, mesh: &Mesh, expected: fn(&Span) -> bool) -> Context {
        let (front, back) = (
            format!("front-{}", self.configured),
            format!("back-{}", self.configured),
        );
        let trace = mesh.eventually(&format!("three spans of {self:#?}"), |mesh| {
            let id = format!("{:032x}", self.sent.trace);
            let traces = mesh.traces(&format!("service={back}&limit=1500"));
            traces
                .into_iter()
                .find(|trace| trace.id == id && trace.spans.len() == 3)
        });
        let path = [(&front, "server"), (&front, "client"), (&back, "server")]
            .map(|(service, kind)| trace.span(service, kind));
        let [first, middle, last] = path;
        assert_eq!(
            first.parent,
            Some(format!("{:016x}", self.sent.span)),
            "{self:#?}"
        );
        assert!(
            first.is_parent_of(middle) && middle.is_parent_of(last),
            "{self:#?}\n{trace:#?}"
        );
        assert!(
            is_propagated(first) && expected(middle) && is_propagated(last),
            "{self:#?}\n{trace:#?}"
        );
        Context {
            trace: self.sent.trace,
            span: u64::from_str_radix(&last.id, 16).unwrap(),
        }
    }

    fn context(&self, dialect: &str) -> Option<Context> {
        read(dialect, &self.headers)
    }
}

fn is_propagated(span: &Span) -> bool {
    span.link() == "propagated"
}

fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}

/// A sampled context as a caller writes it, with a trace id of so many digits where the dialect has the choice.
fn speak(dialect: &str, Context { trace, span }: Context, digits: usize) -> Vec<(String, String)> {
    let hex = format!("{trace:0digits$x}");
    let (high, low) = ((trace >> 64) as u64, trace as u64);
    let headers = match dialect {
        "w3c" => vec![("traceparent", format!("00-{trace:032x}-{span:016x}-01"))],
        "b3" => vec![("b3", format!("{hex}-{span:016x}-1"))],
        "b3multi" => vec![
            ("x-b3-traceid", hex),
            ("x-b3-spanid", format!("{span:016x}")),
            ("x-b3-sampled", "1".to_owned()),
        ],
        "jaeger" => vec![("uber-trace-id", format!("{hex}:{span:016x}:0:1"))],
        "ottrace" => vec![
            ("ot-tracer-traceid", hex),
            ("ot-tracer-spanid", format!("{span:016x}")),
            ("ot-tracer-sampled", "true".to_owned()),
        ],
        "opencensus" => {
            let bytes = [
                &[0, 0][..],
                &trace.to_be_bytes(),
                &[1],
                &span.to_be_bytes(),
                &[2, 1],
            ]
            .concat();
            vec![("grpc-trace-bin", STANDARD_NO_PAD.encode(bytes))]
        }
        "xray" => {
            let (epoch, random) = (trace >> 96, trace & (u128::MAX >> 32));
            vec![(
                "x-amzn-trace-id",
                format!("Root=1-{epoch:08x}-{random:024x};Parent={span:016x};Sampled=1"),
            )]
        }
        "datadog" => {
            let mut headers = vec![
                ("x-datadog-trace-id", low.to_string()),
                ("x-datadog-parent-id", span.to_string()),
                ("x-datadog-sampling-priority", "1".to_owned()),
            ];
            if high != 0 {
                headers.push(("x-datadog-tags", format!("_dd.p.tid={high:016x}")));
            }
            headers
        }
        other => panic!("{other}?"),
    };
    headers
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value))
        .collect()
}

/// Whose span these headers say asks, in one dialect; `None` if they do not speak it, or it does not say so sampled.
fn read(dialect: &str, headers: &BTreeMap<String, String>) -> Option<Context> {
    let header = |name: &str| headers.get(name).map(String::as_str);
    let trace = |digits: &str| u128::from_str_radix(digits, 16).ok();
    let span = |digits: &str| u64::from_str_radix(digits, 16).ok();
    let (trace, span) = match dialect {
        "w3c" => {
            let parts: Vec<_> = header("traceparent")?.split('-').collect();
            (parts[0] == "00" && span(parts[3])? & 1 == 1).then_some((trace(parts[1])?, span(parts[2])?))?
        }
        "b3" => {
            let parts: Vec<_> = header("b3")?.split('-').collect();
            (parts[2] == "1").then_some((trace(parts[0])?, span(parts[1])?))?
        }
        "b3multi" => {
            let ids = (trace(header("x-b3-traceid")?)?, span(header("x-b3-spanid")?)?);
            (header("x-b3-sampled")? == "1").then_some(ids)?
        }
        "jaeger" => {
            let parts: Vec<_> = header("uber-trace-id")?.split(':').collect();
            (span(parts[3])? & 1 == 1).then_some((trace(parts[0])?, span(parts[1])?))?
        }
        "ottrace" => {
            let ids = (
                trace(header("ot-tracer-traceid")?)?,
                span(header("ot-tracer-spanid")?)?,
            );
            (header("ot-tracer-sampled")? == "true").then_some(ids)?
        }
        "opencensus" => {
            let value = header("grpc-trace-bin")?.trim_end_matches('=');
            let bytes: [u8; 29] = STANDARD_NO_PAD.decode(value).ok()?.try_into().ok()?;
            assert_eq!(
                (&bytes[..2], bytes[18], bytes[27]),
                (&[0, 0][..], 1, 2),
                "{bytes:?}"
            );
            let ids = (
                u128::from_be_bytes(bytes[2..18].try_into().unwrap()),
                u64::from_be_bytes(bytes[19..27].try_into().unwrap()),
            );
            (bytes[28] & 1 == 1).then_some(ids)?
        }
        "xray" => {
            let fields: BTreeMap<_, _> = header("x-amzn-trace-id")?
                .split(';')
                .filter_map(|it| it.split_once('='))
                .collect();
            let root: Vec<_> = fields["Root"].split('-').collect();
            let ids = (trace(&[root[1], root[2]].concat())?, span(fields["Parent"])?);
            (root[0] == "1" && fields["Sampled"] == "1").then_some(ids)?
        }
        "datadog" => {
            let low: u64 = header("x-datadog-trace-id")?.parse().ok()?;
            let high = header("x-datadog-tags")
                .and_then(|tags| tags.split(',').find_map(|tag| tag.strip_prefix("_dd.p.tid=")))
                .map_or(Some(0), trace)?;
            let ids = (
                high << 64 | u128::from(low),
                header("x-datadog-parent-id")?.parse().ok()?,
            );
            (header("x-datadog-sampling-priority")?.parse::<i32>().ok()? > 0).then_some(ids)?
        }
        other => panic!("{other}?"),
    };
    Some(Context { trace, span })
}
