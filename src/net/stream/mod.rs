//! The byte stream under a WebSocket connection.
//!
//! Reads and writes never wait. A stream remembers whether the kernel has more to give or to take,
//! so that no system call is made in vain, and wakes one task when that changes.

use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

mod adapter;
mod adopted;
mod listener;
pub(crate) mod options;
mod tcp_stream;
#[cfg(feature = "tls")]
mod tls_handshake;
#[cfg(feature = "tls")]
mod tls_stream;

pub(crate) use adapter::Adapter;
#[cfg(feature = "tls")]
pub(crate) use adapter::Readable;
pub(crate) use adopted::Adopted;
pub(crate) use listener::{Incoming, Listener};
pub(crate) use tcp_stream::TcpStream;
#[cfg(feature = "tls")]
pub(crate) use tls_handshake::TlsFailure;

#[cfg(feature = "tls")]
use crate::net::tls::TlsSession;
use crate::runtime::reactor::{Source, wake_later};

/// A byte stream.
pub(crate) enum Stream {
    /// Plain TCP.
    Tcp(TcpStream),
    /// TLS over TCP.
    #[cfg(feature = "tls")]
    Tls(Box<tls_stream::TlsStream>),
    /// A script that plays the peer and the kernel.
    #[cfg(any(test, fuzzing))]
    Scripted(crate::testing::scripted_stream::ScriptedStream),
}

impl Stream {
    /// Reads what is there; `WouldBlock` when nothing is. 0 bytes are the end.
    ///
    /// With TLS, what was there may have been no data. Then
    /// [`is_readable`](Self::is_readable) tells whether to look again. Only for the loop's thread.
    #[inline]
    pub(crate) fn try_read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(stream) => stream.try_read(buffer),
            #[cfg(feature = "tls")]
            Self::Tls(stream) => stream.try_read(buffer),
            #[cfg(any(test, fuzzing))]
            Self::Scripted(stream) => stream.try_read(buffer),
        }
    }

    /// Returns whether the last [`try_read`](Self::try_read), which returned `outcome`, took bytes
    /// from the kernel: a part of a TLS record is none of data, but a sign of life.
    pub(crate) fn has_received(&self, outcome: &io::Result<usize>) -> bool {
        match self {
            #[cfg(feature = "tls")]
            Self::Tls(stream) if outcome.is_err() => stream.has_received(),
            _ => matches!(outcome, Ok(1..)),
        }
    }

    /// Writes what the kernel takes; 0 bytes when it takes nothing now. The next call has to begin
    /// with what was not taken: with TLS, a part of that is encrypted already.
    ///
    /// For any thread. Unless it is the loop's own, the loop's task has to be woken when not all
    /// was taken: only there may the readiness be cleared, an event could be lost otherwise.
    #[inline]
    pub(crate) fn try_write(&mut self, buffers: &[IoSlice<'_>]) -> io::Result<usize> {
        match self {
            Self::Tcp(stream) => stream.try_write(buffers),
            #[cfg(feature = "tls")]
            Self::Tls(stream) => stream.try_write(buffers),
            #[cfg(any(test, fuzzing))]
            Self::Scripted(stream) => stream.try_write(buffers),
        }
    }

    /// Writes what the kernel takes and notes whether it takes more: only for the loop's thread.
    #[inline]
    pub(crate) fn try_write_here(&mut self, buffers: &[IoSlice<'_>]) -> io::Result<usize> {
        let written = self.try_write(buffers)?;
        if written < buffers.iter().map(|buffer| buffer.len()).sum() {
            self.source().clear_writable();
        }
        Ok(written)
    }

    /// Returns how many bytes of the output TLS has encrypted that do not count as written yet: the
    /// next write begins with them.
    pub(crate) fn unconfirmed(&self) -> usize {
        match self {
            #[cfg(feature = "tls")]
            Self::Tls(stream) => stream.unconfirmed(),
            _ => 0,
        }
    }

    /// Ends the sending direction: the peer reads what was written and then the end.
    ///
    /// Returns whether that is done: with TLS the kernel may have no room for `close_notify`, and the
    /// call has to be repeated once it has. Only for the loop's thread.
    pub(crate) fn shutdown_write(&mut self) -> io::Result<bool> {
        match self {
            Self::Tcp(stream) => stream.shutdown_write().map(|()| true),
            #[cfg(feature = "tls")]
            Self::Tls(stream) => stream.shutdown_write(),
            #[cfg(any(test, fuzzing))]
            Self::Scripted(stream) => stream.shutdown_write().map(|()| true),
        }
    }

    /// Sets how much unsent output the kernel takes, in bytes; `None` is the system's default.
    ///
    /// What it takes beyond that is progress of the peer. Only some systems can do this.
    pub(crate) fn set_unsent_limit(&self, limit: Option<usize>) {
        if let Some(tcp) = self.tcp() {
            tcp.set_unsent_limit(limit);
        }
    }

    /// Lets the kernel take as much as it ever does; the next write tries.
    pub(crate) fn lift_unsent_limit(&self) {
        self.set_unsent_limit(None);
        self.source().assume_writable();
    }

    /// Sets how much output the kernel holds, as a program wishes.
    pub(crate) fn set_send_buffer(&self, size: Option<usize>) {
        if let Some(tcp) = self.tcp() {
            tcp.set_send_buffer(size);
        }
    }

    /// Lets the kernel end the connection once the peer has acknowledged nothing for so long;
    /// returns whether the system can do this.
    pub(crate) fn set_user_timeout(&self, timeout: Option<Duration>) -> bool {
        self.tcp().is_some_and(|tcp| tcp.set_user_timeout(timeout))
    }

    /// Returns whether the connection has ended and nothing is left to read.
    pub(crate) fn has_ended_unread(&self) -> bool {
        self.source().is_read_closed() && self.tcp().is_some_and(TcpStream::is_at_end)
    }

    #[cfg_attr(
        not(any(test, fuzzing)),
        expect(clippy::unnecessary_wraps, reason = "a scripted stream has none")
    )]
    fn tcp(&self) -> Option<&TcpStream> {
        match self {
            Self::Tcp(stream) => Some(stream),
            #[cfg(feature = "tls")]
            Self::Tls(stream) => Some(&stream.tcp),
            #[cfg(any(test, fuzzing))]
            Self::Scripted(_) => None,
        }
    }

    /// Returns the address of this end.
    pub(crate) fn local_address(&self) -> io::Result<SocketAddr> {
        match self {
            Self::Tcp(stream) => stream.local_address(),
            #[cfg(feature = "tls")]
            Self::Tls(stream) => stream.tcp.local_address(),
            #[cfg(any(test, fuzzing))]
            Self::Scripted(stream) => stream.local_address(),
        }
    }

    /// Returns whether a read may succeed.
    #[inline]
    pub(crate) fn is_readable(&self) -> bool {
        match self {
            #[cfg(feature = "tls")]
            Self::Tls(stream) => stream.is_readable(),
            _ => self.source().is_readable(),
        }
    }

    /// Returns what was agreed on for TLS; `None` without TLS.
    #[cfg(feature = "tls")]
    pub(crate) fn tls_session(&self) -> Option<TlsSession> {
        if let Self::Tls(stream) = self { Some(stream.session()) } else { None }
    }

    /// Returns whether the kernel may take output.
    pub(crate) fn is_writable(&self) -> bool {
        self.source().is_writable()
    }

    /// Returns what is known of the socket and whom it wakes.
    #[inline]
    pub(crate) fn source(&self) -> &Arc<Source> {
        match self {
            Self::Tcp(stream) => stream.source(),
            #[cfg(feature = "tls")]
            Self::Tls(stream) => stream.tcp.source(),
            #[cfg(any(test, fuzzing))]
            Self::Scripted(stream) => stream.source(),
        }
    }

    /// Waits until there is something to read, or the end.
    pub(crate) fn poll_readable(&self, cx: &Context<'_>) -> Poll<()> {
        self.source().set_waker(cx.waker());
        if self.is_readable() { Poll::Ready(()) } else { Poll::Pending }
    }

    /// Waits until the peer has ended its sending direction, or reset the connection, and returns
    /// which of them; what it has sent before can still be read.
    pub(crate) fn poll_ended(&self, cx: &Context<'_>) -> Poll<io::Error> {
        self.source().set_waker(cx.waker());
        if !self.source().is_read_closed() {
            return Poll::Pending;
        }
        Poll::Ready(match self {
            Self::Tcp(stream) => stream.end(),
            #[cfg(feature = "tls")]
            Self::Tls(stream) => stream.tcp.end(),
            #[cfg(any(test, fuzzing))]
            Self::Scripted(_) => io::ErrorKind::UnexpectedEof.into(),
        })
    }

    /// Reads as soon as there is something to read; 0 bytes are the end.
    pub(crate) fn poll_read(
        &mut self,
        cx: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        self.source().set_waker(cx.waker());
        match self.try_read(buffer) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                if self.is_readable() {
                    wake_later(cx.waker());
                }
                Poll::Pending
            }
            result => Poll::Ready(result),
        }
    }

    /// Reads and drops what the peer still sends, at most `budget` bytes; returns whether the peer
    /// has ended.
    ///
    /// Closing a connection with unread input would make the kernel drop the output on its way.
    pub(crate) fn poll_discard(&mut self, cx: &mut Context<'_>, budget: &mut usize) -> Poll<bool> {
        if *budget == 0 {
            return Poll::Ready(false);
        }
        match ready!(self.poll_read(cx, &mut [0; DISCARDED_AT_ONCE])) {
            Ok(0) | Err(_) => Poll::Ready(true),
            Ok(length) => {
                *budget = budget.saturating_sub(length);
                // Behind the others: a peer that floods could keep this up for ever.
                wake_later(cx.waker());
                Poll::Pending
            }
        }
    }

    /// Writes as soon as the kernel takes something.
    pub(crate) fn poll_write(
        &mut self,
        cx: &mut Context<'_>,
        buffer: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(cx, &[IoSlice::new(buffer)])
    }

    /// Writes as soon as the kernel takes something, all of it at once if it can.
    pub(crate) fn poll_write_vectored(
        &mut self,
        cx: &mut Context<'_>,
        buffers: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.source().set_waker(cx.waker());
        match self.try_write_here(buffers) {
            Ok(0) if buffers.iter().any(|buffer| !buffer.is_empty()) => Poll::Pending,
            result => Poll::Ready(result),
        }
    }
}

/// How much of the input that nobody awaits is read at a time.
const DISCARDED_AT_ONCE: usize = 4096;
