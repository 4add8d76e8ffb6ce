//! A trace as a log of what happened, in the order of time: a line for each request as its caller sends it (`REQ`), as
//! the callee begins with it (`IN`) and is done with it (`OUT`), and as the caller has the answer (`REP`).
//!
//! Times are adjusted for clock skew, or lines of different machines would not stand in the order of what caused what.

use std::time::{Duration, SystemTime};

use otlp::model::{Span, Status};
use span::TraceId;

use crate::analysis::link::{LinkKind, link};
use crate::analysis::peer::peer;
use crate::analysis::reading::Reading;
use crate::analysis::senders::instance;
use crate::analysis::tree::{Node, is_inbound, is_outbound};

/// One moment, and its place among those of the same nanosecond: outer beginnings before inner ones, inner ends before
/// outer ones.
type Moment = (i64, i64);

/// The log.
pub fn log(id: TraceId, reading: &Reading<'_>) -> String {
    let mut moments: Vec<(Moment, String)> = Vec::new();
    for (place, node) in reading.tree.nodes().iter().enumerate() {
        let names = match node.span.kind {
            kind if is_outbound(kind) => ("REQ", "REP"),
            kind if is_inbound(kind) => ("IN", "OUT"),
            _ => continue,
        };
        let (start, end) = reading.times.of(place);
        let depth = i64::try_from(node.depth).unwrap_or(i64::MAX);
        let begins = format!("{} -\n", line(reading, node, names.0, start));
        let mut ends = format!(
            "{} - {}\n",
            line(reading, node, names.1, end),
            millis(node.span.duration())
        );
        ends += &failure(reading, node).unwrap_or_default();
        moments.push(((start, depth), begins));
        moments.push(((end, i64::MAX - depth), ends));
    }
    moments.sort();
    let mut log = format!("Tracing: {id}\n\n");
    log.extend(moments.into_iter().map(|(_, lines)| lines));
    log
}

fn line(reading: &Reading<'_>, node: &Node<'_>, what: &str, at: i64) -> String {
    let span = node.span;
    let (caller, callee) = ends(reading, node);
    let sender = instance(&span.resource).unwrap_or(span.service());
    let note = link(span)
        .filter(|link| is_outbound(span.kind) && link.kind != LinkKind::Propagated)
        .map(|link| match link.kind {
            LinkKind::Inferred => format!(" (inferred link, {})", link.confidence),
            kind => format!(" ({} link)", kind.name()),
        });
    format!(
        "{} [{}] {:5} {} → {} {}{}",
        time(at),
        plain(sender),
        format!("[{what}]"),
        plain(caller),
        plain(callee),
        plain(&span.name),
        note.unwrap_or_default(),
    )
}

/// Who called whom.
fn ends<'a>(reading: &'a Reading<'a>, node: &'a Node<'a>) -> (&'a str, &'a str) {
    let own = node.span.service();
    if is_outbound(node.span.kind) {
        let answered = reading.tree.answer(node).map(|answer| answer.span.service());
        return (
            own,
            answered.or(peer(node.span).map(|peer| peer.name)).unwrap_or("?"),
        );
    }
    let caller = reading.tree.parent(node).map(|parent| parent.span.service());
    (
        caller.unwrap_or(if node.is_orphan() { "?" } else { "outside" }),
        own,
    )
}

/// What went wrong. The callee knows best; the caller speaks only where the callee does not.
fn failure(reading: &Reading<'_>, node: &Node<'_>) -> Option<String> {
    let told = |span: &Span| match &span.status {
        Status::Error(message) => Some(message.clone()),
        Status::Unset | Status::Ok => None,
    };
    let message = told(node.span)?;
    if reading
        .tree
        .answer(node)
        .is_some_and(|answer| answer.span.is_error())
    {
        return None;
    }
    let kind = node.span.attribute("error.type").and_then(|kind| kind.as_str());
    let what = Some(message.as_str())
        .filter(|message| !message.is_empty())
        .or(kind);
    Some(format!(
        "ERR - {}: {}\n",
        plain(node.span.service()),
        plain(what.unwrap_or("failed"))
    ))
}

fn time(nanos: i64) -> String {
    let since = Duration::from_nanos(nanos.unsigned_abs());
    let time = SystemTime::UNIX_EPOCH
        .checked_add(since)
        .unwrap_or(SystemTime::UNIX_EPOCH);
    let text = humantime::format_rfc3339_millis(time).to_string();
    text.replace('T', " ").trim_end_matches('Z').to_owned()
}

fn millis(nanos: u64) -> String {
    format!("{:.2} ms", nanos as f64 / 1e6)
}

/// Without anything that a terminal would obey: spans hold what clients sent.
fn plain(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() { '\u{fffd}' } else { c })
        .collect()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use otlp::model::Kind;

    use super::*;
    use crate::fixtures::*;

    #[test]
    fn a_call_is_four_lines_in_the_order_of_what_caused_what() {
        let lasts = |from: u64, to: u64| {
            move |span: &mut Span| {
                span.start = START + from * 1_000_000;
                span.end = START + to * 1_000_000;
            }
        };
        let spans: Vec<_> = [
            span("edge", 1, 1)
                .with(child_of(0, Kind::Client))
                .with(linked("inferred", 0.995))
                .with(lasts(0, 10)),
            // at the same moments by its own clock, and so within
            span("bank", 1, 2)
                .with(child_of(1, Kind::Server))
                .with(lasts(0, 10))
                .with(|span| span.status = Status::Error("no \u{1b}money".to_owned())),
        ]
        .into_iter()
        .map(Arc::new)
        .collect();
        let expected = "Tracing: 00000000000000000000000000000001\n\n\
            2017-07-14 02:40:00.000 [edge] [REQ] edge → bank operation 1 (inferred link, 0.995) -\n\
            2017-07-14 02:40:00.000 [bank] [IN]  edge → bank operation 2 -\n\
            2017-07-14 02:40:00.010 [bank] [OUT] edge → bank operation 2 - 10.00 ms\n\
            ERR - bank: no \u{fffd}money\n\
            2017-07-14 02:40:00.010 [edge] [REP] edge → bank operation 1 (inferred link, 0.995) - 10.00 ms\n";
        assert_eq!(log(trace_id(1), &Reading::new(&spans)), expected);
    }
}
