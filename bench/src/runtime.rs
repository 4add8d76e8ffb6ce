//! How every program of the bench runs: one thread, so that pinning a process to a core pins all of it.

use std::io;

/// A runtime that stays on the calling thread.
///
/// # Errors
/// If the system refuses an epoll instance.
pub fn current_thread() -> io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()
}
