//! What the user sees of a mesh: lines of the services and what happens to them, each behind its name.

use std::io::{self, Write};
use std::thread::JoinHandle;

use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, BufReader};
use tokio::sync::mpsc;

use super::plan::Show;
use crate::style::{Look, Style};

/// Lines that wait for the terminal. When there are more, the services wait, as they would for their own terminal.
const WAITING_LINES: usize = 1024;
/// Longer lines are broken, in bytes.
const LONGEST_LINE: u64 = 8 * 1024;

/// Where everybody in the mesh speaks.
#[derive(Clone, Debug)]
pub(super) struct Console {
    /// `None` is the end.
    lines: mpsc::Sender<Option<String>>,
    show: Show,
    names: Vec<String>,
}

/// The thread that writes.
#[derive(Debug)]
pub(super) struct Writer(JoinHandle<()>);

impl Console {
    /// A console for everybody in `names`.
    pub(super) fn start(names: Vec<String>, show: Show) -> io::Result<(Self, Writer)> {
        let (lines, mut waiting) = mpsc::channel::<Option<String>>(WAITING_LINES);
        let writer = std::thread::Builder::new().spawn(move || {
            while let Some(Some(line)) = waiting.blocking_recv() {
                // a terminal that is gone is no reason for the mesh to end
                drop(writeln!(io::stdout(), "{line}"));
            }
        })?;
        Ok((Self { lines, show, names }, Writer(writer)))
    }

    /// Something happened to `name`.
    pub(super) async fn state(&self, name: &str, what: &str) {
        self.say(name, "•", what).await;
    }

    /// Something bad happened to `name`.
    pub(super) async fn trouble(&self, name: &str, what: &str) {
        let what = self.style().paint(Look::Bad, what);
        self.say(name, "•", &what).await;
    }

    /// Shows what comes out of `pipe`, line by line, until its end.
    pub(super) async fn relay(&self, name: &str, pipe: impl AsyncRead + Unpin) {
        let mut pipe = BufReader::new(pipe);
        let mut line = Vec::new();
        loop {
            line.clear();
            match (&mut pipe).take(LONGEST_LINE).read_until(b'\n', &mut line).await {
                Ok(0) | Err(_) => return,
                Ok(_) if self.show.lines => {
                    let text = String::from_utf8_lossy(&line);
                    self.say(name, "│", text.trim_end()).await;
                }
                Ok(_) => {}
            }
        }
    }

    /// Waits until everything that was said so far is written. What anybody says later is not: pipes can be held open
    /// by orphans that end only with the mesh.
    pub(super) async fn finish(&self, writer: Writer) {
        drop(self.lines.send(None).await);
        // a writer that panicked has nothing more to write
        drop(writer.0.join());
    }

    async fn say(&self, name: &str, between: &str, what: &str) {
        let width = self.names.iter().map(String::len).max().unwrap_or(0);
        let owner = name.split('/').next().unwrap_or(name);
        let look = self
            .names
            .iter()
            .position(|known| known == owner)
            .map_or(Look::Strong, Look::Nth);
        let name = self.style().paint(look, format_args!("{name:width$}"));
        // after the end nobody listens
        drop(self.lines.send(Some(format!("{name} {between} {what}"))).await);
    }

    fn style(&self) -> Style {
        Style {
            colour: self.show.colour,
        }
    }
}

/// Says what went wrong where no mesh is running (yet).
pub fn complain(error: &dyn std::error::Error) {
    // there is nowhere to say that this failed
    drop(writeln!(io::stderr(), "meshtrace: {error}"));
}
