//! The byte stream of a connection: TCP, TLS over TCP, a Unix socket, or any other.
//!
//! Reads and writes never block. A stream knows whether the kernel may have input or accept output,
//! which saves system calls, and wakes one task when that changes.

use std::future::poll_fn;
use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::task::{Context, Poll, ready};
use std::time::Duration;

#[cfg(feature = "tls")]
mod adapter;
mod any_stream;
#[cfg(unix)]
mod credentials;
mod foreign;
mod listener;
#[cfg(any(test, fuzzing, feature = "testing"))]
pub(crate) mod memory;
pub(crate) mod options;
mod other_stream;
pub(crate) mod socket_stream;
pub(crate) mod tcp_stream;
#[cfg(feature = "tls")]
mod tls_handshake;
#[cfg(feature = "tls")]
pub(crate) mod tls_stream;
#[cfg(unix)]
mod unix_listener;
#[cfg(unix)]
pub(crate) mod unix_stream;

pub(crate) use foreign::ForeignStream;
pub(crate) use listener::{AcceptedStream, Incoming, Listener, LocalAddress, UNKNOWN_PEER};
pub(crate) use tcp_stream::TcpStream;
#[cfg(feature = "tls")]
pub(crate) use tls_handshake::TlsFailure;

#[cfg(any(test, fuzzing, feature = "testing"))]
use crate::net::stream::memory::MemoryStream;
use crate::net::stream::other_stream::OtherStream;
#[cfg(feature = "tls")]
use crate::net::stream::tls_stream::TlsStream;
#[cfg(unix)]
use crate::net::stream::unix_stream::UnixStream;
#[cfg(feature = "tls")]
use crate::net::tls::tls_session::TlsSession;
use crate::runtime::reactor::{Readiness, Source, wake_later};
use crate::types::peer_credentials::PeerCredentials;

/// A byte stream.
pub(crate) enum Stream {
    /// Plain TCP.
    Tcp(TcpStream),
    /// TLS over TCP.
    #[cfg(feature = "tls")]
    Tls(Box<TlsStream>),
    /// A Unix socket, or a stream of another library, such as its TLS, or a pipe.
    Other(Box<OtherStream>),
    /// A connection in memory, in tests of programs.
    #[cfg(any(test, fuzzing, feature = "testing"))]
    Memory(Box<MemoryStream>),
    /// A script instead of peer and kernel.
    #[cfg(any(test, fuzzing))]
    Scripted(crate::testing::scripted_stream::ScriptedStream),
}

/// Calls the same method of each kind of stream.
macro_rules! for_each_kind {
    ($stream:expr, $inner:ident => $call:expr) => {
        match $stream {
            Stream::Tcp($inner) => $call,
            #[cfg(feature = "tls")]
            Stream::Tls($inner) => $call,
            Stream::Other($inner) => $call,
            #[cfg(any(test, fuzzing, feature = "testing"))]
            Stream::Memory($inner) => $call,
            #[cfg(any(test, fuzzing))]
            Stream::Scripted($inner) => $call,
        }
    };
}

impl Stream {
    /// Reads the available input; `WouldBlock` when there is none. 0 bytes are the end.
    ///
    /// With TLS, the input may have been no data. Then [`is_readable`](Self::is_readable) returns
    /// whether to read again. Only for the loop's thread.
    #[inline]
    pub(crate) fn try_read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        for_each_kind!(self, stream => stream.try_read(buffer))
    }

    /// Returns whether the last [`try_read`](Self::try_read) received bytes.
    ///
    /// Its `outcome` is given. A part of a TLS record is not data, but shows that the peer is alive.
    pub(crate) fn has_received(&self, outcome: &io::Result<usize>) -> bool {
        match self {
            #[cfg(feature = "tls")]
            Self::Tls(stream) if outcome.is_err() => stream.has_received(),
            _ => matches!(outcome, Ok(1..)),
        }
    }

    /// Writes what the kernel accepts now, which may be 0 bytes.
    ///
    /// The next call has to begin with the rest: with TLS, a part of it is already encrypted.
    ///
    /// For any thread. In other threads than the loop's, the loop's task has to be woken when a
    /// rest is left: only the loop's thread may clear the readiness, or an event could be lost. A
    /// stream of another library takes nothing there.
    #[inline]
    pub(crate) fn try_write(&mut self, buffers: &[IoSlice<'_>]) -> io::Result<usize> {
        for_each_kind!(self, stream => stream.try_write(buffers))
    }

    /// Writes what the kernel accepts and updates the readiness.
    ///
    /// Only for the loop's thread.
    #[inline]
    pub(crate) fn try_write_here(&mut self, buffer: &[u8]) -> io::Result<usize> {
        match self {
            // Most output is that of TCP.
            Self::Tcp(stream) => stream.try_write_here(buffer),
            #[cfg(any(test, fuzzing))]
            Self::Scripted(stream) => stream.try_write_here(buffer),
            _ => self.try_write_vectored_here(&[IoSlice::new(buffer)]),
        }
    }

    /// Writes the last output, which [`shutdown_write`] has to follow at once.
    ///
    /// Otherwise as [`try_write_here`](Self::try_write_here); TCP may send both together.
    ///
    /// [`shutdown_write`]: Self::shutdown_write
    pub(crate) fn try_write_last(&mut self, buffer: &[u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(stream) => stream.try_write_last(buffer),
            #[cfg(any(test, fuzzing))]
            Self::Scripted(stream) => stream.try_write_last(buffer),
            _ => self.try_write_here(buffer),
        }
    }

    /// Writes several buffers as [`try_write_here`](Self::try_write_here) does.
    #[inline(never)]
    fn try_write_vectored_here(&mut self, buffers: &[IoSlice<'_>]) -> io::Result<usize> {
        let written = self.try_write(buffers)?;
        if written < buffers.iter().map(|buffer| buffer.len()).sum()
            // Another stream has cleared its readiness, and its waker may have set it again since.
            && self.source().is_polled()
        {
            self.source().clear_writable();
        }
        Ok(written)
    }

    /// Returns the number of bytes that do not count as written yet.
    ///
    /// They are encrypted but not written, or not flushed. The next write begins with them.
    pub(crate) fn unconfirmed(&self) -> usize {
        match self {
            #[cfg(feature = "tls")]
            Self::Tls(stream) => stream.unconfirmed(),
            Self::Other(stream) => stream.unconfirmed(),
            _ => 0,
        }
    }

    /// Ends the sending direction: the peer reads what was written and then the end.
    ///
    /// Returns whether that is done: with TLS the kernel may have no room for `close_notify`, and a
    /// stream of another library may be pending. Then the call has to be repeated. Only for the loop's thread.
    pub(crate) fn shutdown_write(&mut self) -> io::Result<bool> {
        for_each_kind!(self, stream => stream.shutdown_write())
    }

    /// Sets the maximum of unsent output in the kernel, in bytes.
    ///
    /// `None` is the system's default. When the kernel accepts more, the peer has made progress.
    /// Not all systems support it.
    pub(crate) fn set_unsent_limit(&self, limit: Option<usize>) {
        for_each_kind!(self, stream => stream.set_unsent_limit(limit));
    }

    /// Removes the limit of unsent output; the next write tries again.
    pub(crate) fn lift_unsent_limit(&self) {
        self.set_unsent_limit(None);
        self.source().assume_writable();
    }

    /// Sets the maximum of output in the kernel, in bytes.
    ///
    /// `None` is the system's default.
    pub(crate) fn set_send_buffer(&self, size: Option<usize>) {
        for_each_kind!(self, stream => stream.set_send_buffer(size));
    }

    /// Sets the maximum time until output is acknowledged.
    ///
    /// After it the kernel ends the connection. Returns whether the system supports it.
    pub(crate) fn set_user_timeout(&self, timeout: Option<Duration>) -> bool {
        for_each_kind!(self, stream => stream.set_user_timeout(timeout))
    }

    /// Returns whether the connection has ended and no input is left.
    pub(crate) fn has_ended_unread(&self) -> bool {
        self.probe();
        self.source().is_read_closed() && for_each_kind!(self, stream => stream.is_at_end())
    }

    /// Returns the local address.
    pub(crate) fn local_address(&self) -> io::Result<SocketAddr> {
        for_each_kind!(self, stream => stream.local_address())
    }

    /// Returns whether a read may succeed.
    #[inline]
    pub(crate) fn is_readable(&self) -> bool {
        self.readiness().is_readable()
    }

    /// Returns the readiness of the socket, for more than one look at it.
    #[inline]
    pub(crate) fn readiness(&self) -> Readiness {
        match self {
            #[cfg(feature = "tls")]
            Self::Tls(stream) => stream.readiness(),
            _ => self.source().readiness(),
        }
    }

    /// Returns whether there is input, or the end.
    ///
    /// The readiness of a stream of another library may mean room for output.
    pub(crate) fn has_input(&self) -> bool {
        self.probe();
        self.is_readable()
    }

    /// Returns the negotiated values of TLS; `None` without TLS.
    #[cfg(feature = "tls")]
    pub(crate) fn tls_session(&self) -> Option<TlsSession> {
        if let Self::Tls(stream) = self { Some(stream.session()) } else { None }
    }

    /// Returns the credentials of the peer of a Unix socket, where the system has them.
    pub(crate) fn peer_credentials(&self) -> Option<PeerCredentials> {
        if let Self::Other(stream) = self { stream.peer_credentials() } else { None }
    }

    /// Returns whether this is a Unix socket of this library's listeners or clients.
    #[cfg(unix)]
    pub(crate) fn is_unix(&self) -> bool {
        matches!(self, Self::Other(stream) if matches!(**stream, OtherStream::Unix(_)))
    }

    /// Returns whether the kernel may accept output.
    pub(crate) fn is_writable(&self) -> bool {
        self.source().is_writable()
    }

    /// Returns the readiness of the socket and its waker.
    #[inline]
    pub(crate) fn source(&self) -> &Source {
        for_each_kind!(self, stream => stream.source())
    }

    /// Waits for input or the end.
    pub(crate) fn poll_readable(&self, cx: &Context<'_>) -> Poll<()> {
        if !self.is_readable() {
            self.source().set_waker(cx.waker());
            if !self.is_readable() {
                return Poll::Pending;
            }
        }
        Poll::Ready(())
    }

    /// Waits until the peer has ended its sending direction or reset the connection.
    ///
    /// Returns which of them; earlier input can still be read.
    pub(crate) fn poll_ended(&self, cx: &Context<'_>) -> Poll<io::Error> {
        self.source().set_waker(cx.waker());
        self.probe();
        if !self.source().is_read_closed() {
            return Poll::Pending;
        }
        Poll::Ready(for_each_kind!(self, stream => stream.end()))
    }

    /// Detects the end of a stream for which no event is reported.
    fn probe(&self) {
        if let Self::Other(stream) = self {
            stream.probe();
        }
    }

    /// Waits for input and reads it; 0 bytes are the end.
    pub(crate) fn poll_read(
        &mut self,
        cx: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        match self.try_read(buffer) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                self.source().set_waker(cx.waker());
                if self.is_readable() {
                    wake_later(cx.waker());
                }
                Poll::Pending
            }
            result => Poll::Ready(result),
        }
    }

    /// Discards at most `budget` bytes of input; returns whether the peer has ended.
    ///
    /// Closing a connection with unread input would reset it and discard the output on its way.
    pub(crate) fn poll_discard(&mut self, cx: &mut Context<'_>, budget: &mut usize) -> Poll<bool> {
        if *budget == 0 {
            return Poll::Ready(false);
        }
        match ready!(self.poll_read(cx, &mut [0; DISCARDED_AT_ONCE])) {
            Ok(0) | Err(_) => Poll::Ready(true),
            Ok(length) => {
                *budget = budget.saturating_sub(length);
                // Other tasks come first: the peer may send without end.
                wake_later(cx.waker());
                Poll::Pending
            }
        }
    }

    /// Writes all bytes, and waits while there is no room for them.
    pub(crate) async fn write_all(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            let written = poll_fn(|cx| self.poll_write(cx, bytes)).await?;
            bytes = bytes.get(written..).unwrap_or_default();
        }
        Ok(())
    }

    /// Waits until the kernel accepts output, and writes.
    pub(crate) fn poll_write(
        &mut self,
        cx: &mut Context<'_>,
        buffer: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(cx, &[IoSlice::new(buffer)])
    }

    /// Waits until the kernel accepts output, and writes by one call if it can.
    pub(crate) fn poll_write_vectored(
        &mut self,
        cx: &mut Context<'_>,
        buffers: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        // Another thread may report readiness of a stream without events, at any time.
        let is_polled = self.source().is_polled();
        if !is_polled {
            self.source().set_waker(cx.waker());
        }
        match self.try_write_vectored_here(buffers) {
            Ok(0) if buffers.iter().any(|buffer| !buffer.is_empty()) => {
                if is_polled {
                    self.source().set_waker(cx.waker());
                }
                Poll::Pending
            }
            result => Poll::Ready(result),
        }
    }
}

#[cfg(unix)]
impl From<UnixStream> for Stream {
    fn from(stream: UnixStream) -> Self {
        Self::Other(Box::new(OtherStream::Unix(stream)))
    }
}

// The kind of a stream takes no memory: it is in the unused values of `Source::watched`. mio has
// more fields in debug builds and on Windows.
#[cfg(all(unix, not(any(debug_assertions, test, fuzzing))))]
const _: () = assert!(size_of::<Option<Stream>>() <= 24);

/// The size of a read of discarded input, in bytes.
const DISCARDED_AT_ONCE: usize = 4096;
