//! The signals of a socket, as its users reach them.

use std::sync::Arc;

use slotwork_signals::SignalRef;

use crate::protocol::frames::event::Data;
use crate::session::{KEEPALIVE_PAYLOAD, Observer, OutputLevel, Session};
use crate::socket::WebSocket;
use crate::socket::state::{End, Inner, LazySignals};
use crate::types::authenticator::Authenticator;
use crate::types::binary_frame::BinaryFrame;
use crate::types::error::Error;
use crate::types::pong::Pong;
use crate::types::socket_state::SocketState;
use crate::types::text_frame::TextFrame;
#[cfg(feature = "tls")]
use crate::types::tls_error::TlsError;

/// Signals.
impl WebSocket {
    /// Emitted when a client's connection is open; messages follow.
    #[must_use]
    pub fn connected(&self) -> SignalRef<'_, Self, ()> {
        SignalRef::new(self, &self.inner.lazy_signals().connected)
    }

    /// Emitted when the server asks who asks (HTTP status 401, RFC 7617), with a question that slots
    /// of the socket's thread answer before they return.
    ///
    /// First what the URL says is tried (`ws://user:password@host`); then this is emitted until an
    /// answer is right, there is none, or it is the same again, which is told as the refusal that it
    /// is. A request with an `Authorization` header of its own is not asked. Over `ws` a password is
    /// not encrypted. When a slot calls [`close`](Self::close) or [`abort`](Self::abort), or panics,
    /// nothing that slots have supplied is sent; after a panic the error is [`Error::SlotPanicked`].
    ///
    /// # Qt
    ///
    /// `QWebSocket::authenticationRequired()`, which also knows the scheme `Digest`.
    ///
    /// # Examples
    ///
    /// ```
    /// use slotwork::WebSocket;
    ///
    /// let socket = WebSocket::new();
    /// socket.authentication_required().connect(|_socket, question| {
    ///     question.set_user("Aladdin");
    ///     question.set_password("open sesame");
    /// });
    /// ```
    #[doc(alias = "authenticationRequired")]
    #[must_use]
    pub fn authentication_required(&self) -> SignalRef<'_, Self, Authenticator> {
        SignalRef::new(self, &self.inner.lazy_signals().authentication_required)
    }

    /// Emitted when the proxy asks who asks, as
    /// [`authentication_required`](Self::authentication_required); first the credentials of
    /// [`NetworkProxy`](crate::NetworkProxy) are tried.
    ///
    /// # Qt
    ///
    /// `QWebSocket::proxyAuthenticationRequired()`.
    #[doc(alias = "proxyAuthenticationRequired")]
    #[must_use]
    pub fn proxy_authentication_required(&self) -> SignalRef<'_, Self, Authenticator> {
        SignalRef::new(self, &self.inner.lazy_signals().proxy_authentication_required)
    }

    /// Emitted when the certificate of the server is wrong, with all that is wrong with it.
    ///
    /// A slot of the socket's thread may call [`ignore_tls_errors`](Self::ignore_tls_errors) with
    /// those that it knows, before it returns; errors that were to be ignored anyway are among them.
    /// If any remains, [`error_occurred`](Self::error_occurred) follows with
    /// [`Error::TlsHandshake`].
    ///
    /// A slot that calls [`close`](Self::close) or [`abort`](Self::abort), or panics, ends the
    /// attempt, whatever is ignored: the server gets an alert, and is sent no request. After a panic
    /// the error is [`Error::SlotPanicked`].
    ///
    /// # Qt
    ///
    /// `QWebSocket::sslErrors()`.
    #[doc(alias = "sslErrors")]
    #[doc(alias = "handshakeInterruptedOnError")]
    #[cfg(feature = "tls")]
    #[must_use]
    pub fn tls_errors(&self) -> SignalRef<'_, Self, [TlsError]> {
        SignalRef::new(self, &self.inner.lazy_signals().tls_errors)
    }

    /// Emitted for each thing that is wrong with the certificate of the server, before
    /// [`tls_errors`](Self::tls_errors).
    #[doc(alias = "peerVerifyError")]
    #[cfg(feature = "tls")]
    #[must_use]
    pub fn peer_verify_error(&self) -> SignalRef<'_, Self, TlsError> {
        SignalRef::new(self, &self.inner.lazy_signals().peer_verify_error)
    }

    /// Emitted for each text message, whole; the text is lent for the time of the call.
    ///
    /// While a slot runs, the socket receives nothing: a loop inside the slot
    /// ([`NestedLoop`](crate::NestedLoop), [`EventLoop::run_until`](crate::EventLoop::run_until))
    /// serves the other sockets, and must not wait for this one. An async slot may, and so may one
    /// that is connected with `connect_queued`. The same holds for all signals of a socket.
    #[doc(alias = "textMessageReceived")]
    #[must_use]
    pub fn text_message_received(&self) -> SignalRef<'_, Self, str> {
        SignalRef::new(self, &self.inner.text_message_received)
    }

    /// Emitted for each binary message, whole; the bytes are lent for the time of the call.
    #[doc(alias = "binaryMessageReceived")]
    #[must_use]
    pub fn binary_message_received(&self) -> SignalRef<'_, Self, [u8]> {
        SignalRef::new(self, &self.inner.binary_message_received)
    }

    /// Emitted for each frame of a text message, before the message itself.
    ///
    /// A message that came in one frame is emitted too, as its own last frame. Unlike the message,
    /// the frame is copied; without slots it costs nothing.
    #[doc(alias = "textFrameReceived")]
    #[must_use]
    pub fn text_frame_received(&self) -> SignalRef<'_, Self, TextFrame> {
        SignalRef::new(self, &self.inner.lazy_signals().text_frame_received)
    }

    /// Emitted for each frame of a binary message, as
    /// [`text_frame_received`](Self::text_frame_received).
    #[doc(alias = "binaryFrameReceived")]
    #[must_use]
    pub fn binary_frame_received(&self) -> SignalRef<'_, Self, BinaryFrame> {
        SignalRef::new(self, &self.inner.lazy_signals().binary_frame_received)
    }

    /// Emitted for each pong, also for one that answers no ping.
    #[must_use]
    pub fn pong(&self) -> SignalRef<'_, Self, Pong> {
        SignalRef::new(self, &self.inner.lazy_signals().pong)
    }

    /// Emitted when the kernel has taken output, with the number of bytes, headers included.
    #[doc(alias = "bytesWritten")]
    #[must_use]
    pub fn bytes_written(&self) -> SignalRef<'_, Self, usize> {
        SignalRef::new(self, &self.inner.lazy_signals().bytes_written)
    }

    /// Emitted at the end of a turn of the loop in which more output has waited than the
    /// [`high_water_mark`](Self::high_water_mark): the time to send no more.
    ///
    /// It comes once, until [`output_drained`](Self::output_drained) has come, which may be at once:
    /// the kernel has been asked to take what waited by then.
    ///
    /// # Qt
    ///
    /// Qt has no counterpart.
    #[must_use]
    pub fn high_water_reached(&self) -> SignalRef<'_, Self, ()> {
        self.inner.session.watch_output();
        SignalRef::new(self, &self.inner.lazy_signals().high_water_reached)
    }

    /// Emitted after [`high_water_reached`](Self::high_water_reached), when the output that waits
    /// has fallen to half of the mark: the time to send more.
    ///
    /// Connect it before you send, and whoever has seen [`bytes_to_write`](Self::bytes_to_write) over
    /// the mark since then is told. It does not come when the connection ends.
    ///
    /// # Qt
    ///
    /// Qt has no counterpart; programs look at `bytesToWrite()` when `bytesWritten` is emitted.
    ///
    /// # Examples
    ///
    /// Sends a file piece by piece, as fast as the peer reads, and no faster:
    ///
    /// ```
    /// use std::fs::File;
    /// use std::io::Read;
    /// use std::rc::Rc;
    ///
    /// use slotwork::{CloseCode, WebSocket};
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
    ///             Ok(0) => _ = socket.close(CloseCode::NORMAL, ""),
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

    /// Emitted once when the closing begins, on this side or the peer's, or by
    /// [`abort`](Self::abort).
    ///
    /// # Qt
    ///
    /// `QIODevice::aboutToClose()`, which comes twice.
    #[doc(alias = "aboutToClose")]
    #[must_use]
    pub fn about_to_close(&self) -> SignalRef<'_, Self, ()> {
        SignalRef::new(self, &self.inner.lazy_signals().about_to_close)
    }

    /// Emitted when the state has changed, with the new state.
    #[doc(alias = "stateChanged")]
    #[must_use]
    pub fn state_changed(&self) -> SignalRef<'_, Self, SocketState> {
        SignalRef::new(self, &self.inner.lazy_signals().state_changed)
    }

    /// Emitted when the connection failed, or ended without a closing handshake.
    ///
    /// [`disconnected`](Self::disconnected) follows. A peer that breaks a rule of the protocol is no
    /// failure: its connection is closed, and [`close_code`](Self::close_code) says why.
    #[doc(alias = "errorOccurred")]
    #[must_use]
    pub fn error_occurred(&self) -> SignalRef<'_, Self, Error> {
        SignalRef::new(self, &self.inner.lazy_signals().error_occurred)
    }

    /// Emitted once, after the last message, when the connection has ended.
    ///
    /// It is the last signal of a server's socket; all its connections to slots end with it. A
    /// client's socket keeps them: it may be opened again. It is emitted also when a client could not
    /// connect, and when the thread ends whose loop the socket lives on: to slots of other threads,
    /// and of the thread itself if it is an [`EventThread`](crate::EventThread).
    #[must_use]
    pub fn disconnected(&self) -> SignalRef<'_, Self, ()> {
        SignalRef::new(self, &self.inner.disconnected)
    }
}

/// Emits what the session's task tells.
impl Observer for Inner {
    fn session(&self) -> &Session {
        &self.session
    }

    fn wants_frames(&self) -> bool {
        self.lazy.get().is_some_and(|lazy| lazy.signals.wants_frames())
    }

    fn wants_bytes_written(&self) -> bool {
        self.lazy.get().is_some_and(|lazy| lazy.signals.bytes_written.slot_count() > 0)
    }

    fn frame_received(&self, frame: Data<'_>) {
        self.emit_lazy(|signals| signals.emit_frame(frame, false));
    }

    fn message_received(&self, message: Data<'_>, last_frame: usize) {
        self.emit_lazy(|signals| signals.emit_frame(message.since(last_frame), true));
        match message {
            Data::Text(text) => self.text_message_received.emit(text),
            Data::Binary(bytes) => self.binary_message_received.emit(bytes),
        }
    }

    fn pong_received(&self, payload: &[u8]) {
        if payload == KEEPALIVE_PAYLOAD {
            return;
        }
        if let Some(lazy) = self.lazy.get() {
            let pinged = lazy.notes().pinged;
            let elapsed = pinged.map(|pinged| pinged.elapsed());
            lazy.signals.pong.emit(&Pong { elapsed, payload: payload.into() });
        }
    }

    fn bytes_written(&self, count: usize) {
        self.emit_lazy(|signals| signals.bytes_written.emit(&count));
    }

    fn output_level_changed(&self, level: OutputLevel) {
        self.emit_lazy(|signals| match level {
            OutputLevel::High => signals.high_water_reached.emit(&()),
            OutputLevel::Drained => signals.output_drained.emit(&()),
        });
    }

    fn closing(&self) {
        self.emit_lazy(|signals| signals.about_to_close.emit(&()));
    }

    fn state_changed(&self, state: SocketState) {
        self.emit_lazy(|signals| signals.state_changed.emit(&state));
    }

    fn failed(&self, error: Error) {
        self.lazy().notes().error = Some(error.clone());
        self.emit_lazy(|signals| signals.error_occurred.emit(&error));
    }

    fn ended(this: &Arc<Self>) {
        this.membership.leave();
        // A client can be opened again, and then wants its slots.
        let _ending = match &this.end {
            End::Server(_) => Some(Ending(Arc::clone(this))),
            End::Client(end) => {
                end.lock().is_busy = false;
                None
            }
        };
        this.disconnected.emit(&());
    }
}

impl LazySignals {
    /// Frees all slots, behind the calls that are queued; keeps `owner` until then.
    pub(crate) fn finish(&self, owner: &Arc<Inner>) {
        self.connected.finish(owner);
        self.authentication_required.finish(owner);
        self.proxy_authentication_required.finish(owner);
        self.text_frame_received.finish(owner);
        self.binary_frame_received.finish(owner);
        self.pong.finish(owner);
        self.bytes_written.finish(owner);
        self.high_water_reached.finish(owner);
        self.output_drained.finish(owner);
        self.about_to_close.finish(owner);
        self.state_changed.finish(owner);
        self.error_occurred.finish(owner);
        #[cfg(feature = "tls")]
        {
            self.tls_errors.finish(owner);
            self.peer_verify_error.finish(owner);
        }
    }

    /// Returns whether somebody listens to single frames.
    pub(crate) fn wants_frames(&self) -> bool {
        self.text_frame_received.slot_count() + self.binary_frame_received.slot_count() > 0
    }

    /// Emits a frame, which is copied only when somebody listens.
    pub(crate) fn emit_frame(&self, frame: Data<'_>, is_last_frame: bool) {
        match frame {
            Data::Text(text) if self.text_frame_received.slot_count() > 0 => {
                self.text_frame_received.emit(&TextFrame { text: text.into(), is_last_frame });
            }
            Data::Binary(bytes) if self.binary_frame_received.slot_count() > 0 => {
                self.binary_frame_received
                    .emit(&BinaryFrame { bytes: bytes.into(), is_last_frame });
            }
            Data::Text(_) | Data::Binary(_) => {}
        }
    }
}

/// Frees the slots of a socket that has ended, also when one of them panics. Those in other threads
/// keep it until they have run.
struct Ending(Arc<Inner>);

impl Drop for Ending {
    fn drop(&mut self) {
        let Self(inner) = self;
        inner.text_message_received.finish(inner);
        inner.binary_message_received.finish(inner);
        inner.emit_lazy(|signals| signals.finish(inner));
        inner.disconnected.finish(inner);
    }
}
