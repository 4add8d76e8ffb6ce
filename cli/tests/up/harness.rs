//! Running `meshtrace up` in tests.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// Long enough for a busy machine; nothing is asserted about it.
const PATIENCE: Duration = Duration::from_secs(60);

/// A mesh that runs, and everything that it has said.
pub(crate) struct Mesh {
    child: Child,
    lines: Receiver<String>,
    pub(crate) said: Vec<String>,
}

impl Mesh {
    /// Starts `meshtrace up` on a file.
    pub(crate) fn up(file: &Path, arguments: &[&str]) -> Self {
        Self::with(Command::new(env!("CARGO_BIN_EXE_meshtrace")), file, arguments)
    }

    /// Starts it with a command that ends in the path of `meshtrace`.
    pub(crate) fn with(mut command: Command, file: &Path, arguments: &[&str]) -> Self {
        let mut child = command
            .arg("up")
            .args(arguments)
            .arg(file)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let (sender, lines) = channel();
        let pipes: [Box<dyn Read + Send>; 2] = [
            Box::new(child.stdout.take().unwrap()),
            Box::new(child.stderr.take().unwrap()),
        ];
        for pipe in pipes {
            let sender = sender.clone();
            std::thread::spawn(move || {
                for line in BufReader::new(pipe).lines().map_while(Result::ok) {
                    if sender.send(line).is_err() {
                        return;
                    }
                }
            });
        }
        Self {
            child,
            lines,
            said: Vec::new(),
        }
    }

    /// Waits until a line contains `text`, if none has before, and returns that line.
    pub(crate) fn expect(&mut self, text: &str) -> String {
        if let Some(line) = self.said.iter().find(|line| line.contains(text)) {
            return line.clone();
        }
        let deadline = Instant::now() + PATIENCE;
        loop {
            match self
                .lines
                .recv_timeout(deadline.saturating_duration_since(Instant::now()))
            {
                Ok(line) => {
                    self.said.push(line.clone());
                    if line.contains(text) {
                        return line;
                    }
                }
                Err(RecvTimeoutError::Timeout) => {
                    panic!("never said {text:?}, but:\n{}", self.said.join("\n"))
                }
                Err(RecvTimeoutError::Disconnected) => {
                    panic!("ended without saying {text:?}, but:\n{}", self.said.join("\n"))
                }
            }
        }
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.child.id().try_into().unwrap()), signal).unwrap();
    }

    fn wait(&mut self) -> ExitStatus {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(
                Instant::now() < deadline,
                "does not end, and said:\n{}",
                self.said.join("\n")
            );
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Waits for its end, and hears it out.
    pub(crate) fn end(&mut self) -> ExitStatus {
        let status = self.wait();
        // the pipes close when the last process of the mesh is gone
        while let Ok(line) = self.lines.recv_timeout(PATIENCE) {
            self.said.push(line);
        }
        status
    }
}

impl Drop for Mesh {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

/// Ports of the loopback that were free a moment ago.
pub(crate) fn free_ports<const N: usize>() -> [u16; N] {
    let listeners = [(); N].map(|()| TcpListener::bind("127.0.0.1:0").unwrap());
    listeners.map(|listener| listener.local_addr().unwrap().port())
}

/// One HTTP exchange on a connection of its own: the status and the body. `None` if the connection broke.
pub(crate) fn exchange(port: u16, method: &str, path: &str, body: &str) -> Option<(u16, String)> {
    let mut socket = TcpStream::connect(SocketAddr::from(([127, 0, 0, 1], port))).ok()?;
    socket.set_read_timeout(Some(PATIENCE)).ok()?;
    let length = body.len();
    write!(
        socket,
        "{method} {path} HTTP/1.1\r\nhost: test\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{body}"
    )
    .ok()?;
    let mut answer = String::new();
    socket.read_to_string(&mut answer).ok()?;
    let (head, body) = answer.split_once("\r\n\r\n")?;
    Some((head.split(' ').nth(1)?.parse().ok()?, body.to_owned()))
}

/// An [`exchange`] that does not break.
pub(crate) fn ask(port: u16, method: &str, path: &str, body: &str) -> (u16, String) {
    exchange(port, method, path, body).unwrap_or_else(|| panic!("{method} {path} was not answered"))
}

/// A command that runs `meshtrace` as nobody, or why there is none.
pub(crate) fn as_nobody() -> Result<Command, String> {
    let nobody = |program: &str| {
        let mut command = Command::new("setpriv");
        command
            .args(["--reuid", "65534", "--regid", "65534", "--clear-groups", program])
            .current_dir("/");
        command
    };
    let meshtrace = env!("CARGO_BIN_EXE_meshtrace");
    let mut namespaces = nobody("unshare");
    namespaces.args(["--user", "--map-root-user", "--net", "true"]);
    let mut reachable = nobody("test");
    reachable.args(["-x", meshtrace]);
    for (mut attempt, why) in [
        (namespaces, "a user may not make namespaces"),
        (reachable, "nobody may not run the build"),
    ] {
        let output = attempt.output().map_err(|error| format!("setpriv: {error}"))?;
        if !output.status.success() {
            return Err(format!(
                "{why}: {}",
                String::from_utf8_lossy(&output.stderr).trim_end()
            ));
        }
    }
    Ok(nobody(meshtrace))
}

/// A directory with a `mesh.yaml` that anybody may read.
pub(crate) fn mesh_file(text: &str) -> (tempfile::TempDir, PathBuf) {
    use std::os::unix::fs::PermissionsExt;

    let directory = tempfile::tempdir().unwrap();
    fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let file = directory.path().join("mesh.yaml");
    fs::write(&file, text).unwrap();
    (directory, file)
}
