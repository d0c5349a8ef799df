//! The mode of a server: ws or wss.

/// The mode of a server: plain WebSocket or WebSocket over TLS.
///
/// # Qt
///
/// `QWebSocketServer::SslMode`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "a server is secure or it is not")]
pub enum SslMode {
    /// TLS: the URL starts with `wss`.
    #[doc(alias = "SecureMode")]
    Secure,
    /// No TLS: the URL starts with `ws`.
    #[doc(alias = "NonSecureMode")]
    NonSecure,
}

impl SslMode {
    /// Returns the scheme of URLs in this mode.
    pub(crate) const fn scheme(self) -> &'static str {
        match self {
            Self::Secure => "wss",
            Self::NonSecure => "ws",
        }
    }
}
