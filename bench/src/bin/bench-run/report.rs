//! Medians over the rounds, as JSON and as a table, and the sidecar's promises held against them.

use std::collections::BTreeMap;

use bench::load::Protocol;
use serde::Serialize;

use crate::{
    contender::Contender,
    measure::{Latency, Round},
};

/// More waiting than this is other work on the machine; a contender's own threads cause less.
const DISTURBED: f64 = 0.05;

/// One contender with one protocol; `null` where nothing was measured, or nothing is there to measure.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Row {
    contender: Contender,
    protocol: Protocol,
    /// CPU time per request under closed load.
    cpu_us_per_request: Option<f64>,
    /// Under closed load.
    requests_per_second: Option<f64>,
    /// Spans that reached the sink, per request, under closed load.
    spans_per_request: Option<f64>,
    /// Median latency at the fixed rate, less that of `direct` in the same round.
    added_p50_us: Option<f64>,
    /// As `added_p50_us`, of the 99th percentiles.
    added_p99_us: Option<f64>,
    /// Resident memory of the started process before its first connection.
    rss_idle_mib: Option<f64>,
    /// Resident memory per idle connection, its upstream side included.
    kib_per_idle_connection: Option<f64>,
    /// CPU time per request at the fixed rate, where events come one at a time.
    paced_cpu_us_per_request: Option<f64>,
    /// Spans that reached the sink, per request, at the fixed rate: less than 1 means that some were dropped.
    paced_spans_per_request: Option<f64>,
}

/// What all rounds have found so far.
#[derive(Debug, Default)]
pub(crate) struct Report(BTreeMap<(Protocol, Contender), Found>);

#[derive(Debug, Default)]
struct Found {
    rounds: Vec<Round>,
    kib_per_idle_connection: Option<f64>,
}

impl Report {
    /// Adds a contender's next round.
    pub(crate) fn add_round(&mut self, contender: Contender, protocol: Protocol, round: Round) {
        self.0
            .entry((protocol, contender))
            .or_default()
            .rounds
            .push(round);
    }

    /// Adds what was measured once.
    pub(crate) fn add_idle(&mut self, contender: Contender, protocol: Protocol, kib_per_connection: f64) {
        self.0
            .entry((protocol, contender))
            .or_default()
            .kib_per_idle_connection = Some(kib_per_connection);
    }

    /// The largest share of a window in which a contender waited for its core, if that is enough to spoil the numbers.
    pub(crate) fn disturbed(&self) -> Option<f64> {
        let rounds = self.0.values().flat_map(|found| &found.rounds);
        let most = rounds
            .filter_map(|round| round.waited_share)
            .max_by(f64::total_cmp)?;
        (most > DISTURBED).then_some(most)
    }

    /// The medians, by protocol and contender.
    pub(crate) fn rows(&self) -> Vec<Row> {
        self.0
            .iter()
            .map(|(&(protocol, contender), found)| {
                let over = |value: fn(&Round) -> Option<f64>| median(found.rounds.iter().filter_map(value));
                let added = |value: fn(&Latency) -> f64| {
                    let direct = self.0.get(&(protocol, Contender::Direct))?;
                    let pairs = found.rounds.iter().zip(&direct.rounds);
                    median(pairs.map(|(round, direct)| value(&round.latency) - value(&direct.latency)))
                };
                let proxied = contender != Contender::Direct;
                Row {
                    contender,
                    protocol,
                    cpu_us_per_request: over(|round| round.cpu_us_per_request),
                    requests_per_second: over(|round| Some(round.requests_per_second)),
                    spans_per_request: over(|round| round.spans_per_request),
                    added_p50_us: added(|latency| latency.p50_us).filter(|_| proxied),
                    added_p99_us: added(|latency| latency.p99_us).filter(|_| proxied),
                    rss_idle_mib: over(|round| round.rss_idle_mib),
                    kib_per_idle_connection: found.kib_per_idle_connection,
                    paced_cpu_us_per_request: over(|round| round.paced_cpu_us_per_request),
                    paced_spans_per_request: over(|round| round.paced_spans_per_request),
                }
            })
            .collect()
    }
}

/// The middle value; of an even number of values the mean of the middle two.
fn median(values: impl Iterator<Item = f64>) -> Option<f64> {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    let (low, high) = (
        values.get(values.len().saturating_sub(1) / 2)?,
        values.get(values.len() / 2)?,
    );
    Some((low + high) / 2.0)
}

/// CPU time per request as a multiple of the floor's, in the closed load and at the fixed rate.
fn ratio(rows: &[Row], row: &Row, cpu: fn(&Row) -> Option<f64>) -> Option<f64> {
    let floor = rows
        .iter()
        .find(|r| r.protocol == row.protocol && r.contender == Contender::TcpCopy)?;
    Some(cpu(row)? / cpu(floor)?)
}

/// The rows for people.
pub(crate) fn table(rows: &[Row]) -> String {
    let mut text = String::from(concat!(
        "                   |      closed load: as fast as it goes        |",
        "   paced: a fixed rate, far from busy         |     memory\n",
        "proto contender    |  CPU µs/req  x tcp-copy     req/s  span/req |",
        "  CPU µs/req  x tcp-copy  span/req  +p50 µs  +p99 µs | idle MiB  KiB/idle conn\n",
    ));
    for row in rows {
        let closed = ratio(rows, row, |row| row.cpu_us_per_request);
        let paced = ratio(rows, row, |row| row.paced_cpu_us_per_request);
        text.push_str(&format!(
            "{:<5} {:<12} | {} {} {} {} | {} {} {} {} {} | {} {}\n",
            row.protocol.name(),
            row.contender.name(),
            cell(row.cpu_us_per_request, 11, 2),
            cell(closed, 11, 2),
            cell(row.requests_per_second, 9, 0),
            cell(row.spans_per_request, 9, 3),
            cell(row.paced_cpu_us_per_request, 12, 2),
            cell(paced, 11, 2),
            cell(row.paced_spans_per_request, 9, 3),
            cell(row.added_p50_us, 8, 0),
            cell(row.added_p99_us, 8, 0),
            cell(row.rss_idle_mib, 8, 1),
            cell(row.kib_per_idle_connection, 14, 1),
        ));
    }
    text
}

fn cell(value: Option<f64>, width: usize, digits: usize) -> String {
    value.map_or_else(
        || format!("{:>width$}", "-"),
        |value| format!("{value:>width$.digits$}"),
    )
}

/// What the sidecar promises, one line each, kept or not.
pub(crate) fn promises(rows: &[Row]) -> String {
    let mut text = String::new();
    for row in rows.iter().filter(|row| row.contender == Contender::Meshtrace) {
        let most = match row.protocol {
            Protocol::H1 => 1.25,
            Protocol::H2c => 1.4,
        };
        let closed = ratio(rows, row, |row| row.cpu_us_per_request);
        let lost = |spans: Option<f64>| spans.map(|spans| 1.0 - spans);
        for (what, found, most) in [
            ("CPU per request, x tcp-copy", closed, most),
            // who drops spans has less to do: without this the line above could be kept by not tracing
            (
                "spans lost per request as fast as it goes",
                lost(row.spans_per_request),
                0.01,
            ),
            (
                "spans lost per request at the fixed rate",
                lost(row.paced_spans_per_request),
                0.0,
            ),
            ("KiB per idle connection", row.kib_per_idle_connection, 6.0),
            ("MiB resident when idle", row.rss_idle_mib, 10.0),
        ] {
            let Some(found) = found else { continue };
            let verdict = if found <= most { "kept" } else { "BROKEN" };
            let protocol = row.protocol.name();
            text.push_str(&format!(
                "{verdict:<6} meshtrace {protocol:<3} {what}: {found:.2}, at most {most}\n"
            ));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn round(cpu: f64, p50_us: f64) -> Round {
        Round {
            requests_per_second: 1.0,
            cpu_us_per_request: Some(cpu),
            spans_per_request: Some(1.0),
            paced_spans_per_request: Some(1.0),
            paced_cpu_us_per_request: Some(2.0 * cpu),
            latency: Latency {
                p50_us,
                p99_us: 2.0 * p50_us,
            },
            rss_idle_mib: Some(8.0),
            waited_share: Some(0.0),
        }
    }

    fn report() -> Report {
        let mut report = Report::default();
        for (contender, rounds) in [
            (
                Contender::Direct,
                [round(0.0, 100.0), round(0.0, 200.0), round(0.0, 300.0)],
            ),
            (
                Contender::TcpCopy,
                [round(9.0, 110.0), round(10.0, 210.0), round(99.0, 310.0)],
            ),
            (
                Contender::Meshtrace,
                [round(12.0, 120.0), round(12.0, 260.0), round(99.0, 310.0)],
            ),
        ] {
            for round in rounds {
                report.add_round(contender, Protocol::H1, round);
            }
        }
        report
    }

    #[test]
    fn the_median_is_the_middle_and_of_nothing_there_is_none() {
        assert_eq!(median([3.0, 1.0, 9.0].into_iter()), Some(3.0));
        assert_eq!(median([4.0, 1.0, 9.0, 2.0].into_iter()), Some(3.0));
        assert_eq!(median(std::iter::empty()), None);
    }

    #[test]
    fn added_latency_is_paired_with_direct_by_round() {
        let rows = report().rows();
        assert_eq!(rows[0].added_p50_us, None);
        assert_eq!(rows[1].added_p50_us, Some(10.0));
        assert_eq!(rows[2].added_p50_us, Some(20.0));
        assert_eq!(rows[2].added_p99_us, Some(40.0));
    }

    #[test]
    fn the_ratio_is_of_medians_so_one_bad_round_does_not_decide() {
        let rows = report().rows();
        assert_eq!(ratio(&rows, &rows[2], |row| row.cpu_us_per_request), Some(1.2));
        assert!(promises(&rows).starts_with("kept "));
    }

    #[test]
    fn the_json_has_every_key_and_null_for_what_was_not_measured() {
        let json = serde_json::to_value(report().rows()).unwrap();
        assert_eq!(json[1]["contender"], "tcp-copy");
        assert_eq!(json[1]["protocol"], "h1");
        assert!(json[1]["kib_per_idle_connection"].is_null());
        assert_eq!(json[1]["cpu_us_per_request"], 10.0);
    }
}
