//! Rules of HTTP's grammar for several parts of a request (RFC 9110 §5.6).

/// Returns whether the bytes are a token, as header names and subprotocols are.
pub(crate) fn is_token(bytes: &[u8]) -> bool {
    // RFC 9110 §5.6.2. Qt's rule for subprotocols is the same set (CLI-10).
    !bytes.is_empty()
        && bytes
            .iter()
            .all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte))
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
