//! Which processes hold which sockets, as the links in `/proc/PID/fd` say.

use std::collections::{HashMap, HashSet};
use std::fs;
use std::io;
use std::path::Path;

/// The processes that hold the sockets that were looked for.
#[derive(Debug, Default)]
pub(super) struct Holders {
    /// By the sockets' inodes.
    pub(super) of: HashMap<u64, Holder>,
    /// Processes could not be looked into: they run as another user, or the sidecar lacks CAP_SYS_PTRACE.
    pub(super) denied: bool,
}

/// Who holds a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Holder {
    /// This process, and no other.
    One(u32),
    /// Several, by a fork.
    Several,
}

/// Looks through all processes that can be seen, but this one.
///
/// # Errors
/// There is no `/proc`.
pub(super) fn holders(wanted: &HashSet<u64>) -> io::Result<Holders> {
    let mut found = Holders::default();
    let own = std::process::id();
    for entry in fs::read_dir("/proc")? {
        let name = entry?.file_name();
        let Some(process) = name.to_str().and_then(|name| name.parse().ok()) else {
            continue;
        };
        if process != own {
            look_into(process, wanted, &mut found);
        }
    }
    Ok(found)
}

fn look_into(process: u32, wanted: &HashSet<u64>, found: &mut Holders) {
    let files = match fs::read_dir(format!("/proc/{process}/fd")) {
        Ok(files) => files,
        Err(error) => {
            found.denied |= error.kind() == io::ErrorKind::PermissionDenied;
            return;
        }
    };
    // a process that ends, or closes a file, while it is looked at holds nothing any more
    for file in files.map_while(Result::ok) {
        let target = fs::read_link(file.path());
        if let Some(inode) = target.ok().and_then(|target| socket(&target))
            && wanted.contains(&inode)
        {
            let one = Holder::One(process);
            let holder = found.of.entry(inode).or_insert(one);
            if *holder != one {
                *holder = Holder::Several;
            }
        }
    }
}

/// The inode in `socket:[4711]`.
fn socket(target: &Path) -> Option<u64> {
    let inode = target.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?;
    inode.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_sockets_have_an_inode() {
        assert_eq!(socket(Path::new("socket:[4711]")), Some(4711));
        for other in ["/dev/null", "pipe:[4711]", "socket:[x]"] {
            assert_eq!(socket(Path::new(other)), None);
        }
    }

    #[test]
    fn a_socket_that_another_process_was_given_is_found_there() {
        use std::net::TcpListener;
        use std::os::fd::OwnedFd;
        use std::process::{Command, Stdio};

        let listener = OwnedFd::from(TcpListener::bind("127.0.0.1:0").unwrap());
        let number = std::os::fd::AsRawFd::as_raw_fd(&listener);
        let inode = socket(&fs::read_link(format!("/proc/self/fd/{number}")).unwrap()).unwrap();
        let mut child = Command::new("sleep")
            .arg("60")
            .stdin(Stdio::from(listener))
            .spawn()
            .unwrap();
        let found = holders(&HashSet::from([inode])).unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
        assert_eq!(found.of.get(&inode), Some(&Holder::One(child.id())));
    }
}
