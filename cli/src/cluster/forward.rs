//! The way from here to the collector in a cluster: `kubectl port-forward`, for as long as it is held.

use std::ops::AsyncFnOnce;
use std::time::Duration;

use contract::port;
use tokio::io::{AsyncBufRead, AsyncBufReadExt, AsyncRead, AsyncReadExt, BufReader};
use tokio::process::{Child, ChildStderr, ChildStdout};
use tokio::time::timeout;

use super::facts::{self, Part};
use super::kubectl::{self, Kubectl};

/// How long the way may take to open.
const OPENING: Duration = Duration::from_secs(30);
/// The most that is read of why it did not, in bytes.
const LONGEST_COMPLAINT: u64 = 64 * 1024;
/// What kubectl says before the port that it has taken.
const OPEN: &str = "Forwarding from 127.0.0.1:";

/// Why there is no way.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// kubectl says why.
    #[error(transparent)]
    Kubectl(#[from] kubectl::Error),
    /// There is no collector.
    #[error(
        "no Service of a collector in the namespace {0}: `meshtrace check` says what is there; --meshtrace-namespace \
         names another one"
    )]
    NoCollector(String),
    /// There is one, and it cannot be reached.
    #[error("no way to the collector: {0}; `meshtrace check` says what is wrong")]
    NoWay(String),
    /// It took too long.
    #[error("no answer of the collector within {} s: `meshtrace check` says whether it is ready", OPENING.as_secs())]
    Slow,
    /// The program was asked to end.
    #[error("stopped")]
    Stopped,
    /// Nobody would hear that it is asked to end.
    #[error("signals cannot be waited for: {0}")]
    Signals(std::io::Error),
}

/// An open way to the collector. It is closed when this is dropped.
#[derive(Debug)]
pub struct Forward {
    child: Child,
    lines: BufReader<ChildStdout>,
    complaints: BufReader<ChildStderr>,
    /// The port on 127.0.0.1 at which the collector's query API is reached.
    pub port: u16,
}

impl Forward {
    /// Opens a way to the collector of the installation in `namespace`, at `port` of this machine or at any free one.
    ///
    /// # Errors
    /// There is no collector, or kubectl cannot reach it.
    pub async fn open(kubectl: &Kubectl, namespace: &str, port: Option<u16>) -> Result<Self, Error> {
        let service = facts::service(kubectl, namespace, Part::Collector, port::QUERY).await;
        let service = service.map_err(|error| match error {
            kubectl::Error::Absent(_) => Error::NoCollector(namespace.to_owned()),
            error => error.into(),
        })?;
        let port = port.map_or_else(String::new, |port| port.to_string());
        let mut child = kubectl.start(&[
            "port-forward",
            "--address=127.0.0.1",
            &format!("--namespace={namespace}"),
            &format!("service/{service}"),
            &format!("{port}:{}", port::QUERY),
        ])?;
        let (Some(stdout), Some(stderr)) = (child.stdout.take(), child.stderr.take()) else {
            return Err(Error::Slow);
        };
        let (mut lines, complaints) = (BufReader::new(stdout), BufReader::new(stderr));
        let opened = timeout(OPENING, opened(&mut lines))
            .await
            .map_err(|_| Error::Slow)?;
        match opened {
            Some(port) => Ok(Self {
                child,
                lines,
                complaints,
                port,
            }),
            None => Err(match kubectl::told(&text(complaints).await) {
                kubectl::Error::Refused(what) => Error::NoWay(what),
                error => error.into(),
            }),
        }
    }

    /// Where the collector is as long as this is held.
    pub fn place(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Waits until the way is closed from the other side, as it is when the collector's pod ends. Has to be polled for as
    /// long as the way is used: kubectl says a line for every connection, and waits for who reads it.
    pub async fn closed(&mut self) {
        tokio::join!(drained(&mut self.lines), drained(&mut self.complaints));
    }

    /// Closes the way, and waits until kubectl has ended.
    pub async fn close(mut self) {
        // one that has ended already is as good
        drop(self.child.kill().await);
    }
}

/// Does `work` with the collector's address, and closes the way to it behind: also when the program is asked to end.
///
/// # Errors
/// There is no way, or the program was asked to end meanwhile.
pub async fn through<T>(
    kubectl: &Kubectl,
    namespace: &str,
    work: impl AsyncFnOnce(String) -> T,
) -> Result<T, Error> {
    let asked_to_stop = process::stop::listen().map_err(Error::Signals)?;
    let worked = async {
        let mut way = Forward::open(kubectl, namespace, None).await?;
        let work = work(way.place());
        tokio::pin!(work);
        let done = tokio::select! {
            done = &mut work => done,
            // what it does not finish without the way is its own to say
            () = way.closed() => work.await,
        };
        way.close().await;
        Ok(done)
    };
    tokio::select! {
        done = worked => done,
        () = asked_to_stop => Err(Error::Stopped),
    }
}

/// The port at which kubectl listens, once it does; `None` where it ends without.
async fn opened(lines: &mut BufReader<ChildStdout>) -> Option<u16> {
    let mut line = String::new();
    while lines.read_line(&mut line).await.ok()? > 0 {
        if let Some(port) = listening(&line) {
            return Some(port);
        }
        line.clear();
    }
    None
}

/// The port in a line such as `Forwarding from 127.0.0.1:41523 -> 16686`.
fn listening(line: &str) -> Option<u16> {
    line.strip_prefix(OPEN)?.split(' ').next()?.parse().ok()
}

async fn drained(pipe: &mut (impl AsyncBufRead + Unpin)) {
    while let Ok(read @ 1..) = pipe.fill_buf().await.map(<[u8]>::len) {
        pipe.consume(read);
    }
}

async fn text(pipe: impl AsyncRead + Unpin) -> String {
    let mut complaint = Vec::new();
    // what cannot be read is not told
    drop(pipe.take(LONGEST_COMPLAINT).read_to_end(&mut complaint).await);
    String::from_utf8_lossy(&complaint).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kubectl_says_which_port_it_has_taken() {
        assert_eq!(
            listening("Forwarding from 127.0.0.1:41523 -> 16686\n"),
            Some(41523)
        );
        assert_eq!(listening("Forwarding from [::1]:41523 -> 16686\n"), None);
        assert_eq!(listening("Handling connection for 41523\n"), None);
    }
}
