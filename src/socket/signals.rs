//! The signals of a socket, as slots are connected to them.
//!
//! They are stored in `state`, and emitted in `emission`.

use slotwork_signals::SignalRef;

use crate::socket::WebSocket;
use crate::socket::state::{BINARY_MESSAGE_RECEIVED, DISCONNECTED, TEXT_MESSAGE_RECEIVED};
use crate::types::authenticator::Authenticator;
use crate::types::error::Error;
use crate::types::message::{BinaryFrame, Pong, TextFrame};
use crate::types::reconnect::Attempt;
use crate::types::socket_state::SocketState;
#[cfg(feature = "tls")]
use crate::types::tls::TlsError;

/// Signals.
impl WebSocket {
    /// Emitted when a client's connection is open; messages follow.
    ///
    /// # Examples
    ///
    /// ```
    /// use slotwork::{EventLoop, HostAddress, SslMode, WebSocket, WebSocketServer};
    ///
    /// # fn main() -> Result<(), slotwork::Error> {
    /// # let server = WebSocketServer::new("Server", SslMode::NonSecure);
    /// # server.listen(HostAddress::LocalHost, 0)?;
    /// # let url = server.server_url();
    /// let socket = WebSocket::new();
    /// socket.connected().connect(|socket, ()| {
    ///     socket.send_text_message("hello");
    /// #   EventLoop::current().quit();
    /// });
    /// socket.open(url)?;
    /// # EventLoop::current().exec();
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn connected(&self) -> SignalRef<'_, Self, ()> {
        SignalRef::new(self, &self.inner.lazy_signals().connected)
    }

    /// Emitted when the server requires authentication (HTTP 401, RFC 7617).
    ///
    /// Slots of the socket's thread supply the credentials before they return. Those of the URL
    /// (`ws://user:password@host`) are tried first; then this is emitted until credentials are
    /// accepted, or slots supply none, or the same ones again: then the refusal is reported. It is
    /// not emitted for a request with an `Authorization` header of its own. Over `ws` a password is
    /// not encrypted. When a slot calls [`close`](Self::close) or [`abort`](Self::abort), or
    /// panics, no credentials are sent; after a panic the error is [`Error::SlotPanicked`].
    ///
    /// # Qt
    ///
    /// `QWebSocket::authenticationRequired()`, which also supports the scheme `Digest`.
    ///
    /// # Examples
    ///
    /// ```
    /// use slotwork::WebSocket;
    ///
    /// let socket = WebSocket::new();
    /// socket.authentication_required().connect(|_socket, authenticator| {
    ///     authenticator.set_user("Aladdin");
    ///     authenticator.set_password("open sesame");
    /// });
    /// ```
    #[doc(alias = "authenticationRequired")]
    #[must_use]
    pub fn authentication_required(&self) -> SignalRef<'_, Self, Authenticator> {
        SignalRef::new(self, &self.inner.client_signals().authentication_required)
    }

    /// Emitted when the proxy requires authentication.
    ///
    /// The credentials of [`NetworkProxy`](crate::NetworkProxy) are tried first; otherwise as
    /// [`authentication_required`](Self::authentication_required).
    ///
    /// # Qt
    ///
    /// `QWebSocket::proxyAuthenticationRequired()`.
    #[doc(alias = "proxyAuthenticationRequired")]
    #[must_use]
    pub fn proxy_authentication_required(&self) -> SignalRef<'_, Self, Authenticator> {
        SignalRef::new(self, &self.inner.client_signals().proxy_authentication_required)
    }

    /// Emitted when a client waits to reconnect, when the delay begins.
    ///
    /// It follows [`disconnected`](Self::disconnected), by the policy of
    /// [`set_reconnect`](Self::set_reconnect), with the number of the attempt, the delay and the
    /// cause. In a slot, as during the delay, [`close`](Self::close) and [`abort`](Self::abort) end
    /// reconnecting, and [`open`](Self::open) connects at once.
    ///
    /// # Qt
    ///
    /// Qt has no counterpart.
    ///
    /// # Examples
    ///
    /// ```
    /// use slotwork::WebSocket;
    ///
    /// fn on_new_client(socket: &WebSocket) {
    ///     socket.reconnecting().connect(|_socket, attempt| {
    ///         let seconds = attempt.delay.as_secs_f64();
    ///         println!("offline ({:?}), next attempt in {seconds:.1} s", attempt.cause);
    ///     });
    /// }
    /// ```
    #[must_use]
    pub fn reconnecting(&self) -> SignalRef<'_, Self, Attempt> {
        SignalRef::new(self, &self.inner.client_signals().reconnecting)
    }

    /// Emitted when the server's certificate is invalid, with all its errors.
    ///
    /// Errors that are ignored already are among them. A slot of the socket's thread may call
    /// [`ignore_tls_errors`](Self::ignore_tls_errors) with those that it expects, before it
    /// returns. If any remains, [`error_occurred`](Self::error_occurred) follows with
    /// [`Error::TlsHandshake`].
    ///
    /// A slot that calls [`close`](Self::close) or [`abort`](Self::abort), or panics, ends the
    /// attempt, whatever is ignored: an alert is sent to the server, and no request. After a panic
    /// the error is [`Error::SlotPanicked`].
    ///
    /// # Qt
    ///
    /// `QWebSocket::sslErrors()`.
    ///
    /// # Examples
    ///
    /// ```
    /// use slotwork::{TlsCertificate, TlsError, WebSocket};
    ///
    /// /// Accepts a server whose known certificate has expired.
    /// fn accept_expired(socket: &WebSocket, known: TlsCertificate) {
    ///     socket.tls_errors().connect(move |socket, errors| {
    ///         println!("{errors:?}");
    ///         socket.ignore_tls_errors([TlsError::CertificateExpired(known.clone())]);
    ///     });
    /// }
    /// ```
    #[doc(alias = "sslErrors")]
    #[doc(alias = "handshakeInterruptedOnError")]
    #[cfg(feature = "tls")]
    #[must_use]
    pub fn tls_errors(&self) -> SignalRef<'_, Self, [TlsError]> {
        SignalRef::new(self, &self.inner.client_signals().tls_errors)
    }

    /// Emitted for each error of the server's certificate.
    ///
    /// [`tls_errors`](Self::tls_errors) follows, with all of them.
    #[doc(alias = "peerVerifyError")]
    #[cfg(feature = "tls")]
    #[must_use]
    pub fn peer_verify_error(&self) -> SignalRef<'_, Self, TlsError> {
        SignalRef::new(self, &self.inner.client_signals().peer_verify_error)
    }

    /// Emitted for each complete text message, which is borrowed during the call.
    ///
    /// While a slot runs, the socket receives nothing: a loop inside the slot
    /// ([`NestedLoop`](crate::NestedLoop), [`EventLoop::run_until`](crate::EventLoop::run_until))
    /// serves the other sockets, and must not wait for this one. An async slot may, and so may one
    /// that is connected with `queued()`. The same holds for all signals of a socket.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::cell::RefCell;
    /// use std::rc::Rc;
    ///
    /// use slotwork::WebSocket;
    ///
    /// #[derive(Default)]
    /// struct Log {
    ///     lines: RefCell<Vec<String>>,
    /// }
    ///
    /// impl Log {
    ///     fn append(self: &Rc<Self>, socket: &WebSocket, text: &str) {
    ///         self.lines.borrow_mut().push(format!("{socket:?}: {text}"));
    ///     }
    /// }
    ///
    /// fn record(socket: &WebSocket, log: &Rc<Log>) {
    ///     socket.text_message_received().connect_to(log, Log::append);
    /// }
    /// ```
    #[doc(alias = "textMessageReceived")]
    #[must_use]
    pub fn text_message_received(&self) -> SignalRef<'_, Self, str> {
        SignalRef::of(self, &self.inner.signals, TEXT_MESSAGE_RECEIVED)
    }

    /// Emitted for each complete binary message, which is borrowed during the call.
    ///
    /// # Examples
    ///
    /// ```
    /// use slotwork::WebSocket;
    ///
    /// fn serve(socket: &WebSocket) {
    ///     socket.binary_message_received().connect(|socket, bytes| {
    ///         let sum: u64 = bytes.iter().copied().map(u64::from).sum();
    ///         socket.send_binary_message(sum.to_be_bytes());
    ///     });
    /// }
    /// ```
    #[doc(alias = "binaryMessageReceived")]
    #[must_use]
    pub fn binary_message_received(&self) -> SignalRef<'_, Self, [u8]> {
        SignalRef::of(self, &self.inner.signals, BINARY_MESSAGE_RECEIVED)
    }

    /// Emitted for each frame of a text message, before the message itself.
    ///
    /// A message of one frame is emitted too, as its own last frame. Unlike the message, the frame
    /// is copied; without slots it costs nothing. A compressed message is one frame, whatever its
    /// fragments are: by themselves they are not text.
    #[doc(alias = "textFrameReceived")]
    #[must_use]
    pub fn text_frame_received(&self) -> SignalRef<'_, Self, TextFrame> {
        SignalRef::new(self, &self.inner.lazy_signals().text_frame_received)
    }

    /// Emitted for each frame of a binary message, before the message itself.
    ///
    /// Otherwise as [`text_frame_received`](Self::text_frame_received).
    #[doc(alias = "binaryFrameReceived")]
    #[must_use]
    pub fn binary_frame_received(&self) -> SignalRef<'_, Self, BinaryFrame> {
        SignalRef::new(self, &self.inner.lazy_signals().binary_frame_received)
    }

    /// Emitted for each pong, also for an unsolicited one (RFC 6455 §5.5.3).
    ///
    /// # Examples
    ///
    /// ```
    /// use slotwork::{EventLoop, WebSocket};
    ///
    /// /// A task that waits for the answer to a ping.
    /// fn greet_when_alive(socket: &WebSocket) {
    ///     let (socket, pong) = (socket.clone(), socket.pong().next());
    ///     socket.ping("");
    ///     EventLoop::current().spawn(async move {
    ///         if let Some(pong) = pong.await {
    ///             socket.send_text_message(format!("{:?}", pong.elapsed));
    ///         }
    ///     }).detach();
    /// }
    /// ```
    #[must_use]
    pub fn pong(&self) -> SignalRef<'_, Self, Pong> {
        SignalRef::new(self, &self.inner.lazy_signals().pong)
    }

    /// Emitted when the kernel has taken output, with its size in bytes.
    ///
    /// Frame headers are included.
    #[doc(alias = "bytesWritten")]
    #[must_use]
    pub fn bytes_written(&self) -> SignalRef<'_, Self, usize> {
        SignalRef::new(self, &self.inner.lazy_signals().bytes_written)
    }

    /// Emitted when unsent output exceeds the high-water mark.
    ///
    /// A program should send no more then. It is emitted at the end of a turn of the loop in which
    /// output has exceeded the [`high_water_mark`](Self::high_water_mark), and again only after
    /// [`output_drained`](Self::output_drained). That may follow at once: by then the kernel may
    /// have taken the output.
    ///
    /// # Qt
    ///
    /// Qt has no counterpart.
    #[must_use]
    pub fn high_water_reached(&self) -> SignalRef<'_, Self, ()> {
        self.inner.session.watch_output();
        SignalRef::new(self, &self.inner.lazy_signals().high_water_reached)
    }

    /// Emitted when unsent output has fallen to half of the high-water mark.
    ///
    /// It follows [`high_water_reached`](Self::high_water_reached): the time to send more. When it
    /// is connected before sending, it follows each time that
    /// [`bytes_to_write`](Self::bytes_to_write) has exceeded the mark. It is not emitted when the
    /// connection ends.
    ///
    /// # Qt
    ///
    /// Qt has no counterpart; programs look at `bytesToWrite()` when `bytesWritten` is emitted.
    ///
    /// # Examples
    ///
    /// Sends a file piece by piece, as fast as the peer reads:
    ///
    /// ```
    /// use std::fs::File;
    /// use std::io::Read;
    /// use std::rc::Rc;
    ///
    /// use slotwork::WebSocket;
    ///
    /// fn send_file(socket: &WebSocket, file: File) {
    ///     let file = Rc::new(file);
    ///     let rest = Rc::clone(&file);
    ///     socket.output_drained().connect(move |socket, ()| send_some(socket, &rest));
    ///     send_some(socket, &file);
    /// }
    ///
    /// fn send_some(socket: &WebSocket, mut file: &File) {
    ///     let mut piece = vec![0; 64 * 1024];
    ///     while socket.is_valid() && socket.bytes_to_write() <= socket.high_water_mark() {
    ///         match file.read(&mut piece) {
    ///             Ok(0) => _ = socket.close_normally(),
    ///             Ok(length) => _ = socket.send_binary_message(&piece[..length]),
    ///             Err(_) => socket.abort(),
    ///         }
    ///     }
    /// }
    /// ```
    #[must_use]
    pub fn output_drained(&self) -> SignalRef<'_, Self, ()> {
        self.inner.session.watch_output();
        SignalRef::new(self, &self.inner.lazy_signals().output_drained)
    }

    /// Emitted once when closing begins, by either side or by [`abort`](Self::abort).
    ///
    /// # Qt
    ///
    /// `QIODevice::aboutToClose()`, which is emitted twice.
    #[doc(alias = "aboutToClose")]
    #[must_use]
    pub fn about_to_close(&self) -> SignalRef<'_, Self, ()> {
        SignalRef::new(self, &self.inner.lazy_signals().about_to_close)
    }

    /// Emitted when the state has changed, with the new state.
    ///
    /// # Examples
    ///
    /// ```
    /// use slotwork::{SocketState, WebSocket};
    ///
    /// let socket = WebSocket::new();
    /// socket.state_changed().connect(|_socket, state| match state {
    ///     SocketState::Connecting => println!("connecting"),
    ///     SocketState::Connected => println!("online"),
    ///     _ => println!("offline"),
    /// });
    /// ```
    #[doc(alias = "stateChanged")]
    #[must_use]
    pub fn state_changed(&self) -> SignalRef<'_, Self, SocketState> {
        SignalRef::new(self, &self.inner.lazy_signals().state_changed)
    }

    /// Emitted when the connection failed, or ended without a closing handshake.
    ///
    /// [`disconnected`](Self::disconnected) follows. A protocol violation by the peer is not a
    /// failure: the connection is closed, with the cause as [`close_code`](Self::close_code).
    ///
    /// # Examples
    ///
    /// ```
    /// use slotwork::{Error, WebSocket};
    ///
    /// let socket = WebSocket::new();
    /// socket.error_occurred().connect(|_socket, error| match error {
    ///     Error::Connect { host, .. } => eprintln!("{host} cannot be reached"),
    ///     Error::ConnectTimeout(_) => eprintln!("the server does not answer"),
    ///     _ => eprintln!("{error}"),
    /// });
    /// ```
    #[doc(alias = "errorOccurred")]
    #[must_use]
    pub fn error_occurred(&self) -> SignalRef<'_, Self, Error> {
        SignalRef::new(self, &self.inner.lazy_signals().error_occurred)
    }

    /// Emitted once, after the last message, when the connection has ended.
    ///
    /// It is the last signal of a server's socket, and ends all its connections to slots. A
    /// client's socket keeps them: it may be opened again, and an [`open`](Self::open) that waits
    /// begins when the slots have returned. It is emitted also when a client could
    /// not connect, and when the thread of the socket's loop ends: to slots of other threads, and
    /// of the thread itself if it is an [`EventThread`](crate::EventThread).
    ///
    /// # Examples
    ///
    /// ```
    /// use slotwork::{EventLoop, WebSocket};
    ///
    /// fn quit_at_the_end(socket: &WebSocket) {
    ///     socket.disconnected().connect(|socket, ()| {
    ///         // A client with `set_reconnect` connects again by itself.
    ///         if !socket.is_reconnecting() {
    ///             EventLoop::current().quit();
    ///         }
    ///     });
    /// }
    /// ```
    #[must_use]
    pub fn disconnected(&self) -> SignalRef<'_, Self, ()> {
        SignalRef::of(self, &self.inner.signals, DISCONNECTED)
    }
}
