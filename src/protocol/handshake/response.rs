//! The answer of a server to an opening handshake.

use std::borrow::Cow;
use std::fmt;

/// The answer of a server to the opening handshake.
///
/// Shown with `{:?}`, it lists the names of the headers without their values.
///
/// # Qt
///
/// Qt does not expose it.
#[derive(Clone, PartialEq, Eq)]
pub struct HandshakeResponse {
    pub(crate) status: u16,
    pub(crate) reason: String,
    pub(crate) headers: Vec<(String, Vec<u8>)>,
    pub(crate) body: Vec<u8>,
}

impl HandshakeResponse {
    /// Returns the HTTP status: 101 when the connection was opened.
    ///
    /// # Examples
    ///
    /// ```
    /// use slotwork::WebSocket;
    ///
    /// let socket = WebSocket::new();
    /// socket.disconnected().connect(|socket, ()| {
    ///     if let Some(response) = socket.handshake_response().filter(|response| response.status() != 101) {
    ///         eprintln!("refused with {}: {:?}", response.status(), response.header("Retry-After"));
    ///     }
    /// });
    /// ```
    #[must_use]
    pub fn status(&self) -> u16 {
        self.status
    }

    /// Returns the reason phrase behind the status, for people; may be empty.
    #[must_use]
    pub fn reason_phrase(&self) -> &str {
        &self.reason
    }

    /// Returns the value of the first header of this name (case-insensitive).
    ///
    /// Bytes that are not UTF-8 are replaced with U+FFFD; see [`raw_header`](Self::raw_header).
    #[must_use]
    pub fn header(&self, name: &str) -> Option<Cow<'_, str>> {
        self.raw_header(name).map(String::from_utf8_lossy)
    }

    /// Returns the bytes of the first header of this name (case-insensitive).
    #[must_use]
    pub fn raw_header(&self, name: &str) -> Option<&[u8]> {
        self.raw_values(name).next()
    }

    /// Returns the values of all headers of this name, such as `Set-Cookie`.
    pub fn raw_values(&self, name: &str) -> impl Iterator<Item = &[u8]> {
        self.raw_headers()
            .filter(move |(found, _)| found.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
    }

    /// Returns all headers in the order in which they came, as names and values.
    pub fn raw_headers(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.headers.iter().map(|(name, value)| (&**name, &**value))
    }

    /// Returns the body of a refusal, as received within a second; at most 32 KiB.
    #[must_use]
    pub fn body(&self) -> &[u8] {
        &self.body
    }
}

impl fmt::Debug for HandshakeResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HandshakeResponse")
            .field("status", &self.status)
            .field("reason", &self.reason)
            .field("headers", &self.raw_headers().map(|(name, _)| name).collect::<Vec<_>>())
            .finish_non_exhaustive()
    }
}
