//! The suite on disk, and what only a disk can do: be left in the middle, and fail.

use proptest::prelude::*;

use super::failing::Failing;
use super::*;
use crate::fixtures::*;
use crate::store::suite::{LONG, PLENTY};

crate::store::suite::suite!(
    |bytes, age| Arc::new(open(&Failing::new(), Limits { bytes, age })) as Arc<dyn Store>
);

const LIMITS: Limits = Limits {
    bytes: PLENTY,
    age: LONG,
};

fn open(disk: &Arc<Failing>, limits: Limits) -> Durable {
    try_open(disk, limits).unwrap()
}

fn try_open(disk: &Arc<Failing>, limits: Limits) -> Result<Durable, OpenError> {
    let durability = Durability::Sync;
    Durable::open_on(
        Arc::clone(disk) as Arc<dyn Disk>,
        disk.folder(),
        durability,
        limits,
    )
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
    wait(store.append(vec![span("a", 1, 1), span("b", 2, 3)], 7)).unwrap();
    wait(store.append(vec![span("a", 1, 2).with(resolves(2))], 8)).unwrap();
    let before = everything(&store);
    drop(store);
    let store = open(&disk, LIMITS);
    assert_eq!(everything(&store), before);
    wait(store.append(vec![span("b", 2, 4)], 9)).unwrap();
    assert_eq!(everything(&store)[0].1.spans.len(), 4);
}

#[test]
fn what_was_dropped_does_not_come_back_after_a_restart() {
    let disk = Failing::new();
    let store = open(&disk, Limits { age: 100, ..LIMITS });
    wait(store.append(vec![span("a", 1, 1).with(resolves(2)), span("b", 2, 2)], 1000)).unwrap();
    wait(store.append(vec![span("a", 3, 3)], 4990)).unwrap();
    wait(store.expire(5000)).unwrap();
    wait(store.append(vec![span("b", 2, 4)], 5000)).unwrap();
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
    wait(store.append(vec![span("a", 1, 1)], 0)).unwrap();
    drop(store);
    let path = log_files(&disk).pop().unwrap();
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[4] = frame::VERSION + 1;
    let sum = crc32fast::hash(&[&bytes[..12], &bytes[16..]].concat());
    bytes[12..16].copy_from_slice(&sum.to_le_bytes());
    std::fs::write(&path, &bytes).unwrap();
    let refused = try_open(&disk, LIMITS).unwrap_err().to_string();
    assert!(
        refused.contains(path.to_str().unwrap()) && refused.contains("version 2"),
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
            wait(store.append(vec![span("a", id, id)], id)).unwrap();
        }
        drop(store);
        let path = log_files(&disk).pop().unwrap();
        let bytes = std::fs::read(&path).unwrap();
        let cut = cut.index(bytes.len());
        std::fs::write(&path, &bytes[..cut]).unwrap();
        let store = open(&disk, LIMITS);
        let kept = everything(&store).len();
        prop_assert_eq!(kept, cut * 8 / bytes.len());
        wait(store.append(vec![span("a", 9, 9)], 9)).unwrap();
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
            if wait(store.append(vec![span("a", id, id)], id)).is_ok() {
                acknowledged.push(trace_id(id));
            }
        }
        disk.fail(0, 0);
        wait(store.append(vec![span("a", 100, 100)], 13)).unwrap();
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
    wait(store.append(vec![span("a", 1, 1)], 0)).unwrap();
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
            tokio::spawn(async move { store.append(vec![span("a", id, id)], id).await.unwrap().stored })
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
