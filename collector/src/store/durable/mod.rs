//! Spans on disk: a write-ahead log, and a head in memory that can be queried at once.
//!
//! ```text
//! append ─▶ encode ─▶ writer thread ─▶ log (frames, checksums, group commit)
//!                          └────────▶ head ◀─ search, traces, …
//! open   ─▶ log, record by record ──▶ head
//! ```
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
mod writer;

use std::io;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread::JoinHandle;

use async_trait::async_trait;
use otlp::model::Span;
use span::TraceId;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

use self::disk::{Disk, Os};
use self::log::{Log, Record};
use self::writer::{Append, Command, Expire, Writer};
use super::{Appended, Dropped, Limits, Memory, Operation, Size, Store, StoreError, Trace};
use crate::dependencies::Dependency;
use crate::query::{Query, Summary};

/// Requests that wait for the writer at once. Ingest has fewer at a time.
const QUEUE: usize = 64;

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
    head: Arc<Memory>,
    writer: Option<(SyncSender<Command>, JoinHandle<()>)>,
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
        Self::open_on(Arc::new(Os), folder, durability, limits)
    }

    fn open_on(
        disk: Arc<dyn Disk>,
        folder: &Path,
        durability: Durability,
        limits: Limits,
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
        let head = Arc::new(Memory::new(limits));
        let (log, recovered) = Log::open(disk, folder.join("log"), |record| match record {
            Record::Spans { received, spans } => head.restore(spans, received),
            Record::Dropped(traces) => head.forget(&traces),
        })?;
        tracing::info!(spans = recovered.spans, "read the log");
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
        let writer = Writer {
            log,
            head: Arc::clone(&head),
            durability,
        };
        let thread = std::thread::Builder::new().name("store-writer".to_owned());
        let thread = thread.spawn(move || writer.run(&receiver)).map_err(failed)?;
        Ok(Self {
            head,
            writer: Some((sender, thread)),
            turns: Arc::new(Semaphore::new(QUEUE)),
            _lock: lock,
        })
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

fn stopped() -> StoreError {
    StoreError::Unavailable("its writer has stopped".to_owned())
}

impl Drop for Durable {
    /// Waits until all is written.
    fn drop(&mut self) {
        if let Some((sender, thread)) = self.writer.take() {
            drop(sender);
            if thread.join().is_err() {
                tracing::error!("the writer panicked");
            }
        }
    }
}

#[async_trait]
impl Store for Durable {
    async fn append(&self, spans: Vec<Span>, now: u64) -> Result<Appended, StoreError> {
        if spans.is_empty() {
            return Ok(Appended::default());
        }
        let mut batch = Vec::new();
        codec::encode(&spans, &mut batch);
        self.ask(|turn, reply| {
            Command::Append(Append {
                batch,
                spans,
                now,
                reply,
                turn,
            })
        })
        .await
    }

    async fn expire(&self, now: u64) -> Result<Dropped, StoreError> {
        self.ask(|turn, reply| Command::Expire(Expire { now, reply, turn }))
            .await
    }

    async fn traces(&self, ids: &[TraceId]) -> Result<Vec<Trace>, StoreError> {
        self.head.traces(ids).await
    }

    async fn search(&self, query: &Query) -> Result<Vec<Summary>, StoreError> {
        self.head.search(query).await
    }

    async fn services(&self) -> Result<Vec<String>, StoreError> {
        self.head.services().await
    }

    async fn operations(&self, service: &str) -> Result<Vec<Operation>, StoreError> {
        self.head.operations(service).await
    }

    async fn dependencies(&self, start: RangeInclusive<u64>) -> Result<Vec<Dependency>, StoreError> {
        self.head.dependencies(start).await
    }

    async fn size(&self) -> Result<Size, StoreError> {
        self.head.size().await
    }
}

#[cfg(test)]
mod tests;
