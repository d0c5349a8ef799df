//! The opcodes of frames, and the kinds of messages (RFC 6455 §5.2).

/// The opcode of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Opcode {
    Continuation,
    Text,
    Binary,
    Close,
    Ping,
    Pong,
}

/// The kind of a message (RFC 6455 §5.6).
///
/// # Qt
///
/// Which of `textMessageReceived()` and `binaryMessageReceived()` is emitted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum MessageKind {
    /// UTF-8.
    Text,
    /// Bytes.
    Binary,
}

impl Opcode {
    /// Returns the opcode of these four bits, or nothing when they are reserved.
    pub(crate) const fn from_bits(bits: u8) -> Option<Self> {
        // RFC 6455 §5.2: 3–7 and B–F are reserved for frames to come.
        Some(match bits {
            0x0 => Self::Continuation,
            0x1 => Self::Text,
            0x2 => Self::Binary,
            0x8 => Self::Close,
            0x9 => Self::Ping,
            0xA => Self::Pong,
            _ => return None,
        })
    }

    /// Returns the four bits that stand for the opcode in a header.
    pub(crate) const fn bits(self) -> u8 {
        match self {
            Self::Continuation => 0x0,
            Self::Text => 0x1,
            Self::Binary => 0x2,
            Self::Close => 0x8,
            Self::Ping => 0x9,
            Self::Pong => 0xA,
        }
    }

    /// Returns the kind of the message that a frame of this opcode begins.
    pub(crate) const fn message_kind(self) -> MessageKind {
        match self {
            Self::Text => MessageKind::Text,
            _ => MessageKind::Binary,
        }
    }

    /// Returns whether this is a frame about the connection, not a part of a message.
    pub(crate) const fn is_control(self) -> bool {
        matches!(self, Self::Close | Self::Ping | Self::Pong)
    }
}

impl From<MessageKind> for Opcode {
    fn from(kind: MessageKind) -> Self {
        match kind {
            MessageKind::Text => Self::Text,
            MessageKind::Binary => Self::Binary,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Qt: PROTO-02; RFC 6455 §5.2.
    #[test]
    fn knows_the_six_opcodes_and_no_reserved_one() {
        for bits in [0x0, 0x1, 0x2, 0x8, 0x9, 0xA] {
            assert_eq!(Opcode::from_bits(bits).map(Opcode::bits), Some(bits));
        }
        for bits in (0x3..=0x7).chain(0xB..=0xF) {
            assert_eq!(Opcode::from_bits(bits), None, "{bits:#x}");
        }
    }
}
