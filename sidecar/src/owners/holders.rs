//! Which processes hold which sockets, as the links in `/proc/PID/fd` say.

use std::collections::{HashMap, HashSet};
use std::fs;
use std::io;
use std::path::Path;

/// Who holds a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Holder {
    /// This process, and no other.
    One(u32),
    /// Several, by a fork.
    Several,
}

/// The processes that can be seen.
#[derive(Debug, Default)]
pub(super) struct Processes {
    /// All of them, as of the last look through all.
    all: Vec<u32>,
    /// Those that held a socket then: only one that was there already can hold another without being new.
    holding: Vec<u32>,
    /// Some of the others may not be looked into: they run as another user, or the sidecar lacks a capability.
    denied: bool,
}

impl Processes {
    /// Who holds these sockets, by their inodes, and whether there are processes that may not be looked into.
    ///
    /// Most looks are short: as long as no process is new, and all is found, only those are looked into that hold
    /// sockets.
    ///
    /// # Errors
    /// There is no `/proc`.
    pub(super) fn holders(&mut self, wanted: &HashSet<u64>) -> io::Result<(HashMap<u64, Holder>, bool)> {
        let mut found = HashMap::new();
        let all = processes()?;
        if all == self.all {
            for process in &self.holding {
                // one that has ended holds nothing
                drop(look_into(*process, wanted, &mut found));
            }
            if found.len() == wanted.len() {
                return Ok((found, self.denied));
            }
            found.clear();
        }
        self.holding.clear();
        self.denied = false;
        for process in &all {
            match look_into(*process, wanted, &mut found) {
                Ok(true) => self.holding.push(*process),
                Ok(false) => {}
                Err(error) => self.denied |= error.kind() == io::ErrorKind::PermissionDenied,
            }
        }
        self.all = all;
        Ok((found, self.denied))
    }
}

/// All processes but this one.
fn processes() -> io::Result<Vec<u32>> {
    let own = std::process::id();
    let names = fs::read_dir("/proc")?
        .map_while(Result::ok)
        .map(|entry| entry.file_name());
    let numbers = names.filter_map(|name| name.to_str()?.parse().ok());
    Ok(numbers.filter(|process| *process != own).collect())
}

/// Whether a process holds sockets at all. Which of those that are `wanted` goes to `found`.
fn look_into(process: u32, wanted: &HashSet<u64>, found: &mut HashMap<u64, Holder>) -> io::Result<bool> {
    let mut holds = false;
    for file in fs::read_dir(format!("/proc/{process}/fd"))?.map_while(Result::ok) {
        // a file that is closed meanwhile is nobody's
        let target = fs::read_link(file.path());
        if let Some(inode) = target.ok().and_then(|target| socket(&target)) {
            holds = true;
            if wanted.contains(&inode) {
                let one = Holder::One(process);
                let holder = found.entry(inode).or_insert(one);
                if *holder != one {
                    *holder = Holder::Several;
                }
            }
        }
    }
    Ok(holds)
}

/// The inode in `socket:[4711]`.
fn socket(target: &Path) -> Option<u64> {
    let inode = target.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?;
    inode.parse().ok()
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;
    use std::os::fd::{AsRawFd, OwnedFd};
    use std::process::{Child, Command, Stdio};

    use super::*;

    /// A process that holds this socket, and nothing else of ours.
    fn holding(listener: &TcpListener) -> Child {
        let socket = OwnedFd::from(listener.try_clone().unwrap());
        Command::new("sleep")
            .arg("60")
            .stdin(Stdio::from(socket))
            .spawn()
            .unwrap()
    }

    #[test]
    fn a_socket_is_found_with_the_process_that_holds_it_until_another_one_does_too() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let link = fs::read_link(format!("/proc/self/fd/{}", listener.as_raw_fd())).unwrap();
        let inode = socket(&link).unwrap();
        let mut processes = Processes::default();
        let mut holder = || {
            let (found, _) = processes.holders(&HashSet::from([inode])).unwrap();
            found.get(&inode).copied()
        };
        assert_eq!(holder(), None);
        let mut one = holding(&listener);
        assert_eq!(holder(), Some(Holder::One(one.id())));
        assert_eq!(holder(), Some(Holder::One(one.id())));
        let mut other = holding(&listener);
        assert_eq!(holder(), Some(Holder::Several));
        for child in [&mut one, &mut other] {
            child.kill().unwrap();
            child.wait().unwrap();
        }
        assert_eq!(holder(), None);
    }

    #[test]
    fn only_sockets_have_an_inode() {
        assert_eq!(socket(Path::new("socket:[4711]")), Some(4711));
        for other in ["/dev/null", "pipe:[4711]", "socket:[x]"] {
            assert_eq!(socket(Path::new(other)), None);
        }
    }
}
