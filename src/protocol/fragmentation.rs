//! Cuts messages to send into frames (RFC 6455 §5.4).

use std::num::NonZeroUsize;

use crate::protocol::frame::Frame;
use crate::protocol::frame_header::ReservedBits;
use crate::protocol::opcode::{MessageKind, Opcode};

/// The frames of one message, first to last.
#[derive(Clone, Debug)]
pub(crate) struct Frames<'a> {
    opcode: Opcode,
    rest: Option<&'a [u8]>,
    frame_size: NonZeroUsize,
}

impl<'a> Frames<'a> {
    /// Cuts a message into frames of `frame_size` bytes, the last one with what is left.
    ///
    /// The cuts may fall inside a character (SND-04); an empty message is one empty frame
    /// (SND-03).
    pub(crate) fn of(kind: MessageKind, message: &'a [u8], frame_size: NonZeroUsize) -> Self {
        Self { opcode: kind.into(), rest: Some(message), frame_size }
    }
}

impl<'a> Iterator for Frames<'a> {
    type Item = Frame<'a>;

    fn next(&mut self) -> Option<Frame<'a>> {
        let rest = self.rest.take()?;
        let (payload, rest) = rest.split_at_checked(self.frame_size.get()).unwrap_or((rest, &[]));
        let (opcode, is_final) = (self.opcode, rest.is_empty());
        let frame = Frame { opcode, is_final, reserved: ReservedBits::NONE, payload };
        if !frame.is_final {
            self.rest = Some(rest);
            self.opcode = Opcode::Continuation;
        }
        Some(frame)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(opcode: Opcode, is_final: bool, payload: &[u8]) -> Frame<'_> {
        Frame { opcode, is_final, reserved: ReservedBits::NONE, payload }
    }

    fn cut(message: &[u8], frame_size: usize) -> Vec<Frame<'_>> {
        Frames::of(MessageKind::Text, message, NonZeroUsize::new(frame_size).unwrap()).collect()
    }

    /// Qt: SND-04; "abcdé fghij" in frames of 4 bytes, one cut inside "é".
    #[test]
    fn cuts_messages_by_bytes() {
        let message = "abcdé fghij".as_bytes();

        let frames = cut(message, 4);

        let expected = [
            frame(Opcode::Text, false, b"abcd"),
            frame(Opcode::Continuation, false, "é f".as_bytes()),
            frame(Opcode::Continuation, true, b"ghij"),
        ];
        assert_eq!(frames, expected);
    }

    /// Qt: SND-03 and SND-04; RFC 6455 §5.4.
    #[test]
    fn sends_a_message_that_fits_as_one_frame() {
        for message in [&b""[..], b"abc", b"abcd"] {
            assert_eq!(cut(message, 4), [frame(Opcode::Text, true, message)]);
        }
    }
}
