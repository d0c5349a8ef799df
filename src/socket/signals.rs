//! The signals of a socket, as its users reach them.

use slotwork_signals::SignalRef;

use crate::socket::WebSocket;
use crate::types::authenticator::Authenticator;
use crate::types::binary_frame::BinaryFrame;
use crate::types::error::Error;
use crate::types::pong::Pong;
use crate::types::socket_state::SocketState;
use crate::types::text_frame::TextFrame;

/// Signals.
impl WebSocket {
    /// Emitted when a client's connection is open; messages follow.
    #[must_use]
    pub fn connected(&self) -> SignalRef<'_, Self, ()> {
        SignalRef::new(self, &self.inner.rare_signals().connected)
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
        SignalRef::new(self, &self.inner.rare_signals().authentication_required)
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
        SignalRef::new(self, &self.inner.rare_signals().proxy_authentication_required)
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
        SignalRef::new(self, &self.inner.rare_signals().text_frame_received)
    }

    /// Emitted for each frame of a binary message, as
    /// [`text_frame_received`](Self::text_frame_received).
    #[doc(alias = "binaryFrameReceived")]
    #[must_use]
    pub fn binary_frame_received(&self) -> SignalRef<'_, Self, BinaryFrame> {
        SignalRef::new(self, &self.inner.rare_signals().binary_frame_received)
    }

    /// Emitted for each pong, also for one that answers no ping.
    #[must_use]
    pub fn pong(&self) -> SignalRef<'_, Self, Pong> {
        SignalRef::new(self, &self.inner.rare_signals().pong)
    }

    /// Emitted when the kernel has taken output, with the number of bytes, headers included.
    #[doc(alias = "bytesWritten")]
    #[must_use]
    pub fn bytes_written(&self) -> SignalRef<'_, Self, usize> {
        SignalRef::new(self, &self.inner.rare_signals().bytes_written)
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
        SignalRef::new(self, &self.inner.rare_signals().about_to_close)
    }

    /// Emitted when the state has changed, with the new state.
    #[doc(alias = "stateChanged")]
    #[must_use]
    pub fn state_changed(&self) -> SignalRef<'_, Self, SocketState> {
        SignalRef::new(self, &self.inner.rare_signals().state_changed)
    }

    /// Emitted when the connection failed, or ended without a closing handshake.
    ///
    /// [`disconnected`](Self::disconnected) follows. A peer that breaks a rule of the protocol is no
    /// failure: its connection is closed, and [`close_code`](Self::close_code) says why.
    #[doc(alias = "errorOccurred")]
    #[must_use]
    pub fn error_occurred(&self) -> SignalRef<'_, Self, Error> {
        SignalRef::new(self, &self.inner.rare_signals().error_occurred)
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
