//! Rules of HTTP's grammar for several parts of a request (RFC 9110 §5.6).

/// Returns whether the bytes are a token, as header names and subprotocols are.
pub(crate) fn is_token(bytes: &[u8]) -> bool {
    // RFC 9110 §5.6.2. Qt's rule for subprotocols is the same set (CLI-10).
    !bytes.is_empty() && leading_token(bytes) == bytes.len()
}

/// Returns how many of the first bytes could be a token.
pub(crate) fn leading_token(bytes: &[u8]) -> usize {
    let is_token = |byte: &&u8| TOKEN_BYTES.get(usize::from(**byte)).is_some_and(|is_in| *is_in);
    bytes.iter().take_while(is_token).count()
}

/// Returns how many of the first bytes are visible ASCII characters and spaces.
pub(crate) fn leading_text(bytes: &[u8]) -> usize {
    let (words, rest) = bytes.as_chunks();
    for (number, word) in words.iter().enumerate() {
        let others = other_bytes(u64::from_le_bytes(*word));
        if others != 0 {
            return number * WORD + others.trailing_zeros() as usize / 8;
        }
    }
    let rest = rest.iter().take_while(|byte| matches!(byte, b' '..=b'~')).count();
    words.len() * WORD + rest
}

/// Returns a word with its lowest set bit in the first byte that is not text.
///
/// Zero if all bytes are. A carry or borrow comes from such a byte, and changes only those behind.
const fn other_bytes(word: u64) -> u64 {
    const EACH: u64 = u64::MAX / 0xff;
    let is_below_space = word.wrapping_sub(EACH * b' ' as u64) & !word;
    let is_above_tilde = word.wrapping_add(EACH * (0x7f - b'~' as u64)) | word;
    (is_below_space | is_above_tilde) & (EACH * 0x80)
}

/// Returns whether the bytes are visible ASCII characters, spaces and tabs.
///
/// Stricter than RFC 9110 §5.5, which allows bytes from 0x80 for the sake of old senders.
pub(crate) fn is_printable(bytes: &[u8]) -> bool {
    bytes.iter().all(|byte| matches!(byte, b'\t' | b' '..=b'~'))
}

/// Returns whether a header value must not contain the byte (RFC 9110 §5.5).
pub(crate) const fn is_control(byte: u8) -> bool {
    byte.is_ascii_control() && byte != b'\t'
}

/// Splits a header line at its colon, and trims the value.
pub(crate) fn split_header(line: &[u8]) -> Option<(&[u8], &[u8])> {
    let colon = line.iter().position(|byte| *byte == b':')?;
    let (name, rest) = line.split_at_checked(colon)?;
    Some((name, trim(rest.strip_prefix(b":")?)))
}

/// Returns the members of a comma-separated list, without empty ones.
///
/// RFC 9110 §5.6.1.
pub(crate) fn list_members(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    value.split(|byte| *byte == b',').map(trim).filter(|member| !member.is_empty())
}

/// Removes spaces and tabs, and only those, from both ends.
pub(crate) fn trim(mut bytes: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] | [rest @ .., b' ' | b'\t'] = bytes {
        bytes = rest;
    }
    bytes
}

/// Whether each byte may be in a token.
const TOKEN_BYTES: [bool; 256] = {
    let mut is_token = [false; 256];
    let mut byte = 0;
    while byte < 128_u8 {
        is_token[byte as usize] = byte.is_ascii_alphanumeric() || is_token_symbol(byte);
        byte += 1;
    }
    is_token
};

const fn is_token_symbol(byte: u8) -> bool {
    matches!(
        byte,
        b'!' | b'#'..=b'\'' | b'*' | b'+' | b'-' | b'.' | b'^' | b'_' | b'`' | b'|' | b'~'
    )
}

/// The size of a word, in bytes.
const WORD: usize = 8;

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 9110 §5.6.2; Qt: CLI-10.
    #[test]
    fn a_token_has_no_separators_spaces_or_control_characters() {
        for token in ["chat", "!#$%&'*+-.^_`|~09azAZ", "v1.json"] {
            assert!(is_token(token.as_bytes()), "{token}");
        }
        for separator in b"()<>@,;:\\\"/[]?={} \t\r\n\0\x7f\x80\xff" {
            assert!(!is_token(&[b'a', *separator, b'b']), "{separator:#x}");
        }
        assert!(!is_token(b""));
    }

    #[test]
    fn text_ends_before_the_first_other_byte_wherever_that_is() {
        for length in [0, 1, 15, 16, 17, 31, 32, 33, 100] {
            let text = vec![b'a'; length];
            assert_eq!(leading_text(&text), length);
            for other in b"\t\r\n\0\x1f\x7f\x80\xff" {
                assert_eq!(leading_text(&[&*text, &[*other], &*text].concat()), length, "{other}");
            }
        }
        assert_eq!(leading_text(b" ~"), 2);
    }

    /// RFC 9110 §5.6.1.2 and §5.6.3.
    #[test]
    fn list_members_are_trimmed_and_empty_ones_do_not_count() {
        let members = |value: &'static str| list_members(value.as_bytes()).collect::<Vec<_>>();

        assert_eq!(members("keep-alive, Upgrade"), [&b"keep-alive"[..], b"Upgrade"]);
        assert_eq!(members("\t a ,,b\t, "), [b"a", b"b"]);
        assert!(members(" , ,\t").is_empty() && members("").is_empty());
    }

    /// RFC 9112 §5: only spaces and tabs surround a value.
    #[test]
    fn a_header_line_is_split_at_its_first_colon() {
        assert_eq!(split_header(b"Host:\t a:1 \t"), Some((&b"Host"[..], &b"a:1"[..])));
        assert_eq!(split_header(b"Empty: \t "), Some((&b"Empty"[..], &b""[..])));
        assert_eq!(split_header(b":v"), Some((&b""[..], &b"v"[..])));
        assert_eq!(split_header(b"Host"), None);
    }
}
