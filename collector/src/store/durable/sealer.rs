//! The thread that makes segments of what is frozen, and larger segments of small ones.

use std::io;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

use super::shelf::Shelf;

/// How long it rests before it tries again what the disk would not let it do.
const REST: Duration = Duration::from_secs(1);

/// Works whenever it is woken, until nobody can wake it any more. What is frozen by then stands in the log.
pub(crate) fn run(shelf: &Arc<Shelf>, wake: &Receiver<()>) {
    let mut troubled = false;
    loop {
        match wake.recv_timeout(REST) {
            Ok(()) | Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return,
        }
        let done = all(|| shelf.seal()).and_then(|()| all(|| shelf.compact()));
        if let Err(error) = &done
            && !troubled
        {
            tracing::error!(%error, "spans cannot be sealed into a segment; they stay in the log and in memory");
        }
        troubled = done.is_err();
    }
}

fn all(mut work: impl FnMut() -> io::Result<bool>) -> io::Result<()> {
    while work()? {}
    Ok(())
}
