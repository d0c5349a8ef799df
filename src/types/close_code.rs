//! Close codes: why a WebSocket connection ended (RFC 6455 §7.4).

use std::fmt;

/// The code of a close frame: the reason why a connection ended.
///
/// A newtype over the number, because applications define their own codes (4000–4999) and the
/// registry grows. The constants have Qt's names.
///
/// # Qt
///
/// `QWebSocketProtocol::CloseCode`. Qt has no names for 1012–1014 and refuses them; they are
/// registered and accepted here.
///
/// # Examples
///
/// ```
/// use slotwork::CloseCode;
///
/// assert_eq!(u16::from(CloseCode::GOING_AWAY), 1001);
/// assert!(CloseCode::new(4000).is_allowed_on_wire());
/// assert!(!CloseCode::ABNORMAL_DISCONNECTION.is_allowed_on_wire());
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CloseCode(u16);

impl CloseCode {
    /// The purpose of the connection was fulfilled (1000).
    #[doc(alias = "CloseCodeNormal")]
    pub const NORMAL: Self = Self(1000);
    /// The endpoint goes away: a server shuts down, a browser leaves the page (1001).
    #[doc(alias = "CloseCodeGoingAway")]
    pub const GOING_AWAY: Self = Self(1001);
    /// The peer broke a rule of the protocol (1002).
    #[doc(alias = "CloseCodeProtocolError")]
    pub const PROTOCOL_ERROR: Self = Self(1002);
    /// The message was of a kind that the endpoint does not accept (1003).
    #[doc(alias = "CloseCodeDatatypeNotSupported")]
    pub const DATATYPE_NOT_SUPPORTED: Self = Self(1003);
    /// Reserved, without a meaning; never sent (1004).
    #[doc(alias = "CloseCodeReserved1004")]
    pub const RESERVED_1004: Self = Self(1004);
    /// The close frame carried no code; reported, never sent (1005).
    #[doc(alias = "CloseCodeMissingStatusCode")]
    pub const MISSING_STATUS_CODE: Self = Self(1005);
    /// The connection ended without a close frame; reported, never sent (1006).
    #[doc(alias = "CloseCodeAbnormalDisconnection")]
    pub const ABNORMAL_DISCONNECTION: Self = Self(1006);
    /// The data did not fit its type, such as a text that is not UTF-8 (1007).
    #[doc(alias = "CloseCodeWrongDatatype")]
    pub const WRONG_DATATYPE: Self = Self(1007);
    /// The message broke a rule of the endpoint (1008).
    #[doc(alias = "CloseCodePolicyViolated")]
    pub const POLICY_VIOLATED: Self = Self(1008);
    /// The message or the frame was too big (1009).
    #[doc(alias = "CloseCodeTooMuchData")]
    pub const TOO_MUCH_DATA: Self = Self(1009);
    /// The server did not agree to an extension that the client needs (1010).
    #[doc(alias = "CloseCodeMissingExtension")]
    pub const MISSING_EXTENSION: Self = Self(1010);
    /// The server met an error that prevents it from continuing (1011).
    #[doc(alias = "CloseCodeBadOperation")]
    pub const BAD_OPERATION: Self = Self(1011);
    /// The endpoint is overloaded; the peer may connect again later (1013).
    pub const TRY_AGAIN_LATER: Self = Self(1013);
    /// The TLS handshake failed; reported, never sent (1015).
    #[doc(alias = "CloseCodeTlsHandshakeFailed")]
    pub const TLS_HANDSHAKE_FAILED: Self = Self(1015);

    /// Makes a close code of any number.
    ///
    /// [`is_allowed_on_wire`](Self::is_allowed_on_wire) returns whether it may be sent.
    #[must_use]
    pub const fn new(code: u16) -> Self {
        Self(code)
    }

    /// Returns whether a close frame may carry this code.
    ///
    /// These are 1000–1003, 1007–1014 and 3000–4999 (RFC 6455 §7.4.2 and the registry of §11.7).
    #[must_use]
    pub const fn is_allowed_on_wire(self) -> bool {
        matches!(self.0, 1000..=1003 | 1007..=1014 | 3000..=4999)
    }

    const fn name(self) -> Option<&'static str> {
        Some(match self {
            Self::NORMAL => "normal",
            Self::GOING_AWAY => "going away",
            Self::PROTOCOL_ERROR => "protocol error",
            Self::DATATYPE_NOT_SUPPORTED => "data type not supported",
            Self::RESERVED_1004 => "reserved",
            Self::MISSING_STATUS_CODE => "no code given",
            Self::ABNORMAL_DISCONNECTION => "abnormal disconnection",
            Self::WRONG_DATATYPE => "wrong data type",
            Self::POLICY_VIOLATED => "policy violated",
            Self::TOO_MUCH_DATA => "too much data",
            Self::MISSING_EXTENSION => "missing extension",
            Self::BAD_OPERATION => "bad operation",
            Self::TRY_AGAIN_LATER => "try again later",
            Self::TLS_HANDSHAKE_FAILED => "TLS handshake failed",
            _ => return None,
        })
    }
}

impl From<u16> for CloseCode {
    fn from(code: u16) -> Self {
        Self(code)
    }
}

impl From<CloseCode> for u16 {
    fn from(code: CloseCode) -> Self {
        code.0
    }
}

impl fmt::Display for CloseCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => write!(f, "{} ({name})", self.0),
            None => write!(f, "{}", self.0),
        }
    }
}

impl fmt::Debug for CloseCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CloseCode({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Qt: PROTO-03; RFC 6455 §7.4.2 and the registered codes 1012–1014.
    #[test]
    fn only_codes_that_the_rfc_and_its_registry_allow_may_be_sent() {
        let allowed = |code| CloseCode::new(code).is_allowed_on_wire();

        for code in (1000..=1003).chain(1007..=1014).chain(3000..=4999) {
            assert!(allowed(code), "{code}");
        }
        for code in (0..1000).chain(1004..=1006).chain(1015..3000).chain(5000..=u16::MAX) {
            assert!(!allowed(code), "{code}");
        }
    }

    #[test]
    fn shows_the_number_and_the_name_where_there_is_one() {
        assert_eq!(CloseCode::GOING_AWAY.to_string(), "1001 (going away)");
        assert_eq!(CloseCode::new(4001).to_string(), "4001");
        assert_eq!(format!("{:?}", CloseCode::NORMAL), "CloseCode(1000 (normal))");
    }

    /// RFC 6455 §7.4.1 and the registry of §11.7 have a name for each of these.
    #[test]
    fn each_code_with_a_constant_has_a_name_of_its_own() {
        let names: std::collections::BTreeSet<_> =
            (1000..=1015).filter_map(|code| CloseCode::new(code).name()).collect();

        assert_eq!(names.len(), 14);
        for code in [1012, 1014] {
            assert_eq!(CloseCode::new(code).name(), None, "{code}");
        }
    }
}
