//! The process in the middle: makes the namespaces, starts PID 1 in them, and passes on how that ended.

use std::io;
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, ExitCode, Stdio};

use nix::errno::Errno;
use nix::sched::{CloneFlags, unshare};
use nix::sys::prctl::set_pdeathsig;
use nix::sys::signal::Signal;
use nix::unistd::{Gid, Uid};

use super::lifeline::{self, Namespaces, Users};

/// The hidden command that starts this process.
pub const COMMAND: &str = "mesh-enter";

/// The namespaces could not be made.
#[derive(Debug, thiserror::Error)]
enum Error {
    #[error(
        "this machine lets nobody but root make namespaces ({0}): run meshtrace as root, or allow unprivileged user \
         namespaces: sysctl user.max_user_namespaces=10000, and where they exist \
         kernel.unprivileged_userns_clone=1 and kernel.apparmor_restrict_unprivileged_userns=0"
    )]
    Forbidden(io::Error),
    #[error("cannot start PID 1 of the mesh: {0}")]
    Start(io::Error),
    #[error("the front is gone: {0}")]
    Lifeline(io::Error),
}

/// Runs the process in the middle.
pub fn run() -> ExitCode {
    match enter() {
        Ok(code) => code,
        Err(error) => {
            super::console::complain(&error);
            ExitCode::FAILURE
        }
    }
}

fn enter() -> Result<ExitCode, Error> {
    let (uid, gid) = (Uid::current(), Gid::current());
    let lifeline = lifeline::inside().map_err(Error::Lifeline)?;
    let made = make_namespaces().map_err(|errno| Error::Forbidden(errno.into()))?;
    // only now: new credentials, such as those in a new user namespace, would clear it again
    set_pdeathsig(Signal::SIGKILL).map_err(|errno| Error::Start(errno.into()))?;

    lifeline::send_namespaces(&lifeline, made).map_err(Error::Lifeline)?;
    match lifeline::receive_users(&lifeline).map_err(Error::Lifeline)? {
        None => return Ok(ExitCode::FAILURE),
        Some(Users::One) if made == Namespaces::Unprivileged => {
            map_own_user(uid, gid).map_err(Error::Forbidden)?;
        }
        Some(Users::One | Users::Many) => {}
    }
    let status = std::env::current_exe()
        .and_then(|own| {
            Command::new(own)
                .arg(super::init::COMMAND)
                .stdin(Stdio::inherit())
                .status()
        })
        .map_err(Error::Start)?;
    let code = status
        .code()
        .or(status.signal().map(|signal| 128 + signal))
        .unwrap_or(1);
    Ok(u8::try_from(code).map_or(ExitCode::FAILURE, ExitCode::from))
}

fn make_namespaces() -> Result<Namespaces, Errno> {
    let wanted = CloneFlags::CLONE_NEWPID | CloneFlags::CLONE_NEWNS | CloneFlags::CLONE_NEWNET;
    match unshare(wanted) {
        Ok(()) => Ok(Namespaces::Privileged),
        Err(Errno::EPERM) => unshare(wanted | CloneFlags::CLONE_NEWUSER).map(|()| Namespaces::Unprivileged),
        Err(other) => Err(other),
    }
}

/// Makes the caller root of the user namespace, and nobody else anything: all that user_namespaces(7) lets a process
/// do for itself.
fn map_own_user(uid: Uid, gid: Gid) -> io::Result<()> {
    std::fs::write("/proc/self/setgroups", "deny")?;
    std::fs::write("/proc/self/uid_map", format!("0 {uid} 1"))?;
    std::fs::write("/proc/self/gid_map", format!("0 {gid} 1"))
}
