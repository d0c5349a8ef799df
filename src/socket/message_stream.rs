//! A socket as a stream and a sink of messages, for programs without slots.

use std::collections::VecDeque;
use std::fmt;
use std::future::poll_fn;
use std::mem;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use futures_sink::Sink;
use slotwork_signals::{Connection, ScopedConnection};
use smol::stream::Stream;

use crate::runtime::sync::{Mutex, MutexGuard};
use crate::socket::WebSocket;
use crate::socket::client::state::ClientEnd;
use crate::types::error::Error;
use crate::types::message::Message;
use crate::types::output::SendStatus;
use crate::types::socket_state::SocketState;

/// A socket as a `Stream` and a `Sink` of messages.
///
/// It is made by [`WebSocket::message_stream`].
///
/// For programs that await messages rather than connect slots, on any thread and with any executor,
/// while the socket's event loop runs. It has back-pressure in both directions: while 64 messages
/// or 256 KiB are unread, the socket reads no more and TCP holds the peer back; and sending waits
/// while unsent output exceeds the socket's [`high_water_mark`](WebSocket::high_water_mark).
///
/// The stream ends after the last message, when the socket has disconnected;
/// [`WebSocket::close_code`] and [`WebSocket::error`] return the cause. Closing the sink waits for
/// that, and fails when messages were dropped because the peer had gone. Dropping it drops the
/// unread messages, and does not close the socket. Signals of the socket are emitted as well.
///
/// # Qt
///
/// Qt has no counterpart.
///
/// # Examples
///
/// An echo server, one task for each client:
///
/// ```
/// use slotwork::{Error, EventLoop, HostAddress, SslMode, WebSocketServer};
///
/// # fn main() -> Result<(), Error> {
/// let server = WebSocketServer::new("Echo Server", SslMode::NonSecure);
/// server.new_connection().connect_async(async |server, ()| {
///     let Some(socket) = server.next_pending_connection() else { return };
///     let mut messages = socket.message_stream();
///     while let Some(message) = messages.next().await {
///         if messages.send(message).await.is_err() {
///             return;
///         }
///     }
/// });
/// server.listen(HostAddress::LocalHost, 0)?;
/// # EventLoop::current().handle().quit();
/// EventLoop::current().exec();
/// # Ok(())
/// # }
/// ```
pub struct MessageStream {
    socket: WebSocket,
    inbox: Arc<Inbox>,
    _connections: [ScopedConnection; 3],
}

impl WebSocket {
    /// Returns a stream and sink of the messages from now on.
    ///
    /// Call it where slots would be connected: no message is lost when that is before the loop's
    /// next turn. For a client that may be before [`open`](Self::open); stream and sink end when
    /// the socket disconnects, and opening again needs another one. While an `open` waits for the
    /// end of the last connection, they are those of the next one: closing the sink drops the
    /// `open`, and an `open` that is dropped ends both.
    ///
    /// # Qt
    ///
    /// Qt has no counterpart.
    ///
    /// # Examples
    ///
    /// A client that awaits the first message:
    ///
    /// ```
    /// use slotwork::{EventLoop, HostAddress, Message, SslMode, WebSocket, WebSocketServer};
    ///
    /// # fn main() -> Result<(), slotwork::Error> {
    /// # let server = WebSocketServer::new("Server", SslMode::NonSecure);
    /// # server.new_connection().connect(|server, ()| {
    /// #     while let Some(socket) = server.next_pending_connection() {
    /// #         socket.send_text_message("welcome");
    /// #     }
    /// # });
    /// # server.listen(HostAddress::LocalHost, 0)?;
    /// # let url = server.server_url();
    /// let socket = WebSocket::new();
    /// let mut messages = socket.message_stream();
    /// socket.open(url)?;
    ///
    /// let first = EventLoop::current().run_until(messages.next());
    /// assert_eq!(first, Some(Message::Text("welcome".into())));
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn message_stream(&self) -> MessageStream {
        let (inbox, connections) = Inbox::connect(self);
        let stream = MessageStream { socket: self.clone(), inbox, _connections: connections };
        let has_ended = self.state() == SocketState::Unconnected;
        if has_ended && self.inner.client_end().is_none() {
            stream.inbox.end();
        }
        stream
    }
}

impl MessageStream {
    /// Returns the socket.
    #[must_use]
    pub const fn socket(&self) -> &WebSocket {
        &self.socket
    }

    /// Returns the next message; `None` after the last one of a disconnected socket.
    ///
    /// It is cancel-safe: dropping the future loses no message.
    ///
    /// # Examples
    ///
    /// ```
    /// use slotwork::{EventLoop, WebSocket};
    ///
    /// fn log(socket: &WebSocket) {
    ///     let mut messages = socket.message_stream();
    ///     EventLoop::current().spawn(async move {
    ///         while let Some(message) = messages.next().await {
    ///             println!("{message:?}");
    ///         }
    ///         println!("ended with {:?}", messages.socket().close_code());
    ///     }).detach();
    /// }
    /// ```
    pub async fn next(&mut self) -> Option<Message> {
        poll_fn(|cx| self.inbox.poll_take(&self.socket, cx)).await
    }

    /// Sends a message, when unsent output does not exceed the high-water mark.
    ///
    /// It does not wait until the peer, or the kernel, has the message.
    ///
    /// # Errors
    ///
    /// [`Error::NotConnected`] when the socket is not open, and
    /// [`Error::OutputLimit`] as with [`WebSocket::send_text_message`].
    ///
    /// # Examples
    ///
    /// ```
    /// use slotwork::{CloseCode, Error, WebSocket};
    ///
    /// /// Sends as fast as the peer reads.
    /// async fn send_numbers(socket: &WebSocket) -> Result<(), Error> {
    ///     let mut messages = socket.message_stream();
    ///     for number in 0..1_000_000 {
    ///         messages.send(number.to_string()).await?;
    ///     }
    ///     socket.close(CloseCode::NORMAL, "").into_result()
    /// }
    /// ```
    pub async fn send(&mut self, message: impl Into<Message>) -> Result<(), Error> {
        poll_fn(|cx| self.poll_room(cx)).await?;
        self.put(message.into())
    }

    fn poll_room(&self, cx: &Context<'_>) -> Poll<Result<(), Error>> {
        self.check_connection()?;
        let is_of_next = self.inbox.is_of_waiting_open(&self.socket);
        self.socket.inner.session.poll_room(is_of_next, cx)
    }

    /// Fails when the connection has ended: the socket may have another one by then.
    fn check_connection(&self) -> Result<(), Error> {
        let state = self.inbox.lock();
        let has_ended = state.outcome.is_some() || state.is_behind(&self.socket);
        if has_ended { Err(Error::NotConnected) } else { Ok(()) }
    }

    fn put(&self, message: Message) -> Result<(), Error> {
        self.check_connection()?;
        let status = match message {
            Message::Text(text) => self.socket.send_text_message(text),
            Message::Binary(bytes) => self.socket.send_binary_message(bytes),
        };
        // A message that the policy drops does not end the sink.
        if status == SendStatus::Dropped { Ok(()) } else { status.into_result() }
    }
}

impl Stream for MessageStream {
    type Item = Message;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Message>> {
        self.inbox.poll_take(&self.socket, cx)
    }
}

/// The sink accepts messages up to the high-water mark of unsent output.
///
/// Flushing waits until the kernel has taken all output, closing until the closing handshake is
/// over.
impl Sink<Message> for MessageStream {
    type Error = Error;

    fn poll_ready(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.poll_room(cx)
    }

    fn start_send(self: Pin<&mut Self>, message: Message) -> Result<(), Error> {
        self.put(message)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.check_connection()?;
        let is_of_next = self.inbox.is_of_waiting_open(&self.socket);
        self.socket.inner.session.poll_written(is_of_next, cx)
    }

    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        if let Some(outcome) = self.inbox.lock().outcome.clone() {
            return Poll::Ready(outcome);
        }
        let is_behind = self.inbox.lock().is_behind(&self.socket);
        match self.socket.state() {
            // The next connection, in a loop inside a slot of `disconnected`.
            SocketState::Connecting | SocketState::Connected if is_behind => {
                return Poll::Ready(Ok(()));
            }
            SocketState::Connecting | SocketState::Connected => _ = self.socket.close_normally(),
            // Drops the `open` that waits.
            _ if self.inbox.is_of_waiting_open(&self.socket) => _ = self.socket.close_normally(),
            // An `open` that waits is the next connection's.
            SocketState::Closing | SocketState::Unconnected => {}
        }
        self.socket.inner.session.poll_ended(cx)
    }
}

impl Drop for MessageStream {
    fn drop(&mut self) {
        self.inbox.close(&self.socket);
    }
}

impl fmt::Debug for MessageStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("MessageStream").field(&self.socket).finish()
    }
}

/// The unread messages of a stream. At their limit the socket reads no more.
#[derive(Default)]
struct Inbox(Mutex<InboxState>);

#[derive(Default)]
struct InboxState {
    messages: VecDeque<Message>,
    length: usize,
    /// The socket reads no more until there is room.
    holds: bool,
    /// No more messages: the socket has disconnected, or the stream was dropped.
    is_over: bool,
    /// Present when the connection has ended; an error when messages were dropped.
    outcome: Option<Result<(), Error>>,
    /// The number of the client's connection, as [`ClientEnd::connection`] counts.
    number: Option<u64>,
    /// An `open` was to open that connection, and it has received nothing yet.
    is_of_waiting: bool,
    reader: Option<Waker>,
}

impl Inbox {
    /// Connects an inbox to the socket's signals.
    fn connect(socket: &WebSocket) -> (Arc<Self>, [ScopedConnection; 3]) {
        let (number, is_of_waiting) = socket.inner.client_end().map(ClientEnd::connection).unzip();
        let is_of_waiting = is_of_waiting.unwrap_or_default();
        let state = InboxState { number, is_of_waiting, ..InboxState::default() };
        let inbox = Arc::new(Self(Mutex::new(state)));
        let (texts, bytes, end) = (Arc::clone(&inbox), Arc::clone(&inbox), Arc::clone(&inbox));
        let connections = [
            socket
                .text_message_received()
                .direct()
                .connect(move |socket, text| texts.put(socket, text.into())),
            socket
                .binary_message_received()
                .direct()
                .connect(move |socket, message| bytes.put(socket, message.into())),
            socket.disconnected().direct().connect(move |socket, ()| end.note_end(socket)),
        ];
        (inbox, connections.map(Connection::scoped))
    }

    /// Takes the next message, and resumes reading when there is room again.
    fn poll_take(&self, socket: &WebSocket, cx: &Context<'_>) -> Poll<Option<Message>> {
        let mut state = self.lock();
        if state.messages.is_empty() && !state.is_over && !state.is_awaited_by(cx.waker()) {
            drop(state);
            self.await_message(cx);
            state = self.lock();
        }
        let Some(message) = state.messages.pop_front() else {
            if state.is_over {
                return Poll::Ready(None);
            }
            let Some(number) = state.awaited() else { return Poll::Pending };
            drop(state);
            return self.poll_dropped_open(number, socket, cx);
        };
        state.length -= message.as_bytes().len();
        let resumes = state.holds && state.has_room();
        state.holds &= !resumes;
        drop(state);
        if resumes {
            socket.inner.session.release_reading();
        }
        Poll::Ready(Some(message))
    }

    /// Ends the inbox when the `open` that it awaits was dropped without a signal.
    #[cold]
    fn poll_dropped_open(
        &self,
        number: u64,
        socket: &WebSocket,
        cx: &Context<'_>,
    ) -> Poll<Option<Message>> {
        // The waker first: a call that drops the `open` after the check finds it.
        socket.inner.session.watch_successor(cx);
        if !socket.inner.client_end().is_some_and(|end| end.has_dropped(number)) {
            return Poll::Pending;
        }
        self.end_with_connection(socket);
        Poll::Ready(None)
    }

    /// Returns whether the inbox is that of an `open` that waits.
    fn is_of_waiting_open(&self, socket: &WebSocket) -> bool {
        let number = self.lock().awaited();
        let end = socket.inner.client_end();
        number.zip(end).is_some_and(|(number, end)| end.awaits(number))
    }

    /// Registers the reader's waker.
    ///
    /// It is the program's, so it is cloned and dropped without a lock.
    fn await_message(&self, cx: &Context<'_>) {
        let waker = cx.waker().clone();
        let former = self.lock().reader.replace(waker);
        drop(former);
    }

    /// Ends the inbox with its connection.
    fn note_end(&self, socket: &WebSocket) {
        let number = self.lock().number;
        let end = socket.inner.client_end();
        let is_of_next = |end: &ClientEnd| end.is_busy() && number >= Some(end.ended_connections());
        if !end.is_some_and(is_of_next) {
            self.end_with_connection(socket);
        }
    }

    fn end_with_connection(&self, socket: &WebSocket) {
        let outcome = socket.inner.session.outcome();
        self.lock().outcome = Some(outcome);
        self.close(socket);
    }

    /// Ends the inbox, and resumes reading if it was stopped.
    fn close(&self, socket: &WebSocket) {
        if self.end() {
            socket.inner.session.release_reading();
        }
    }

    /// Ends the inbox; returns whether reading was stopped.
    fn end(&self) -> bool {
        let mut state = self.lock();
        state.is_over = true;
        let holds = mem::take(&mut state.holds);
        let reader = state.reader.take();
        drop(state);
        reader.into_iter().for_each(Waker::wake);
        holds
    }

    fn put(&self, socket: &WebSocket, message: Message) {
        let mut state = self.lock();
        if state.is_over || InboxState::ended_connections(socket) != state.number {
            return;
        }
        state.is_of_waiting = false;
        state.length += message.as_bytes().len();
        state.messages.push_back(message);
        if !state.holds && state.is_full() {
            state.holds = true;
            // While it is locked, so that no reader resumes reading before.
            socket.inner.session.hold_reading();
        }
        let reader = state.reader.take();
        drop(state);
        reader.into_iter().for_each(Waker::wake);
    }

    fn lock(&self) -> MutexGuard<'_, InboxState> {
        self.0.lock()
    }
}

impl InboxState {
    /// Returns the number of a connection that an `open` awaits, until it receives.
    fn awaited(&self) -> Option<u64> {
        self.number.filter(|_| self.is_of_waiting)
    }

    /// Returns whether the connection has ended, before its slot has noted that.
    fn is_behind(&self, socket: &WebSocket) -> bool {
        Self::ended_connections(socket) > self.number
    }

    fn ended_connections(socket: &WebSocket) -> Option<u64> {
        socket.inner.client_end().map(ClientEnd::ended_connections)
    }

    fn is_awaited_by(&self, waker: &Waker) -> bool {
        self.reader.as_ref().is_some_and(|reader| reader.will_wake(waker))
    }

    fn is_full(&self) -> bool {
        self.messages.len() >= MAX_MESSAGES || self.length >= MAX_BYTES
    }

    fn has_room(&self) -> bool {
        self.messages.len() <= MAX_MESSAGES / 2 && self.length <= MAX_BYTES / 2
    }
}

/// The limits at which the socket reads no more.
const MAX_MESSAGES: usize = 64;
const MAX_BYTES: usize = 256 * 1024;
