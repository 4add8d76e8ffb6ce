//! The live aggregates since the start, in Prometheus' text format. There are never more lines than the tables have room
//! for, and what they had none for is counted under `other`.

use std::fmt::{self, Display, Write};
use std::sync::Arc;

use super::edges::Node;
use super::names::OTHER;
use super::series::{BUCKETS, Series};
use super::{State, table::Table};
use crate::analysis::link::LinkKind;
use crate::tags::kind_name;

const PREFIX: &str = "meshtrace";

/// Writes all of it.
pub(super) fn render(state: &State, text: &mut String) {
    let services = labelled(&state.services, [OTHER], |name| [name.to_string()]);
    family(
        text,
        "service_request",
        "Requests that a service answered.",
        ["service"],
        &services,
        true,
    );
    let operations = labelled(
        &state.operations,
        [OTHER, OTHER, OTHER],
        |(service, name, kind)| {
            let kind = kind_name(*kind).unwrap_or("unspecified");
            [service.to_string(), name.to_string(), kind.to_owned()]
        },
    );
    let labels = ["service", "operation", "kind"];
    family(
        text,
        "operation",
        "Spans of an operation.",
        labels,
        &operations,
        false,
    );
    let edges = labelled(&state.edges, [OTHER, OTHER], |(from, to)| [name(from), name(to)]);
    family(
        text,
        "edge_request",
        "Calls from one service to another.",
        ["client", "server"],
        &edges,
        true,
    );
    links(text, state);
}

/// A node as a label: peers of which no span is seen are marked as such.
fn name(node: &Node) -> String {
    match node {
        Node::Service(name) => name.to_string(),
        Node::Outside => "(outside)".to_owned(),
        Node::Peer(_, name) => format!("({name})"),
    }
}

/// A table's series with their labels, in a stable order, the one for all others at the end.
fn labelled<'t, K: Eq + std::hash::Hash, const N: usize>(
    table: &'t Table<K>,
    other: [&str; N],
    labels: impl Fn(&K) -> [String; N],
) -> Vec<([String; N], &'t Series)> {
    let mut lines: Vec<_> = table.iter().map(|(key, series)| (labels(key), series)).collect();
    lines.sort_by(|one, other| one.0.cmp(&other.0));
    if table.other().ever.calls > 0 {
        lines.push((other.map(str::to_owned), table.other()));
    }
    lines
}

fn family<const N: usize>(
    text: &mut String,
    what: &str,
    help: &str,
    names: [&str; N],
    lines: &[([String; N], &Series)],
    histogram: bool,
) {
    let mut head = |suffix: &str, kind: &str, help: &str| {
        write_line(text, format_args!("# HELP {PREFIX}_{what}{suffix} {help}"));
        write_line(text, format_args!("# TYPE {PREFIX}_{what}{suffix} {kind}"));
    };
    head("_errors_total", "counter", &format!("{help} Those that failed."));
    for (values, series) in lines {
        let labels = Labels(&names, values);
        write_line(
            text,
            format_args!("{PREFIX}_{what}_errors_total{{{labels}}} {}", series.ever.errors),
        );
    }
    let kind = if histogram { "histogram" } else { "summary" };
    write_line(
        text,
        format_args!("# HELP {PREFIX}_{what}_duration_seconds {help}"),
    );
    write_line(
        text,
        format_args!("# TYPE {PREFIX}_{what}_duration_seconds {kind}"),
    );
    for (values, series) in lines {
        let labels = Labels(&names, values);
        let name = format_args!("{PREFIX}_{what}_duration_seconds").to_string();
        if histogram {
            let mut below = 0;
            for (bound, count) in BUCKETS.iter().zip(series.ever.buckets) {
                below += count;
                let bound = seconds(*bound);
                write_line(
                    text,
                    format_args!("{name}_bucket{{{labels},le=\"{bound}\"}} {below}"),
                );
            }
            write_line(
                text,
                format_args!("{name}_bucket{{{labels},le=\"+Inf\"}} {}", series.ever.calls),
            );
        }
        write_line(
            text,
            format_args!("{name}_sum{{{labels}}} {}", seconds(series.ever.time)),
        );
        write_line(
            text,
            format_args!("{name}_count{{{labels}}} {}", series.ever.calls),
        );
    }
}

fn links(text: &mut String, state: &State) {
    let name = format!("{PREFIX}_link_total");
    write_line(
        text,
        format_args!("# HELP {name} Outbound calls by how their parent was found."),
    );
    write_line(text, format_args!("# TYPE {name} counter"));
    for (workload, links) in state.links.ever() {
        for kind in LinkKind::ALL {
            let values = [Arc::clone(&workload).to_string(), kind.name().to_owned()];
            let labels = Labels(&["service", "kind"], &values);
            write_line(text, format_args!("{name}{{{labels}}} {}", links.of(kind)));
        }
    }
}

fn seconds(nanos: u64) -> f64 {
    nanos as f64 / 1e9
}

fn write_line(text: &mut String, line: fmt::Arguments<'_>) {
    // writing to a String cannot fail
    if text.write_fmt(line).is_ok() {
        text.push('\n');
    }
}

/// Names and values of labels, escaped.
struct Labels<'a>(&'a [&'a str], &'a [String]);

impl Display for Labels<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (name, value)) in self.0.iter().zip(self.1).enumerate() {
            let comma = if index == 0 { "" } else { "," };
            let value = value
                .replace('\\', r"\\")
                .replace('"', "\\\"")
                .replace('\n', r"\n");
            write!(f, "{comma}{name}=\"{value}\"")?;
        }
        Ok(())
    }
}
