//! Being asked to stop.

use std::io;

use tokio::signal::unix::{SignalKind, signal};

/// Resolves when the program is asked to stop, with the name of the signal: SIGTERM from Kubernetes or an init
/// system, SIGINT from a keyboard.
///
/// # Errors
/// The handlers cannot be installed. They are installed before this function first waits, so that no signal is
/// missed from then on.
pub async fn requested() -> io::Result<&'static str> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(std::future::poll_fn(|context| {
        if terminate.poll_recv(context).is_ready() {
            return std::task::Poll::Ready("SIGTERM");
        }
        interrupt.poll_recv(context).map(|_| "SIGINT")
    })
    .await)
}
