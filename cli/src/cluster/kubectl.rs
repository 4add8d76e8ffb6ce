//! The admin's own `kubectl`: the same cluster, the same credentials and the same ways to log in as everything else that
//! they do.
//!
//! Every call ends: after [`WHOLE`] it is killed. What it may write is bounded by [`LARGEST`]; what could be long is read
//! page by page. Lists are asked for by their path (`kubectl get --raw`), which needs no discovery and can be paged.

use std::io;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, Command};
use tokio::time::timeout;

/// How long the API server may take for one request, as kubectl is told.
const REQUEST: &str = "--request-timeout=10s";
/// How long one call may take, with logging in.
const WHOLE: Duration = Duration::from_secs(30);
/// The most that is read of one answer, in bytes.
const LARGEST: u64 = 64 * 1024 * 1024;
/// The most that is read of what it complains, in bytes.
const LONGEST_COMPLAINT: u64 = 64 * 1024;
/// The most characters of a complaint that are told on.
const TOLD: usize = 400;
/// Objects in one page of a list.
const PAGE: usize = 250;
/// The most pages that are read: with more objects than that, what is found is told to be a part.
const PAGES: usize = 400;

/// Which cluster is meant. What is not said is as it is for kubectl itself.
#[derive(Clone, Debug, Default)]
pub struct Target {
    /// A context of the kubeconfig.
    pub context: Option<String>,
    /// The kubeconfig.
    pub kubeconfig: Option<PathBuf>,
}

/// The `kubectl` on PATH, for one cluster.
#[derive(Clone, Debug)]
pub struct Kubectl {
    target: Target,
}

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum Error {
    /// There is no such program.
    #[error("there is no kubectl on PATH: install it from https://kubernetes.io/docs/tasks/tools/")]
    Missing,
    /// It is there and cannot be run.
    #[error("kubectl cannot be run: {0}")]
    Broken(String),
    /// It took too long.
    #[error(
        "`kubectl {0}` did not end within {seconds} s: does it wait for a login, or for an API server that does not answer?",
        seconds = WHOLE.as_secs()
    )]
    Slow(String),
    /// It wrote more than can be used.
    #[error("`kubectl {0}` wrote more than {most} MiB", most = LARGEST / 1024 / 1024)]
    TooLong(String),
    /// No API server answers.
    #[error(
        "the API server cannot be reached ({0}): look at `kubectl config current-context`, or name another cluster with \
         --context or --kubeconfig"
    )]
    Unreachable(String),
    /// There is no such object, or no such kind.
    #[error("not found: {0}")]
    Absent(String),
    /// The admin may not do that.
    #[error("you may not do that here: {0}")]
    Forbidden(String),
    /// It failed in another way.
    #[error("kubectl says: {0}")]
    Refused(String),
    /// What it wrote is not what was asked for.
    #[error("`kubectl {call}` did not write what was asked for: {what}")]
    Foreign {
        /// What was run.
        call: String,
        /// What is wrong with the answer.
        what: String,
    },
}

/// What a call wrote, and whether it ended well.
#[derive(Debug)]
struct Written {
    ended_well: bool,
    output: Vec<u8>,
    complaint: String,
}

impl Kubectl {
    /// For this cluster.
    pub fn new(target: Target) -> Self {
        Self { target }
    }

    /// What the API server has at `path`, such as `/api/v1/namespaces/bank`.
    ///
    /// # Errors
    /// There is no answer.
    pub async fn get(&self, path: &str) -> Result<Value, Error> {
        let arguments = raw(path);
        json(&arguments, &self.run(&arguments, None).await?)
    }

    /// As [`Self::get`], for an answer that is not JSON, or that may be empty.
    ///
    /// # Errors
    /// There is no answer.
    pub async fn text(&self, path: &str) -> Result<String, Error> {
        let output = self.run(&raw(path), None).await?;
        Ok(String::from_utf8_lossy(&output).into_owned())
    }

    /// Hands every object of the list at `path` to `each`, page by page. Answers whether that was all of them.
    ///
    /// # Errors
    /// There is no answer to one of the pages.
    pub async fn list(&self, path: &str, mut each: impl FnMut(&Value)) -> Result<bool, Error> {
        let mark = if path.contains('?') { '&' } else { '?' };
        let first = format!("{path}{mark}limit={PAGE}");
        let mut page = first.clone();
        for _ in 0..PAGES {
            let answer = self.get(&page).await?;
            let items = answer.get("items").and_then(Value::as_array);
            items.into_iter().flatten().for_each(&mut each);
            let next = answer.pointer("/metadata/continue").and_then(Value::as_str);
            match next {
                Some(next) if !next.is_empty() => page = format!("{first}&continue={next}"),
                _ => return Ok(true),
            }
        }
        Ok(false)
    }

    /// The object of this resource (`deployments.apps`) and name, in `namespace` or in the one that kubectl would take.
    ///
    /// # Errors
    /// There is no answer.
    pub async fn object(&self, resource: &str, name: &str, namespace: Option<&str>) -> Result<Value, Error> {
        let namespace = namespace.map(|namespace| format!("--namespace={namespace}"));
        let mut arguments = vec!["get", resource, name, "--output=json", REQUEST];
        arguments.extend(namespace.as_deref());
        self.json(&arguments, None).await
    }

    /// The versions of kubectl and of the API server, as `kubectl version` tells them.
    ///
    /// # Errors
    /// There is no kubectl. Where the API server does not answer, its version is absent.
    pub async fn version(&self) -> Result<Value, Error> {
        match self.json(&["version", "--output=json", REQUEST], None).await {
            Err(Error::Unreachable(_) | Error::Refused(_) | Error::Forbidden(_)) => {
                self.json(&["version", "--client", "--output=json"], None).await
            }
            answer => answer,
        }
    }

    /// Whether the admin may do this, as `kubectl auth can-i` tells it.
    ///
    /// # Errors
    /// There is no answer.
    pub async fn may(&self, verb: &str, resource: &str, namespace: Option<&str>) -> Result<bool, Error> {
        let namespace = namespace.map(|namespace| format!("--namespace={namespace}"));
        let mut arguments = vec!["auth", "can-i", verb, resource, REQUEST];
        arguments.extend(namespace.as_deref());
        let written = self.call(&arguments, None).await?;
        // it ends with 1 for a no
        match String::from_utf8_lossy(&written.output).split_whitespace().next() {
            Some("yes") => Ok(true),
            Some("no") => Ok(false),
            _ => Err(told(&written.complaint)),
        }
    }

    /// What would become of `object` if it were made, with all that the API server asks before: nothing is made.
    ///
    /// # Errors
    /// It would be refused.
    pub async fn would_create(&self, object: &Value, namespace: &str) -> Result<Value, Error> {
        let namespace = format!("--namespace={namespace}");
        let arguments = [
            "create",
            "--dry-run=server",
            "--output=json",
            "--filename=-",
            &namespace,
            REQUEST,
        ];
        self.json(&arguments, Some(object.to_string().as_bytes())).await
    }

    /// `kubectl` with `arguments`, for something that goes on until it is dropped. Its output is piped.
    ///
    /// # Errors
    /// There is no kubectl.
    pub(super) fn start(&self, arguments: &[&str]) -> Result<Child, Error> {
        self.command(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|error| unstarted(&error))
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new("kubectl");
        if let Some(path) = &self.target.kubeconfig {
            command.arg("--kubeconfig").arg(path);
        }
        if let Some(context) = &self.target.context {
            command.arg("--context").arg(context);
        }
        command.args(arguments).kill_on_drop(true);
        command
    }

    async fn json(&self, arguments: &[&str], input: Option<&[u8]>) -> Result<Value, Error> {
        json(arguments, &self.run(arguments, input).await?)
    }

    async fn run(&self, arguments: &[&str], input: Option<&[u8]>) -> Result<Vec<u8>, Error> {
        let written = self.call(arguments, input).await?;
        match written.ended_well {
            true => Ok(written.output),
            false => Err(told(&written.complaint)),
        }
    }

    async fn call(&self, arguments: &[&str], input: Option<&[u8]>) -> Result<Written, Error> {
        let mut child = self
            .command(arguments)
            .stdin(input.map_or_else(Stdio::null, |_| Stdio::piped()))
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|error| unstarted(&error))?;
        let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let write = async {
            if let (Some(mut stdin), Some(input)) = (stdin, input) {
                // one that does not read says why it does not
                drop(stdin.write_all(input).await);
            }
        };
        let whole = async {
            let ((), output, complaint) =
                tokio::join!(write, read(stdout, LARGEST), read(stderr, LONGEST_COMPLAINT));
            (output, complaint, child.wait().await)
        };
        let call = || arguments.join(" ");
        let (output, complaint, status) = timeout(WHOLE, whole).await.map_err(|_| Error::Slow(call()))?;
        let output = output.ok_or_else(|| Error::TooLong(call()))?;
        let status = status.map_err(|error| Error::Broken(error.to_string()))?;
        Ok(Written {
            ended_well: status.success(),
            output,
            complaint: String::from_utf8_lossy(&complaint.unwrap_or_default()).into_owned(),
        })
    }
}

/// How to ask for what is at `path`. The time that a request may take goes with it as a parameter, `timeout`, which whoever
/// is behind the API server's proxy does not know: there only [`WHOLE`] holds.
fn raw(path: &str) -> Vec<&str> {
    let mut arguments = vec!["get", "--raw", path];
    if !path.contains("/proxy/") {
        arguments.push(REQUEST);
    }
    arguments
}

fn json(arguments: &[&str], output: &[u8]) -> Result<Value, Error> {
    serde_json::from_slice(output).map_err(|error| Error::Foreign {
        call: arguments.join(" "),
        what: error.to_string(),
    })
}

/// All that comes, or `None` if that is more than `most`. What cannot be read has ended.
async fn read(pipe: Option<impl AsyncRead + Unpin>, most: u64) -> Option<Vec<u8>> {
    let mut read = Vec::new();
    if let Some(pipe) = pipe {
        drop(pipe.take(most.saturating_add(1)).read_to_end(&mut read).await);
    }
    (read.len() as u64 <= most).then_some(read)
}

fn unstarted(error: &io::Error) -> Error {
    match error.kind() {
        io::ErrorKind::NotFound => Error::Missing,
        _ => Error::Broken(error.to_string()),
    }
}

/// What kubectl's complaint means. Its last line says what ended it; before that may stand its attempts.
pub(super) fn told(complaint: &str) -> Error {
    let line = complaint
        .lines()
        .rev()
        .map(str::trim)
        .find(|line| !line.is_empty());
    let line: String = line.unwrap_or("nothing").chars().take(TOLD).collect();
    let rest = line.strip_prefix("error: ").unwrap_or(&line);
    if let Some((reason, what)) = rest
        .strip_prefix("Error from server (")
        .and_then(|rest| rest.split_once("): "))
    {
        return match reason {
            "NotFound" => Error::Absent(what.to_owned()),
            "Forbidden" => Error::Forbidden(what.to_owned()),
            _ => Error::Refused(format!("{reason}: {what}")),
        };
    }
    let away = [
        "The connection to the server",
        "Unable to connect to the server",
        "dial tcp",
        "couldn't get current server API group list",
    ];
    match away.iter().any(|beginning| rest.starts_with(beginning)) {
        true => Error::Unreachable(rest.to_owned()),
        false if rest.starts_with("the server doesn't have a resource type") => {
            Error::Absent(rest.to_owned())
        }
        false => Error::Refused(rest.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_kubectl_complains_is_understood_by_its_last_line() {
        let attempts = "E1122 05:28:01.1 1 memcache.go:265] couldn't get current server API group list\n\
                        The connection to the server localhost:8080 was refused - did you specify the right host or port?\n";
        let refused = "The connection to the server localhost:8080 was refused - did you specify the right host or port?";
        let forbidden = "nodes is forbidden: User \"eve\" cannot list resource \"nodes\"";
        for (complaint, meant) in [
            (attempts.to_owned(), Error::Unreachable(refused.to_owned())),
            (
                format!("Error from server (Forbidden): {forbidden}\n"),
                Error::Forbidden(forbidden.to_owned()),
            ),
            (
                "Error from server (NotFound): deployments.apps \"x\" not found".to_owned(),
                Error::Absent("deployments.apps \"x\" not found".to_owned()),
            ),
            (
                "error: context \"far\" does not exist\n\n".to_owned(),
                Error::Refused("context \"far\" does not exist".to_owned()),
            ),
            (String::new(), Error::Refused("nothing".to_owned())),
        ] {
            assert_eq!(told(&complaint), meant);
        }
    }
}
