//! Who watches spans arrive. Nobody who watches can slow ingest down: who is too slow is told how many were missed.

use std::sync::Arc;

use otlp::model::Span;
use otlp::receive::Packed;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, broadcast};

/// Readers at once.
pub const READERS: usize = 32;
/// Spans that a reader may be behind.
const BEHIND: usize = 4096;

/// Spans as they arrive.
#[derive(Debug)]
pub struct Tail {
    sender: broadcast::Sender<Arc<Span>>,
    places: Arc<Semaphore>,
}

/// One who watches.
#[derive(Debug)]
pub struct Reader {
    receiver: broadcast::Receiver<Arc<Span>>,
    _place: OwnedSemaphorePermit,
}

/// What a reader gets.
#[derive(Clone, Debug)]
pub enum News {
    /// A span has arrived.
    Span(Arc<Span>),
    /// So many have that the reader was too slow for.
    Lost(u64),
}

impl Default for Tail {
    fn default() -> Self {
        Self {
            sender: broadcast::Sender::new(BEHIND),
            places: Arc::new(Semaphore::new(READERS)),
        }
    }
}

impl Tail {
    /// What to show of these spans once they are kept: nothing, as long as nobody watches.
    pub fn pick(&self, spans: &[Packed]) -> Vec<Arc<Span>> {
        if self.sender.receiver_count() == 0 {
            return Vec::new();
        }
        spans.iter().map(|span| Arc::new(span.unpack())).collect()
    }

    /// They have been kept.
    pub fn show(&self, spans: Vec<Arc<Span>>) {
        for span in spans {
            // the last reader may have gone meanwhile
            if self.sender.send(span).is_err() {
                return;
            }
        }
    }

    /// A new reader, who sees what arrives from now on. None if there are [`READERS`].
    pub fn watch(&self) -> Option<Reader> {
        Some(Reader {
            _place: Arc::clone(&self.places).try_acquire_owned().ok()?,
            receiver: self.sender.subscribe(),
        })
    }

    /// How many watch.
    pub fn readers(&self) -> usize {
        READERS.saturating_sub(self.places.available_permits())
    }
}

impl Reader {
    /// The next news. None once the collector stops.
    pub async fn next(&mut self) -> Option<News> {
        match self.receiver.recv().await {
            Ok(span) => Some(News::Span(span)),
            Err(RecvError::Lagged(lost)) => Some(News::Lost(lost)),
            Err(RecvError::Closed) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::span;

    fn packed(id: u64) -> Packed {
        Packed::from(&span("a", 1, id))
    }

    #[tokio::test]
    async fn who_is_too_slow_is_told_and_goes_on_with_the_latest() {
        let tail = Tail::default();
        assert!(tail.pick(&[packed(1)]).is_empty());
        let mut reader = tail.watch().unwrap();
        for id in 1..=BEHIND as u64 + 3 {
            tail.show(tail.pick(&[packed(id)]));
        }
        assert!(matches!(reader.next().await, Some(News::Lost(3))));
        assert!(matches!(reader.next().await, Some(News::Span(span)) if span.span_id.as_u64() == 4));
    }

    #[test]
    fn places_are_given_back() {
        let tail = Tail::default();
        let readers: Vec<_> = (0..READERS).map(|_| tail.watch().unwrap()).collect();
        assert!(tail.watch().is_none());
        assert_eq!(tail.readers(), READERS);
        drop(readers);
        assert!(tail.watch().is_some());
    }
}
