//! Cuts messages to send into frames (RFC 6455 §5.4).

use std::num::NonZeroUsize;

use crate::protocol::frame::Frame;
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
        let frame = Frame { opcode: self.opcode, is_final: rest.is_empty(), payload };
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

    fn cut(message: &[u8], frame_size: usize) -> Vec<Frame<'_>> {
        Frames::of(MessageKind::Text, message, NonZeroUsize::new(frame_size).unwrap()).collect()
    }

    /// Qt: SND-04; "abcdé fghij" in frames of 4 bytes, one cut inside "é".
    #[test]
    fn cuts_messages_by_bytes() {
        let message = "abcdé fghij".as_bytes();

        let frames = cut(message, 4);

        let expected = [
            Frame { opcode: Opcode::Text, is_final: false, payload: b"abcd" },
            Frame { opcode: Opcode::Continuation, is_final: false, payload: "é f".as_bytes() },
            Frame { opcode: Opcode::Continuation, is_final: true, payload: b"ghij" },
        ];
        assert_eq!(frames, expected);
    }

    /// Qt: SND-03 and SND-04; RFC 6455 §5.4.
    #[test]
    fn sends_a_message_that_fits_as_one_frame() {
        for message in [&b""[..], b"abc", b"abcd"] {
            let only = Frame { opcode: Opcode::Text, is_final: true, payload: message };
            assert_eq!(cut(message, 4), [only]);
        }
    }
}
