//! Programs that run for as long as the node does, and waiting for what they bring.

use std::fs::File;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::failure::{Asked, Failure, Tail};
use crate::place::Place;

/// Between two looks at whether something has come.
const PAUSE: Duration = Duration::from_millis(200);

/// The parts of a node that were started so far.
#[derive(Debug)]
pub(crate) struct Daemons<'p> {
    place: &'p Place,
    started: Vec<(&'static str, Child)>,
}

impl<'p> Daemons<'p> {
    pub(crate) fn of(place: &'p Place) -> Self {
        Self {
            place,
            started: Vec::new(),
        }
    }

    /// Starts a part; what it says goes to its log.
    pub(crate) fn start(&mut self, part: &'static str, mut command: Command) -> Result<(), Failure> {
        let child = detached(&mut command, &self.place.log(part))?;
        self.started.push((part, child));
        Ok(())
    }

    /// Waits until `check` says that `what` is there, and gives up early if any part has ended.
    pub(crate) fn wait(
        &mut self,
        what: &str,
        limit: Duration,
        part: &'static str,
        mut check: impl FnMut() -> Result<bool, Failure>,
    ) -> Result<(), Failure> {
        let mut ended = None;
        let (started, place) = (&mut self.started, self.place);
        let waited = wait(what, limit, Some(&place.log(part)), || {
            let gone = started
                .iter_mut()
                .find_map(|(part, child)| match child.try_wait() {
                    Ok(None) => None,
                    _ => Some(*part),
                });
            ended = gone;
            Ok(ended.is_some() || check()?)
        });
        match ended {
            Some(part) => Err(Failure::Ended {
                part,
                log: Tail::of(&place.log(part)),
            }),
            None => waited,
        }
    }
}

/// Starts a program that neither a terminal's signals nor our own end can reach.
pub(crate) fn detached(command: &mut Command, log: &Path) -> Result<Child, Failure> {
    let what = || format!("start {}", command.get_program().to_string_lossy());
    let out = File::create(log).to(what)?;
    let err = out.try_clone().to(what)?;
    let command = command
        .process_group(0)
        .stdin(Stdio::null())
        .stdout(out)
        .stderr(err);
    let program = command.get_program().to_owned();
    command
        .spawn()
        .to(|| format!("start {}", program.to_string_lossy()))
}

/// Waits until `check` says yes. An error of its own counts as not yet, and is told if that lasts.
///
/// # Errors
/// It did not within `limit`.
pub fn wait(
    what: &str,
    limit: Duration,
    log: Option<&Path>,
    mut check: impl FnMut() -> Result<bool, Failure>,
) -> Result<(), Failure> {
    let begin = Instant::now();
    loop {
        let why = match check() {
            Ok(true) => return Ok(()),
            Ok(false) => "not yet".to_owned(),
            Err(failure) => failure.to_string(),
        };
        if begin.elapsed() > limit {
            return Err(Failure::Late {
                what: what.to_owned(),
                limit,
                why,
                log: log.map(Tail::of).unwrap_or_default(),
            });
        }
        sleep(PAUSE);
    }
}
