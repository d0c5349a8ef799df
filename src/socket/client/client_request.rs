//! The request of a client: URL, headers and subprotocols.

use std::fmt;

use crate::net::upgrade::client::Opening;
use crate::protocol::handshake::grammar;
use crate::protocol::handshake::request_head::HeadLimits;
use crate::protocol::handshake::url::{Url, UrlError, without_secrets};
use crate::types::error::Error;

/// A request to open a connection: URL, headers and subprotocols.
///
/// It is checked when it is opened.
///
/// Its `{:?}` leaves out the user information and the query of the URL, and the values of headers
/// and subprotocols, which may be passwords, cookies or tokens.
///
/// # Qt
///
/// `QNetworkRequest` and `QWebSocketHandshakeOptions` in one.
///
/// # Examples
///
/// ```
/// use slotwork::{ClientRequest, Error, WebSocket};
///
/// # fn main() -> Result<(), Error> {
/// let socket = WebSocket::new();
/// let request = ClientRequest::new("ws://127.0.0.1:1234/chat")
///     .header("Authorization", "Bearer 1234")
///     .subprotocols(["chat", "superchat"]);
/// socket.open_request(request)?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Default, PartialEq, Eq)]
pub struct ClientRequest {
    url: String,
    headers: Vec<(String, String)>,
    subprotocols: Vec<String>,
}

impl ClientRequest {
    /// Makes a request for a `ws` or `wss` URL.
    ///
    /// # Examples
    ///
    /// ```
    /// use slotwork::ClientRequest;
    ///
    /// // The room is a part of the query.
    /// let room = "42";
    /// let request = ClientRequest::new(format!("wss://example.org/chat?room={room}"));
    /// assert_eq!(request.url(), "wss://example.org/chat?room=42");
    /// ```
    #[must_use]
    pub fn new(url: impl Into<String>) -> Self {
        Self { url: url.into(), ..Self::default() }
    }

    /// Adds a header; names may repeat.
    ///
    /// # Qt
    ///
    /// `QNetworkRequest::setRawHeader()`.
    ///
    /// # Examples
    ///
    /// ```
    /// use slotwork::ClientRequest;
    ///
    /// let request = ClientRequest::new("wss://example.org/chat")
    ///     .header("Cookie", "session=1234")
    ///     .header("User-Agent", "chat/1.0");
    /// ```
    #[doc(alias = "setRawHeader")]
    #[must_use]
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// Sets the offered subprotocols, in order of preference.
    ///
    /// # Qt
    ///
    /// `QWebSocketHandshakeOptions::setSubprotocols()`. Qt leaves out invalid names with a warning;
    /// here the request is refused.
    ///
    /// # Examples
    ///
    /// ```
    /// use slotwork::{ClientRequest, WebSocket};
    ///
    /// # fn main() -> Result<(), slotwork::Error> {
    /// let socket = WebSocket::new();
    /// socket.connected().connect(|socket, ()| match socket.subprotocol().as_deref() {
    ///     Some("chat.v2") => println!("the new one"),
    ///     _ => println!("the old one, or none"),
    /// });
    /// # if false {
    /// let request = ClientRequest::new("ws://example.org/chat").subprotocols(["chat.v2", "chat.v1"]);
    /// socket.open_request(request)?;
    /// # }
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "setSubprotocols")]
    #[must_use]
    pub fn subprotocols(mut self, names: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.subprotocols = names.into_iter().map(Into::into).collect();
        self
    }

    /// Returns the same request with another URL.
    pub(crate) fn with_url(self, url: String) -> Self {
        Self { url, ..self }
    }

    /// Returns the URL.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Checks the request, and makes the opening handshake of it.
    pub(crate) fn checked(
        self,
        origin: Option<String>,
        answer_limits: HeadLimits,
    ) -> Result<Opening, Error> {
        let Self { url, headers, subprotocols } = self;
        let parsed = Url::parse(&url).map_err(|error| match error {
            UrlError::Scheme => Error::UnsupportedScheme(without_secrets(&url)),
            UrlError::Invalid => Error::InvalidUrl(without_secrets(&url)),
        })?;
        for (name, value) in &headers {
            let is_reserved = RESERVED.iter().any(|it| it.eq_ignore_ascii_case(name));
            if is_reserved || !grammar::is_token(name.as_bytes()) {
                return Err(Error::InvalidHeaderName(without_value(name)));
            }
            if !grammar::is_printable(value.as_bytes()) {
                return Err(Error::InvalidHeaderValue(format!("{name}: …")));
            }
        }
        for (place, name) in subprotocols.iter().enumerate() {
            // RFC 6455 §4.1: tokens, and all different.
            let is_new = subprotocols.iter().position(|other| other == name) == Some(place);
            if !is_new || !grammar::is_token(name.as_bytes()) {
                // It may be a token, which its padding makes invalid.
                let which = format!("… ({} of {})", place + 1, subprotocols.len());
                return Err(Error::InvalidSubprotocol(which));
            }
        }
        let key = Opening::new_key();
        let offer = (!subprotocols.is_empty()).then(|| subprotocols.join(", "));
        let opening = Opening {
            key,
            url: parsed,
            origin,
            subprotocols,
            offer,
            headers,
            authorization: None,
            #[cfg(feature = "compression")]
            compression: None,
            answer_limits,
        };
        Ok(opening)
    }
}

/// Returns the name of a header without a value that is behind it by mistake.
fn without_value(name: &str) -> String {
    match name.get(..grammar::leading_token(name.as_bytes())) {
        Some(token) if token.len() < name.len() => format!("{token}…"),
        _ => name.to_owned(),
    }
}

impl fmt::Debug for ClientRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientRequest")
            .field("url", &without_secrets(&self.url))
            .field(
                "headers",
                &self.headers.iter().map(|(name, _)| without_value(name)).collect::<Vec<_>>(),
            )
            .field("subprotocols", &self.subprotocols.len())
            .finish()
    }
}

/// Headers that the opening handshake itself sets.
const RESERVED: [&str; 11] = [
    "Connection",
    "Content-Length",
    "Host",
    "Origin",
    "Sec-WebSocket-Accept",
    "Sec-WebSocket-Extensions",
    "Sec-WebSocket-Key",
    "Sec-WebSocket-Protocol",
    "Sec-WebSocket-Version",
    "Transfer-Encoding",
    "Upgrade",
];

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(request: ClientRequest) -> Result<(), String> {
        request.checked(None, HeadLimits::default()).map(drop).map_err(|error| error.to_string())
    }

    /// Qt: CLI-05, CLI-10; OPEN-04: setters refuse CR, LF, NUL and non-tokens.
    #[test]
    fn nothing_can_be_slipped_into_the_request() {
        let request = || ClientRequest::new("ws://a/");
        let table = [
            (request().header("X: y\r\nZ", "v"), "\"X…\" is not a valid header name"),
            (request().header("Host", "b"), "\"Host\" is not a valid header name"),
            (request().header("upgrade", "b"), "\"upgrade\" is not a valid header name"),
            (request().header("X", "a\r\nZ: b"), "\"X: …\" is not a valid header value"),
            (request().header("X", "\0"), "\"X: …\" is not a valid header value"),
            (request().subprotocols(["a b"]), "\"… (1 of 1)\" is not a valid subprotocol"),
            (request().subprotocols(["a", "a"]), "\"… (2 of 2)\" is not a valid subprotocol"),
            (ClientRequest::new("http://a"), "\"http://a\" is neither ws nor wss"),
            (ClientRequest::new("ws://"), "\"ws://\" is not a valid URL"),
        ];
        for (request, error) in table {
            assert_eq!(checked(request), Err(error.to_owned()));
        }
        assert_eq!(checked(request().header("Cookie", "a=b").subprotocols(["a", "b"])), Ok(()));
    }
}
