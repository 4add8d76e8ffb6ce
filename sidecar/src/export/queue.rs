//! The bounded queue between requests, which never wait, and the exporter, which may.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use otlp::encode::{self, SpanEncoder};
use tokio::sync::Notify;

/// How far the last span of a batch may reach beyond its size before the batch has to grow.
const LAST_SPAN_BYTES: usize = 4 * 1024;

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
        if batches
            .waiting
            .back()
            .is_none_or(|last| last.bytes.len() >= self.batch_bytes)
        {
            // a buffer that grows is copied again and again
            let room = || Vec::with_capacity(self.batch_bytes + LAST_SPAN_BYTES);
            let bytes = batches.spare.take().unwrap_or_else(room);
            batches.waiting.push_back(Batch { bytes, spans: 0 });
        }
        let Some(last) = batches.waiting.back_mut() else {
            return Err(Full);
        };
        let before = last.bytes.len();
        encode::append(&mut last.bytes, span);
        last.spans += 1;
        let after = last.bytes.len();
        batches.bytes += after - before;
        drop(batches);
        // whoever is woken asks for the lock at once
        if before < self.batch_bytes && after >= self.batch_bytes {
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
        self.lock().spare = None;
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
