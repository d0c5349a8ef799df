//! What is done about a peer that reads slowly: limits, policies, and signals to send by.

use crate::socket::WebSocket;
use crate::types::output_policy::OutputPolicy;

/// Slow readers.
impl WebSocket {
    /// Writes what waits to be sent, as far as the kernel takes it now; never waits.
    ///
    /// Returns whether anything was written. Output is written at the end of each turn of the loop
    /// anyway; this is for a slot that is about to work for long.
    ///
    /// # Qt
    ///
    /// `QWebSocket::flush()`, which returns `true` without a connection, too.
    #[expect(clippy::must_use_candidate, reason = "it acts; few ask whether it did")]
    pub fn flush(&self) -> bool {
        self.inner.session.flush()
    }

    /// Returns how many bytes of output, headers included, wait for the kernel to take them.
    ///
    /// # Qt
    ///
    /// `QWebSocket::bytesToWrite()`, which counts a big message until the loop runs, also when the
    /// kernel has room; see [`send_text_message`](Self::send_text_message).
    #[doc(alias = "bytesToWrite")]
    #[must_use]
    pub fn bytes_to_write(&self) -> usize {
        self.inner.session.bytes_to_write()
    }

    /// Sets what becomes of messages when too much output waits; the default is to close.
    ///
    /// # Qt
    ///
    /// Qt has no counterpart: there output waits without a limit.
    pub fn set_output_policy(&self, policy: OutputPolicy) {
        self.inner.session.change_settings(|settings| settings.output.policy = policy);
    }

    /// Returns what becomes of messages when too much output waits.
    #[must_use]
    pub fn output_policy(&self) -> OutputPolicy {
        self.inner.session.settings().output.policy
    }

    /// Sets how much output may wait, in bytes; the default is 16 MiB.
    ///
    /// Over it the [`output_policy`](Self::output_policy) bites. It counts what the kernel has not
    /// taken, frame headers included. A message that nothing waits in front of is taken whatever its
    /// length, and so is the newest one with a policy that drops older ones: that much more may wait
    /// at times.
    pub fn set_output_limit(&self, bytes: usize) {
        self.inner.session.change_settings(|settings| settings.output.limit = bytes);
    }

    /// Returns how much output may wait, in bytes.
    #[must_use]
    pub fn output_limit(&self) -> usize {
        self.inner.session.settings().output.limit
    }

    /// Returns how many messages were dropped, since the socket was opened, because too much output
    /// waited.
    #[must_use]
    pub fn dropped_messages(&self) -> u64 {
        self.inner.session.dropped_messages()
    }

    /// Sets from how much waiting output on a program should send no more, in bytes; the default is
    /// 1 MiB.
    ///
    /// Nothing is refused over it: [`high_water_reached`](Self::high_water_reached) tells, and
    /// [`output_drained`](Self::output_drained) when half of it is left.
    ///
    /// # Qt
    ///
    /// Qt has no counterpart: programs look at `bytesToWrite()` when `bytesWritten` is emitted.
    pub fn set_high_water_mark(&self, bytes: usize) {
        self.inner.session.change_settings(|settings| settings.output.high_water_mark = bytes);
    }

    /// Returns from how much waiting output on a program should send no more, in bytes.
    #[must_use]
    pub fn high_water_mark(&self) -> usize {
        self.inner.session.settings().output.high_water_mark
    }

    /// Sets how much unsent output the operating system holds, in bytes; the default is 512 KiB.
    ///
    /// What it does not hold waits in the socket: [`bytes_to_write`](Self::bytes_to_write),
    /// [`output_policy`](Self::output_policy) and [`write_timeout`](Self::write_timeout) are about
    /// that. With a small send buffer, such as 16 KiB, a policy that drops messages keeps stale ones
    /// out of the system's buffers, and the progress of a very slow reader shows sooner; with a
    /// large one big messages cost fewer calls. `None` leaves it to the system, which may hold some
    /// MiB. It takes effect at once, for a client with the next [`open`](Self::open) as well.
    ///
    /// On Linux and Android it is the limit of what was not sent yet (`TCP_NOTSENT_LOWAT`); elsewhere
    /// it is the whole buffer (`SO_SNDBUF`), and `None` changes nothing.
    ///
    /// # Qt
    ///
    /// `QAbstractSocket::SendBufferSizeSocketOption`, which `QWebSocket` does not give access to.
    #[doc(alias = "SendBufferSizeSocketOption")]
    pub fn set_send_buffer(&self, bytes: Option<usize>) {
        self.inner.session.set_send_buffer(bytes);
    }

    /// Returns how much unsent output the operating system holds, in bytes; `None` is its default.
    #[must_use]
    pub fn send_buffer(&self) -> Option<usize> {
        self.inner.session.settings().send_buffer
    }
}
