//! A stream of another library, behind a box.
//!
//! It may be TLS that the library has done, a Unix socket, a pipe.
//!
//! It is polled on the thread of its loop alone, with a waker that sets the readiness of its source,
//! of both directions: the stream may keep that of its last call alone, and TLS may write to read. The
//! readiness is cleared in front of each poll: the waker may set it while the stream is polled. A
//! panic in the stream is a failure of the connection.

use std::cell::RefCell;
use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use smol::io::{AsyncRead, AsyncWrite};

use crate::runtime::panics;
use crate::runtime::reactor::{Reactor, Source, SourceHandle};

/// A stream that a connection can own.
pub(super) trait Io: AsyncRead + AsyncWrite + Unpin + Send {}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Io for S {}

/// A stream of an unknown type.
pub(super) type DynIo = dyn Io + 'static;

/// A stream of any type, on the loop of this thread.
pub(crate) struct AnyStream {
    /// Borrowed only while the stream is polled, which never calls back.
    polled: RefCell<Polled>,
    source: Source,
    reactor_waker: Arc<mio::Waker>,
    /// Whether the last byte was written but not flushed.
    ///
    /// It is not reported as written.
    is_unflushed: bool,
}

/// The stream and what its polls have found.
struct Polled {
    /// `None` only while it is dropped.
    io: Option<Box<DynIo>>,
    waker: Waker,
    /// A byte that was read to detect the end.
    ahead: Option<u8>,
    /// The end behind the input, once it is known.
    end: Option<End>,
    has_panicked: bool,
    has_write_failed: bool,
    is_shut_down: bool,
}

/// The end of the input.
enum End {
    Orderly,
    Failure(io::Error),
    /// The failure was reported.
    Reported,
}

impl AnyStream {
    /// Takes a stream over, for the loop of this thread.
    pub(super) fn new(io: Box<DynIo>) -> io::Result<Self> {
        let reactor = Reactor::current()?;
        let source = reactor.reserve()?;
        // The first poll stores the waker in the stream.
        source.assume_readable();
        let waker = ReadinessWaker { source: source.handle(), reactor_waker: reactor.waker() };
        let polled = Polled {
            io: Some(io),
            waker: Waker::from(Arc::new(waker)),
            ahead: None,
            end: None,
            has_panicked: false,
            has_write_failed: false,
            is_shut_down: false,
        };
        Ok(Self {
            polled: RefCell::new(polled),
            source,
            reactor_waker: reactor.waker(),
            is_unflushed: false,
        })
    }

    /// Reads until the stream is pending or the buffer full.
    ///
    /// `WouldBlock` without input.
    pub(super) fn try_read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() || !self.source.is_readable() {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let polled = self.polled.get_mut();
        let mut length = 0;
        if let (Some(first), Some(byte)) = (buffer.first_mut(), polled.ahead.take()) {
            *first = byte;
            length = 1;
        }
        while polled.end.is_none()
            && let Some(rest) = buffer.get_mut(length..).filter(|rest| !rest.is_empty())
        {
            match polled.read(&self.source, rest) {
                Poll::Pending if length == 0 => return Err(io::ErrorKind::WouldBlock.into()),
                Poll::Pending => return Ok(length),
                Poll::Ready(count) => length += count,
            }
        }
        // The input in front of the end is reported first.
        if length > 0 { Ok(length) } else { polled.take_end() }
    }

    /// Detects the end of the input, unless unread input is in front of it.
    pub(super) fn probe(&self) {
        if !self.source.is_readable() || !self.source.is_of_this_thread() {
            return;
        }
        let mut polled = self.polled.borrow_mut();
        if polled.ahead.is_none() && polled.end.is_none() {
            let mut byte = [0];
            if let Poll::Ready(1) = polled.read(&self.source, &mut byte) {
                polled.ahead = Some(byte[0]);
            }
        }
    }

    /// Writes what the stream takes, and flushes it; returns the number of bytes.
    ///
    /// While it is not flushed, the last byte does not count: the next call begins with it. In
    /// other threads nothing is written.
    pub(super) fn try_write(&mut self, buffers: &[IoSlice<'_>]) -> io::Result<usize> {
        if !self.source.is_of_this_thread() {
            // A loop inside a slot of the socket looks for output after each wake-up.
            let _ = self.reactor_waker.wake();
            return Ok(0);
        }
        let total: usize = buffers.iter().map(|buffer| buffer.len()).sum();
        if !self.source.is_writable() || total == 0 {
            return Ok(0);
        }
        let polled = self.polled.get_mut();
        let mut written = 0;
        if self.is_unflushed {
            if polled.flush(&self.source)?.is_pending() {
                return Ok(0);
            }
            self.is_unflushed = false;
            written = 1;
        }
        let mut start = 0;
        for buffer in buffers {
            let end = start + buffer.len();
            while written < end {
                let rest = buffer.get(written - start..).unwrap_or_default();
                match polled.write(&self.source, rest)? {
                    Poll::Pending => return Ok(written),
                    Poll::Ready(count) => written += count,
                }
            }
            start = end;
        }
        self.is_unflushed = polled.flush(&self.source)?.is_pending();
        Ok(written - self.unconfirmed())
    }

    pub(super) fn unconfirmed(&self) -> usize {
        usize::from(self.is_unflushed)
    }

    /// Closes the sending direction; returns whether that is done.
    pub(super) fn shutdown_write(&mut self) -> io::Result<bool> {
        let polled = self.polled.get_mut();
        if polled.is_shut_down || !self.source.is_of_this_thread() {
            return Ok(true);
        }
        let outcome = polled.close(&self.source);
        polled.is_shut_down = !matches!(outcome, Ok(Poll::Pending));
        outcome.map(|poll| poll.is_ready())
    }

    /// Returns whether the end is known, and no input in front of it.
    pub(super) fn is_at_end(&self) -> bool {
        let polled = self.polled.borrow();
        polled.end.is_some() && polled.ahead.is_none()
    }

    /// Returns the error of an ended connection: its failure, or `UnexpectedEof`.
    pub(super) fn end(&self) -> io::Error {
        match self.polled.borrow_mut().take_end() {
            Err(error) => error,
            Ok(_) => io::ErrorKind::UnexpectedEof.into(),
        }
    }

    pub(super) fn source(&self) -> &Source {
        &self.source
    }
}

/// The options of TCP, which other streams do not have.
#[expect(clippy::unused_self, reason = "the methods are those of `TcpStream`")]
impl AnyStream {
    pub(super) fn set_unsent_limit(&self, _: Option<usize>) {}

    pub(super) fn set_send_buffer(&self, _: Option<usize>) {}

    pub(super) fn set_user_timeout(&self, _: Option<Duration>) -> bool {
        false
    }

    pub(super) fn local_address(&self) -> io::Result<SocketAddr> {
        Err(io::ErrorKind::Unsupported.into())
    }
}

impl Polled {
    /// Reads; 0 bytes when the end was found, which is stored.
    fn read(&mut self, source: &Source, buffer: &mut [u8]) -> Poll<usize> {
        source.clear_readable();
        let length = buffer.len();
        let poll = self.poll(source, |io, cx| io.poll_read(cx, buffer));
        let Poll::Ready(outcome) = poll else { return Poll::Pending };
        source.assume_readable();
        self.end = match outcome {
            Ok(count) if count > length => Some(End::Failure(too_much())),
            Ok(count @ 1..) => return Poll::Ready(count),
            Ok(0) => Some(End::Orderly),
            // TLS without `close_notify`: the session detects incomplete messages by itself.
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Some(End::Orderly),
            Err(error) => Some(End::Failure(error)),
        };
        source.assume_read_closed();
        Poll::Ready(0)
    }

    /// Returns the end as a read does: 0 bytes, or once the failure.
    fn take_end(&mut self) -> io::Result<usize> {
        match self.end.replace(End::Reported) {
            Some(End::Failure(error)) => Err(error),
            _ => Ok(0),
        }
    }

    /// Writes a part of `bytes`, which are some.
    fn write(&mut self, source: &Source, bytes: &[u8]) -> io::Result<Poll<usize>> {
        self.poll_output(source, |io, cx| {
            io.poll_write(cx, bytes).map(|outcome| match outcome? {
                0 => Err(io::ErrorKind::WriteZero.into()),
                count if count > bytes.len() => Err(too_much()),
                count => Ok(count),
            })
        })
    }

    fn flush(&mut self, source: &Source) -> io::Result<Poll<()>> {
        self.poll_output(source, AsyncWrite::poll_flush)
    }

    fn close(&mut self, source: &Source) -> io::Result<Poll<()>> {
        self.poll_output(source, AsyncWrite::poll_close)
    }

    /// Polls for output, and updates the readiness; no more after a failure.
    fn poll_output<T>(
        &mut self,
        source: &Source,
        call: impl FnOnce(Pin<&mut DynIo>, &mut Context<'_>) -> Poll<io::Result<T>>,
    ) -> io::Result<Poll<T>> {
        if self.has_write_failed {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        source.clear_writable();
        let poll = self.poll(source, call);
        if poll.is_ready() {
            source.assume_writable();
        }
        self.has_write_failed = matches!(poll, Poll::Ready(Err(_)));
        match poll {
            Poll::Ready(outcome) => outcome.map(Poll::Ready),
            Poll::Pending => Ok(Poll::Pending),
        }
    }

    /// Polls the stream; a panic is a failure, after which it is not polled any more.
    fn poll<T>(
        &mut self,
        source: &Source,
        call: impl FnOnce(Pin<&mut DynIo>, &mut Context<'_>) -> Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        let Some(io) = self.io.as_deref_mut().filter(|_| !self.has_panicked) else {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        };
        let polling = || call(Pin::new(io), &mut Context::from_waker(&self.waker));
        match catch_unwind(AssertUnwindSafe(polling)) {
            Ok(poll) => poll.map_err(without_would_block),
            Err(payload) => {
                self.has_panicked = true;
                let message = panics::keep("a stream", payload);
                let failure = || io::Error::other(format!("the stream panicked: {message}"));
                self.end.get_or_insert_with(|| End::Failure(failure()));
                source.assume_read_closed();
                source.wake();
                Poll::Ready(Err(failure()))
            }
        }
    }
}

impl Drop for Polled {
    fn drop(&mut self) {
        let io = self.io.take();
        panics::catch("the drop of a stream", || drop(io));
    }
}

/// Sets the readiness of a stream, and wakes its task.
struct ReadinessWaker {
    source: SourceHandle,
    reactor_waker: Arc<mio::Waker>,
}

impl Wake for ReadinessWaker {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if self.source.report_wake() {
            // The task may be suspended, with a loop inside its turn, which the reactor wakes.
            let _ = self.reactor_waker.wake();
        }
    }
}

/// Returns another error for the kinds that the traits do not allow.
///
/// They have a meaning here.
fn without_would_block(error: io::Error) -> io::Error {
    match error.kind() {
        io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted => io::Error::other(error),
        _ => error,
    }
}

/// Returns the error of a stream that returns more bytes than it was given.
fn too_much() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "the stream returned more bytes than there were")
}
