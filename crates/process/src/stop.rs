//! Being asked to stop.

use std::io;

use tokio::signal::unix::{SignalKind, signal};

/// From now on no request to stop is missed: what it answers resolves when the program is asked to, with the name of
/// the signal. SIGTERM comes from Kubernetes or an init system, SIGINT from a keyboard.
///
/// # Errors
/// The handlers cannot be installed.
pub fn listen() -> io::Result<impl Future<Output = &'static str>> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(std::future::poll_fn(move |context| {
        if terminate.poll_recv(context).is_ready() {
            return std::task::Poll::Ready("SIGTERM");
        }
        interrupt.poll_recv(context).map(|_| "SIGINT")
    }))
}
