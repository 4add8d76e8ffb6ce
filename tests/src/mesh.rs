//! A mesh on this machine, as `meshtrace up` runs it, and the questions that tests have for it.
//!
//! Nothing here knows how the mesh is made: programs are started by their names, the collector is asked over HTTP, and
//! what the services say is read from the terminal's lines.

mod ask;
mod busy;
mod process;
mod trace;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
use tempfile::TempDir;

pub use self::ask::{Answer, ask};
use self::ask::{read, send};
use self::process::descendants;
pub use self::process::{Process, networks};
pub use self::trace::{Span, Trace, of_path};
use crate::program::built;
use crate::sockets::free_address;

/// How long something may take that has to happen. Nothing waits for it when all is well.
const PATIENCE: Duration = Duration::from_secs(90);

/// How often something is looked at that has not happened yet.
const GLANCE: Duration = Duration::from_millis(50);

/// What `meshtrace up` says where it cannot make a mesh.
const FORBIDDEN: &str = "lets nobody but root make namespaces";

/// A running mesh. It is stopped when this is dropped.
pub struct Mesh {
    front: Child,
    said: Arc<Mutex<Vec<String>>>,
    folder: TempDir,
    collector: SocketAddr,
    published: BTreeMap<String, SocketAddr>,
}

impl Mesh {
    /// Starts the mesh of a `mesh.yaml`, and waits until every service with a port listens on it.
    ///
    /// Commands run in `tests/data`. `publish: auto` publishes on a free port, and so is the collector's query API.
    /// `$GATE` is a file that is there once [`Mesh::open`] has been called.
    ///
    /// `None`, with a line for the summary, where the machine lets us make no namespaces.
    pub fn up(yaml: &str) -> Option<Self> {
        Self::up_in(yaml, &data())
    }

    /// As [`Mesh::up`], with the commands running in `workdir`.
    pub fn up_in(yaml: &str, workdir: &Path) -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let gate = folder.path().join("open");
        let mut file: serde_yaml::Value =
            serde_yaml::from_str(&yaml.replace("$GATE", gate.to_str().unwrap())).unwrap();
        let collector = free_address();
        file["collector"]["publish"] = collector.to_string().into();
        let mut published = BTreeMap::new();
        let mut listening = BTreeSet::new();
        for (name, service) in file["services"].as_mapping_mut().unwrap() {
            let name = name.as_str().unwrap().to_owned();
            service["workdir"] = workdir.to_str().unwrap().into();
            if service.get("publish").is_some() {
                let address = free_address();
                service["publish"] = address.to_string().into();
                published.insert(name.clone(), address);
            }
            if service.get("port").is_some() {
                match service.get("replicas").and_then(serde_yaml::Value::as_u64) {
                    None | Some(1) => drop(listening.insert(name)),
                    Some(replicas) => {
                        listening.extend((0..replicas).map(|number| format!("{name}-{number}")));
                    }
                }
            }
        }
        let path = folder.path().join("mesh.yaml");
        fs::write(&path, serde_yaml::to_string(&file).unwrap()).unwrap();

        let mut front = Command::new(built("meshtrace"))
            .arg("up")
            .arg(&path)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let said = Arc::new(Mutex::new(Vec::new()));
        listen(front.stdout.take().unwrap(), Arc::clone(&said));
        listen(front.stderr.take().unwrap(), Arc::clone(&said));
        let mut mesh = Self {
            front,
            said,
            folder,
            collector,
            published,
        };
        mesh.settle(&listening).then_some(mesh)
    }

    /// Waits until all of `listening` do. `false`, where there can be no mesh.
    fn settle(&mut self, listening: &BTreeSet<String>) -> bool {
        let until = Instant::now() + PATIENCE;
        loop {
            let missing: Vec<_> = listening
                .iter()
                .filter(|name| self.said_by(name, "listening on port").is_none())
                .collect();
            if missing.is_empty() {
                return true;
            }
            let ended = self.front.try_wait().unwrap();
            let said = self.said();
            if ended.is_some() && said.iter().any(|line| line.contains(FORBIDDEN)) {
                eprintln!("SKIPPED: a mesh of real programs: no root, and no unprivileged user namespaces");
                return false;
            }
            assert!(
                ended.is_none() && Instant::now() < until,
                "{missing:?} do not listen:\n{}",
                said.join("\n")
            );
            thread::sleep(GLANCE);
        }
    }

    /// Lets clients begin that wait for `$GATE`.
    pub fn open(&self) {
        fs::write(self.folder.path().join("open"), "").unwrap();
    }

    /// Where a service is published.
    pub fn address(&self, service: &str) -> SocketAddr {
        self.published[service]
    }

    /// Sends a request to a published service and reads the whole answer.
    pub fn ask(&self, service: &str, method: &str, target: &str, headers: &[(&str, &str)]) -> Answer {
        self.ask_with(service, method, target, headers, b"")
    }

    /// As [`Mesh::ask`], with a body.
    pub fn ask_with(
        &self,
        service: &str,
        method: &str,
        target: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Answer {
        self.answer(self.address(service), method, target, headers, body)
    }

    fn answer(
        &self,
        to: SocketAddr,
        method: &str,
        target: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Answer {
        let mut asked = send(to, method, target, headers, body).unwrap();
        // the connection is still open when everybody is asked who holds the request
        read(&mut asked, PATIENCE).unwrap_or_else(|error| {
            let busy = busy::told(&self.processes());
            panic!("{to} {method} {target}: {error}; the mesh is busy with:\n{busy}")
        })
    }

    /// Has a service make a few calls, one after the other, below `/warm`: who made the very first call of all, nobody
    /// can be sure.
    pub fn warm(&self, service: &str) {
        for _ in 0..6 {
            assert_eq!(self.ask(service, "GET", "/warm", &[]).status, 200);
        }
    }

    /// Every line that the mesh has printed so far.
    pub fn said(&self) -> Vec<String> {
        self.said.lock().unwrap().clone()
    }

    /// The first line of `name` that contains `what`.
    pub fn said_by(&self, name: &str, what: &str) -> Option<String> {
        let mut lines = self.said().into_iter();
        lines.find(|line| line.split_whitespace().next() == Some(name) && line.contains(what))
    }

    /// Waits until `look` finds something; what it is looking for is `what`.
    pub fn eventually<T>(&self, what: &str, mut look: impl FnMut(&Self) -> Option<T>) -> T {
        let until = Instant::now() + PATIENCE;
        loop {
            if let Some(found) = look(self) {
                return found;
            }
            if Instant::now() > until {
                let (said, traces) = (self.said().join("\n"), self.traces("limit=20"));
                panic!("in vain: {what}\n{said}\n{traces:#?}");
            }
            thread::sleep(GLANCE);
        }
    }

    /// What the collector's query API answers, as it is.
    pub fn collector(&self, target: &str) -> String {
        let answer = self.answer(self.collector, "GET", target, &[], b"");
        assert_eq!(answer.status, 200, "{target}: {}", answer.body);
        answer.body
    }

    /// The traces that a search of Jaeger's API finds, with its parameters.
    pub fn traces(&self, search: &str) -> Vec<Trace> {
        let answer: Value = serde_json::from_str(&self.collector(&format!("/api/traces?{search}"))).unwrap();
        answer["data"]
            .as_array()
            .unwrap()
            .iter()
            .map(Trace::read)
            .collect()
    }

    /// Waits until the only trace that a search finds has so many spans.
    pub fn trace_of(&self, search: &str, spans: usize) -> Trace {
        self.eventually(&format!("{spans} spans: {search}"), |mesh| {
            let traces = mesh.traces(search);
            assert!(traces.len() <= 1, "{traces:#?}");
            traces.into_iter().find(|trace| trace.spans.len() >= spans)
        })
    }

    /// Runs `meshtrace` with these arguments against this mesh's collector.
    pub fn meshtrace(&self, arguments: &[&str]) -> Output {
        Command::new(built("meshtrace"))
            .args(arguments)
            .arg("--collector")
            .arg(format!("http://{}", self.collector))
            .output()
            .unwrap()
    }

    /// Every process of the mesh, seen from this machine: what the front has started, and what that has.
    pub fn processes(&self) -> Vec<Process> {
        descendants(self.front.id())
    }

    /// Ctrl-C, and how that ends.
    pub fn interrupt(&mut self) -> ExitStatus {
        self.stop(Signal::SIGINT)
            .expect("the mesh ends when it is told to")
    }

    fn stop(&mut self, signal: Signal) -> Option<ExitStatus> {
        if let Some(status) = self.front.try_wait().unwrap() {
            return Some(status);
        }
        kill(Pid::from_raw(self.front.id().try_into().unwrap()), signal).unwrap();
        let until = Instant::now() + PATIENCE;
        while Instant::now() < until {
            if let Some(status) = self.front.try_wait().unwrap() {
                return Some(status);
            }
            thread::sleep(GLANCE);
        }
        None
    }
}

impl Drop for Mesh {
    fn drop(&mut self) {
        if self.stop(Signal::SIGINT).is_none() {
            self.front.kill().unwrap();
            assert_eq!(self.front.wait().unwrap().signal(), Some(9));
        }
        if thread::panicking() {
            eprintln!("the mesh had said:\n{}", self.said().join("\n"));
        }
    }
}

/// Where the programs of the tests are.
pub fn data() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("data")
}

fn listen(pipe: impl Read + Send + 'static, said: Arc<Mutex<Vec<String>>>) {
    thread::spawn(move || {
        for line in BufReader::new(pipe).lines().map_while(Result::ok) {
            said.lock().unwrap().push(line);
        }
    });
}
