//! Being asked to stop.

use std::future::poll_fn;
use std::io;
use std::task::Poll;

use tokio::signal::unix::{SignalKind, signal};

/// From now on no request to stop is missed: what it answers resolves when the program is asked to, and logs by which
/// signal. SIGTERM comes from Kubernetes or an init system, SIGINT from a keyboard.
///
/// # Errors
/// The handlers cannot be installed.
pub fn listen() -> io::Result<impl Future<Output = ()>> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(async move {
        let signal = poll_fn(|context| {
            if terminate.poll_recv(context).is_ready() {
                return Poll::Ready("SIGTERM");
            }
            interrupt.poll_recv(context).map(|_| "SIGINT")
        });
        tracing::info!(
            signal = signal.await,
            "stopping: what is open may come to its end"
        );
    })
}
