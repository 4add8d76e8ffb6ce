//! Which process holds the application's end of a connection: where a program serves with several processes, a call comes
//! from the one that serves its cause.
//!
//! Looked up once for each connection, by a thread of its own, several connections at a time, and only in a pod whose
//! application makes calls without a context. No request ever waits for it. It takes a `/proc` that shows the
//! application's processes, and the right to look into them: the same user, or CAP_SYS_PTRACE and CAP_DAC_READ_SEARCH.

mod diag;
mod holders;

use std::collections::HashMap;
use std::io;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Weak};
use std::thread;
use std::time::{Duration, Instant};

use causality::{Connection, Process};

pub use self::diag::Ends;
use self::diag::{Diag, Socket, canonical};
use self::holders::{Holder, Processes};
use crate::record::Pod;

/// The most connections that wait to be looked up.
const WAITING_MAX: usize = 1024;

/// How often a connection is looked for: one that was not accepted yet is nobody's.
const LOOKS: u32 = 14;

/// The pause before the second look. It doubles with each look, up to the longest.
const PAUSE_FIRST: Duration = Duration::from_millis(1);
const PAUSE_LONGEST: Duration = Duration::from_secs(1);

/// After a look the thread rests so many times as long as that took: in the worst case, a new connection for each call, it
/// uses this part of a processor.
const REST: u32 = 4;

/// How long nobody is looked up after it turned out that the sidecar may not.
const BLIND_FOR: Duration = Duration::from_secs(60);

/// What came of looking a connection up. A closed set: it labels a metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// One process holds it.
    Found,
    /// Several do.
    Shared,
    /// Nobody was seen to hold it: it was too short.
    Missed,
    /// Processes may not be looked into.
    Denied,
    /// Too many waited.
    QueueFull,
}

impl Outcome {
    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::Found,
        Self::Shared,
        Self::Missed,
        Self::Denied,
        Self::QueueFull,
    ];

    /// As it stands in labels.
    pub fn name(self) -> &'static str {
        match self {
            Self::Found => "found",
            Self::Shared => "shared",
            Self::Missed => "missed",
            Self::Denied => "denied",
            Self::QueueFull => "queue_full",
        }
    }
}

/// Where questions are asked.
#[derive(Debug)]
pub struct Owners(SyncSender<Question>);

#[derive(Debug)]
struct Question {
    connection: Connection,
    /// The application's end, as its kernel sees it.
    ends: Ends,
}

struct Waiting {
    question: Question,
    looks: u32,
}

/// What one look has shown of a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Seen {
    /// It is held.
    By(Holder),
    /// It is held by a process that may not be looked into.
    ByOther,
    /// It is closed.
    Gone,
}

impl Owners {
    /// Starts the thread that answers to `pod`, for as long as that and this live.
    ///
    /// # Errors
    /// There can be no thread, or the kernel cannot be asked about sockets.
    pub fn start(pod: &Arc<Pod>) -> io::Result<Self> {
        let diag = Diag::open()?;
        let (asked, questions) = sync_channel(WAITING_MAX);
        let pod = Arc::downgrade(pod);
        thread::Builder::new()
            .name("owners".to_owned())
            .spawn(move || answer(&questions, &pod, &diag))?;
        Ok(Self(asked))
    }

    /// Asks who holds the application's end of a connection. Never waits. `false` if too many wait.
    #[must_use]
    pub fn ask(&self, connection: Connection, ends: Ends) -> bool {
        let question = Question {
            connection,
            ends: canonical(ends),
        };
        !matches!(self.0.try_send(question), Err(TrySendError::Full(_)))
    }
}

/// Answers until nobody can ask any more.
fn answer(questions: &Receiver<Question>, pod: &Weak<Pod>, diag: &Diag) {
    let (mut waiting, mut processes) = (Vec::new(), Processes::default());
    let mut warned = false;
    while gather(questions, &mut waiting) {
        let Some(pod) = pod.upgrade() else { return };
        let began = Instant::now();
        let seen = look(diag, &mut processes, &waiting).unwrap_or_default();
        let mut blind = false;
        waiting.retain_mut(|it| {
            it.looks += 1;
            let outcome = match seen.get(&it.question.ends) {
                Some(Seen::By(Holder::One(process))) => {
                    pod.owned(it.question.connection, Process(*process));
                    Outcome::Found
                }
                Some(Seen::ByOther) => {
                    blind = true;
                    Outcome::Denied
                }
                Some(Seen::Gone) => Outcome::Missed,
                _ if it.looks < LOOKS => return true,
                Some(Seen::By(Holder::Several)) => Outcome::Shared,
                None => Outcome::Missed,
            };
            pod.metrics.owner(outcome);
            false
        });
        drop(pod);
        if blind && !std::mem::replace(&mut warned, true) {
            tracing::warn!(
                "which process holds a connection is not known: the sidecar may not look into all of the application's \
                 processes (it would have to run as the same user, or with CAP_SYS_PTRACE and CAP_DAC_READ_SEARCH); it goes on \
                 without"
            );
        }
        thread::sleep(if blind { BLIND_FOR } else { began.elapsed() * REST });
    }
}

/// Waits for a question, or until it is time to look again for what was asked before. `false` when nobody can ask.
fn gather(questions: &Receiver<Question>, waiting: &mut Vec<Waiting>) -> bool {
    let fresh = |question| Waiting { question, looks: 0 };
    let pause = waiting.iter().map(|it| pause(it.looks)).min();
    let first = match pause {
        None => questions.recv().map_err(|_| RecvTimeoutError::Disconnected),
        Some(pause) => questions.recv_timeout(pause),
    };
    match first {
        Ok(question) => waiting.push(fresh(question)),
        Err(RecvTimeoutError::Timeout) => {}
        Err(RecvTimeoutError::Disconnected) => return false,
    }
    let room = WAITING_MAX.saturating_sub(waiting.len());
    waiting.extend(questions.try_iter().take(room).map(fresh));
    true
}

/// How long to wait after so many looks.
fn pause(looks: u32) -> Duration {
    let doubled = 1 << looks.saturating_sub(1).min(16);
    (PAUSE_FIRST * doubled).min(PAUSE_LONGEST)
}

/// What there is to be seen of the sockets that are waited for. Of one that was not accepted yet, nothing.
fn look(diag: &Diag, processes: &mut Processes, waiting: &[Waiting]) -> io::Result<HashMap<Ends, Seen>> {
    let (mut seen, mut inodes) = (HashMap::new(), HashMap::new());
    for it in waiting {
        let ends = it.question.ends;
        match diag.find(ends)? {
            Socket::Held(inode) => drop(inodes.insert(ends, inode)),
            Socket::Gone => drop(seen.insert(ends, Seen::Gone)),
            Socket::Waiting => {}
        }
    }
    if inodes.is_empty() {
        return Ok(seen);
    }
    let (holders, denied) = processes.holders(&inodes.values().copied().collect())?;
    for (ends, inode) in inodes {
        match holders.get(&inode) {
            Some(holder) => drop(seen.insert(ends, Seen::By(*holder))),
            None if denied => drop(seen.insert(ends, Seen::ByOther)),
            // closed since
            None => drop(seen.insert(ends, Seen::Gone)),
        }
    }
    Ok(seen)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn looks_become_rarer_and_stay_so() {
        let pauses: Vec<_> = (1..=LOOKS).map(pause).collect();
        assert!(pauses.is_sorted());
        assert_eq!(
            (pauses.first(), pauses.last()),
            (Some(&PAUSE_FIRST), Some(&PAUSE_LONGEST))
        );
    }
}
