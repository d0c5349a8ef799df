//! Sends messages, pings and close frames.

use std::cell::Cell;

use crate::protocol::frames::opcode::MessageKind;
use crate::protocol::prepared_message::PreparedMessage;
use crate::runtime::flush_list;
use crate::runtime::panics;
use crate::socket::WebSocket;
use crate::types::close_code::CloseCode;
use crate::types::output::SendStatus;

/// Sending and closing.
impl WebSocket {
    /// Sends a text message.
    ///
    /// It is written at the end of the loop's turn, together with whatever else is sent in it. When
    /// no output waits, a message of more than 16 KiB is handed to the kernel by the call itself.
    /// While the peer does not read, output waits in memory; more than 16 MiB of it closes the
    /// socket, or drops messages ([`set_output_policy`](Self::set_output_policy)). When no output
    /// waits, a message of any size is accepted. The status may be ignored.
    ///
    /// # Qt
    ///
    /// `QWebSocket::sendTextMessage()`, which returns the number of bytes.
    ///
    /// # Examples
    ///
    /// ```
    /// use slotwork::{SendStatus, WebSocket};
    ///
    /// fn answer(socket: &WebSocket, text: &str) {
    ///     if socket.send_text_message(format!("you said {text}")) != SendStatus::Queued {
    ///         eprintln!("{socket:?} has missed an answer");
    ///     }
    /// }
    /// ```
    #[doc(alias = "sendTextMessage")]
    pub fn send_text_message(&self, message: impl AsRef<str>) -> SendStatus {
        self.send(MessageKind::Text, message.as_ref().as_bytes())
    }

    /// Sends a binary message.
    ///
    /// Otherwise as [`send_text_message`](Self::send_text_message).
    ///
    /// # Examples
    ///
    /// ```
    /// use slotwork::WebSocket;
    ///
    /// fn send_position(socket: &WebSocket, x: u32, y: u32) {
    ///     let mut message = Vec::new();
    ///     message.extend(x.to_be_bytes());
    ///     message.extend(y.to_be_bytes());
    ///     socket.send_binary_message(message);
    /// }
    /// ```
    #[doc(alias = "sendBinaryMessage")]
    pub fn send_binary_message(&self, message: impl AsRef<[u8]>) -> SendStatus {
        self.send(MessageKind::Binary, message.as_ref())
    }

    /// Sends a message that was encoded once for several sockets.
    ///
    /// Otherwise as [`send_text_message`](Self::send_text_message).
    ///
    /// # Examples
    ///
    /// ```
    /// use slotwork::{PreparedMessage, WebSocket};
    ///
    /// fn send_to_room(room: &[WebSocket], text: &str) {
    ///     let message = PreparedMessage::text(text);
    ///     for member in room {
    ///         member.send_prepared(&message);
    ///     }
    /// }
    /// ```
    #[expect(clippy::must_use_candidate, reason = "the status may be ignored")]
    pub fn send_prepared(&self, message: &PreparedMessage) -> SendStatus {
        self.inner.session.send_prepared(message, || flush_list::add(&self.inner))
    }

    /// Sends a message as [`send_prepared`](Self::send_prepared) does, and consumes the handle.
    ///
    /// The flush list takes it over, which saves a count.
    pub(crate) fn send_prepared_owned(self, message: &PreparedMessage) -> SendStatus {
        let is_listed = Cell::new(false);
        let list = || {
            is_listed.set(flush_list::wake());
            is_listed.get()
        };
        let status = self.inner.session.send_prepared(message, list);
        if is_listed.get() {
            flush_list::add_owned(self.inner);
        } else {
            // The last handle drops the program's values, and others still get the message.
            panics::catch("the end of a slot", || drop(self));
        }
        status
    }

    /// Sends a message of which only the latest with this key waits for a slow peer.
    pub(crate) fn send_conflated(&self, key: u64, message: &PreparedMessage) -> SendStatus {
        self.inner.session.send_conflated(key, message, || flush_list::add(&self.inner))
    }

    /// Sends a ping (RFC 6455 §5.5.2).
    ///
    /// The peer's answer is emitted as [`pong`](Self::pong). The payload may be empty; it is cut at
    /// 125 bytes, as in Qt. Pings are sent only while the socket is
    /// [`Connected`](crate::SocketState::Connected).
    ///
    /// # Examples
    ///
    /// ```
    /// use slotwork::WebSocket;
    ///
    /// fn measure(socket: &WebSocket) {
    ///     socket.pong().connect(|socket, pong| {
    ///         if let Some(elapsed) = pong.elapsed {
    ///             println!("{socket:?}: {elapsed:?}");
    ///         }
    ///     });
    ///     socket.ping("");
    /// }
    /// ```
    pub fn ping(&self, payload: impl AsRef<[u8]>) -> SendStatus {
        self.inner.set_ping_time();
        self.inner.session.ping(payload.as_ref())
    }

    /// Begins the closing handshake (RFC 6455 §7.1.2).
    ///
    /// Output that waits is still sent; from now on the state is [`Closing`](crate::SocketState::Closing)
    /// and nothing more can be sent, while messages in front of the peer's close frame are still
    /// delivered. [`disconnected`](Self::disconnected) follows when the peer's close frame has
    /// arrived, or when the peer has been idle for the [`closing_timeout`](Self::closing_timeout);
    /// in both cases the peer can read what was sent. A reason longer than 123 bytes is cut at a
    /// character; an empty one is left out.
    ///
    /// The code is a [`CloseCode`] or a number. With one that must not be sent
    /// ([`CloseCode::is_allowed_on_wire`]) the socket stays open. When it is closing or closed
    /// already, nothing happens, but that a client's [`open`](Self::open) that waits for the end is
    /// dropped, and that it does not reconnect. The status reports both, and may be ignored.
    /// [`close_normally`](Self::close_normally) has the defaults of Qt.
    ///
    /// # Qt
    ///
    /// `QWebSocket::close()`, which sends any code and, since 6.9.3, stays `Connected` meanwhile.
    ///
    /// # Examples
    ///
    /// ```
    /// use slotwork::{CloseCode, WebSocket};
    ///
    /// fn reject(socket: &WebSocket) {
    ///     socket.close(CloseCode::POLICY_VIOLATED, "unknown room");
    /// }
    /// ```
    pub fn close(&self, code: impl Into<CloseCode>, reason: impl AsRef<str>) -> SendStatus {
        let code = code.into();
        if code.is_allowed_on_wire() {
            if self.stop_connecting() {
                return SendStatus::NotConnected;
            }
            self.inner.session.close(code, reason.as_ref())
        } else {
            SendStatus::InvalidCloseCode(code)
        }
    }

    /// Begins the closing handshake with [`CloseCode::NORMAL`] and no reason.
    ///
    /// Otherwise as [`close`](Self::close).
    ///
    /// # Qt
    ///
    /// `QWebSocket::close()` without arguments.
    ///
    /// # Examples
    ///
    /// ```
    /// use slotwork::WebSocket;
    ///
    /// fn say_goodbye(socket: &WebSocket) {
    ///     socket.send_text_message("bye");
    ///     socket.close_normally();
    /// }
    /// ```
    #[doc(alias = "close")]
    #[expect(clippy::must_use_candidate, reason = "the status may be ignored")]
    pub fn close_normally(&self) -> SendStatus {
        self.close(CloseCode::NORMAL, "")
    }

    /// Ends the connection at once, without a closing handshake; unsent output is lost.
    ///
    /// After [`close`](Self::close), unsent output and the close frame are handed to the operating
    /// system as far as it takes them, and the peer can read that. A client may call
    /// [`open`](Self::open) next; an `open` that waits already is dropped, and it does not reconnect.
    ///
    /// # Qt
    ///
    /// `QWebSocket::abort()`; the signals follow from the event loop, not inside the call.
    ///
    /// # Examples
    ///
    /// ```
    /// use slotwork::WebSocket;
    ///
    /// fn reject(socket: &WebSocket) {
    ///     socket.disconnected().connect(|socket, ()| println!("gone: {:?}", socket.peer_address()));
    ///     socket.abort();
    /// }
    /// ```
    pub fn abort(&self) {
        if !self.stop_connecting() {
            self.inner.session.abort();
        }
    }

    #[inline]
    fn send(&self, kind: MessageKind, message: &[u8]) -> SendStatus {
        self.inner.session.send(kind, message, || flush_list::add(&self.inner))
    }
}
