//! The suite on disk, and what only a disk can do: be left in the middle, and fail.

use proptest::prelude::*;

use super::failing::Failing;
use super::*;
use crate::fixtures::*;
use crate::store::Memory;
use crate::store::suite::{LONG, PLENTY};
use otlp::model::Span;

crate::store::suite::suite!(
    |bytes, age| Arc::new(open(&Failing::new(), Limits { bytes, age })) as Arc<dyn Store>
);

/// What is read is the same while spans stand in heads, frozen ones and segments at once.
mod sealed {
    use super::*;

    fn make(bytes: u64, age: u64) -> Arc<dyn Store> {
        Arc::new(open_sealing(&Failing::new(), Limits { bytes, age }, 1).unwrap())
    }

    crate::store::suite::tests! { make =>
        what_was_appended_is_seen_at_once_and_unchanged,
        a_client_and_a_server_may_share_an_id,
        a_resolved_span_replaces_its_provisional_self,
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
    }
}

const LIMITS: Limits = Limits {
    bytes: PLENTY,
    age: LONG,
};

fn open(disk: &Arc<Failing>, limits: Limits) -> Durable {
    try_open(disk, limits).unwrap()
}

fn try_open(disk: &Arc<Failing>, limits: Limits) -> Result<Durable, OpenError> {
    open_sealing(disk, limits, HEAD_BYTES.min(limits.bytes / 16))
}

/// A store that seals its head whenever it takes so many bytes.
fn open_sealing(disk: &Arc<Failing>, limits: Limits, head_bytes: u64) -> Result<Durable, OpenError> {
    let (folder, disk) = (disk.folder(), Arc::clone(disk) as Arc<dyn Disk>);
    Durable::open_on(disk, folder, Durability::Sync, limits, head_bytes)
}

fn wait<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.unwrap().block_on(future)
}

/// Every trace as it reads, by search and by id.
fn everything(store: &dyn Store) -> Vec<(Summary, Trace)> {
    let query = Query {
        limit: usize::MAX,
        ..Query::default()
    };
    let found = wait(store.search(&query)).unwrap();
    let ids: Vec<_> = found.iter().map(|summary| summary.trace_id).collect();
    let traces = wait(store.traces(&ids)).unwrap();
    assert_eq!(found.len(), traces.len());
    found.into_iter().zip(traces).collect()
}

fn log_files(disk: &Failing) -> Vec<PathBuf> {
    let files = std::fs::read_dir(disk.folder().join("log")).unwrap();
    let mut files: Vec<_> = files.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

#[test]
fn what_was_kept_and_joined_is_there_after_a_restart() {
    let disk = Failing::new();
    let store = open(&disk, LIMITS);
    wait(store.append(packed(vec![span("a", 1, 1), span("b", 2, 3)]), 7)).unwrap();
    wait(store.append(packed(vec![span("a", 1, 2).with(resolves(2))]), 8)).unwrap();
    let before = everything(&store);
    drop(store);
    let store = open(&disk, LIMITS);
    assert_eq!(everything(&store), before);
    wait(store.append(packed(vec![span("b", 2, 4)]), 9)).unwrap();
    assert_eq!(everything(&store)[0].1.spans.len(), 4);
}

#[test]
fn what_was_dropped_does_not_come_back_after_a_restart() {
    let disk = Failing::new();
    let store = open(&disk, Limits { age: 100, ..LIMITS });
    wait(store.append(
        packed(vec![span("a", 1, 1).with(resolves(2)), span("b", 2, 2)]),
        1000,
    ))
    .unwrap();
    wait(store.append(packed(vec![span("a", 3, 3)]), 4990)).unwrap();
    wait(store.expire(5000)).unwrap();
    wait(store.append(packed(vec![span("b", 2, 4)]), 5000)).unwrap();
    let before = everything(&store);
    assert_eq!(before.len(), 2);
    drop(store);
    assert_eq!(everything(&open(&disk, LIMITS)), before);
}

#[test]
fn a_folder_has_one_store_at_a_time() {
    let disk = Failing::new();
    let store = open(&disk, LIMITS);
    let second = try_open(&disk, LIMITS).unwrap_err();
    assert!(
        second.to_string().contains("in use by another collector"),
        "{second}"
    );
    drop(store);
    open(&disk, LIMITS);
}

#[test]
fn a_log_of_a_later_version_is_left_alone_and_named() {
    let disk = Failing::new();
    let store = open(&disk, LIMITS);
    wait(store.append(packed(vec![span("a", 1, 1)]), 0)).unwrap();
    drop(store);
    let path = log_files(&disk).pop().unwrap();
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[4] = frame::VERSION + 1;
    let sum = crc32fast::hash(&[&bytes[..12], &bytes[16..]].concat());
    bytes[12..16].copy_from_slice(&sum.to_le_bytes());
    std::fs::write(&path, &bytes).unwrap();
    let refused = try_open(&disk, LIMITS).unwrap_err().to_string();
    assert!(
        refused.contains(path.to_str().unwrap()) && refused.contains("version 4"),
        "{refused}"
    );
    assert_eq!(std::fs::read(&path).unwrap(), bytes);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// The log is cut or flipped anywhere: what stands before is there, and the store goes on.
    #[test]
    fn a_torn_log_keeps_what_stands_before_the_tear(cut in any::<prop::sample::Index>()) {
        let disk = Failing::new();
        let store = open(&disk, LIMITS);
        for id in 1..=8 {
            wait(store.append(packed(vec![span("a", id, id)]), id)).unwrap();
        }
        drop(store);
        let path = log_files(&disk).pop().unwrap();
        let bytes = std::fs::read(&path).unwrap();
        let cut = cut.index(bytes.len());
        std::fs::write(&path, &bytes[..cut]).unwrap();
        let store = open(&disk, LIMITS);
        let kept = everything(&store).len();
        prop_assert_eq!(kept, cut * 8 / bytes.len());
        wait(store.append(packed(vec![span("a", 9, 9)]), 9)).unwrap();
        drop(store);
        prop_assert_eq!(everything(&open(&disk, LIMITS)).len(), kept + 1);
    }

    /// Each call to the disk fails in turn, for a while: what was acknowledged is there afterwards, nothing is there
    /// twice, and once the disk works again so does the store.
    #[test]
    fn what_was_acknowledged_is_there_whichever_call_failed(after in 0u64..40, count in 1u64..6) {
        let disk = Failing::new();
        let store = open(&disk, LIMITS);
        disk.fail(after, count);
        let mut acknowledged = Vec::new();
        for id in 1..=12 {
            if wait(store.append(packed(vec![span("a", id, id)]), id)).is_ok() {
                acknowledged.push(trace_id(id));
            }
        }
        disk.fail(0, 0);
        wait(store.append(packed(vec![span("a", 100, 100)]), 13)).unwrap();
        acknowledged.push(trace_id(100));
        prop_assert_eq!(wait(store.traces(&acknowledged)).unwrap().len(), acknowledged.len());
        drop(store);
        let store = open(&disk, LIMITS);
        prop_assert_eq!(wait(store.traces(&acknowledged)).unwrap().len(), acknowledged.len());
        prop_assert!(everything(&store).iter().all(|(summary, _)| summary.spans == 1));
    }
}

#[test]
fn opening_fails_whole_with_the_path_or_opens_all() {
    let disk = Failing::new();
    let store = open(&disk, LIMITS);
    wait(store.append(packed(vec![span("a", 1, 1)]), 0)).unwrap();
    drop(store);
    let before = disk.made();
    drop(open(&disk, LIMITS));
    let calls = disk.made() - before;
    for call in 0..calls {
        disk.fail(call, 1);
        match try_open(&disk, LIMITS) {
            Err(error) => assert!(
                error.to_string().contains(disk.folder().to_str().unwrap()),
                "{error}"
            ),
            Ok(store) => assert_eq!(everything(&store).len(), 1),
        }
    }
    disk.fail(0, 0);
    assert_eq!(everything(&open(&disk, LIMITS)).len(), 1);
}

#[test]
fn every_append_of_many_at_once_is_acknowledged_and_kept() {
    let disk = Failing::new();
    let store = Arc::new(open(&disk, LIMITS));
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(4)
        .build()
        .unwrap();
    let stored = runtime.block_on(async {
        let appends = (1..=200).map(|id| {
            let store = Arc::clone(&store);
            tokio::spawn(async move {
                store
                    .append(packed(vec![span("a", id, id)]), id)
                    .await
                    .unwrap()
                    .stored
            })
        });
        let mut stored = 0;
        for append in appends.collect::<Vec<_>>() {
            stored += append.await.unwrap();
        }
        stored
    });
    drop(store);
    assert_eq!(stored, 200);
    assert_eq!(everything(&open(&disk, LIMITS)).len(), 200);
}

/// Waits until nothing is left for the sealer to do.
fn settle(store: &Durable) {
    // the writer freezes a head after it has answered, and before it does what it is asked next
    wait(store.expire(0)).unwrap();
    while !store.shelf.view().frozen.is_empty() {
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
}

fn files(disk: &Failing, end: &str) -> Vec<PathBuf> {
    let files = std::fs::read_dir(disk.folder().join("segments")).unwrap();
    let files = files.map(|entry| entry.unwrap().path());
    let mut files: Vec<_> = files
        .filter(|path| path.to_str().unwrap().ends_with(end))
        .collect();
    files.sort();
    files
}

/// What happens to a store.
#[derive(Clone, Debug)]
enum Turn {
    Append(Vec<Span>),
    Restart,
    Settle,
    Compact,
}

/// Spans of few traces in few services, with joins and repeats; a span's id decides all of it, so that whichever of two
/// repeats comes first is the same.
fn model_span() -> impl Strategy<Value = Span> {
    (1u64..7, 1u64..10, 0u64..3).prop_map(|(trace, id, joins)| {
        let number = trace * 16 + id;
        let error = |span: &mut Span| span.status = otlp::model::Status::Error("no".to_owned());
        let span = span(["a", "b", "c"][number as usize % 3], trace, number)
            .with(|span| span.end = span.start + number % 5 * 1_000_000)
            .with(|span| span.attributes.push(text("shard", &(number % 4).to_string())));
        let span = if number % 7 == 0 { span.with(error) } else { span };
        // a forest: a trace is only ever joined to an earlier one, and each by one span only
        match joins == 0 && id == 1 && trace > 1 {
            true => Span {
                trace_id: trace_id(trace / 2),
                ..span.with(resolves(trace))
            },
            false => span,
        }
    })
}

fn turns() -> impl Strategy<Value = Vec<Turn>> {
    let turn = prop_oneof![
        6 => proptest::collection::vec(model_span(), 1..6).prop_map(Turn::Append),
        1 => Just(Turn::Restart),
        1 => Just(Turn::Settle),
        1 => Just(Turn::Compact),
    ];
    proptest::collection::vec(turn, 1..14)
}

fn questions() -> Vec<Query> {
    let mut questions = Vec::new();
    for order in crate::query::Order::ALL {
        let all = Query {
            order,
            limit: 3,
            ..Query::default()
        };
        questions.push(Query {
            service: Some("b".to_owned()),
            ..all.clone()
        });
        questions.push(Query {
            conditions: vec![crate::query::Condition::equals("shard", "2")],
            ..all.clone()
        });
        questions.push(Query {
            status: Some(crate::query::Outcome::Error),
            ..all.clone()
        });
        questions.push(Query {
            start: START + 40_000..=START + 70_000,
            ..all.clone()
        });
        questions.push(Query {
            duration: 3_000_000..=u64::MAX,
            ..all.clone()
        });
        questions.push(Query {
            trace_duration: 4_020_000..=u64::MAX,
            ..all.clone()
        });
        questions.push(Query { limit: 100, ..all });
    }
    questions
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    /// The simple store is the model: whatever is appended, sealed, compacted and restarted, answers are equal.
    #[test]
    fn answers_are_those_of_the_simple_store(turns in turns(), head_bytes in prop_oneof![Just(1u64), Just(4000), Just(u64::MAX / 4)]) {
        let disk = Failing::new();
        let model = Memory::new(LIMITS);
        let mut store = Some(open_sealing(&disk, LIMITS, head_bytes).unwrap());
        for turn in turns {
            match turn {
                Turn::Append(spans) => {
                    wait(model.append(packed(spans.clone()), 0)).unwrap();
                    wait(store.as_ref().unwrap().append(packed(spans), 0)).unwrap();
                }
                Turn::Restart => {
                    drop(store.take());
                    store = Some(open_sealing(&disk, LIMITS, head_bytes).unwrap());
                }
                Turn::Settle => settle(store.as_ref().unwrap()),
                Turn::Compact => while store.as_ref().unwrap().shelf.compact().unwrap() {},
            }
        }
        let store = store.unwrap();
        prop_assert_eq!(everything(&store), everything(&model));
        for question in questions() {
            let (found, expected) = (wait(store.search(&question)).unwrap(), wait(model.search(&question)).unwrap());
            prop_assert_eq!(&found, &expected, "{:?}", question);
            if let Some(last) = found.last().filter(|_| found.len() == question.limit) {
                let next = Query { after: Some(last.place(question.order)), ..question };
                prop_assert_eq!(wait(store.search(&next)).unwrap(), wait(model.search(&next)).unwrap());
            }
        }
        prop_assert_eq!(wait(store.services()).unwrap(), wait(model.services()).unwrap());
        prop_assert_eq!(wait(store.operations("b")).unwrap(), wait(model.operations("b")).unwrap());
        prop_assert_eq!(wait(store.dependencies(0..=u64::MAX)).unwrap(), wait(model.dependencies(0..=u64::MAX)).unwrap());
    }

    /// As above, while spans are being sealed: what was acknowledged is there and once, whichever call failed.
    #[test]
    fn what_was_acknowledged_is_there_whichever_call_of_sealing_failed(after in 0u64..60, count in 1u64..8) {
        let disk = Failing::new();
        let store = open_sealing(&disk, LIMITS, 1500).unwrap();
        disk.fail(after, count);
        let mut acknowledged = Vec::new();
        for id in 1..=8 {
            if wait(store.append(packed(vec![span("a", id, id)]), id)).is_ok() {
                acknowledged.push(trace_id(id));
            }
        }
        disk.fail(0, 0);
        prop_assert_eq!(wait(store.traces(&acknowledged)).unwrap().len(), acknowledged.len());
        drop(store);
        let store = open_sealing(&disk, LIMITS, 1500).unwrap();
        prop_assert_eq!(wait(store.traces(&acknowledged)).unwrap().len(), acknowledged.len());
        prop_assert!(everything(&store).iter().all(|(summary, _)| summary.spans == 1));
    }
}

#[test]
fn a_damaged_segment_is_set_aside_and_the_rest_serves() {
    for end in [".index", ".parquet"] {
        let disk = Failing::new();
        let store = open_sealing(&disk, LIMITS, 1).unwrap();
        for id in 1..=3 {
            wait(store.append(packed(vec![span("a", id, id)]), id)).unwrap();
        }
        settle(&store);
        drop(store);
        let before = files(&disk, end);
        let damaged = before[0].clone();
        let mut bytes = std::fs::read(&damaged).unwrap();
        let middle = bytes.len() / 3;
        bytes[middle] ^= 0x55;
        std::fs::write(&damaged, bytes).unwrap();
        let store = open_sealing(&disk, LIMITS, 1).unwrap();
        let kept: Vec<_> = everything(&store)
            .iter()
            .map(|(summary, _)| summary.trace_id)
            .collect();
        assert_eq!(kept, [trace_id(3), trace_id(2)], "{end}");
        assert!(wait(store.traces(&[trace_id(1)])).unwrap().is_empty());
        assert_eq!(files(&disk, ".corrupt").len(), 2);
        assert!(before[1..].iter().all(|path| path.exists()), "{end}");
    }
}

#[test]
fn retention_by_bytes_drops_the_oldest_segments_and_reports_it() {
    let disk = Failing::new();
    let limits = Limits {
        bytes: 1 << 20,
        age: LONG,
    };
    let store = open(&disk, limits);
    let (mut spans, mut dropped) = (0, Dropped::default());
    // hexadecimal digits of a hash do not compress away
    let noise = |trace: u64| {
        (0..2000u64)
            .map(|part| {
                format!(
                    "{:016x}",
                    twox_hash::XxHash3_64::oneshot(&(trace << 32 | part).to_le_bytes())
                )
            })
            .collect::<String>()
    };
    for trace in 1..=200 {
        let big = |span: &mut Span| span.attributes.push(text("payload", &noise(trace)));
        let appended = wait(store.append(packed(vec![span("a", trace, 1).with(big)]), trace)).unwrap();
        spans += appended.stored;
        dropped.spans += appended.dropped.spans;
        let size = wait(store.size()).unwrap();
        assert!(size.bytes <= limits.bytes, "{size:?}");
    }
    settle(&store);
    dropped.spans += store.shelf.dropped().spans;
    let size = wait(store.size()).unwrap();
    assert_eq!((spans, size.spans + dropped.spans), (200, 200));
    assert!(size.spans >= 8, "{size:?}");
    let mut kept: Vec<_> = everything(&store)
        .iter()
        .map(|(summary, _)| summary.trace_id.low())
        .collect();
    kept.sort_unstable();
    assert_eq!(kept, (dropped.spans + 1..=200).collect::<Vec<_>>());
    assert_eq!(files(&disk, ".parquet").len(), store.shelf.view().segments.len());
}

#[test]
fn retention_by_age_drops_whole_segments() {
    let disk = Failing::new();
    let store = open_sealing(&disk, Limits { age: 100, ..LIMITS }, 1).unwrap();
    for (trace, now) in [(1, 1000), (2, 1050), (3, 1090)] {
        wait(store.append(packed(vec![span("a", trace, trace)]), now)).unwrap();
        settle(&store);
    }
    assert_eq!(wait(store.expire(1101)).unwrap(), Dropped { traces: 1, spans: 1 });
    let kept: Vec<_> = everything(&store)
        .iter()
        .map(|(summary, _)| summary.trace_id.low())
        .collect();
    assert_eq!(kept, [3, 2]);
    assert_eq!(files(&disk, ".parquet").len(), 2);
}

/// Readers ask all the time while spans come in, are sealed and compacted: each sees everything that was acknowledged
/// before it asked, once.
#[test]
fn readers_see_each_span_once_while_it_is_sealed() {
    let disk = Failing::new();
    let store = Arc::new(open_sealing(&disk, LIMITS, 6000).unwrap());
    let acknowledged = Arc::new(std::sync::atomic::AtomicU64::new(0));
    let reader = {
        let (store, acknowledged) = (Arc::clone(&store), Arc::clone(&acknowledged));
        std::thread::spawn(move || {
            let mut rounds = 0;
            while acknowledged.load(std::sync::atomic::Ordering::SeqCst) < 60 {
                let before = acknowledged.load(std::sync::atomic::Ordering::SeqCst);
                let spans: Vec<_> = everything(&*store)
                    .iter()
                    .flat_map(|(_, trace)| &trace.spans)
                    .map(|span| span.span_id.as_u64())
                    .collect();
                let distinct: BTreeSet<_> = spans.iter().copied().collect();
                assert_eq!(spans.len(), distinct.len());
                assert!(
                    (1..=before).all(|id| distinct.contains(&id)),
                    "{before}: {distinct:?}"
                );
                rounds += 1;
            }
            rounds
        })
    };
    for id in 1..=60 {
        // three traces that grow in every segment
        wait(store.append(packed(vec![span("a", id % 3 + 1, id)]), id)).unwrap();
        acknowledged.store(id, std::sync::atomic::Ordering::SeqCst);
    }
    assert!(reader.join().unwrap() > 0);
    settle(&store);
    assert!(!store.shelf.view().segments.is_empty());
}

#[test]
fn small_segments_become_one_with_the_same_traces() {
    let disk = Failing::new();
    let store = open_sealing(&disk, LIMITS, 1).unwrap();
    for id in 1..=20 {
        wait(store.append(
            packed(vec![span("a", id, id), span("a", id % 3 + 1, 100 + id)]),
            id,
        ))
        .unwrap();
        settle(&store);
    }
    let before = everything(&store);
    while store.shelf.compact().unwrap() {}
    assert!(files(&disk, ".parquet").len() < 9);
    assert_eq!(everything(&store), before);
    drop(store);
    assert_eq!(everything(&open_sealing(&disk, LIMITS, 1).unwrap()), before);
}
