//! What holds now of the settings that can change, and what the operator has said of them.
//!
//! [`Current`] has one snapshot that is swapped as a whole: whoever looks gets settings that fit together, and nobody
//! waits. [`follow`] listens to the operator. Nothing here decides what settings mean.

pub mod follow;

use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use process::config::Problems;
use settings::{Revision, Update};
use tokio::sync::watch;

use crate::config::{KEYS, Live, Settings};

/// What holds now, and how it came about.
#[derive(Debug)]
pub struct Current {
    now: watch::Sender<Arc<Live>>,
    heard: Mutex<Heard>,
}

/// What the operator has said.
#[derive(Debug, Default)]
struct Heard {
    connected: bool,
    /// What was taken last.
    revision: Option<Revision>,
    /// Which of its keys come from where.
    origins: BTreeMap<String, String>,
    /// What was refused since, and why.
    refused: Option<(Revision, Problems)>,
}

impl Current {
    /// As it is at the start, when nobody has said anything.
    pub fn new(live: Live) -> Self {
        Self {
            now: watch::Sender::new(Arc::new(live)),
            heard: Mutex::default(),
        }
    }

    /// What holds now.
    pub fn now(&self) -> Arc<Live> {
        Arc::clone(&self.now.borrow())
    }

    /// What holds now and later, for who would look often.
    pub(crate) fn subscribe(&self) -> Snapshot {
        let mut changes = self.now.subscribe();
        let live = Arc::clone(&changes.borrow_and_update());
        Snapshot { live, changes }
    }

    /// From now on this holds, which an update said.
    pub(crate) fn take(&self, live: Live, update: Update) {
        let mut heard = self.heard();
        heard.revision = Some(update.revision());
        heard.origins = update.origins;
        heard.refused = None;
        self.now.send_replace(Arc::new(live));
    }

    /// An update said nothing that could hold.
    fn refuse(&self, revision: Revision, problems: Problems) {
        self.heard().refused = Some((revision, problems));
    }

    /// The operator answers.
    fn is_found(&self) {
        self.heard().connected = true;
    }

    /// The operator does not answer. Says whether it did before.
    fn is_lost(&self) -> bool {
        std::mem::replace(&mut self.heard().connected, false)
    }

    fn has(&self, revision: Revision) -> bool {
        self.heard().revision == Some(revision)
    }

    /// The settings in effect, as a document that reads as them, with where they come from as comments.
    pub fn effective(&self, settings: &Settings) -> String {
        let mut effective = settings.clone();
        effective.live = Live::clone(&self.now.borrow());
        let mut text = String::new();
        if let Some(operator) = &settings.operator {
            self.heard().describe(operator, settings, &mut text);
        }
        text.push_str(&effective.effective());
        text
    }

    fn heard(&self) -> MutexGuard<'_, Heard> {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Heard {
    fn describe(&self, operator: &str, settings: &Settings, text: &mut String) {
        let connected = if self.connected {
            "connected"
        } else {
            "not connected"
        };
        let mut line = |what: std::fmt::Arguments<'_>| {
            // writing to a text cannot fail
            let _always = writeln!(text, "# {what}");
        };
        match self.revision {
            Some(revision) => line(format_args!(
                "operator {operator}: {connected}, revision {revision}"
            )),
            None => line(format_args!(
                "operator {operator}: {connected}, nothing heard yet"
            )),
        }
        for key in KEYS {
            match (self.origins.get(key), settings.said_by(key)) {
                (Some(origin), Some(variable)) => {
                    line(format_args!("  {key}: {variable}, which wins over {origin}"));
                }
                (Some(origin), None) => line(format_args!("  {key}: {origin}")),
                (None, Some(variable)) => line(format_args!("  {key}: {variable}")),
                (None, None) => {}
            }
        }
        if let Some((revision, problems)) = &self.refused {
            line(format_args!("revision {revision} was refused as a whole:"));
            for problem in problems.list() {
                line(format_args!("  {problem}"));
            }
        }
    }
}

/// One reader's snapshot, brought up to date when the reader says.
#[derive(Debug)]
pub(crate) struct Snapshot {
    live: Arc<Live>,
    changes: watch::Receiver<Arc<Live>>,
}

impl Snapshot {
    /// Takes what holds now. Costs one load where nothing has changed.
    pub(crate) fn refresh(&mut self) {
        if self.changes.has_changed().unwrap_or(false) {
            self.live = Arc::clone(&self.changes.borrow_and_update());
        }
    }

    /// What held when it was last brought up to date.
    pub(crate) fn live(&self) -> &Arc<Live> {
        &self.live
    }
}
