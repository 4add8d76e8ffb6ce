//! Which process holds the application's end of a connection: where a program serves with several processes, a call comes
//! from the one that serves its cause.
//!
//! Looked up once for each connection, by a thread of its own, several connections at a time, and only in a pod whose
//! application makes calls without a context. No request ever waits for it. It takes a `/proc` that shows the
//! application's processes, and the right to look into them: the same user, or CAP_SYS_PTRACE.

mod holders;
mod table;

use std::collections::{HashMap, HashSet};
use std::fs;
use std::io;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Weak};
use std::thread;
use std::time::{Duration, Instant};

use causality::{Connection, Process};

use self::holders::{Holder, Holders, holders};
pub use self::table::Ends;
use self::table::{canonical, sockets};
use crate::record::Pod;

/// The most connections that wait to be looked up.
const WAITING_MAX: usize = 1024;

/// How often a connection is looked for: one that was not accepted yet is nobody's.
const LOOKS: u32 = 10;

/// The pause before the second look. It doubles with each look, up to the longest.
const PAUSE_FIRST: Duration = Duration::from_millis(5);
const PAUSE_LONGEST: Duration = Duration::from_secs(1);

/// After a look the thread rests so many times as long as that took.
const REST: u32 = 15;

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

/// What one look has shown of a socket that somebody holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Seen {
    By(Holder),
    /// By a process that may not be looked into.
    ByOther,
}

impl Owners {
    /// Starts the thread that answers to `pod`, for as long as that and this live.
    ///
    /// # Errors
    /// There can be no thread.
    pub fn start(pod: &Arc<Pod>) -> io::Result<Self> {
        let (asked, questions) = sync_channel(WAITING_MAX);
        let pod = Arc::downgrade(pod);
        thread::Builder::new()
            .name("owners".to_owned())
            .spawn(move || answer(&questions, &pod))?;
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
fn answer(questions: &Receiver<Question>, pod: &Weak<Pod>) {
    let mut waiting = Vec::new();
    let mut warned = false;
    while gather(questions, &mut waiting) {
        let Some(pod) = pod.upgrade() else { return };
        let began = Instant::now();
        let seen = look(&waiting).unwrap_or_default();
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
                 processes (it would have to run as the same user, or with CAP_SYS_PTRACE); it goes on without"
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

/// Who holds the sockets that are waited for, as far as somebody does.
fn look(waiting: &[Waiting]) -> io::Result<HashMap<Ends, Seen>> {
    let wanted: HashSet<Ends> = waiting.iter().map(|it| it.question.ends).collect();
    let mut inodes = HashMap::new();
    for table in ["/proc/self/net/tcp", "/proc/self/net/tcp6"] {
        // a kernel without IPv6 has but one
        let table = fs::read_to_string(table).unwrap_or_default();
        inodes.extend(sockets(&table).filter(|(ends, _)| wanted.contains(ends)));
    }
    if inodes.is_empty() {
        return Ok(HashMap::new());
    }
    let Holders { of, denied } = holders(&inodes.values().copied().collect())?;
    let seen = inodes
        .into_iter()
        .filter_map(|(ends, inode)| match of.get(&inode) {
            Some(holder) => Some((ends, Seen::By(*holder))),
            None => denied.then_some((ends, Seen::ByOther)),
        });
    Ok(seen.collect())
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, TcpStream};

    use super::*;

    #[test]
    fn a_connection_that_no_other_process_holds_is_seen_nowhere() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let stream = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let ends = (stream.local_addr().unwrap(), stream.peer_addr().unwrap());
        let question = Question {
            connection: Connection(1),
            ends,
        };
        let seen = look(&[Waiting { question, looks: 0 }]).unwrap();
        assert!(!matches!(seen.get(&ends), Some(Seen::By(_))));
    }

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
