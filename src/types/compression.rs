//! The settings of permessage-deflate (RFC 7692).

use crate::types::error::Error;

/// The settings for the compression of messages (permessage-deflate, RFC 7692).
///
/// Servers and clients compress nothing until they have it:
/// [`WebSocketServer::set_compression`](crate::WebSocketServer::set_compression),
/// [`WebSocket::set_compression`](crate::WebSocket::set_compression). Then it is used with peers that
/// support it.
///
/// # Secrets
///
/// The length of a compressed message reveals whether its parts are alike, and with a history also
/// whether it is like the messages before it. A peer that can add text of its own to a message with a
/// secret, and see its length, may find the secret step by step (CRIME, BREACH); TLS does not hide the
/// length. So send such messages uncompressed:
/// [`WebSocket::set_compressing`](crate::WebSocket::set_compressing),
/// [`PreparedMessage::uncompressed`](crate::PreparedMessage::uncompressed). Without a history a message
/// reveals nothing about others.
///
/// # Qt
///
/// Qt has no counterpart: its sockets do not compress.
///
/// # Examples
///
/// ```
/// # fn main() -> Result<(), slotwork::Error> {
/// use slotwork::{Compression, CompressionLevel, SslMode, WebSocketServer};
///
/// let server = WebSocketServer::new("Chat", SslMode::NonSecure);
/// // Each message by itself: no memory per connection.
/// server.set_compression(Compression::new());
/// // Messages may refer to the last 4 KiB of those before them, for at most 16 MiB in all.
/// server.set_compression(Compression::new().history(4 * 1024)?.history_budget(16 << 20));
/// // Faster, and bigger.
/// server.set_compression(Compression::new().level(CompressionLevel::Fast));
/// # Ok(()) }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Compression {
    history: HistorySize,
    history_budget: usize,
    threshold: Option<usize>,
    level: CompressionLevel,
}

/// The effort of compression.
///
/// # Qt
///
/// Qt has no counterpart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum CompressionLevel {
    /// The least processor time: zlib's level 1.
    Fast,
    /// A level by the size of the message.
    ///
    /// Level 3 up to 64 KiB, and 1 above. With a history, 1 below 512 bytes and 6 up to 4 KiB.
    #[default]
    Balanced,
    /// The fewest bytes: zlib's level 6.
    Small,
}

/// The compression that both ends of a connection have agreed on.
///
/// # Qt
///
/// Qt has no counterpart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AgreedCompression {
    pub(crate) sent: HistorySize,
    pub(crate) received: HistorySize,
}

/// The size of a history: a power of two, or none (RFC 7692 §7.1.2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct HistorySize {
    /// The base-2 logarithm; zero without a history.
    bits: u8,
}

impl Compression {
    /// Makes settings that compress each message by itself, without a history.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            history: HistorySize::NONE,
            history_budget: 64 * 1024 * 1024,
            threshold: None,
            level: CompressionLevel::Balanced,
        }
    }

    /// Lets messages refer to earlier ones (RFC 7692 calls it context takeover).
    ///
    /// `size` is the number of bytes that each end keeps, in each direction: a power of two from
    /// 512 to 32 768. There is no history by default. 4 KiB have most of the gain: chat messages of
    /// 1 KiB shrink to 36 %, instead of 48 % without.
    ///
    /// A connection holds up to twice this memory. With a history, the length of a message also
    /// depends on the messages before it: see [secrets](Self#secrets).
    ///
    /// # Errors
    ///
    /// [`Error::InvalidCompression`]: the size is not one of these.
    ///
    /// # Examples
    ///
    /// ```
    /// use slotwork::Compression;
    ///
    /// assert!(Compression::new().history(4 * 1024).is_ok());
    /// assert!(Compression::new().history(5000).is_err());
    /// ```
    pub const fn history(self, size: usize) -> Result<Self, Error> {
        match HistorySize::of(size) {
            Some(history) => Ok(Self { history, ..self }),
            None => Err(Error::InvalidCompression { history: size }),
        }
    }

    /// Sets the memory for all histories of a server, in bytes; 64 MiB by default.
    ///
    /// A connection for which nothing is left is compressed without a history. Clients have no
    /// budget.
    #[must_use]
    pub const fn history_budget(self, budget: usize) -> Self {
        Self { history_budget: budget, ..self }
    }

    /// Sets the size from which messages are compressed, in bytes.
    ///
    /// By default 256, and 64 on connections with a history: shorter messages gain little.
    #[must_use]
    pub const fn threshold(self, size: usize) -> Self {
        Self { threshold: Some(size), ..self }
    }

    /// Sets the effort; [`CompressionLevel::Balanced`] by default.
    ///
    /// Broadcasts and other messages for many clients are compressed once, at the balanced level.
    #[must_use]
    pub const fn level(self, level: CompressionLevel) -> Self {
        Self { level, ..self }
    }

    pub(crate) const fn history_size(&self) -> HistorySize {
        self.history
    }

    pub(crate) const fn budget(&self) -> usize {
        self.history_budget
    }

    pub(crate) const fn effort(&self) -> CompressionLevel {
        self.level
    }

    /// Returns the size from which messages are compressed, in bytes.
    pub(crate) const fn min_size(&self, has_history: bool) -> usize {
        match self.threshold {
            Some(threshold) => threshold,
            None if has_history => 64,
            None => 256,
        }
    }
}

impl Default for Compression {
    fn default() -> Self {
        Self::new()
    }
}

impl AgreedCompression {
    /// Returns how much of the messages that were sent is kept, in bytes.
    ///
    /// It is 0 without a history.
    #[must_use]
    pub const fn history_sent(&self) -> usize {
        self.sent.bytes()
    }

    /// Returns how much of the messages that were received is kept, in bytes.
    ///
    /// It is 0 without a history.
    #[must_use]
    pub const fn history_received(&self) -> usize {
        self.received.bytes()
    }
}

impl HistorySize {
    pub(crate) const NONE: Self = Self { bits: 0 };

    /// Returns the size of so many bytes; `None` if no window has it.
    pub(crate) const fn of(bytes: usize) -> Option<Self> {
        match bytes {
            512..=32_768 if bytes.is_power_of_two() => {
                #[expect(clippy::cast_possible_truncation, reason = "at most 15")]
                let bits = bytes.trailing_zeros() as u8;
                Some(Self { bits })
            }
            _ => None,
        }
    }

    /// Returns the size of a window of so many bits.
    pub(crate) const fn of_window(bits: u8) -> Self {
        Self { bits }
    }

    /// Returns the bits of the window that holds it; 0 without a history.
    pub(crate) const fn bits(self) -> u8 {
        self.bits
    }

    pub(crate) const fn bytes(self) -> usize {
        if self.is_none() { 0 } else { 1 << self.bits }
    }

    pub(crate) const fn is_none(self) -> bool {
        self.bits == 0
    }
}
