//! The namespaces of a node: mounts, network, processes. They live as long as their process 1.

use std::ffi::OsStr;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::daemon::wait;
use crate::failure::{Failure, output};
use crate::place::{OWN, Place};

/// How long the kernel may take to end a node's processes.
const END: Duration = Duration::from_secs(30);

/// How long namespaces outlive whoever made them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Life {
    /// Until they are ended.
    OnItsOwn,
    /// Until this thread ends, however that happens.
    OfThisThread,
}

/// The namespaces of a node, by the process that made them and waits for their process 1.
#[derive(Clone, Debug)]
pub struct Namespaces {
    holder: u32,
}

impl Namespaces {
    /// Makes them, with `pause` as process 1, and notes in `place` by whom they are held.
    pub(crate) fn create(place: &Place, pause: &Path, life: Life) -> Result<Self, Failure> {
        let mut command = match life {
            Life::OnItsOwn => Command::new("unshare"),
            Life::OfThisThread => {
                let mut command = Command::new("setpriv");
                command.args(["--pdeathsig", "KILL", "unshare"]);
                command
            }
        };
        command
            .args([
                "--mount",
                "--net",
                "--pid",
                "--fork",
                "--kill-child",
                "--mount-proc",
            ])
            .arg(pause);
        let holder = crate::daemon::detached(&mut command, &place.log("pause"))?.id();
        let made = Self { holder };
        place.write(
            "holder",
            &format!("{holder} {}", started(holder).unwrap_or_default()),
        )?;
        wait("process 1 of the node", END, Some(&place.log("pause")), || {
            // only process 1 has a /proc of its own, and mounts it before anything else
            let seen = output(made.command("cat").arg("/proc/1/comm"))?;
            Ok(seen.starts_with("pause"))
        })?;
        made.lay_out(place)?;
        Ok(made)
    }

    /// Those that `place` has a note of, if they are still there.
    #[must_use]
    pub fn of(place: &Place) -> Option<Self> {
        let note = fs::read_to_string(place.path("holder")).ok()?;
        let (holder, since) = note.split_once(' ')?;
        let holder = holder.parse().ok()?;
        // another process may have got its number since
        (started(holder)? == since).then_some(Self { holder })
    }

    /// The own folders of the node, and mounts that its containers see as they come and go.
    fn lay_out(&self, place: &Place) -> Result<(), Failure> {
        output(self.command("mount").args(["--make-rshared", "/"]))?;
        for folder in OWN {
            output(
                self.command("mount")
                    .arg("--bind")
                    .arg(place.own(folder))
                    .arg(folder),
            )?;
        }
        Ok(())
    }

    /// A program that runs inside, in all of them.
    #[must_use]
    pub fn command(&self, program: impl AsRef<OsStr>) -> Command {
        self.enter(
            &[
                ("--net", "net"),
                ("--mount", "mnt"),
                ("--pid", "pid_for_children"),
            ],
            program,
        )
    }

    /// A program that sees the machine's files and processes, and the node's network.
    #[must_use]
    pub fn in_its_network(&self, program: impl AsRef<OsStr>) -> Command {
        self.enter(&[("--net", "net")], program)
    }

    fn enter(&self, namespaces: &[(&str, &str)], program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new("nsenter");
        for (option, name) in namespaces {
            command.arg(format!("{option}=/proc/{}/ns/{name}", self.holder));
        }
        command.arg("--").arg(program);
        command
    }

    /// Ends every process inside, and waits until they have ended.
    pub(crate) fn end(&self) -> Result<(), Failure> {
        let since = started(self.holder);
        let Ok(pid) = i32::try_from(self.holder) else {
            return Ok(());
        };
        // it takes process 1 with it, and that takes all others; an error means that it has gone by itself
        kill(Pid::from_raw(pid), Signal::SIGKILL).unwrap_or_default();
        wait("the node's processes to end", END, None, || {
            Ok(started(self.holder) != since)
        })
    }
}

/// When a process was started, in the kernel's own measure: with its number it is that process and no later one.
/// Nothing where it has ended, though its parent may not have asked how.
fn started(pid: u32) -> Option<String> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // the name before it may hold spaces and brackets; state is the 3rd field, starttime the 22nd: proc_pid_stat(5)
    let (_, fields) = stat.rsplit_once(") ")?;
    let mut fields = fields.split(' ');
    (fields.next()? != "Z").then_some(())?;
    fields.nth(18).map(str::to_owned)
}
