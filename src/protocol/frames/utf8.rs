//! Validates text while it arrives (RFC 6455 §8.1).

use ascii::AsAsciiStr;
use simdutf8::basic;

use crate::protocol::frames::copying::append_text;
use crate::protocol::frames::violation::Violation;

/// Returns the text that these bytes are.
#[inline]
pub(crate) fn text(bytes: &[u8]) -> Result<&str, Violation> {
    // Such texts are left to std by simdutf8; to find that one is ASCII takes a third of that.
    if bytes.len() < LONG
        && let Ok(text) = bytes.as_ascii_str()
    {
        return Ok(text.as_str());
    }
    // RFC 6455 §8.1: text that is not UTF-8 fails the connection, §7.4.1 with 1007.
    basic::from_utf8(bytes).map_err(|_| Violation::INVALID_TEXT)
}

/// The first bytes of an incomplete character.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct SplitCharacter {
    bytes: [u8; 3],
    length: u8,
}

impl SplitCharacter {
    /// Appends the next piece to `text`, without an incomplete character at its end.
    ///
    /// # Errors
    ///
    /// When no continuation could make the piece valid: an invalid byte is found when it comes,
    /// not at the end of the message.
    pub(crate) fn append(&mut self, text: &mut String, piece: &[u8]) -> Result<(), Violation> {
        let mut piece = piece;
        while !self.is_empty()
            && let Some((&byte, rest)) = piece.split_first()
        {
            self.complete(text, byte)?;
            piece = rest;
        }

        let (whole, unfinished) = piece.split_at(piece.len() - unfinished_length(piece));
        append_text(text, self::text(whole)?);
        for &byte in unfinished {
            self.complete(text, byte)?;
        }
        Ok(())
    }

    /// Returns how many bytes wait for the rest of their character.
    pub(crate) fn len(self) -> usize {
        self.length.into()
    }

    /// Returns whether the text so far ends with a whole character.
    pub(crate) fn is_empty(self) -> bool {
        self.length == 0
    }

    fn complete(&mut self, text: &mut String, byte: u8) -> Result<(), Violation> {
        let [first, second, third] = self.bytes;
        let mut bytes = [first, second, third, 0];
        let (head, _) = bytes.split_at_mut(self.len() + 1);
        if let Some(last) = head.last_mut() {
            *last = byte;
        }

        match str::from_utf8(head) {
            Ok(character) => {
                text.push_str(character);
                self.length = 0;
            }
            Err(error) if error.error_len().is_some() => return Err(Violation::INVALID_TEXT),
            Err(_) => {
                self.length += 1;
                let [first, second, third, _] = bytes;
                self.bytes = [first, second, third];
            }
        }
        Ok(())
    }
}

/// Returns the length of the incomplete character at the end of `piece`.
///
/// Only the first byte of the character is looked at; the bytes need not be valid.
fn unfinished_length(piece: &[u8]) -> usize {
    let first_bytes = piece.iter().rev().zip(1..=3);
    for (&byte, length) in first_bytes {
        let declared = match byte {
            0x80..=0xBF => continue,
            0xC0..=0xDF => 2,
            0xE0..=0xEF => 3,
            0xF0..=0xFF => 4,
            _ => 1,
        };
        return if declared > length { length } else { 0 };
    }
    0
}

/// From this length on simdutf8 uses vectors, in bytes.
const LONG: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 6455 §8.1: on both sides of the length from which another validation is used.
    #[test]
    fn finds_a_byte_that_is_not_ascii_at_each_position() {
        for length in 1..2 * LONG {
            let mut text = vec![b'x'; length];
            assert!(self::text(&text).is_ok(), "length {length}");
            for position in 0..length {
                text[position] = 0x80;
                assert_eq!(
                    self::text(&text),
                    Err(Violation::INVALID_TEXT),
                    "{position} of {length}"
                );
                text[position] = b'x';
            }
            text.extend("é".bytes());
            assert_eq!(self::text(&text).ok(), std::str::from_utf8(&text).ok());
        }
    }

    /// Appends the pieces; returns after how many bytes the text was refused.
    fn appended<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Result<(String, usize), usize> {
        let mut split = SplitCharacter::default();
        let mut text = String::new();
        let mut seen = 0;
        for piece in pieces {
            seen += piece.len();
            split.append(&mut text, piece).map_err(|_| seen)?;
        }
        Ok((text, split.len()))
    }

    const SAMPLES: [&[u8]; 14] = [
        b"",
        b"plain",
        "é€😀 mixed ß漢字😀".as_bytes(),
        b"\xCE\xBA\xE1\xBD\xB9\xCF\x83\xF4\x90\x80\x80edited",
        b"\xF4\x8F\xBF\xBF",
        b"\xED\xA0\x80",
        b"\xE0\x80\xAF",
        b"\xC0\xAF",
        b"\xC1",
        b"\xF8\x88\x80\x80\x80",
        b"\xFF",
        b"abc\x80",
        b"abc\xE2\x82",
        b"\xF0\x9F\x98",
    ];

    /// RFC 6455 §8.1, against the standard library: the text, and the byte that spoils it.
    #[test]
    fn validates_text_byte_by_byte_as_the_standard_library_does_in_whole() {
        for sample in SAMPLES {
            let expected = match str::from_utf8(sample) {
                Ok(text) => Ok((text.to_owned(), 0)),
                Err(error) => match error.error_len() {
                    None => {
                        let (valid, rest) = sample.split_at(error.valid_up_to());
                        Ok((String::from_utf8(valid.to_vec()).unwrap(), rest.len()))
                    }
                    Some(_) => Err((1..=sample.len())
                        .find(|&end| {
                            str::from_utf8(&sample[..end]).is_err_and(|e| e.error_len().is_some())
                        })
                        .unwrap()),
                },
            };

            assert_eq!(appended(sample.chunks(1)), expected, "{sample:x?}");
        }
    }

    /// RFC 6455 §8.1: where a text is cut makes no difference.
    #[test]
    fn validates_text_alike_wherever_it_is_cut() {
        for sample in SAMPLES {
            let whole = appended([sample]).map_err(drop);
            for first in 0..=sample.len() {
                for second in first..=sample.len() {
                    let pieces = [&sample[..first], &sample[first..second], &sample[second..]];
                    assert_eq!(appended(pieces).map_err(drop), whole, "{pieces:x?}");
                }
            }
        }
    }
}
