//! The rules that a peer can break, with the close frames that answer it.

use crate::types::close_code::CloseCode;

/// A broken rule: close code and reason of the answering close frame.
///
/// Each reason fits a close frame (at most 123 bytes, RFC 6455 §5.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Violation {
    close_code: CloseCode,
    reason: &'static str,
}

impl Violation {
    pub(crate) const RESERVED_BITS: Self =
        Self::protocol("reserved bits are set, but no extension was agreed");
    pub(crate) const RESERVED_OPCODE: Self = Self::protocol("the opcode is reserved");
    pub(crate) const FRAGMENTED_CONTROL_FRAME: Self =
        Self::protocol("a control frame must not be fragmented");
    pub(crate) const LONG_CONTROL_FRAME: Self =
        Self::protocol("a control frame must not be longer than 125 bytes");
    pub(crate) const NOTHING_TO_CONTINUE: Self =
        Self::protocol("a continuation frame came without a message to continue");
    pub(crate) const UNFINISHED_MESSAGE: Self =
        Self::protocol("a new message began inside a fragmented message");
    pub(crate) const UNMASKED_FRAME: Self = Self::protocol("frames from a client must be masked");
    pub(crate) const MASKED_FRAME: Self = Self::protocol("frames from a server must not be masked");
    pub(crate) const LONG_LENGTH_ENCODING: Self =
        Self::protocol("the payload length is not encoded in the shortest form");
    pub(crate) const NEGATIVE_LENGTH: Self =
        Self::protocol("the highest bit of the payload length is set");
    pub(crate) const SHORT_CLOSE_PAYLOAD: Self =
        Self::protocol("the close frame carries half a close code");
    pub(crate) const FORBIDDEN_CLOSE_CODE: Self =
        Self::protocol("the close frame carries a code that must not be sent");
    pub(crate) const INVALID_TEXT: Self =
        Self::new(CloseCode::WRONG_DATATYPE, "the text is not valid UTF-8");
    pub(crate) const INVALID_CLOSE_REASON: Self =
        Self::new(CloseCode::WRONG_DATATYPE, "the close reason is not valid UTF-8");
    pub(crate) const FRAME_TOO_BIG: Self =
        Self::new(CloseCode::TOO_MUCH_DATA, "the frame is bigger than this endpoint accepts");
    #[cfg(feature = "compression")]
    pub(crate) const INVALID_DEFLATE: Self =
        Self::new(CloseCode::WRONG_DATATYPE, "the compressed data is broken or breaks off");
    pub(crate) const MESSAGE_TOO_BIG: Self =
        Self::new(CloseCode::TOO_MUCH_DATA, "the message is bigger than this endpoint accepts");
    pub(crate) const TOO_MANY_FRAGMENTS: Self = Self::new(
        CloseCode::POLICY_VIOLATED,
        "the message has more fragments than this endpoint accepts",
    );

    const fn protocol(reason: &'static str) -> Self {
        Self::new(CloseCode::PROTOCOL_ERROR, reason)
    }

    const fn new(close_code: CloseCode, reason: &'static str) -> Self {
        // Checked when the constants are evaluated. RFC 6455 §5.5 and §5.5.1: a close frame
        // carries 125 bytes, two of them the code.
        assert!(reason.len() <= 123);
        Self { close_code, reason }
    }

    /// Returns the close code for the answering close frame.
    pub(crate) const fn close_code(self) -> CloseCode {
        self.close_code
    }

    /// Returns the reason, for people.
    pub(crate) const fn reason(self) -> &'static str {
        self.reason
    }
}
