//! How long a socket waits for its peer: write timeout and closing timeout.

use std::time::Duration;

use crate::socket::WebSocket;

/// Timeouts.
impl WebSocket {
    /// Sets how long output may wait without progress; the default is 30 s, `None` is no timeout.
    ///
    /// It runs from the peer's last sign of life: output that it has acknowledged, or anything that
    /// it has sent. A peer that reads slowly is not ended, however long a message takes; a peer that
    /// neither reads nor sends is ended with [`Error::WriteTimeout`](crate::Error::WriteTimeout) and
    /// 1006, and what it has not read is lost, but for what the operating system holds: that
    /// remains readable for up to 2 minutes.
    ///
    /// On Linux and Android the kernel measures what is acknowledged (`TCP_USER_TIMEOUT`, RFC 5482).
    /// Elsewhere, and for 4 timeouts at the most on Linux, progress is that the kernel takes more
    /// output, so that a peer needs to read half of the [`send_buffer`](Self::send_buffer) in that
    /// time.
    ///
    /// # Qt
    ///
    /// Qt has no counterpart: there output waits for ever.
    pub fn set_write_timeout(&self, timeout: Option<Duration>) {
        self.inner.session.change_timeouts(|timeouts| timeouts.write = timeout);
    }

    /// Returns how long output may wait without progress; `None` is no timeout.
    #[must_use]
    pub fn write_timeout(&self) -> Option<Duration> {
        self.inner.session.settings().timeouts.write
    }

    /// Sets how long the closing handshake waits for the peer's close frame; the default is 10 s,
    /// `None` is no timeout.
    ///
    /// It runs from when our close frame was handed to the operating system, behind all that was sent
    /// before it, and anew from whatever the peer sends; in all it is 60 s, or this timeout if that
    /// is longer. Then [`disconnected`](Self::disconnected) is emitted, with 1006 (RFC 6455 §7.1.5).
    /// The peer can still read what was sent: the descriptor stays open in the background until it
    /// has, for 2 minutes at the most, while what the peer sends is read and dropped.
    ///
    /// # Qt
    ///
    /// Qt has no counterpart: there the closing handshake is bounded since 6.9.3 alone, by 3 s.
    pub fn set_closing_timeout(&self, timeout: Option<Duration>) {
        self.inner.session.change_timeouts(|timeouts| timeouts.closing = timeout);
    }

    /// Returns how long the closing handshake waits for the peer's close frame; `None` is no timeout.
    #[must_use]
    pub fn closing_timeout(&self) -> Option<Duration> {
        self.inner.session.settings().timeouts.closing
    }
}
