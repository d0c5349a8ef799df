//! Versions of the WebSocket protocol.

/// A version of the WebSocket protocol, the value of `Sec-WebSocket-Version`.
///
/// RFC 6455 §11.6 registers the numbers.
///
/// # Qt
///
/// `QWebSocketProtocol::Version`. Its other values are drafts, which Qt does not support either.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Version {
    /// RFC 6455, the only one in use.
    #[doc(alias = "Version13")]
    V13,
}

impl Version {
    /// The latest version.
    #[doc(alias = "VersionLatest")]
    pub const LATEST: Self = Self::V13;

    /// Returns the number of the version.
    #[must_use]
    pub const fn number(self) -> u8 {
        match self {
            Self::V13 => 13,
        }
    }
}
