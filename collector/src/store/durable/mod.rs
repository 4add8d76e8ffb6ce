//! Spans on disk: a write-ahead log, a head in memory that can be queried at once, and immutable segments in Parquet.
//!
//! ```text
//! append ─▶ request ─▶ writer thread ─▶ log (frames, checksums, group commit)
//!                          └────────▶ head ─▶ frozen ─▶ sealer thread ─▶ segments
//!                                      ▲        ▲                          ▲
//!                                      └────────┴── search, traces, … ─────┘
//! ```
//!
//! When the head is large enough, or old enough, it is frozen and another begins, in another file of the log. The
//! sealer makes a segment of it, and the log's files up to there are removed. Readers look at one [`view`] of all
//! of it, in which each span is once.
//!
//! **What is promised.** In mode `sync` a span that was acknowledged is on the disk. In mode `batch` it has been given
//! to the kernel, which keeps it when this process dies, and reaches the disk within 200 ms: that much is lost when
//! the machine does. In both modes it is seen by every reader once it is acknowledged.
//!
//! No file is touched on the threads that serve requests.

mod bytes;
mod codec;
mod disk;
#[cfg(test)]
mod failing;
mod frame;
mod log;
mod recent;
mod scan;
mod sealer;
mod search;
mod segment;
mod shelf;
mod view;
mod writer;

use std::collections::BTreeSet;
use std::io;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread::JoinHandle;

use async_trait::async_trait;
use otlp::receive::{Packed, request};
use span::TraceId;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

use self::disk::{Disk, Os};
use self::log::{Log, Record};
use self::shelf::Shelf;
use self::view::{Bad, View};
use self::writer::{Append, Command, Expire, Writer};
use super::{Appended, Dropped, Limits, Operation, Size, Store, StoreError, Trace};
use crate::dependencies::{Calls, Dependency};
use crate::query::{Query, Summary};

/// Requests that wait for the writer at once. Ingest has fewer at a time.
const QUEUE: usize = 64;

/// Bytes of memory, about, at which a head is sealed. Two more may wait for the sealer meanwhile.
const HEAD_BYTES: u64 = 48 << 20;
/// A head is sealed when it is so old, or a sixteenth of what is kept is, in nanoseconds.
const SEAL_AFTER: u64 = 600 * 1_000_000_000;
/// But not before that.
const SEAL_NOT_BEFORE: u64 = 1_000_000_000;

/// When a span is acknowledged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Durability {
    /// Once it is on the disk.
    Sync,
    /// Once the kernel has it, which writes it to the disk within 200 ms.
    #[default]
    Batch,
}

/// The store cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The disk says no.
    #[error("{path}: {error}")]
    Disk {
        /// The file or folder.
        path: PathBuf,
        /// What the kernel says.
        error: io::Error,
    },
    /// Another process has it open.
    #[error("{0} is in use by another collector; give each its own folder")]
    InUse(PathBuf),
    /// A later version of this program has written it.
    #[error("{path} has format version {version}, which this version cannot read; use the one that wrote it")]
    Version {
        /// The file.
        path: PathBuf,
        /// Its version.
        version: u8,
    },
}

/// A [`Store`] that keeps spans on disk.
#[derive(Debug)]
pub struct Durable {
    shelf: Arc<Shelf>,
    writer: Option<(SyncSender<Command>, [JoinHandle<()>; 2])>,
    turns: Arc<Semaphore>,
    /// Held for as long as the store is open.
    _lock: std::fs::File,
}

impl Durable {
    /// Opens the store in `folder`, making it if it is not there, and reads what it holds. Blocks for as long as that
    /// takes.
    ///
    /// # Errors
    /// The disk fails, another process uses the folder, or a later version wrote it.
    pub fn open(folder: &Path, durability: Durability, limits: Limits) -> Result<Self, OpenError> {
        let head_bytes = HEAD_BYTES.min(limits.bytes / 16);
        Self::open_on(Arc::new(Os), folder, durability, limits, head_bytes)
    }

    fn open_on(
        disk: Arc<dyn Disk>,
        folder: &Path,
        durability: Durability,
        limits: Limits,
        head_bytes: u64,
    ) -> Result<Self, OpenError> {
        let failed = |error| OpenError::Disk {
            path: folder.to_owned(),
            error,
        };
        disk.create_dir(folder).map_err(failed)?;
        let lock = std::fs::File::create(folder.join("lock")).map_err(failed)?;
        lock.try_lock().map_err(|error| match error {
            std::fs::TryLockError::WouldBlock => OpenError::InUse(folder.to_owned()),
            std::fs::TryLockError::Error(error) => failed(error),
        })?;
        let shelf = Arc::new(Shelf::open(
            Arc::clone(&disk),
            folder.join("segments"),
            limits,
            head_bytes,
        )?);
        let head = Arc::clone(&shelf.view().head);
        let (log, recovered) = Log::open(disk, folder.join("log"), shelf.sealed(), |record| match record {
            Record::Spans { received, spans } => head.restore(spans, received),
            Record::Dropped(traces) => head.forget(&traces),
        })?;
        let segments = shelf.view().segments.len();
        tracing::info!(segments, spans_of_log = recovered.spans, "opened the store");
        if recovered.torn > 0 {
            tracing::warn!(
                bytes = recovered.torn,
                "cut off what a crash had left half written"
            );
        }
        if recovered.damaged > 0 {
            tracing::error!(
                bytes = recovered.damaged,
                "the log is damaged: some spans are lost"
            );
        }
        let (sender, receiver) = sync_channel(QUEUE);
        let (sealer, woken) = sync_channel(1);
        let writer = Writer {
            log,
            shelf: Arc::clone(&shelf),
            durability,
            head_bytes,
            seal_after: (limits.age / 16).clamp(SEAL_NOT_BEFORE, SEAL_AFTER),
            sealer,
            frames: Vec::new(),
        };
        let sealing = Arc::clone(&shelf);
        let threads = [
            spawn("store-writer", move || writer.run(&receiver)).map_err(failed)?,
            spawn("store-sealer", move || sealer::run(&sealing, &woken)).map_err(failed)?,
        ];
        Ok(Self {
            shelf,
            writer: Some((sender, threads)),
            turns: Arc::new(Semaphore::new(QUEUE)),
            _lock: lock,
        })
    }

    /// Asks what is kept, on a thread where that holds nobody up.
    async fn read<T: Send + 'static>(
        &self,
        question: impl Fn(&View) -> Result<T, Bad> + Send + 'static,
    ) -> Result<T, StoreError> {
        let shelf = Arc::clone(&self.shelf);
        let answer = tokio::task::spawn_blocking(move || shelf.read(question)).await;
        answer.map_err(|error| StoreError::Unavailable(error.to_string()))?
    }

    /// Asks the writer and waits for its answer. There are as many turns as places in the queue, so that sending
    /// never blocks.
    async fn ask<T>(
        &self,
        command: impl FnOnce(OwnedSemaphorePermit, oneshot::Sender<Result<T, StoreError>>) -> Command,
    ) -> Result<T, StoreError> {
        let turn = Arc::clone(&self.turns)
            .acquire_owned()
            .await
            .map_err(|_| stopped())?;
        let (reply, answer) = oneshot::channel();
        let (sender, _) = self.writer.as_ref().ok_or_else(stopped)?;
        sender.send(command(turn, reply)).map_err(|_| stopped())?;
        answer.await.map_err(|_| stopped())?
    }
}

fn spawn(name: &str, work: impl FnOnce() + Send + 'static) -> io::Result<JoinHandle<()>> {
    std::thread::Builder::new().name(name.to_owned()).spawn(work)
}

fn stopped() -> StoreError {
    StoreError::Unavailable("its writer has stopped".to_owned())
}

impl Drop for Durable {
    /// Waits until all is written.
    fn drop(&mut self) {
        if let Some((sender, threads)) = self.writer.take() {
            drop(sender);
            for thread in threads {
                if thread.join().is_err() {
                    tracing::error!("a thread of the store panicked");
                }
            }
        }
    }
}

#[async_trait]
impl Store for Durable {
    async fn append(&self, mut spans: Vec<Packed>, now: u64) -> Result<Appended, StoreError> {
        if spans.is_empty() {
            return Ok(Appended::default());
        }
        let request = request(&mut spans);
        self.ask(|turn, reply| {
            Command::Append(Append {
                request,
                spans,
                now,
                reply,
                turn,
            })
        })
        .await
    }

    async fn expire(&self, now: u64) -> Result<Dropped, StoreError> {
        let head = self
            .ask(|turn, reply| Command::Expire(Expire { now, reply, turn }))
            .await?;
        let shelf = Arc::clone(&self.shelf);
        let others = tokio::task::spawn_blocking(move || shelf.forget_old(now)).await;
        let others = others.map_err(|error| StoreError::Unavailable(error.to_string()))?;
        Ok(Dropped {
            traces: head.traces + others.traces,
            spans: head.spans + others.spans,
        })
    }

    async fn traces(&self, ids: &[TraceId]) -> Result<Vec<Trace>, StoreError> {
        let ids = ids.to_vec();
        self.read(move |view| view.traces(&ids)).await
    }

    async fn search(&self, query: &Query) -> Result<Vec<Summary>, StoreError> {
        let query = query.clone();
        self.read(move |view| search::search(view, &query)).await
    }

    async fn services(&self) -> Result<Vec<String>, StoreError> {
        let view = self.shelf.view();
        let mut services: BTreeSet<String> = view
            .segments
            .iter()
            .flat_map(|segment| segment.services())
            .collect();
        for head in view.heads() {
            services.extend(head.service_names());
        }
        Ok(services.into_iter().collect())
    }

    async fn operations(&self, service: &str) -> Result<Vec<Operation>, StoreError> {
        let view = self.shelf.view();
        let of_segments = view
            .segments
            .iter()
            .flat_map(|segment| segment.operations(service));
        let mut operations: BTreeSet<Operation> = of_segments.collect();
        for head in view.heads() {
            operations.extend(head.operations_of(service));
        }
        Ok(operations.into_iter().collect())
    }

    async fn dependencies(&self, start: RangeInclusive<u64>) -> Result<Vec<Dependency>, StoreError> {
        self.read(move |view| {
            let mut calls = Calls::default();
            scan::each(view, &start, |spans| calls.add(spans))?;
            Ok(calls.finish())
        })
        .await
    }

    async fn size(&self) -> Result<Size, StoreError> {
        let view = self.shelf.view();
        let mut size = Size {
            traces: view.segments.iter().map(|segment| segment.head.traces).sum(),
            spans: view.segments.iter().map(|segment| segment.head.spans).sum(),
            bytes: self.shelf.bytes(),
        };
        for head in view.heads() {
            let head = head.sizes();
            size.traces += head.traces;
            size.spans += head.spans;
        }
        Ok(size)
    }
}

#[cfg(test)]
mod tests;
