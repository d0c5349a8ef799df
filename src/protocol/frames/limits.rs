//! The maximum sizes of frames and messages.

use crate::protocol::frames::violation::Violation;

/// The maximum sizes that an endpoint accepts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::struct_field_names, reason = "each is an upper bound and says so")]
pub(crate) struct Limits {
    /// The payload of a data frame, in bytes; 16 MiB by default.
    ///
    /// Control frames have their own limit of 125 bytes, so that a connection with a small limit
    /// can still be closed properly.
    pub(crate) max_frame_size: usize,
    /// A message, in bytes; 16 MiB by default.
    pub(crate) max_message_size: usize,
    /// The frames of one message; 131,072 by default.
    pub(crate) max_fragments: u32,
}

impl Limits {
    pub(crate) const DEFAULT: Self = Self {
        max_frame_size: 16 * 1024 * 1024,
        max_message_size: 16 * 1024 * 1024,
        max_fragments: 131_072,
    };

    /// Refuses a data frame that is too big by its header.
    ///
    /// `received` is the number of bytes that the message had before this frame.
    pub(crate) fn check_size(
        &self,
        received: usize,
        frame: usize,
        is_compressed: bool,
    ) -> Result<(), Violation> {
        // RFC 6455 §10.4 asks for limits, §7.4.1 names 1009 for what is over them.
        if frame > as_sent(self.max_frame_size, is_compressed) {
            Err(Violation::FRAME_TOO_BIG)
        } else if frame > self.max_assembled(is_compressed).saturating_sub(received) {
            Err(Violation::MESSAGE_TOO_BIG)
        } else {
            Ok(())
        }
    }

    /// Returns the maximum size of a message as it is received, in bytes.
    ///
    /// The plain text of a compressed one is checked when it is inflated.
    pub(crate) const fn max_assembled(&self, is_compressed: bool) -> usize {
        as_sent(self.max_message_size, is_compressed)
    }

    /// Refuses a frame that would be one too many in its message.
    pub(crate) fn check_fragments(&self, received: u32) -> Result<(), Violation> {
        // RFC 6455 §10.4; 1008 rather than 1009, because such a message may be tiny.
        if received < self.max_fragments { Ok(()) } else { Err(Violation::TOO_MANY_FRAGMENTS) }
    }
}

/// Returns the maximum on the wire for `most` bytes of plain text.
///
/// Compressed data that does not shrink is a little longer than its plain text.
const fn as_sent(most: usize, is_compressed: bool) -> usize {
    if is_compressed { most.saturating_add(most / 1000 + 64) } else { most }
}

impl Default for Limits {
    fn default() -> Self {
        Self::DEFAULT
    }
}
