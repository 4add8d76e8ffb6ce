//! A writer that lets what is written in a row leave together.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, BufWriter, ReadBuf};

/// Writes by way of a buffer, and takes being asked to flush for a question first.
///
/// HTTP/2 flushes behind every frame of a message, though more of them follow at once, and a system call, a segment and
/// a wake-up of the reader for each would cost more than the message did. So a flush right behind a write is put off,
/// and the task woken: whoever has nothing more to write asks again, and that is when it is done.
#[derive(Debug)]
pub(crate) struct Gather<S> {
    inner: BufWriter<S>,
    /// Something has been written since the last flush.
    written: bool,
}

impl<S: AsyncWrite> Gather<S> {
    /// Gathers up to `bytes`.
    pub(crate) fn new(bytes: usize, inner: S) -> Self {
        Self {
            inner: BufWriter::with_capacity(bytes, inner),
            written: false,
        }
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Gather<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.written = true;
        Pin::new(&mut self.inner).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if std::mem::take(&mut self.written) {
            context.waker().wake_by_ref();
            return Poll::Ready(Ok(()));
        }
        Pin::new(&mut self.inner).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(context)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for Gather<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_read(context, buffer)
    }
}

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use super::*;

    #[test]
    fn what_is_written_in_a_row_leaves_together_when_nothing_follows() {
        let mut gather = Gather::new(64, Vec::new());
        let mut context = Context::from_waker(Waker::noop());
        for word in [b"one ", b"two "] {
            assert!(Pin::new(&mut gather).poll_write(&mut context, word).is_ready());
            assert!(Pin::new(&mut gather).poll_flush(&mut context).is_ready());
        }
        assert!(gather.inner.get_ref().is_empty());
        assert!(Pin::new(&mut gather).poll_flush(&mut context).is_ready());
        assert_eq!(gather.inner.get_ref(), b"one two ");
    }
}
