//! The one suite that every backend must pass: the contract of [`Store`], sentence by sentence.
//!
//! `suite!(make)` in a backend's tests makes a test of each. `make(bytes, age)` is an empty store that keeps about
//! that many bytes, and a trace for that many nanoseconds.

use std::collections::BTreeSet;
use std::future::Future;

use otlp::model::{Attribute, Event, Kind, Link, Scope, Status, Value};
use proptest::prelude::*;

use super::*;
use crate::analysis::link::LinkKind;
use crate::fixtures::*;
use crate::query::{Condition, Order, Outcome, ids_beginning};

pub(super) const PLENTY: u64 = 64 << 20;
pub(super) const LONG: u64 = u64::MAX;

macro_rules! suite {
    ($make:expr) => {
        $crate::store::suite::tests! { $make =>
            what_was_appended_is_seen_at_once_and_unchanged,
            a_repeated_span_is_shown_once_and_the_first_word_stands,
            a_client_and_a_server_may_share_an_id,
            a_provisional_trace_reads_as_part_of_the_whole_one,
            a_resolved_span_replaces_its_provisional_self,
            joins_read_the_same_in_every_order_of_arrival,
            a_search_finds_a_trace_by_a_joined_span,
            searches_are_ordered_and_limited,
            a_search_wants_one_span_that_matches_all_of_it,
            every_field_of_a_search_counts,
            conditions_hold_wherever_a_span_says_it,
            a_trace_is_found_by_the_beginning_of_its_id_and_of_a_joined_one,
            what_is_said_of_a_trace_is_about_all_of_it,
            pages_show_every_trace_once_in_order,
            pages_stay_exact_while_others_arrive,
            a_summary_says_what_the_whole_trace_is,
            services_and_operations_are_listed_in_order_once,
            dependencies_come_from_whole_traces_in_the_window,
            too_old_traces_are_dropped_whole_and_counted,
            too_many_bytes_drop_the_oldest_traces_and_stay_within_the_limit,
            a_dropped_trace_begins_anew,
            nothing_dropped_is_listed_any_more,
            the_books_balance_whatever_comes,
        }
    };
}

macro_rules! tests {
    ($make:expr => $($name:ident,)*) => {
        $(#[test] fn $name() { $crate::store::suite::$name(&$make) })*
    };
}

pub(super) use {suite, tests};

fn wait<T>(future: impl Future<Output = Result<T, StoreError>>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.unwrap().block_on(future).unwrap()
}

/// One trace as it reads.
fn read(store: &dyn Store, trace: u64) -> Option<Trace> {
    wait(store.traces(&[trace_id(trace)])).pop()
}

/// The ids of the spans of one trace, as it reads.
fn ids(store: &dyn Store, trace: u64) -> Vec<u64> {
    let trace = read(store, trace);
    trace
        .iter()
        .flat_map(|trace| &trace.spans)
        .map(|span| span.span_id.as_u64())
        .collect()
}

/// The traces that a search finds.
fn found(store: &dyn Store, query: &Query) -> Vec<u64> {
    let found = wait(store.search(query));
    found.iter().map(|summary| summary.trace_id.low()).collect()
}

type Make<'a> = &'a dyn Fn(u64, u64) -> Arc<dyn Store>;

pub(super) fn what_was_appended_is_seen_at_once_and_unchanged(make: Make<'_>) {
    let store = make(PLENTY, LONG);
    let late = span("a", 1, 2).with(|span| span.end = span.start - 1);
    let early = span("a", 1, 1);
    let appended = wait(store.append(packed(vec![late.clone(), early.clone()]), 0));
    assert_eq!((appended.stored, appended.repeated), (2, 0));
    let expected = Trace {
        id: trace_id(1),
        spans: vec![Arc::new(early), Arc::new(late)],
    };
    assert_eq!(read(&*store, 1), Some(expected));
    assert_eq!(read(&*store, 2), None);
}

pub(super) fn a_repeated_span_is_shown_once_and_the_first_word_stands(make: Make<'_>) {
    let store = make(PLENTY, LONG);
    let other = span("a", 1, 1).with(|span| span.name = "other".to_owned());
    wait(store.append(packed(vec![span("a", 1, 1), span("a", 1, 2)]), 0));
    wait(store.append(packed(vec![other, span("a", 1, 2), span("a", 1, 3)]), 0));
    let trace = read(&*store, 1).unwrap();
    let names: Vec<_> = trace.spans.iter().map(|span| span.name.as_str()).collect();
    assert_eq!(names, ["operation 1", "operation 2", "operation 3"]);
    assert_eq!(wait(store.size()).spans, 3);
}

pub(super) fn a_client_and_a_server_may_share_an_id(make: Make<'_>) {
    let store = make(PLENTY, LONG);
    let client = span("a", 1, 1).with(|span| span.kind = Kind::Client);
    let server = span("b", 1, 1).with(|span| span.kind = Kind::Server);
    wait(store.append(packed(vec![client, server]), 0));
    assert_eq!(ids(&*store, 1), [1, 1]);
}

pub(super) fn a_provisional_trace_reads_as_part_of_the_whole_one(make: Make<'_>) {
    let store = make(PLENTY, LONG);
    wait(store.append(packed(vec![span("a", 1, 1), span("b", 2, 3)]), 0));
    wait(store.append(packed(vec![span("a", 1, 2).with(resolves(2))]), 0));
    wait(store.append(packed(vec![span("b", 2, 4)]), 0));
    assert_eq!(ids(&*store, 1), [1, 2, 3, 4]);
    assert_eq!(read(&*store, 2), read(&*store, 1));
    assert_eq!(read(&*store, 2).unwrap().id, trace_id(1));
    assert_eq!(wait(store.traces(&[trace_id(2), trace_id(1)])).len(), 1);
    let raw: Vec<_> = read(&*store, 1)
        .unwrap()
        .spans
        .iter()
        .map(|span| span.trace_id.low())
        .collect();
    assert_eq!(raw, [1, 1, 2, 2]);
    assert_eq!(wait(store.size()).traces, 1);
}

pub(super) fn a_resolved_span_replaces_its_provisional_self(make: Make<'_>) {
    for resolved_first in [false, true] {
        let store = make(PLENTY, LONG);
        let provisional = span("a", 2, 1);
        let resolved = span("a", 1, 1)
            .with(child_of(9, Kind::Internal))
            .with(resolves(2));
        let (first, second) = match resolved_first {
            true => (resolved.clone(), provisional),
            false => (provisional, resolved.clone()),
        };
        wait(store.append(packed(vec![first]), 0));
        wait(store.append(packed(vec![second]), 0));
        assert_eq!(read(&*store, 1).unwrap().spans, [Arc::new(resolved)]);
    }
}

/// Five traces, of which four were provisional in a chain and a fork, come in every order.
pub(super) fn joins_read_the_same_in_every_order_of_arrival(make: Make<'_>) {
    let spans = vec![
        span("a", 1, 1),
        span("a", 1, 2).with(resolves(2)),
        span("b", 2, 3).with(resolves(3)),
        span("b", 2, 4).with(resolves(4)),
        span("c", 3, 5).with(resolves(5)),
        span("c", 4, 6),
        span("d", 5, 7),
    ];
    proptest!(ProptestConfig::with_cases(64), |(order in Just(spans).prop_shuffle())| {
        let store = make(PLENTY, LONG);
        for span in order {
            wait(store.append(packed(vec![span]), 0));
        }
        for trace in 1..=5 {
            prop_assert_eq!(ids(&*store, trace), [1, 2, 3, 4, 5, 6, 7]);
        }
        prop_assert_eq!(found(&*store, &Query::default()), [1]);
    });
}

pub(super) fn a_search_finds_a_trace_by_a_joined_span(make: Make<'_>) {
    let store = make(PLENTY, LONG);
    wait(store.append(
        packed(vec![span("b", 2, 3), span("a", 1, 2).with(resolves(2))]),
        0,
    ));
    let query = Query {
        service: Some("b".to_owned()),
        ..Query::default()
    };
    assert_eq!(found(&*store, &query), [1]);
    assert_eq!(wait(store.search(&query))[0].spans, 2);
}

pub(super) fn searches_are_ordered_and_limited(make: Make<'_>) {
    let store = make(PLENTY, LONG);
    let error = |span: &mut Span| span.status = Status::Error(String::new());
    let long = |millis: u64| move |span: &mut Span| span.end = span.start + millis * 1_000_000;
    wait(store.append(
        packed(vec![
            span("a", 1, 1).with(long(5)),
            span("a", 1, 2).with(error),
            span("a", 1, 3).with(error),
            span("a", 2, 10_000).with(long(9)),
            span("a", 3, 20_000).with(long(1)),
            span("a", 3, 90_000).with(long(1)),
            span("a", 4, 30_000).with(long(2)).with(error),
        ]),
        0,
    ));
    let order = |order, limit| {
        found(
            &*store,
            &Query {
                order,
                limit,
                ..Query::default()
            },
        )
    };
    assert_eq!(order(Order::Time, 9), [4, 3, 2, 1]);
    assert_eq!(order(Order::Duration, 9), [3, 2, 1, 4]);
    assert_eq!(order(Order::SpanDuration, 9), [2, 1, 4, 3]);
    assert_eq!(order(Order::Spans, 9), [1, 3, 2, 4]);
    assert_eq!(order(Order::Errors, 9), [1, 4, 2, 3]);
    assert_eq!(order(Order::Duration, 2), [3, 2]);
}

pub(super) fn a_search_wants_one_span_that_matches_all_of_it(make: Make<'_>) {
    let store = make(PLENTY, LONG);
    let tagged = |span: &mut Span| span.attributes.push(text("shard", "7"));
    let failed = |span: &mut Span| span.status = Status::Error("no".to_owned());
    wait(store.append(
        packed(vec![span("a", 1, 1).with(tagged), span("a", 1, 2).with(failed)]),
        0,
    ));
    wait(store.append(packed(vec![span("a", 2, 3).with(tagged).with(failed)]), 0));
    let tags = |tags: &[(&str, &str)]| {
        let conditions = tags.iter().map(|(key, value)| Condition::equals(*key, *value));
        found(
            &*store,
            &Query {
                conditions: conditions.collect(),
                ..Query::default()
            },
        )
    };
    assert_eq!(tags(&[("shard", "7")]), [2, 1]);
    assert_eq!(tags(&[("shard", "7"), ("error", "true")]), [2]);
    assert_eq!(tags(&[("service.name", "a"), ("span.kind", "internal")]), [2, 1]);
    assert_eq!(tags(&[("shard", "8")]), [0; 0]);
    let window = |start, duration| {
        found(
            &*store,
            &Query {
                start,
                duration,
                ..Query::default()
            },
        )
    };
    assert_eq!(window(START + 3000..=START + 3000, 0..=u64::MAX), [2]);
    assert_eq!(window(START..=START + 2999, 0..=1_000_000), [1]);
    assert_eq!(window(0..=u64::MAX, 1_000_001..=u64::MAX), [0; 0]);
}

pub(super) fn every_field_of_a_search_counts(make: Make<'_>) {
    let store = make(PLENTY, LONG);
    let failed = |span: &mut Span| span.status = Status::Error("no".to_owned());
    wait(store.append(
        packed(vec![
            span("a", 1, 1).with(child_of(9, Kind::Server)),
            span("b", 2, 1).with(child_of(9, Kind::Client)).with(failed),
            span("b", 3, 2).with(|span| span.status = Status::Ok),
            span("b", 4, 3).with(linked("inferred", 0.99)),
            span("b", 5, 4).with(linked("exact", 1.0)),
        ]),
        0,
    ));
    let find = |query: Query| {
        let mut found = found(&*store, &query);
        found.sort_unstable();
        found
    };
    let any = Query::default;
    let service = Some("a".to_owned());
    assert_eq!(find(Query { service, ..any() }), [1]);
    let operation = Some("operation 1".to_owned());
    assert_eq!(find(Query { operation, ..any() }), [1, 2]);
    let kind = Some(Kind::Client);
    assert_eq!(find(Query { kind, ..any() }), [2]);
    for (status, expected) in [
        (Outcome::Error, &[2][..]),
        (Outcome::Ok, &[3]),
        (Outcome::Unset, &[1, 4, 5]),
    ] {
        let status = Some(status);
        assert_eq!(find(Query { status, ..any() }), expected);
    }
    let link = Some(LinkKind::Inferred);
    assert_eq!(find(Query { link, ..any() }), [4]);
    let link = Some(LinkKind::Unknown);
    assert_eq!(find(Query { link, ..any() }), [0; 0]);
    assert_eq!(find(any()), [1, 2, 3, 4, 5]);
}

pub(super) fn conditions_hold_wherever_a_span_says_it(make: Make<'_>) {
    let store = make(PLENTY, LONG);
    let number = |number| {
        vec![Attribute {
            key: "n".to_owned(),
            value: Value::Int(number),
        }]
    };
    wait(store.append(
        packed(vec![
            span("a", 1, 1).with(|span| span.attributes = number(1)),
            span("a", 2, 2).with(|span| {
                let mut attributes = span.resource.attributes.clone();
                attributes.append(&mut number(2));
                span.resource = Arc::new(otlp::model::Resource { attributes });
            }),
            span("a", 3, 3).with(|span| {
                span.scope = Arc::new(Scope {
                    attributes: number(3),
                    ..Scope::default()
                });
            }),
            span("a", 4, 4).with(|span| {
                span.events = vec![Event {
                    time: START,
                    name: "event".to_owned(),
                    attributes: number(4),
                }];
            }),
            span("a", 5, 5).with(|span| {
                span.links = vec![Link {
                    trace_id: trace_id(9),
                    span_id: span_id(9),
                    trace_state: String::new(),
                    attributes: number(5),
                }];
            }),
            span("a", 6, 6).with(|span| span.attributes.push(text("n", "6"))),
            span("a", 7, 7).with(|span| span.attributes.push(text("n", "seven"))),
            span("a", 8, 8),
        ]),
        0,
    ));
    let find = |condition: &str| {
        let mut found = found(
            &*store,
            &Query {
                conditions: vec![Condition::parse(condition).unwrap()],
                ..Query::default()
            },
        );
        found.sort_unstable();
        found
    };
    assert_eq!(find("n"), [1, 2, 3, 4, 5, 6, 7]);
    for trace in 1..=6 {
        assert_eq!(find(&format!("n={trace}")), [trace]);
    }
    assert_eq!(find("n=seven"), [7]);
    assert_eq!(find("n>=3"), [3, 4, 5, 6]);
    assert_eq!(find("n>3"), [4, 5, 6]);
    assert_eq!(find("n<=2"), [1, 2]);
    assert_eq!(find("n<2.5"), [1, 2]);
    assert_eq!(find("m"), [0; 0]);
}

pub(super) fn a_trace_is_found_by_the_beginning_of_its_id_and_of_a_joined_one(make: Make<'_>) {
    let store = make(PLENTY, LONG);
    wait(store.append(
        packed(vec![
            span("a", 0xa1, 1),
            span("a", 0xa2, 2).with(resolves(0xb1)),
            span("b", 0xb1, 3),
        ]),
        0,
    ));
    let find = |digits: &str| {
        found(
            &*store,
            &Query {
                ids: ids_beginning(digits).unwrap(),
                ..Query::default()
            },
        )
    };
    let beginning = |end: &str| format!("{}{end}", "0".repeat(30));
    assert_eq!(find(&beginning("a")), [0xa2, 0xa1]);
    assert_eq!(find(&beginning("a1")), [0xa1]);
    assert_eq!(find(&beginning("b")), [0xa2]);
    assert_eq!(find("0"), [0xa2, 0xa1]);
    assert_eq!(find("1"), [0; 0]);
}

pub(super) fn what_is_said_of_a_trace_is_about_all_of_it(make: Make<'_>) {
    let store = make(PLENTY, LONG);
    // the second trace has a matching span of a millisecond, and takes two
    let later = |span: &mut Span| {
        span.start += 1_000_000;
        span.end += 1_000_000;
    };
    wait(store.append(
        packed(vec![
            span("a", 1, 1),
            span("a", 2, 1),
            span("b", 2, 1).with(child_of(9, Kind::Server)).with(later),
        ]),
        0,
    ));
    let find = |trace_duration| {
        found(
            &*store,
            &Query {
                service: Some("a".to_owned()),
                trace_duration,
                ..Query::default()
            },
        )
    };
    assert_eq!(find(1_000_001..=u64::MAX), [2]);
    assert_eq!(find(2_000_000..=2_000_000), [2]);
    assert_eq!(find(0..=1_000_000), [1]);
}

/// The pages of a search, each behind the last of the one before; `between` runs after every page.
fn pages(store: &dyn Store, order: Order, limit: usize, mut between: impl FnMut(usize)) -> Vec<Vec<u64>> {
    let mut pages = Vec::new();
    let mut after = None;
    loop {
        let query = Query {
            order,
            limit,
            after,
            ..Query::default()
        };
        let page = wait(store.search(&query));
        let Some(last) = page.last() else {
            return pages;
        };
        after = Some(last.place(order));
        pages.push(page.iter().map(|summary| summary.trace_id.low()).collect());
        between(pages.len());
    }
}

pub(super) fn pages_show_every_trace_once_in_order(make: Make<'_>) {
    let spans = (1u64..40, 0u64..5, 1u64..4, any::<bool>());
    let spans = proptest::collection::vec(spans, 1..40);
    proptest!(ProptestConfig::with_cases(24), |(spans in spans, limit in 1usize..8)| {
        let store = make(PLENTY, LONG);
        let spans = (1..).zip(spans).map(|(id, (trace, start, millis, failed))| {
            span("a", trace, id).with(|span| {
                span.start = START + start;
                span.end = span.start + millis * 1_000_000;
                if failed {
                    span.status = Status::Error(String::new());
                }
            })
        });
        wait(store.append(packed(spans.collect()), 0));
        for order in Order::ALL {
            let all = Query { order, limit: 1000, ..Query::default() };
            let pages = pages(&*store, order, limit, |_| ());
            prop_assert!(pages.iter().all(|page| page.len() <= limit));
            prop_assert_eq!(pages.concat(), found(&*store, &all));
        }
    });
}

pub(super) fn pages_stay_exact_while_others_arrive(make: Make<'_>) {
    for order in Order::ALL {
        let store = make(PLENTY, LONG);
        let came =
            |trace: u64, nanos: u64| span("a", trace, trace).with(|span| span.end = span.start + nanos);
        wait(store.append(packed((10..20).map(|trace| came(trace, trace)).collect()), 0));
        let seen = pages(&*store, order, 3, |page| {
            // some come in front of where the reader is, some behind
            if page <= 4 {
                let (before, behind) = (100 + page as u64, 10 - page as u64);
                wait(store.append(packed(vec![came(before, before), came(behind, behind)]), 0));
            }
        })
        .concat();
        let expected: Vec<u64> = (10..20).collect();
        let mut first: Vec<_> = seen
            .iter()
            .copied()
            .filter(|trace| (10..20).contains(trace))
            .collect();
        first.sort_unstable();
        assert_eq!(first, expected, "{order:?}");
        let distinct: BTreeSet<_> = seen.iter().collect();
        assert_eq!(distinct.len(), seen.len(), "{order:?}");
    }
}

pub(super) fn a_summary_says_what_the_whole_trace_is(make: Make<'_>) {
    let store = make(PLENTY, LONG);
    wait(store.append(
        packed(vec![
            span("edge", 1, 1).with(child_of(99, Kind::Server)),
            span("edge", 1, 2)
                .with(child_of(1, Kind::Client))
                .with(resolves(2))
                .with(linked("inferred", 0.5))
                .with(|span| span.status = Status::Error(String::new())),
            span("bank", 2, 3).with(child_of(2, Kind::Server)),
        ]),
        0,
    ));
    let query = Query {
        service: Some("bank".to_owned()),
        ..Query::default()
    };
    let found = wait(store.search(&query));
    let expected = query.summary(trace_id(1), &read(&*store, 1).unwrap().spans);
    assert_eq!(found, Vec::from_iter(expected));
    let summary = &found[0];
    assert_eq!((summary.spans, summary.errors, summary.gaps), (3, 1, 1));
    assert_eq!((summary.start, summary.duration), (START + 1000, 1_002_000));
    assert_eq!((summary.longest_match, summary.confidence), (1_000_000, 0.5));
    assert_eq!(summary.root.service, "edge");
}

pub(super) fn services_and_operations_are_listed_in_order_once(make: Make<'_>) {
    let store = make(PLENTY, LONG);
    let server = |span: &mut Span| span.kind = Kind::Server;
    wait(store.append(
        packed(vec![
            span("b", 1, 2),
            span("a", 1, 1),
            span("b", 2, 2),
            span("b", 3, 1).with(server),
        ]),
        0,
    ));
    assert_eq!(wait(store.services()), ["a", "b"]);
    let operation = |name: &str, kind| Operation {
        name: name.to_owned(),
        kind,
    };
    assert_eq!(
        wait(store.operations("b")),
        [
            operation("operation 1", Kind::Server),
            operation("operation 2", Kind::Internal)
        ]
    );
    assert_eq!(wait(store.operations("c")), []);
}

pub(super) fn dependencies_come_from_whole_traces_in_the_window(make: Make<'_>) {
    let store = make(PLENTY, LONG);
    wait(store.append(packed(vec![span("b", 2, 2).with(child_of(1, Kind::Server))]), 0));
    assert_eq!(wait(store.dependencies(0..=u64::MAX)), []);
    wait(store.append(
        packed(vec![
            span("a", 1, 1).with(child_of(9, Kind::Client)).with(resolves(2)),
        ]),
        0,
    ));
    let expected = [Dependency {
        parent: "a".to_owned(),
        child: "b".to_owned(),
        calls: 1,
    }];
    assert_eq!(wait(store.dependencies(START + 2000..=START + 2000)), expected);
    assert_eq!(wait(store.dependencies(START + 3000..=u64::MAX)), []);
}

pub(super) fn too_old_traces_are_dropped_whole_and_counted(make: Make<'_>) {
    let store = make(PLENTY, 100);
    wait(store.append(packed(vec![span("a", 1, 1), span("a", 2, 2)]), 1000));
    wait(store.append(packed(vec![span("a", 1, 3), span("a", 3, 4)]), 1050));
    assert_eq!(wait(store.expire(1100)), Dropped::default());
    assert_eq!(wait(store.expire(1101)), Dropped { traces: 2, spans: 3 });
    assert_eq!(found(&*store, &Query::default()), [3]);
}

pub(super) fn too_many_bytes_drop_the_oldest_traces_and_stay_within_the_limit(make: Make<'_>) {
    let limit = 1 << 20;
    let store = make(limit, LONG);
    let (mut stored, mut dropped) = (0, Dropped::default());
    for trace in 1..=500 {
        let big = |span: &mut Span| span.attributes.push(text("payload", &"x".repeat(8 << 10)));
        let appended = wait(store.append(
            packed(vec![span("a", trace, 1).with(big), span("a", trace, 2)]),
            trace,
        ));
        stored += appended.stored;
        dropped.traces += appended.dropped.traces;
        dropped.spans += appended.dropped.spans;
        assert!(wait(store.size()).bytes <= limit);
    }
    let size = wait(store.size());
    assert_eq!((stored, size.spans + dropped.spans), (1000, 1000));
    assert_eq!(size.traces + dropped.traces, 500);
    assert!(size.traces >= 64, "half of the limit is used: {size:?}");
    let mut kept = found(
        &*store,
        &Query {
            limit: 1000,
            ..Query::default()
        },
    );
    kept.sort_unstable();
    assert_eq!(kept, (dropped.traces + 1..=500).collect::<Vec<_>>());
}

pub(super) fn a_dropped_trace_begins_anew(make: Make<'_>) {
    let store = make(PLENTY, 100);
    wait(store.append(
        packed(vec![span("a", 1, 1).with(resolves(2)), span("b", 2, 2)]),
        1000,
    ));
    wait(store.expire(5000));
    wait(store.append(packed(vec![span("a", 1, 1), span("b", 2, 3)]), 5000));
    assert_eq!(ids(&*store, 1), [1]);
    assert_eq!(ids(&*store, 2), [3]);
}

pub(super) fn nothing_dropped_is_listed_any_more(make: Make<'_>) {
    let store = make(PLENTY, 100);
    wait(store.append(
        packed(vec![
            span("a", 1, 1),
            span("b", 1, 2).with(resolves(2)),
            span("a", 2, 3),
        ]),
        1000,
    ));
    assert_eq!(wait(store.expire(5000)), Dropped { traces: 1, spans: 3 });
    assert_eq!(wait(store.services()), [""; 0]);
    assert_eq!(wait(store.operations("a")), []);
    assert_eq!(wait(store.size()), Size::default());
}

/// Random spans, repeats, joins (cycles and second words among them) and expiry: what is kept, what was repeated and
/// what was dropped always add up to what came, and readers agree with the size.
pub(super) fn the_books_balance_whatever_comes(make: Make<'_>) {
    let span = (1u64..8, 1u64..6, proptest::option::of(1u64..8)).prop_map(|(trace, id, provisional)| {
        let span = span(["a", "b"][trace as usize % 2], trace, id);
        match provisional {
            Some(provisional) => span.with(resolves(provisional)),
            None => span,
        }
    });
    let batches = proptest::collection::vec((proptest::collection::vec(span, 0..6), any::<bool>()), 0..12);
    proptest!(ProptestConfig::with_cases(64), |(batches in batches)| {
        let store = make(PLENTY, 3);
        let (mut came, mut dropped) = (0, 0);
        for (turn, (spans, expire)) in (10..).zip(batches) {
            came += spans.len() as u64;
            wait(store.append(packed(spans), turn));
            if expire {
                dropped += wait(store.expire(turn)).spans;
            }
            let size = wait(store.size());
            prop_assert!(size.spans + dropped <= came);
            let everything = Query { limit: 1000, ..Query::default() };
            let found = wait(store.search(&everything));
            prop_assert_eq!(found.len() as u64, size.traces);
            prop_assert_eq!(found.iter().map(|summary| summary.spans as u64).sum::<u64>(), size.spans);
            for summary in found {
                let trace = &wait(store.traces(&[summary.trace_id]))[0];
                let distinct: BTreeSet<_> = trace.spans.iter().map(|span| span.span_id).collect();
                prop_assert_eq!((trace.id, distinct.len()), (summary.trace_id, summary.spans));
            }
        }
        wait(store.expire(u64::MAX));
        prop_assert_eq!(wait(store.size()), Size::default());
        prop_assert_eq!(wait(store.services()), [""; 0]);
    });
}
