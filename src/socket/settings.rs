//! What can be set on an open socket: limits and frame sizes.

use std::num::NonZeroUsize;

use crate::socket::WebSocket;

/// Limits and frame sizes.
impl WebSocket {
    /// Sets how long a frame may be that the peer sends, in bytes; the default is 16 MiB.
    ///
    /// Takes effect with the first frame that the loop looks at afterwards. A longer frame closes
    /// the connection with [`CloseCode::TOO_MUCH_DATA`](crate::CloseCode::TOO_MUCH_DATA) as soon as its header has come; control
    /// frames have their own limit of 125 bytes.
    ///
    /// # Qt
    ///
    /// `QWebSocket::setMaxAllowedIncomingFrameSize()`, whose default of 2 GiB is no limit in
    /// practice, and which ignores values above it.
    #[doc(alias = "setMaxAllowedIncomingFrameSize")]
    pub fn set_max_allowed_incoming_frame_size(&self, bytes: usize) {
        self.inner.session.change_settings(|settings| settings.limits.max_frame_size = bytes);
    }

    /// Returns how long a frame may be that the peer sends, in bytes.
    #[doc(alias = "maxAllowedIncomingFrameSize")]
    #[must_use]
    pub fn max_allowed_incoming_frame_size(&self) -> usize {
        self.inner.session.settings().limits.max_frame_size
    }

    /// Sets how long a message may be that the peer sends, in bytes; the default is 16 MiB.
    ///
    /// As [`set_max_allowed_incoming_frame_size`](Self::set_max_allowed_incoming_frame_size), for
    /// all frames of a message together. In a text every byte of its UTF-8 counts.
    ///
    /// # Qt
    ///
    /// `QWebSocket::setMaxAllowedIncomingMessageSize()`.
    #[doc(alias = "setMaxAllowedIncomingMessageSize")]
    pub fn set_max_allowed_incoming_message_size(&self, bytes: usize) {
        self.inner.session.change_settings(|settings| settings.limits.max_message_size = bytes);
    }

    /// Returns how long a message may be that the peer sends, in bytes.
    #[doc(alias = "maxAllowedIncomingMessageSize")]
    #[must_use]
    pub fn max_allowed_incoming_message_size(&self) -> usize {
        self.inner.session.settings().limits.max_message_size
    }

    /// Sets the maximum size of the queue for slots that are not called at once, in bytes; the default
    /// is 128 KiB.
    ///
    /// Calls of slots in other threads, of `connect_queued` and of `connect_async` wait in queues. Over
    /// the limit the socket reads no more until half of it is left: TCP holds the peer back, and other
    /// sockets are served meanwhile. Each call counts with the length of its message and 4 KiB more,
    /// until its slot begins to run: by default at most 32 short ones wait. With 0, one message at a
    /// time is queued; `usize::MAX` is no limit.
    ///
    /// A slot that has begun may wait for the socket, in a loop of its own or as an async slot. Async
    /// slots that wait for something, and have not finished, have a limit of their own: sixteen times
    /// this one and
    /// [`max_allowed_incoming_message_size`](Self::max_allowed_incoming_message_size). Over it the
    /// socket reads no more either, and a warning is logged: if all of them wait for what the peer
    /// sends next, they wait until they give up. [`message_stream`](Self::message_stream) is for
    /// programs that await one message after another.
    ///
    /// While the socket reads no more, pings and the close frame are not noticed either, and the peer's
    /// end only when nothing is left to read, as with [`pause_reading`](Self::pause_reading). Slots
    /// that are called at once have no queue.
    ///
    /// # Qt
    ///
    /// Qt has no counterpart: there queued calls wait without a limit.
    ///
    /// # Examples
    ///
    /// ```
    /// use slotwork::WebSocket;
    ///
    /// /// For a slot in another thread that works long on each message.
    /// fn serve_slowly(socket: &WebSocket) {
    ///     socket.set_receive_queue_limit(16 * 1024);
    /// }
    /// ```
    pub fn set_receive_queue_limit(&self, bytes: usize) {
        self.inner.session.change_settings(|settings| settings.receive_queue_limit = bytes);
        self.look_at_receive_queue();
    }

    /// Returns the maximum size of the queue for slots that are not called at once, in bytes.
    #[must_use]
    pub fn receive_queue_limit(&self) -> usize {
        self.inner.session.settings().receive_queue_limit
    }

    /// Stops reading from the peer until [`resume_reading`](Self::resume_reading).
    ///
    /// No message follows the one whose slot is running. What the peer sends waits in the kernel,
    /// and then on its side: TCP holds it back. Its close frame is not noticed either, and its end only
    /// when nothing that it has sent is left to read; keepalive leaves the socket alone.
    ///
    /// # Qt
    ///
    /// Qt has no counterpart: `setPauseMode()` is about TLS errors, and `setReadBufferSize()` makes
    /// longer messages fail.
    ///
    /// # Examples
    ///
    /// ```
    /// use slotwork::{EventLoop, WebSocket};
    ///
    /// /// Takes the next message when this one has been dealt with.
    /// fn one_at_a_time(socket: &WebSocket) {
    ///     socket.text_message_received().connect(|socket, text| {
    ///         let (socket, job) = (socket.clone(), text.to_owned());
    ///         socket.pause_reading();
    ///         let work = async move {
    ///             let answer = smol::unblock(move || job.to_uppercase()).await;
    ///             socket.send_text_message(answer);
    ///             socket.resume_reading();
    ///         };
    ///         EventLoop::current().spawn(work).detach();
    ///     });
    /// }
    /// ```
    #[doc(alias = "setPauseMode")]
    #[doc(alias = "setReadBufferSize")]
    pub fn pause_reading(&self) {
        self.inner.session.pause_reading(true);
    }

    /// Reads again what the peer sends, from the loop's next turn on.
    #[doc(alias = "resume")]
    pub fn resume_reading(&self) {
        self.inner.session.pause_reading(false);
    }

    /// Returns whether [`pause_reading`](Self::pause_reading) holds the peer back.
    #[doc(alias = "pauseMode")]
    #[doc(alias = "readBufferSize")]
    #[must_use]
    pub fn is_reading_paused(&self) -> bool {
        self.inner.session.is_paused_by_program()
    }

    /// Sets from which length on, in bytes, messages are sent in several frames.
    ///
    /// The default is 524 288, 512 KiB. The frames of a message have this length, but for the last
    /// one, and those of a text that end before a character that would be cut in two; peers put
    /// them together again (RFC 6455 §5.4).
    ///
    /// # Qt
    ///
    /// `QWebSocket::setOutgoingFrameSize()`. Qt accepts 0 and ends with the next message; the type
    /// forbids it here. Qt cuts characters in two, which Qt 6.4 to 6.9.0 refuses to receive.
    #[doc(alias = "setOutgoingFrameSize")]
    pub fn set_outgoing_frame_size(&self, bytes: NonZeroUsize) {
        self.inner.session.change_settings(|settings| settings.outgoing_frame_size = bytes);
    }

    /// Returns from which length on messages are sent in several frames.
    #[doc(alias = "outgoingFrameSize")]
    #[must_use]
    pub fn outgoing_frame_size(&self) -> NonZeroUsize {
        self.inner.session.settings().outgoing_frame_size
    }
}
