//! The payload of close frames: a code and a reason (RFC 6455 §5.5.1).

use crate::protocol::frames::bytes::ShortBytes;
use crate::protocol::frames::copying::split_between_characters;
use crate::protocol::frames::event::Event;
use crate::protocol::frames::frame_header::LONGEST_CONTROL_PAYLOAD;
use crate::protocol::frames::violation::Violation;
use crate::types::close_code::CloseCode;

/// The payload of a close frame to send.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ClosePayload(ShortBytes<LONGEST_CONTROL_PAYLOAD>);

impl ClosePayload {
    /// Makes the payload for this code and reason.
    ///
    /// The reason is cut to 123 bytes, between two characters. A code that must not be sent, such
    /// as 1005 or 1006, makes an empty payload, which the peer reports as 1005.
    ///
    /// # Qt
    ///
    /// Qt sends any code and cuts inside a character (CLS-02, CLS-03).
    pub(crate) fn new(code: CloseCode, reason: &str) -> Self {
        let mut payload = ShortBytes::new();
        // RFC 6455 §7.4.1: 1005, 1006 and 1015 stand for what was not in a close frame.
        if code.is_allowed_on_wire() {
            payload.extend(&u16::from(code).to_be_bytes());
            let (reason, _) = split_between_characters(reason, LONGEST_REASON);
            payload.extend(reason.as_bytes());
        }
        Self(payload)
    }

    /// Returns the reason as it is sent.
    pub(crate) fn reason(&self) -> &str {
        let reason = self.as_bytes().get(CODE_LENGTH..).unwrap_or_default();
        str::from_utf8(reason).unwrap_or_default()
    }

    /// Returns the bytes for the close frame.
    pub(crate) fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

/// Reads the payload of a received close frame.
pub(crate) fn parse(payload: &[u8]) -> Result<Event<'_>, Violation> {
    let Some((&code, reason)) = payload.split_first_chunk::<CODE_LENGTH>() else {
        // RFC 6455 §5.5.1: a body, if there is one, begins with a code of two bytes.
        return match payload {
            [] => Ok(Event::Close { code: None, reason: "" }),
            _ => Err(Violation::SHORT_CLOSE_PAYLOAD),
        };
    };
    let code = CloseCode::new(u16::from_be_bytes(code));
    // RFC 6455 §7.4.1 and §7.4.2: reserved codes and those below 1000 are not sent.
    if !code.is_allowed_on_wire() {
        return Err(Violation::FORBIDDEN_CLOSE_CODE);
    }
    // RFC 6455 §5.5.1 and §8.1: the reason is UTF-8.
    let reason = str::from_utf8(reason).map_err(|_| Violation::INVALID_CLOSE_REASON)?;
    Ok(Event::Close { code: Some(code), reason })
}

const LONGEST_REASON: usize = LONGEST_CONTROL_PAYLOAD - CODE_LENGTH;
const CODE_LENGTH: usize = 2;

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 6455 §5.5.1.
    #[test]
    fn reads_back_what_it_wrote() {
        let payload = ClosePayload::new(CloseCode::GOING_AWAY, "going away");

        assert_eq!(payload.as_bytes(), b"\x03\xE9going away");
        assert_eq!(
            parse(payload.as_bytes()),
            Ok(Event::Close { code: Some(CloseCode::GOING_AWAY), reason: "going away" })
        );
    }

    /// Qt: CLS-02, but never half a character; RFC 6455 §5.5.
    #[test]
    fn cuts_a_long_reason_between_two_characters() {
        let ascii = ClosePayload::new(CloseCode::NORMAL, &"a".repeat(200));
        let accents = ClosePayload::new(CloseCode::NORMAL, &"é".repeat(100));
        let emoji = ClosePayload::new(CloseCode::NORMAL, &"😀".repeat(100));

        assert_eq!(ascii.as_bytes().len(), 125);
        assert_eq!(&accents.as_bytes()[2..], "é".repeat(61).as_bytes());
        assert_eq!(&emoji.as_bytes()[2..], "😀".repeat(30).as_bytes());
    }

    /// Qt sends any code (CLS-03); RFC 6455 §7.4.1 forbids these.
    #[test]
    fn never_writes_a_code_that_must_not_be_sent() {
        for code in [0, 999, 1004, 1005, 1006, 1015, 2999, 5000] {
            let payload = ClosePayload::new(CloseCode::new(code), "reason");
            assert_eq!(payload.as_bytes(), b"", "{code}");
        }
    }
}
