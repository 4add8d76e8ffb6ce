//! The bounded queue between requests, which never wait, and the exporter, which may.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use otlp::encode::{self, SpanEncoder};
use tokio::sync::Notify;

/// So many bytes of spans are gathered before they are moved to their batch. A batch is large, so that its memory is cold
/// where a span comes to stand: one by one, each would be waited for.
const FRESH_BYTES: usize = 16 * 1024;

/// How far the last spans of a batch may reach beyond its size before the batch has to grow.
const LAST_BYTES: usize = FRESH_BYTES + 4 * 1024;

/// Spans that wait to be sent, already encoded and gathered into batches.
#[derive(Debug)]
pub struct Queue {
    batches: Mutex<Batches>,
    full: Notify,
    batch_bytes: usize,
    bytes_max: usize,
}

#[derive(Debug, Default)]
struct Batches {
    /// Oldest first; spans are added to the last one.
    waiting: VecDeque<Batch>,
    /// The newest spans, which are in none of them yet.
    fresh: Batch,
    /// Of all of them.
    bytes: usize,
    /// What the last full batch was written in, for the next one. Under load two of them take turns.
    spare: Option<Vec<u8>>,
}

/// Encoded spans that are sent together.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Batch {
    /// As [`encode::append`] made it.
    pub bytes: Vec<u8>,
    /// How many.
    pub spans: u64,
}

/// The queue is full.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Full;

impl Queue {
    /// Holds at most `bytes_max` bytes, in batches of about `batch_bytes`.
    pub fn new(bytes_max: usize, batch_bytes: usize) -> Self {
        Self {
            batches: Mutex::default(),
            full: Notify::new(),
            batch_bytes,
            bytes_max,
        }
    }

    /// Adds a finished span. Never waits.
    ///
    /// # Errors
    /// There is no room; the span is lost, and the caller counts it.
    pub fn push(&self, span: &SpanEncoder) -> Result<(), Full> {
        let mut batches = self.lock();
        let length = span.as_bytes().len();
        if batches.bytes + length > self.bytes_max {
            return Err(Full);
        }
        let before = batches.fresh.bytes.len();
        encode::append(&mut batches.fresh.bytes, span);
        batches.fresh.spans += 1;
        let after = batches.fresh.bytes.len();
        batches.bytes += after - before;
        let filled = after >= FRESH_BYTES.min(self.batch_bytes) && batches.gather(self.batch_bytes);
        drop(batches);
        // whoever is woken asks for the lock at once
        if filled {
            self.full.notify_one();
        }
        Ok(())
    }

    /// The oldest batch, if it is full.
    pub fn pop_full(&self) -> Option<Batch> {
        self.pop_if(|batch| batch.bytes.len() >= self.batch_bytes)
    }

    /// The oldest batch, full or not. Gives the spare buffer up: spans come slowly, or there will be another soon.
    pub fn pop(&self) -> Option<Batch> {
        let mut batches = self.lock();
        batches.gather(self.batch_bytes);
        (batches.fresh, batches.spare) = (Batch::default(), None);
        drop(batches);
        self.pop_if(|_| true)
    }

    /// Takes back what a full batch was written in, if nobody else holds it, so that the next one can be.
    pub fn recycle(&self, mut sent: Bytes) {
        if sent.is_unique() {
            sent.clear();
            self.lock().spare = Some(sent.into());
        }
    }

    fn pop_if(&self, wanted: impl FnOnce(&Batch) -> bool) -> Option<Batch> {
        let mut batches = self.lock();
        let batch = batches.waiting.pop_front_if(|batch| wanted(batch))?;
        batches.bytes = batches.bytes.saturating_sub(batch.bytes.len());
        Some(batch)
    }

    /// Bytes that wait.
    pub fn bytes(&self) -> usize {
        self.lock().bytes
    }

    /// Resolves when a batch has filled up since the last time.
    pub async fn filled(&self) {
        self.full.notified().await;
    }

    fn lock(&self) -> MutexGuard<'_, Batches> {
        self.batches.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Batches {
    /// Moves the newest spans to their batch. Whether that has filled it up.
    fn gather(&mut self, batch_bytes: usize) -> bool {
        if self.fresh.spans == 0 {
            return false;
        }
        let is_full = |batch: &Batch| batch.bytes.len() >= batch_bytes;
        if self.waiting.back().is_none_or(is_full) {
            // a buffer that grows is copied again and again
            let room = || Vec::with_capacity(batch_bytes + LAST_BYTES);
            let bytes = self.spare.take().unwrap_or_else(room);
            self.waiting.push_back(Batch { bytes, spans: 0 });
        }
        let Some(last) = self.waiting.back_mut() else {
            return false;
        };
        last.bytes.extend_from_slice(&self.fresh.bytes);
        last.spans += self.fresh.spans;
        self.fresh.bytes.clear();
        self.fresh.spans = 0;
        is_full(last)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn span(name: &str) -> SpanEncoder {
        let mut span = SpanEncoder::default();
        span.name(name);
        span
    }

    #[test]
    fn spans_gather_in_batches_of_about_the_size() {
        let queue = Queue::new(1000, 20);
        for _ in 0..5 {
            queue.push(&span("12345678")).unwrap();
        }
        let sizes: Vec<_> = std::iter::from_fn(|| queue.pop())
            .map(|batch| batch.spans)
            .collect();
        assert_eq!(sizes, [2, 2, 1]);
        assert_eq!(queue.bytes(), 0);
    }

    #[test]
    fn what_does_not_fit_is_refused_and_there_is_room_again_after_a_batch_has_left() {
        let queue = Queue::new(50, 20);
        let pushed = (0..100).filter(|_| queue.push(&span("12345678")).is_ok()).count();
        assert_eq!(pushed, 4);
        assert!(queue.bytes() <= 50);
        assert_eq!(queue.push(&span("12345678")), Err(Full));
        assert_eq!(queue.pop().unwrap().spans, 2);
        assert_eq!(queue.push(&span("12345678")), Ok(()));
    }

    #[test]
    fn what_a_full_batch_was_written_in_is_used_again() {
        let queue = Queue::new(1000, 20);
        let mut places = Vec::new();
        for _ in 0..4 {
            queue.push(&span("12345678")).unwrap();
            queue.push(&span("12345678")).unwrap();
            let sent = Bytes::from(queue.pop_full().unwrap().bytes);
            places.push(sent.as_ptr());
            queue.recycle(sent);
        }
        assert!(places.iter().all(|place| *place == places[0]));
        queue.push(&span("12345678")).unwrap();
        assert_eq!(queue.pop().unwrap().spans, 1);
    }

    #[test]
    fn only_a_full_batch_leaves_before_its_time() {
        let queue = Queue::new(1000, 20);
        queue.push(&span("12345678")).unwrap();
        assert_eq!(queue.pop_full(), None);
        queue.push(&span("12345678")).unwrap();
        assert_eq!(queue.pop_full().unwrap().spans, 2);
        queue.push(&span("12345678")).unwrap();
        assert_eq!(queue.pop().unwrap().spans, 1);
    }
}
