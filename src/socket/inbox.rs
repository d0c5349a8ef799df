//! Messages on their way from a socket to whoever reads its stream.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use slotwork_signals::{Connection, ScopedConnection};

use crate::socket::WebSocket;
use crate::types::message::Message;

/// Messages that nobody has read yet. When there are enough, the socket reads no more.
#[derive(Default)]
pub(crate) struct Inbox(Mutex<State>);

#[derive(Default)]
struct State {
    messages: VecDeque<Message>,
    length: usize,
    /// The socket waits until there is room.
    holds: bool,
    /// Nothing more comes: the socket has disconnected, or nobody reads.
    is_over: bool,
    reader: Option<Waker>,
}

impl Inbox {
    /// Connects an inbox to the socket's signals.
    pub(crate) fn connect(socket: &WebSocket) -> (Arc<Self>, [ScopedConnection; 3]) {
        let inbox = Arc::new(Self::default());
        let (texts, bytes, end) = (Arc::clone(&inbox), Arc::clone(&inbox), Arc::clone(&inbox));
        let connections = [
            socket
                .text_message_received()
                .connect_direct(move |socket, text| texts.put(socket, text.into())),
            socket
                .binary_message_received()
                .connect_direct(move |socket, message| bytes.put(socket, message.into())),
            socket.disconnected().connect_direct(move |socket, ()| end.close(socket)),
        ];
        (inbox, connections.map(Connection::scoped))
    }

    /// Takes the next message, and lets the socket go on when there is room again.
    pub(crate) fn poll_take(&self, socket: &WebSocket, cx: &Context<'_>) -> Poll<Option<Message>> {
        let mut state = self.lock();
        if state.messages.is_empty() && !state.is_over && !state.is_awaited_by(cx.waker()) {
            drop(state);
            self.await_message(cx);
            state = self.lock();
        }
        let Some(message) = state.messages.pop_front() else {
            return if state.is_over { Poll::Ready(None) } else { Poll::Pending };
        };
        state.length -= message.as_bytes().len();
        let goes_on = state.holds && state.has_much_room();
        state.holds &= !goes_on;
        drop(state);
        if goes_on {
            socket.inner.session.release_reading();
        }
        Poll::Ready(Some(message))
    }

    /// Has the reader woken by what comes next. Its waker is cloned and dropped when nothing is
    /// locked: it is the program's.
    fn await_message(&self, cx: &Context<'_>) {
        let waker = cx.waker().clone();
        let former = self.lock().reader.replace(waker);
        drop(former);
    }

    /// Takes no more messages, and holds back none: the socket has disconnected, or nobody reads.
    pub(crate) fn close(&self, socket: &WebSocket) {
        if self.end() {
            socket.inner.session.release_reading();
        }
    }

    /// Notes that no more messages come; returns whether the socket waits for room.
    pub(crate) fn end(&self) -> bool {
        let mut state = self.lock();
        state.is_over = true;
        let holds = std::mem::take(&mut state.holds);
        let reader = state.reader.take();
        drop(state);
        reader.into_iter().for_each(Waker::wake);
        holds
    }

    fn put(&self, socket: &WebSocket, message: Message) {
        let mut state = self.lock();
        if state.is_over {
            return;
        }
        state.length += message.as_bytes().len();
        state.messages.push_back(message);
        if !state.holds && state.is_full() {
            state.holds = true;
            // While it is locked, so that no reader lets it go on before.
            socket.inner.session.hold_reading();
        }
        let reader = state.reader.take();
        drop(state);
        reader.into_iter().for_each(Waker::wake);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn is_awaited_by(&self, waker: &Waker) -> bool {
        self.reader.as_ref().is_some_and(|reader| reader.will_wake(waker))
    }

    fn is_full(&self) -> bool {
        self.messages.len() >= MOST_MESSAGES || self.length >= MOST_BYTES
    }

    fn has_much_room(&self) -> bool {
        self.messages.len() <= MOST_MESSAGES / 2 && self.length <= MOST_BYTES / 2
    }
}

/// With so many messages, or bytes, the socket reads no more.
const MOST_MESSAGES: usize = 64;
const MOST_BYTES: usize = 256 * 1024;
