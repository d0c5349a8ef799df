//! Cuts messages to send into frames (RFC 6455 §5.4).

use std::num::NonZeroUsize;

use crate::protocol::frames::frame::Frame;
use crate::protocol::frames::frame_header::{FINAL_BIT, ReservedBits, encoded_length};
use crate::protocol::frames::opcode::{MessageKind, Opcode};

/// The frames of one message, first to last.
#[derive(Clone, Debug)]
pub(crate) struct Frames<'a> {
    opcode: Opcode,
    /// Those of the first frame.
    reserved: ReservedBits,
    rest: Option<&'a [u8]>,
    frame_size: usize,
    is_text: bool,
}

impl<'a> Frames<'a> {
    /// Cuts a message into frames of at most `frame_size` bytes.
    ///
    /// Qt 6.4 to 6.9.0 refuses frames that end inside a character (SND-10), so they end before one
    /// that does not fit; only frames too short for it are filled with a part. An empty message is
    /// one empty frame (SND-03).
    pub(crate) fn of(kind: MessageKind, message: &'a [u8], frame_size: NonZeroUsize) -> Self {
        Self {
            opcode: kind.into(),
            reserved: ReservedBits::NONE,
            rest: Some(message),
            frame_size: frame_size.get(),
            is_text: kind == MessageKind::Text,
        }
    }

    /// Cuts a compressed message into frames of at most `frame_size` bytes.
    ///
    /// It is cut anywhere, as the frames by themselves are not text.
    #[cfg(feature = "compression")]
    pub(crate) fn of_compressed(
        kind: MessageKind,
        message: &'a [u8],
        frame_size: NonZeroUsize,
    ) -> Self {
        // RFC 7692 §6.1: the bit is set in the first frame alone.
        let reserved = ReservedBits::RSV1;
        Self { reserved, is_text: false, ..Self::of(kind, message, frame_size) }
    }

    /// Returns how much of `rest`, which is longer than a frame, the next frame takes.
    fn next_cut(&self, rest: &[u8]) -> usize {
        let begins_character =
            |at: &usize| *at > 0 && rest.get(*at).is_none_or(|byte| byte & 0xC0 != 0x80);
        let size = self.frame_size;
        if !self.is_text {
            return size;
        }
        (size.saturating_sub(LONGEST_CHARACTER - 1)..=size)
            .rev()
            .find(begins_character)
            .unwrap_or(size)
    }
}

impl<'a> Iterator for Frames<'a> {
    type Item = Frame<'a>;

    fn next(&mut self) -> Option<Frame<'a>> {
        let rest = self.rest.take()?;
        let size = if rest.len() > self.frame_size { self.next_cut(rest) } else { rest.len() };
        let (payload, rest) = rest.split_at_checked(size).unwrap_or((rest, &[]));
        let (opcode, is_final) = (self.opcode, rest.is_empty());
        let frame = Frame { opcode, is_final, reserved: self.reserved, payload };
        if !frame.is_final {
            self.rest = Some(rest);
            (self.opcode, self.reserved) = (Opcode::Continuation, ReservedBits::NONE);
        }
        Some(frame)
    }
}

/// Returns the first message of those that are encoded one behind the other.
pub(crate) fn first_message(messages: &[u8]) -> &[u8] {
    let mut end = 0;
    while let Some(&first) = messages.get(end) {
        end += encoded_length(messages.get(end..).unwrap_or_default());
        if first & FINAL_BIT != 0 {
            break;
        }
    }
    messages.get(..end).unwrap_or(messages)
}

/// The length of the longest characters in UTF-8, in bytes.
const LONGEST_CHARACTER: usize = 4;

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(opcode: Opcode, is_final: bool, payload: &[u8]) -> Frame<'_> {
        Frame { opcode, is_final, reserved: ReservedBits::NONE, payload }
    }

    fn cut(message: &[u8], frame_size: usize) -> Vec<Frame<'_>> {
        Frames::of(MessageKind::Text, message, NonZeroUsize::new(frame_size).unwrap()).collect()
    }

    /// RFC 6455 §5.2 and §5.4: all lengths, masked or not, in one frame or several.
    #[test]
    fn finds_where_a_message_ends() {
        for length in [0, 1, 125, 126, 65_535, 65_536, 70_000] {
            for (key, size) in [(None, 1_000_000), (Some([1, 2, 3, 4]), 1000)] {
                let mut bytes = Vec::new();
                for frame in cut(&vec![b'x'; length], size) {
                    frame.write_to(&mut bytes, key);
                }
                let behind = [&bytes[..], &[0x81, 1, b'y']].concat();

                assert_eq!(first_message(&behind).len(), bytes.len(), "{length} bytes");
            }
        }
        assert!(first_message(&[]).is_empty());
    }

    /// Qt: SND-04; "abcdé fghij" in frames of 4 bytes.
    #[test]
    fn cuts_long_messages() {
        let message = "abcdé fghij".as_bytes();

        let frames = cut(message, 4);

        let expected = [
            frame(Opcode::Text, false, b"abcd"),
            frame(Opcode::Continuation, false, "é f".as_bytes()),
            frame(Opcode::Continuation, true, b"ghij"),
        ];
        assert_eq!(frames, expected);
    }

    /// Qt: SND-10: several versions refuse frames that end inside a character; RFC 6455 §5.6.
    #[test]
    fn cuts_text_between_characters() {
        let payloads = |message: &'static str, frame_size| -> Vec<_> {
            cut(message.as_bytes(), frame_size).iter().map(|frame| frame.payload).collect()
        };

        assert_eq!(payloads("aé€🦀b", 4), ["aé".as_bytes(), "€".as_bytes(), "🦀".as_bytes(), b"b"]);
        assert_eq!(payloads("abc🦀", 6), ["abc".as_bytes(), "🦀".as_bytes()]);
        assert_eq!(payloads("€a", 2), [&b"\xE2\x82"[..], b"\xACa"]);
        assert_eq!(payloads("é", 1), [b"\xC3", b"\xA9"]);
    }

    /// Qt: SND-04; what is not text is cut by bytes.
    #[test]
    fn cuts_binary_messages_by_bytes() {
        let frames = Frames::of(MessageKind::Binary, &[0x80; 5], NonZeroUsize::new(4).unwrap());

        assert_eq!(frames.map(|frame| frame.payload.len()).collect::<Vec<_>>(), [4, 1]);
    }

    /// RFC 7692 §6.1: the bit is in the first frame, and text is cut by bytes too.
    #[cfg(feature = "compression")]
    #[test]
    fn cuts_compressed_messages_by_bytes() {
        let size = NonZeroUsize::new(2).unwrap();
        // Text would be cut in front of the second byte.
        let message = &[b'a', b'b', 0x80, 0x80, 0x80];
        let frames = Frames::of_compressed(MessageKind::Text, message, size);

        let seen: Vec<_> = frames
            .map(|frame| (frame.opcode, !frame.reserved.is_empty(), frame.payload.len()))
            .collect();
        let expected = [
            (Opcode::Text, true, 2),
            (Opcode::Continuation, false, 2),
            (Opcode::Continuation, false, 1),
        ];
        assert_eq!(seen, expected);
    }

    /// Qt: SND-03 and SND-04; RFC 6455 §5.4.
    #[test]
    fn sends_a_message_that_fits_as_one_frame() {
        for message in [&b""[..], b"abc", b"abcd"] {
            assert_eq!(cut(message, 4), [frame(Opcode::Text, true, message)]);
        }
    }
}
