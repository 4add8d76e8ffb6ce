//! The requests that have been open for a while, for whoever asks: streams, and what hangs.
//!
//! Nothing is kept for it. What a request has come to is known to the worker that carries its connection, and to nobody
//! else. Whoever asks calls the [`Roll`]: every connection is woken and tells what it has open. A request pays for it
//! with one look, each time its connection is polled, whether somebody has asked.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;
use std::time::Duration;

use serde::Serialize;
use tokio::time::{sleep, timeout};

use super::Recorded;
use super::clock::Moment;

/// How long a request is open before it is worth telling of.
const A_WHILE: Duration = Duration::from_secs(1);

/// The most requests that are told of: those that have been open longest.
const TOLD_MAX: usize = 100;

/// How long connections may take to answer. A worker is never this busy with others, but it may be out of CPU time.
const PATIENCE: Duration = Duration::from_secs(1);

/// A request that is open.
#[derive(Debug, Serialize)]
pub(super) struct OpenRequest {
    pub(super) direction: &'static str,
    /// The gRPC method, or the HTTP method with its route, as far as that is known. Never the path, nor the query.
    pub(super) name: String,
    pub(super) trace_id: String,
    pub(super) span_id: String,
    pub(super) link: &'static str,
    pub(super) age_ms: u64,
    /// Of the response, once its head has passed.
    pub(super) status: Option<u16>,
    pub(super) request_bytes: u64,
    pub(super) response_bytes: u64,
    pub(super) request_messages: u64,
    pub(super) response_messages: u64,
}

/// What was open at one moment.
#[derive(Debug, Default, Serialize)]
pub struct Told {
    /// The oldest first.
    open: Vec<OpenRequest>,
    /// Open for a while too, but not among the oldest.
    more: u64,
    /// Connections that did not answer in time.
    silent: usize,
}

/// All connections of a pod, so that they can be asked what they have open.
#[derive(Default)]
pub struct Roll {
    places: Mutex<Places>,
    /// Only one asks at a time.
    turn: tokio::sync::Mutex<()>,
}

#[derive(Default)]
struct Places {
    next: u64,
    taken: BTreeMap<u64, Arc<Place>>,
}

/// Where a connection is asked.
struct Place {
    waker: Waker,
    /// There is a question. Says so without a lock.
    asked: AtomicBool,
    question: Mutex<Option<Question>>,
}

/// One call of the roll. Whoever still holds it has not answered.
#[derive(Clone, Default)]
pub struct Question(Arc<Mutex<Oldest>>);

#[derive(Default)]
struct Oldest {
    /// By age, and by a number that tells requests of the same age apart.
    kept: BTreeMap<(Moment, u64), OpenRequest>,
    seen: u64,
}

/// A connection's place on the roll, which is free again when this is dropped.
pub struct Present {
    roll: Arc<Roll>,
    number: u64,
    place: Arc<Place>,
}

impl Roll {
    /// Takes a connection on. `waker` is that of the task which is going to look at [`Present::asked`].
    pub fn enter(self: &Arc<Self>, waker: Waker) -> Present {
        let place = Arc::new(Place {
            waker,
            asked: AtomicBool::new(false),
            question: Mutex::default(),
        });
        let mut places = lock(&self.places);
        let number = places.next;
        places.next += 1;
        places.taken.insert(number, Arc::clone(&place));
        drop(places);
        Present {
            roll: Arc::clone(self),
            number,
            place,
        }
    }

    /// Asks all connections, and waits until they have answered or are gone, a second at most.
    pub async fn call(&self) -> Told {
        let _turn = self.turn.lock().await;
        let question = Question::default();
        for place in lock(&self.places).taken.values() {
            place.ask(question.clone());
        }
        let unanswered = || Arc::strong_count(&question.0) - 1;
        let answers = async {
            while unanswered() > 0 {
                sleep(Duration::from_millis(1)).await;
            }
        };
        let silent = match timeout(PATIENCE, answers).await {
            Ok(()) => 0,
            Err(_) => unanswered(),
        };
        let oldest = std::mem::take(&mut *lock(&question.0));
        let told = oldest.kept.len() as u64;
        Told {
            open: oldest.kept.into_values().collect(),
            more: oldest.seen - told,
            silent,
        }
    }
}

impl Place {
    fn ask(&self, question: Question) {
        *lock(&self.question) = Some(question);
        self.asked.store(true, Ordering::Relaxed);
        self.waker.wake_by_ref();
    }
}

impl Present {
    /// The question, if there is one that has not been answered.
    #[inline]
    pub fn asked(&self) -> Option<Question> {
        if !self.place.asked.load(Ordering::Relaxed) {
            return None;
        }
        // in this order: a question that comes in between is found at the next look at the latest
        self.place.asked.store(false, Ordering::Relaxed);
        lock(&self.place.question).take()
    }
}

impl Drop for Present {
    fn drop(&mut self) {
        lock(&self.roll.places).taken.remove(&self.number);
    }
}

impl Question {
    /// Answers it with what a connection has open.
    pub fn answer<'r>(self, requests: impl Iterator<Item = &'r Recorded>) {
        let now = Moment::now();
        let mut oldest = lock(&self.0);
        for request in requests {
            let age = Duration::from_nanos(now.since(request.began()));
            if age >= A_WHILE {
                oldest.see(request.began(), || request.open(age));
            }
        }
    }
}

impl Oldest {
    fn see(&mut self, began: Moment, told: impl FnOnce() -> OpenRequest) {
        let key = (began, self.seen);
        self.seen += 1;
        if self.kept.len() == TOLD_MAX {
            if self
                .kept
                .last_key_value()
                .is_none_or(|(youngest, _)| *youngest < key)
            {
                return;
            }
            self.kept.pop_last();
        }
        self.kept.insert(key, told());
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_are_kept_and_the_others_are_counted() {
        let start = Moment::now();
        let mut oldest = Oldest::default();
        // neither the oldest first nor the youngest
        for number in (0..250_u64).map(|number| number * 7 % 250) {
            let request = || OpenRequest {
                direction: "inbound",
                name: String::new(),
                trace_id: String::new(),
                span_id: String::new(),
                link: "unknown",
                age_ms: number,
                status: None,
                request_bytes: 0,
                response_bytes: 0,
                request_messages: 0,
                response_messages: 0,
            };
            oldest.see(start.after(number), request);
        }
        let kept: Vec<_> = oldest.kept.values().map(|request| request.age_ms).collect();
        assert_eq!(kept, (0..100).collect::<Vec<_>>());
        assert_eq!(oldest.seen, 250);
    }

    #[tokio::test]
    async fn a_connection_that_goes_away_is_not_waited_for_and_one_that_is_silent_is_counted() {
        let roll = Arc::new(Roll::default());
        let silent = roll.enter(Waker::noop().clone());
        let gone = roll.enter(Waker::noop().clone());
        let answers = roll.enter(Waker::noop().clone());
        assert!(answers.asked().is_none());
        let (told, ()) = tokio::join!(roll.call(), async {
            drop(gone);
            answers.asked().unwrap().answer(std::iter::empty());
        });
        assert_eq!((told.open.len(), told.more, told.silent), (0, 0, 1));
        assert!(answers.asked().is_none());
        assert!(silent.asked().is_some());
        drop((silent, answers));
        assert!(lock(&roll.places).taken.is_empty());
    }
}
