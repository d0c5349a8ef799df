//! A connection in memory: its directions, its ends, and what arrives when.

use std::future::poll_fn;
use std::io::{self, IoSlice};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Instant;

use crate::net::stream::memory::channel::{Channel, End};
use crate::runtime::clock;
use crate::runtime::reactor::{Reactor, Source, SourceHandle};
use crate::runtime::sync::{Mutex, MutexGuard};
use crate::runtime::timers::Deadline;

/// A connection in memory.
///
/// What is written arrives when the task of [`deliver`] runs. Readiness changes only under the
/// lock, so that no event is lost, whatever the threads of the ends.
pub(crate) struct Wire(Mutex<State>);

/// One end of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    Client,
    Server,
}

struct State {
    to_server: Channel,
    to_client: Channel,
    client: EndState,
    server: EndState,
    /// The task that delivers.
    deliverer: Option<Waker>,
}

struct EndState {
    is_open: bool,
    /// Where readiness is reported; none for an end that a test reads and writes.
    source: Option<SourceHandle>,
    /// Ends the wait of a loop inside a turn of the connection.
    ///
    /// The task of the connection, which is in that turn, does not.
    reactor_waker: Option<Arc<mio::Waker>>,
}

/// Delivers what is written to a connection, until both ends are closed.
///
/// Dropped before, with its loop, it cuts the connection.
pub(crate) async fn deliver(wire: Arc<Wire>) {
    let _cut = CutOnDrop(&wire);
    let mut deadline = Deadline::new();
    poll_fn(|cx| wire.poll_deliver(cx, &mut deadline)).await;
}

struct CutOnDrop<'a>(&'a Wire);

impl Drop for CutOnDrop<'_> {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        if !state.is_closed() {
            state.cut();
        }
        let deliverer = state.deliverer.take();
        drop(state);
        drop(deliverer);
    }
}

impl Wire {
    pub(crate) fn new() -> Arc<Self> {
        let end = || EndState { is_open: true, source: None, reactor_waker: None };
        Arc::new(Self(Mutex::new(State {
            to_server: Channel::new(),
            to_client: Channel::new(),
            client: end(),
            server: end(),
            deliverer: None,
        })))
    }

    /// Reports readiness of an end to its source from now on.
    pub(crate) fn set_source(&self, side: Side, source: &Source, reactor: &Reactor) {
        let mut state = self.lock();
        let end = state.end_mut(side);
        end.source = Some(source.handle());
        end.reactor_waker = Some(reactor.waker());
        drop(state);
        // What has arrived before is found by the first read.
        source.assume_readable();
    }

    /// Reads what has arrived; see [`Channel::read`].
    pub(crate) fn read(&self, side: Side, buffer: &mut [u8], source: &Source) -> io::Result<usize> {
        let mut state = self.lock();
        let outcome = state.incoming(side).read(buffer);
        if state.incoming(side).is_drained() {
            source.clear_readable();
        }
        state.note_read(side);
        outcome
    }

    /// Reads all that has arrived.
    pub(crate) fn take_arrived(&self, side: Side) -> Vec<u8> {
        let mut state = self.lock();
        let arrived = state.incoming(side).take_arrived();
        state.note_read(side);
        arrived
    }

    /// Writes what there is room for, which may be 0 bytes.
    pub(crate) fn write(
        &self,
        side: Side,
        buffers: &[IoSlice<'_>],
        source: &Source,
    ) -> io::Result<usize> {
        let mut state = self.lock();
        let written = state.outgoing(side).write(buffers, clock::now())?;
        if written < buffers.iter().map(|buffer| buffer.len()).sum() {
            source.clear_writable();
        }
        state.wake();
        Ok(written)
    }

    /// Writes all bytes, without a limit.
    pub(crate) fn write_all(&self, side: Side, bytes: &[u8]) -> io::Result<()> {
        let mut state = self.lock();
        state.outgoing(side).write_all(bytes, clock::now())?;
        state.wake();
        Ok(())
    }

    /// Ends the sending direction of an end.
    pub(crate) fn shut_down(&self, side: Side) {
        let mut state = self.lock();
        state.outgoing(side).end(clock::now());
        state.wake();
    }

    /// Closes an end, as `close(2)` does: with unread input it resets the connection.
    pub(crate) fn close(&self, side: Side) {
        let mut state = self.lock();
        let source = state.end_mut(side).source.take();
        state.end_mut(side).is_open = false;
        let now = clock::now();
        if state.incoming(side).close_reader() {
            state.outgoing(side).reset(now);
        } else {
            state.outgoing(side).end(now);
        }
        state.wake();
        drop(state);
        drop(source);
    }

    /// Loses the connection: both ends find it reset.
    pub(crate) fn cut(&self) {
        self.lock().cut();
    }

    /// Changes a direction, whose bytes may be due now.
    pub(crate) fn change<T>(&self, to: Side, change: impl FnOnce(&mut Channel) -> T) -> T {
        let mut state = self.lock();
        let channel = state.incoming(to);
        let outcome = change(channel);
        channel.note_change(clock::now());
        state.report_room(to);
        state.wake();
        outcome
    }

    /// Looks at a direction.
    pub(crate) fn look<T>(&self, to: Side, look: impl FnOnce(&Channel) -> T) -> T {
        look(self.lock().incoming(to))
    }

    /// Returns whether both ends are closed.
    pub(crate) fn is_closed(&self) -> bool {
        self.lock().is_closed()
    }

    fn poll_deliver(&self, cx: &Context<'_>, deadline: &mut Deadline) -> Poll<()> {
        let mut state = self.lock();
        let next = state.deliver(clock::now());
        if state.is_closed() {
            return Poll::Ready(());
        }
        let before = state.deliverer.replace(cx.waker().clone());
        drop(state);
        drop(before);
        // A deadline that has not changed keeps its waker, which is that of this same task.
        deadline.set(next, cx.waker());
        Poll::Pending
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock()
    }
}

impl State {
    /// Returns the direction in which an end reads.
    fn incoming(&mut self, side: Side) -> &mut Channel {
        match side {
            Side::Client => &mut self.to_client,
            Side::Server => &mut self.to_server,
        }
    }

    /// Returns the direction in which an end writes.
    fn outgoing(&mut self, side: Side) -> &mut Channel {
        self.incoming(side.other())
    }

    fn end_mut(&mut self, side: Side) -> &mut EndState {
        match side {
            Side::Client => &mut self.client,
            Side::Server => &mut self.server,
        }
    }

    fn is_closed(&self) -> bool {
        !self.client.is_open && !self.server.is_open
    }

    /// Lets arrive what is due; returns when more is.
    fn deliver(&mut self, now: Instant) -> Option<Instant> {
        let mut next: Option<Instant> = None;
        for reader in [Side::Server, Side::Client] {
            let delivery = self.incoming(reader).deliver(now);
            if delivery.has_arrived {
                let is_end = self.incoming(reader).arrived_end().is_some();
                let is_reset = self.incoming(reader).arrived_end() == Some(End::Reset);
                if is_reset {
                    self.outgoing(reader).break_writes();
                }
                self.report(reader, true, is_reset, is_end);
            }
            if delivery.is_refused {
                self.refuse(reader.other());
            }
            if delivery.is_cut {
                self.cut();
            }
            self.report_room(reader);
            next = next.into_iter().chain(delivery.next).min();
        }
        next
    }

    /// Lets the writes of an end fail, whose peer has closed its own.
    fn refuse(&mut self, writer: Side) {
        self.outgoing(writer).break_writes();
        if self.incoming(writer).arrived_end().is_none() {
            self.incoming(writer).cut();
        }
        self.report(writer, true, true, true);
    }

    fn cut(&mut self) {
        for side in [Side::Server, Side::Client] {
            self.incoming(side).cut();
        }
        for side in [Side::Server, Side::Client] {
            self.report(side, true, true, true);
        }
    }

    /// After a read there may be room for the writer, and for the next fragment.
    fn note_read(&mut self, reader: Side) {
        self.report_room(reader);
        self.wake();
    }

    /// Reports room in the direction to `reader`, if its writer waits for some.
    fn report_room(&mut self, reader: Side) {
        if self.incoming(reader).take_room_event() {
            self.report(reader.other(), false, true, false);
        }
    }

    fn report(&mut self, side: Side, is_readable: bool, is_writable: bool, is_end: bool) {
        let end = self.end_mut(side);
        if let Some(source) = &end.source
            && source.script_event(is_readable, is_writable, is_end)
            && let Some(waker) = &end.reactor_waker
        {
            let _ = waker.wake();
        }
    }

    fn wake(&self) {
        if let Some(deliverer) = &self.deliverer {
            deliverer.wake_by_ref();
        }
    }
}

impl Side {
    pub(crate) const fn other(self) -> Self {
        match self {
            Self::Client => Self::Server,
            Self::Server => Self::Client,
        }
    }
}
