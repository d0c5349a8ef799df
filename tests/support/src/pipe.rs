//! A stream in memory whose other end is the test: what arrives, what is taken, what is pending.

use std::collections::VecDeque;
use std::io::{self, ErrorKind};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll, Waker};

use smol::io::{AsyncRead, AsyncWrite};

/// A stream in memory; its other end is a [`PipePeer`].
#[derive(Debug)]
pub struct Pipe(PipePeer);

/// The other end of a [`Pipe`].
#[derive(Clone, Debug)]
pub struct PipePeer(Arc<Mutex<State>>);

#[derive(Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is one thing that a test decides")]
struct State {
    arrived: VecDeque<u8>,
    has_ended: bool,
    written: Vec<u8>,
    /// How many bytes are taken until a write is pending.
    room: usize,
    takes_nothing: bool,
    may_flush: bool,
    has_unflushed: bool,
    may_close: bool,
    is_closed: bool,
    is_dropped: bool,
    /// The call that panics: `read`, `write`, `flush`, `close` or `drop`.
    panics_in: Option<&'static str>,
    /// Input and room wake the task of the last call alone.
    has_one_waker: bool,
    reader: Option<Waker>,
    writer: Option<Waker>,
}

/// Makes a pipe that takes all output.
pub fn pipe() -> (Pipe, PipePeer) {
    let peer = PipePeer(Arc::new(Mutex::new(State {
        arrived: VecDeque::new(),
        has_ended: false,
        written: Vec::new(),
        room: usize::MAX,
        takes_nothing: false,
        may_flush: true,
        has_unflushed: false,
        may_close: true,
        is_closed: false,
        is_dropped: false,
        panics_in: None,
        has_one_waker: false,
        reader: None,
        writer: None,
    })));
    (Pipe(peer.clone()), peer)
}

impl PipePeer {
    /// Lets bytes arrive.
    pub fn send(&self, bytes: impl AsRef<[u8]>) {
        let reader = {
            let mut state = self.state();
            state.arrived.extend(bytes.as_ref());
            state.reader.take()
        };
        reader.into_iter().for_each(Waker::wake);
    }

    /// Ends the input.
    pub fn end(&self) {
        let reader = {
            let mut state = self.state();
            state.has_ended = true;
            state.reader.take()
        };
        reader.into_iter().for_each(Waker::wake);
    }

    /// Takes no more than this many bytes from now on.
    pub fn set_room(&self, room: usize) {
        self.change_output(|state| state.room = room);
    }

    /// Takes 0 bytes at each write, which is an error.
    pub fn take_nothing(&self) {
        self.change_output(|state| state.takes_nothing = true);
    }

    /// Lets flushes be pending, or finish.
    pub fn set_may_flush(&self, may_flush: bool) {
        self.change_output(|state| state.may_flush = may_flush);
    }

    /// Lets closing be pending, or finish.
    pub fn set_may_close(&self, may_close: bool) {
        self.change_output(|state| state.may_close = may_close);
    }

    /// Keeps one waker for both directions from now on, that of the last call.
    pub fn use_one_waker(&self) {
        self.state().has_one_waker = true;
    }

    /// Lets the next call of this name panic, and each one behind it.
    pub fn panic_in(&self, call: &'static str) {
        self.state().panics_in = Some(call);
        self.send([]);
    }

    /// Returns what was written so far.
    pub fn written(&self) -> Vec<u8> {
        self.state().written.clone()
    }

    /// Returns and removes what was written so far.
    pub fn take_written(&self) -> Vec<u8> {
        std::mem::take(&mut self.state().written)
    }

    /// Returns whether the sending direction was closed.
    pub fn is_closed(&self) -> bool {
        self.state().is_closed
    }

    /// Returns whether the stream was dropped.
    pub fn is_dropped(&self) -> bool {
        self.state().is_dropped
    }

    fn change_output(&self, change: impl FnOnce(&mut State)) {
        let writer = {
            let mut state = self.state();
            change(&mut state);
            state.take_writer()
        };
        writer.into_iter().for_each(Waker::wake);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    fn check_panic(&self, call: &str) {
        if self.state().panics_in == Some(call) {
            std::panic::resume_unwind(Box::new(format!("the pipe panics in {call}")));
        }
    }
}

impl State {
    fn set_writer(&mut self, cx: &Context<'_>) {
        let place = if self.has_one_waker { &mut self.reader } else { &mut self.writer };
        *place = Some(cx.waker().clone());
    }

    fn take_writer(&mut self) -> Option<Waker> {
        if self.has_one_waker { self.reader.take() } else { self.writer.take() }
    }
}

impl AsyncRead for Pipe {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        self.0.check_panic("read");
        let mut state = self.0.state();
        if state.arrived.is_empty() && !state.has_ended {
            state.reader = Some(cx.waker().clone());
            return Poll::Pending;
        }
        Poll::Ready(io::Read::read(&mut state.arrived, buffer))
    }
}

impl AsyncWrite for Pipe {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.0.check_panic("write");
        let mut state = self.0.state();
        assert!(!state.is_closed, "it is written to although it was closed");
        if state.takes_nothing {
            return Poll::Ready(Ok(0));
        }
        if state.room == 0 {
            state.set_writer(cx);
            return Poll::Pending;
        }
        let count = bytes.len().min(state.room);
        state.room -= count;
        state.has_unflushed = true;
        state.written.extend(&bytes[..count]);
        Poll::Ready(Ok(count))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.check_panic("flush");
        let mut state = self.0.state();
        if state.has_unflushed && !state.may_flush {
            state.set_writer(cx);
            return Poll::Pending;
        }
        state.has_unflushed = false;
        Poll::Ready(Ok(()))
    }

    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.check_panic("close");
        let mut state = self.0.state();
        if !state.may_close {
            state.set_writer(cx);
            return Poll::Pending;
        }
        if state.is_closed {
            return Poll::Ready(Err(ErrorKind::NotConnected.into()));
        }
        state.is_closed = true;
        Poll::Ready(Ok(()))
    }
}

impl Drop for Pipe {
    fn drop(&mut self) {
        self.0.state().is_dropped = true;
        self.0.check_panic("drop");
    }
}
