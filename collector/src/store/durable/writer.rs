//! The one thread that writes: what comes in together is written together, made safe together, and then answered.

use std::io;
use std::mem;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender};
use std::time::{Duration, Instant};

use bytes::Bytes;
use otlp::receive::Packed;
use span::TraceId;
use tokio::sync::{OwnedSemaphorePermit, oneshot};

use super::Durability;
use super::log::{self, Log};
use super::shelf::Shelf;
use crate::store::{Appended, Dropped, StoreError};

/// In mode `batch`, what was acknowledged is made safe at most this much later.
const SYNC_EVERY: Duration = Duration::from_millis(200);
/// Bytes that are written at once, about.
const GROUP_BYTES: usize = 4 << 20;
/// How long the thread sleeps when there is nothing to do.
const IDLE: Duration = Duration::from_secs(3600);

/// How long appends wait for the sealer before their senders are told to come again.
const PATIENCE: Duration = Duration::from_secs(2);

/// What the writer is asked to do.
pub(crate) enum Command {
    Append(Append),
    Expire(Expire),
}

/// Keep these spans.
pub(crate) struct Append {
    /// What the log will say of them.
    pub(crate) request: Bytes,
    pub(crate) spans: Vec<Packed>,
    pub(crate) now: u64,
    pub(crate) reply: oneshot::Sender<Result<Appended, StoreError>>,
    /// The place in the queue that is given back.
    pub(crate) turn: OwnedSemaphorePermit,
}

/// Drop what is too old.
pub(crate) struct Expire {
    pub(crate) now: u64,
    pub(crate) reply: oneshot::Sender<Result<Dropped, StoreError>>,
    pub(crate) turn: OwnedSemaphorePermit,
}

/// What the thread works with.
pub(crate) struct Writer {
    pub(crate) log: Log,
    pub(crate) shelf: Arc<Shelf>,
    pub(crate) durability: Durability,
    /// A head is frozen when it takes so many bytes of memory.
    pub(crate) head_bytes: u64,
    /// A head is frozen when its first span was received so many nanoseconds ago.
    pub(crate) seal_after: u64,
    /// Wakes the sealer.
    pub(crate) sealer: SyncSender<()>,
    /// Room for what is written together.
    pub(crate) frames: Vec<u8>,
}

impl Writer {
    /// Works until nobody can ask any more; then makes safe what is left.
    pub(crate) fn run(mut self, commands: &Receiver<Command>) {
        let mut due: Option<Instant> = None;
        loop {
            let wait = due.map_or(IDLE, |due| due.saturating_duration_since(Instant::now()));
            match commands.recv_timeout(wait) {
                Ok(command) => self.work(command, commands),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
            if due.is_some_and(|due| due <= Instant::now()) {
                self.sync();
                due = None;
            }
            match self.log.is_dirty() {
                true => due = due.or_else(|| Instant::now().checked_add(SYNC_EVERY)),
                false => due = None,
            }
        }
        self.sync();
    }

    fn sync(&mut self) {
        if let Err(error) = self.log.sync() {
            tracing::error!(%error, "what was acknowledged in the last moments may be lost if the machine stops now");
        }
    }

    /// Does what is asked, together with what else waits.
    fn work(&mut self, first: Command, commands: &Receiver<Command>) {
        let (mut group, mut frames) = (Vec::new(), mem::take(&mut self.frames));
        let mut next = Some(first);
        while let Some(command) = next {
            match command {
                Command::Expire(expire) => self.expire(expire),
                Command::Append(append) => match log::spans_frame(append.now, &append.request, &mut frames) {
                    Some(()) => group.push(append),
                    None => answer(append.reply, append.turn, Err(too_long())),
                },
            }
            next = (frames.len() < GROUP_BYTES)
                .then(|| commands.try_recv().ok())
                .flatten();
        }
        if !group.is_empty() {
            self.append(group, &frames);
        }
        // the room is used again, unless it was for something unusual
        if frames.capacity() <= 2 * GROUP_BYTES {
            frames.clear();
            self.frames = frames;
        }
    }

    fn append(&mut self, group: Vec<Append>, frames: &[u8]) {
        let written = match self.has_room() {
            true => self.write(frames).map_err(|error| unwritten(&error)),
            false => Err(behind()),
        };
        let head = Arc::clone(&self.shelf.view().head);
        for append in group {
            let kept = match &written {
                Ok(()) => {
                    let (appended, _) = head.keep(append.spans, append.now);
                    let dropped = self.shelf.dropped();
                    Ok(Appended { dropped, ..appended })
                }
                Err(error) => Err(error.clone()),
            };
            answer(append.reply, append.turn, kept);
        }
        if head.bytes() >= self.head_bytes || self.log.current_bytes() >= log::FILE_BYTES {
            self.freeze();
        }
    }

    fn write(&mut self, frames: &[u8]) -> io::Result<()> {
        self.log.append(frames)?;
        match self.durability {
            Durability::Sync => self.log.sync(),
            Durability::Batch => Ok(()),
        }
    }

    /// Whether the head may still grow: if sealing is far behind, waits for it for a while.
    fn has_room(&mut self) -> bool {
        let full = |writer: &Self| writer.shelf.view().head.bytes() >= 2 * writer.head_bytes;
        if full(self) && !self.shelf.can_freeze() {
            self.shelf.wait(PATIENCE);
        }
        if full(self) {
            self.freeze();
        }
        !full(self)
    }

    /// Gives the head to the sealer and begins another, if there is room for one more.
    fn freeze(&mut self) {
        self.tidy();
        if !self.shelf.can_freeze() {
            return;
        }
        match self.log.close() {
            Ok(log) => self.shelf.freeze(log),
            Err(error) => tracing::warn!(%error, "the log cannot be closed, and so the head not be sealed"),
        }
        if self.sealer.try_send(()).is_err() {
            tracing::trace!("the sealer is awake already");
        }
    }

    /// Removes what of the log is not needed any more.
    fn tidy(&mut self) {
        if let Err(error) = self.log.remove_through(self.shelf.sealed()) {
            tracing::warn!(%error, "what is not needed any more still takes room");
        }
    }

    fn expire(&mut self, expire: Expire) {
        self.tidy();
        let head = Arc::clone(&self.shelf.view().head);
        let (dropped, gone) = head.forget_old(expire.now);
        self.forget(&gone);
        let waited = head
            .received()
            .map_or(0, |(first, _)| expire.now.saturating_sub(first));
        if waited >= self.seal_after {
            self.freeze();
        }
        answer(expire.reply, expire.turn, Ok(dropped));
    }

    /// Lets the log forget these traces as well. If it cannot they come back with the next start, and go again.
    fn forget(&mut self, gone: &[TraceId]) {
        if gone.is_empty() {
            return;
        }
        let mut frame = Vec::new();
        let said = log::dropped_frame(gone, &mut frame).ok_or(io::ErrorKind::InvalidInput.into());
        if let Err(error) = said.and_then(|()| self.log.append(&frame)) {
            tracing::warn!(%error, "what was dropped comes back with the next start, and goes again");
        }
    }
}

/// Whoever asked may have gone away; what it asked for is done all the same.
fn answer<T>(reply: oneshot::Sender<T>, turn: OwnedSemaphorePermit, result: T) {
    drop(turn);
    if reply.send(result).is_err() {
        tracing::debug!("nobody waits for an answer any more");
    }
}

fn unwritten(error: &io::Error) -> StoreError {
    StoreError::Unavailable(format!("the log cannot be written: {error}"))
}

fn behind() -> StoreError {
    StoreError::Behind("sealing what came before takes longer than usual; the disk may be full".to_owned())
}

fn too_long() -> StoreError {
    StoreError::Unavailable("one request is too large for the log; send smaller batches".to_owned())
}
