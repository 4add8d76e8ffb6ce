//! The one thread that writes: what comes in together is written together, made safe together, and then answered.

use std::io;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use otlp::model::Span;
use span::TraceId;
use tokio::sync::{OwnedSemaphorePermit, oneshot};

use super::Durability;
use super::log::{self, Log};
use crate::store::{Appended, Dropped, Memory, StoreError};

/// In mode `batch`, what was acknowledged is made safe at most this much later.
const SYNC_EVERY: Duration = Duration::from_millis(200);
/// Bytes that are written at once, about.
const GROUP_BYTES: usize = 4 << 20;
/// How long the thread sleeps when there is nothing to do.
const IDLE: Duration = Duration::from_secs(3600);

/// What the writer is asked to do.
pub(crate) enum Command {
    Append(Append),
    Expire(Expire),
}

/// Keep these spans.
pub(crate) struct Append {
    /// What the log will say of them.
    pub(crate) batch: Vec<u8>,
    pub(crate) spans: Vec<Span>,
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
    pub(crate) head: Arc<Memory>,
    pub(crate) durability: Durability,
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
            }
            due = due.or_else(|| Instant::now().checked_add(SYNC_EVERY));
            if !self.log.is_dirty() {
                due = None;
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
        let (mut group, mut frames, mut last) = (Vec::new(), Vec::new(), 0);
        let mut next = Some(first);
        while let Some(command) = next {
            match command {
                Command::Expire(expire) => self.expire(expire),
                Command::Append(append) => match log::spans_frame(append.now, &append.batch, &mut frames) {
                    Some(()) => {
                        last = last.max(append.now);
                        group.push(append);
                    }
                    None => answer(append.reply, append.turn, Err(too_long())),
                },
            }
            next = (frames.len() < GROUP_BYTES)
                .then(|| commands.try_recv().ok())
                .flatten();
        }
        if group.is_empty() {
            return;
        }
        let written = self.write(&frames, last);
        let mut gone = Vec::new();
        for append in group {
            let kept = match &written {
                Ok(()) => {
                    let (appended, dropped) = self.head.keep(append.spans, append.now);
                    gone.extend(dropped);
                    Ok(appended)
                }
                Err(error) => Err(unwritten(error)),
            };
            answer(append.reply, append.turn, kept);
        }
        self.forget(&gone, last);
    }

    fn write(&mut self, frames: &[u8], last: u64) -> io::Result<()> {
        self.log.append(frames, last)?;
        match self.durability {
            Durability::Sync => self.log.sync(),
            Durability::Batch => Ok(()),
        }
    }

    fn expire(&mut self, expire: Expire) {
        let (dropped, gone) = self.head.forget_old(expire.now);
        self.forget(&gone, expire.now);
        answer(expire.reply, expire.turn, Ok(dropped));
    }

    /// Lets the log forget these traces as well. If it cannot they come back with the next start, and go again.
    fn forget(&mut self, gone: &[TraceId], now: u64) {
        if gone.is_empty() {
            return;
        }
        let mut frame = Vec::new();
        let said = log::dropped_frame(gone, &mut frame).ok_or(io::ErrorKind::InvalidInput.into());
        let oldest = self.head.oldest().unwrap_or(u64::MAX);
        let forgotten = said
            .and_then(|()| self.log.append(&frame, now))
            .and_then(|()| self.log.remove_before(oldest));
        if let Err(error) = forgotten {
            tracing::warn!(%error, "what was dropped still takes room on disk");
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

fn too_long() -> StoreError {
    StoreError::Unavailable("one request is too large for the log; send smaller batches".to_owned())
}
