//! A mesh on this machine, as `meshtrace up` runs it, and the questions that tests have for it.
//!
//! Nothing here knows how the mesh is made: programs are started by their names, the collector is asked over HTTP, and
//! what the services say is read from the terminal's lines.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
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
        ask(self.address(service), method, target, headers, b"")
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
        let answer = ask(self.collector, "GET", target, &[], b"");
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

    /// Waits for a trace with so many spans that have all ended; one trace, and no span more.
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

/// A process, as /proc shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Process {
    /// Its number.
    pub pid: u32,
    /// Clock ticks from boot to its start, which tells it from a later one of the same number.
    started: u64,
    /// Its network namespace.
    pub network: PathBuf,
}

impl Process {
    /// Whether it still runs.
    pub fn lives(&self) -> bool {
        stat(self.pid).is_some_and(|(_, state, started)| started == self.started && state != "Z")
    }
}

/// The network namespaces that any process of this machine is in.
pub fn networks() -> BTreeSet<PathBuf> {
    pids()
        .filter_map(|pid| fs::read_link(format!("/proc/{pid}/ns/net")).ok())
        .collect()
}

fn pids() -> impl Iterator<Item = u32> {
    let entries = fs::read_dir("/proc").unwrap();
    entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
}

fn descendants(parent: u32) -> Vec<Process> {
    let parents: BTreeMap<u32, u32> = pids().filter_map(|pid| Some((pid, stat(pid)?.0))).collect();
    let mut found = vec![parent];
    let mut next = 0;
    while let Some(above) = found.get(next).copied() {
        found.extend(
            parents
                .iter()
                .filter(|(_, parent)| **parent == above)
                .map(|(pid, _)| *pid),
        );
        next += 1;
    }
    found
        .into_iter()
        .filter_map(|pid| {
            Some(Process {
                pid,
                started: stat(pid)?.2,
                network: fs::read_link(format!("/proc/{pid}/ns/net")).ok()?,
            })
        })
        .collect()
}

/// Parent, state and start of a process (proc_pid_stat(5)).
fn stat(pid: u32) -> Option<(u32, String, u64)> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let fields: Vec<_> = text.rsplit_once(')')?.1.split_whitespace().collect();
    Some((
        fields.get(1)?.parse().ok()?,
        (*fields.first()?).to_owned(),
        fields.get(19)?.parse().ok()?,
    ))
}

/// One trace, as Jaeger's API gives it.
#[derive(Debug)]
pub struct Trace {
    /// 32 hexadecimal digits.
    pub id: String,
    /// In no order.
    pub spans: Vec<Span>,
}

/// One span, as Jaeger's API gives it.
#[derive(Debug)]
pub struct Span {
    /// 16 hexadecimal digits.
    pub id: String,
    /// The id of the span that caused it.
    pub parent: Option<String>,
    /// Its name.
    pub name: String,
    /// `service.name`.
    pub service: String,
    /// Microseconds.
    pub duration: u64,
    /// Attributes and what Jaeger shows as such, as text.
    pub tags: BTreeMap<String, String>,
    /// Attributes of the resource, as text.
    pub resource: BTreeMap<String, String>,
}

impl Trace {
    fn read(json: &Value) -> Self {
        let texts = |tags: &Value| -> BTreeMap<String, String> {
            let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            let tags = tags.as_array().unwrap().iter();
            tags.map(|tag| (tag["key"].as_str().unwrap().to_owned(), text(&tag["value"])))
                .collect()
        };
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let span = |span: &Value| {
            let process = &json["processes"][span["processID"].as_str().unwrap()];
            let parent = span["references"]
                .as_array()
                .unwrap()
                .iter()
                .find(|it| it["refType"] == "CHILD_OF");
            Span {
                id: text(&span["spanID"]),
                parent: parent.map(|reference| text(&reference["spanID"])),
                name: text(&span["operationName"]),
                service: text(&process["serviceName"]),
                duration: span["duration"].as_u64().unwrap(),
                tags: texts(&span["tags"]),
                resource: texts(&process["tags"]),
            }
        };
        Self {
            id: text(&json["traceID"]),
            spans: json["spans"].as_array().unwrap().iter().map(span).collect(),
        }
    }

    /// The one span of that service and kind (`server`, `client`).
    pub fn span(&self, service: &str, kind: &str) -> &Span {
        let mut spans = self
            .spans
            .iter()
            .filter(|span| span.service == service && span.tag("span.kind") == kind);
        match (spans.next(), spans.next()) {
            (Some(span), None) => span,
            _ => panic!("not one {kind} span of {service}: {self:#?}"),
        }
    }

    /// The spans whose parent is not in the trace.
    pub fn roots(&self) -> Vec<&Span> {
        let ids: BTreeSet<_> = self.spans.iter().map(|span| &span.id).collect();
        self.spans
            .iter()
            .filter(|span| span.parent.as_ref().is_none_or(|parent| !ids.contains(parent)))
            .collect()
    }

    /// The services that took part.
    pub fn services(&self) -> BTreeSet<&str> {
        self.spans.iter().map(|span| span.service.as_str()).collect()
    }
}

impl Span {
    /// An attribute, as text; empty if there is none of that name.
    pub fn tag(&self, key: &str) -> &str {
        self.tags.get(key).map_or("", String::as_str)
    }

    /// How its parent was found.
    pub fn link(&self) -> &str {
        self.tag("meshtrace.link.kind")
    }

    /// Whether this is the span that caused `other`.
    pub fn is_parent_of(&self, other: &Self) -> bool {
        other.parent.as_ref() == Some(&self.id)
    }
}

/// The answer to a request.
#[derive(Debug)]
pub struct Answer {
    /// The status code.
    pub status: u16,
    /// The body.
    pub body: String,
}

impl Answer {
    /// The body as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}

/// Sends one HTTP/1.1 request on a connection of its own, exactly as given, and reads the whole answer.
pub fn ask(to: SocketAddr, method: &str, target: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
    let mut head = format!("{method} {target} HTTP/1.1\r\nHost: {to}\r\nConnection: close\r\n");
    if !body.is_empty() {
        head += &format!(
            "Content-Type: application/json\r\nContent-Length: {}\r\n",
            body.len()
        );
    }
    for (name, value) in headers {
        head += &format!("{name}: {value}\r\n");
    }
    let mut stream = TcpStream::connect(to).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.write_all(format!("{head}\r\n").as_bytes()).unwrap();
    stream.write_all(body).unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    let answer = String::from_utf8(answer).unwrap();
    let (head, body) = answer
        .split_once("\r\n\r\n")
        .unwrap_or_else(|| panic!("no answer: `{answer}`"));
    assert!(!head.to_ascii_lowercase().contains("transfer-encoding"), "{head}");
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    Answer {
        status,
        body: body.to_owned(),
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
