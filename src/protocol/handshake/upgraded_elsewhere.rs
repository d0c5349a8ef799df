//! Opening handshakes that another library does: the request, the accept key.

use std::fmt::Display;

use async_tungstenite::tungstenite::handshake::derive_accept_key;

use crate::protocol::handshake::refusal::Refusal;
use crate::protocol::handshake::request::HandshakeRequest;
use crate::protocol::handshake::request_head::{HeadLimits, HeadReader};
use crate::types::error::Error;

/// Requests that another library has read.
impl HandshakeRequest {
    /// Makes a request of a head that another library has parsed.
    ///
    /// It is checked as the head of a client is (RFC 6455 §4.2.1).
    ///
    /// `target` is the request target, such as `/chat?room=1`; names and values of `headers` are
    /// those that were sent. The types of all HTTP libraries fit, in any version: `method()`,
    /// `uri()` and `headers()` of a request of the crate `http`, and so of hyper and axum. The
    /// version of HTTP has to be 1.1; HTTP/2 has another handshake (RFC 8441).
    ///
    /// # Errors
    ///
    /// [`Error::InvalidRequest`] with the HTTP status for the answer when the request does not ask
    /// for a WebSocket, or breaks a rule.
    ///
    /// # Qt
    ///
    /// Qt has no counterpart.
    ///
    /// # Examples
    ///
    /// ```
    /// use slotwork::HandshakeRequest;
    ///
    /// # fn main() -> Result<(), slotwork::Error> {
    /// let headers = [
    ///     ("Host", "example.org"),
    ///     ("Upgrade", "websocket"),
    ///     ("Connection", "Upgrade"),
    ///     ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
    ///     ("Sec-WebSocket-Version", "13"),
    /// ];
    /// let request = HandshakeRequest::from_head("GET", "/chat", headers)?;
    ///
    /// assert_eq!(request.resource_name(), "/chat");
    /// assert_eq!(request.accept_key(), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    /// # Ok(())
    /// # }
    /// ```
    pub fn from_head<N: AsRef<str>, V: AsRef<[u8]>>(
        method: impl Display,
        target: impl Display,
        headers: impl IntoIterator<Item = (N, V)>,
    ) -> Result<Self, Error> {
        let mut head = Vec::new();
        let mut add_line = |parts: &[&[u8]]| {
            let start = head.len();
            head.extend(parts.iter().flat_map(|part| *part));
            // Such a value would be several lines.
            let is_line = !head.iter().skip(start).any(|byte| matches!(byte, b'\r' | b'\n'));
            head.extend_from_slice(b"\r\n");
            is_line
        };
        let mut is_valid = add_line(&[format!("{method} {target} HTTP/1.1").as_bytes()]);
        for (name, value) in headers {
            let (name, value) = (name.as_ref().as_bytes(), value.as_ref());
            // An empty name and value must not end the head.
            is_valid &= !name.is_empty() && add_line(&[name, b": ", value]);
        }
        add_line(&[]);
        let request = if is_valid {
            HeadReader::new(HeadLimits::OWN).read(&head)
        } else {
            Err(Refusal::BadRequest("the head contains a line break"))
        };
        match request {
            Ok(Some((request, b""))) => Ok(request),
            Ok(_) => Err(invalid(&Refusal::BadRequest("the request line is empty"))),
            Err(refusal) => Err(invalid(&refusal)),
        }
    }

    /// Returns the value of `Sec-WebSocket-Accept` for the answer to this request.
    ///
    /// # Qt
    ///
    /// Qt has no counterpart: its server writes the answer itself.
    ///
    /// # Examples
    ///
    /// See [`from_head`](Self::from_head).
    #[doc(alias = "Sec-WebSocket-Accept")]
    #[must_use]
    pub fn accept_key(&self) -> String {
        accept_key(self.key())
    }
}

/// Returns the `Sec-WebSocket-Accept` for a `Sec-WebSocket-Key` (RFC 6455 §4.2.2).
///
/// For an HTTP library that writes the answer 101 itself. The key is used as it was sent:
/// [`HandshakeRequest::from_head`] checks it, and [`HandshakeRequest::accept_key`] is this function
/// for a checked request.
///
/// # Qt
///
/// Qt has no counterpart.
///
/// # Examples
///
/// ```
/// // The example of RFC 6455 §1.3.
/// let accept = slotwork::accept_key("dGhlIHNhbXBsZSBub25jZQ==");
///
/// assert_eq!(accept, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
/// ```
#[doc(alias = "Sec-WebSocket-Accept")]
#[doc(alias = "Sec-WebSocket-Key")]
#[must_use]
pub fn accept_key(key: impl AsRef<[u8]>) -> String {
    derive_accept_key(key.as_ref())
}

fn invalid(refusal: &Refusal) -> Error {
    Error::InvalidRequest { status: refusal.status(), reason: refusal.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADERS: [(&str, &str); 5] = [
        ("host", "example.org"),
        ("upgrade", "WebSocket"),
        ("connection", "keep-alive, upgrade"),
        ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
        ("sec-websocket-version", "13"),
    ];

    /// Without foreign types: those of the crate `http` fit.
    #[test]
    fn a_request_of_the_crate_http_is_taken_as_it_is() -> anyhow::Result<()> {
        let mut request = http::Request::get("/chat?room=1").header("Cookie", &b"a=\xe9"[..]);
        for (name, value) in HEADERS {
            request = request.header(name, value);
        }
        let request = request.body(())?;

        let taken =
            HandshakeRequest::from_head(request.method(), request.uri(), request.headers())?;

        assert_eq!(taken.resource_name(), "/chat?room=1");
        assert_eq!(taken.host(), "example.org");
        assert_eq!(taken.raw_header("Cookie"), Some(&b"a=\xe9"[..]));
        assert_eq!(taken.accept_key(), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
        Ok(())
    }

    /// Line breaks would be other headers; the rules are those for each request.
    #[test]
    fn what_is_not_a_handshake_has_a_status() {
        let status = |method: &str, target: &str, (name, value): (&str, &str)| {
            let headers = HEADERS.into_iter().chain([(name, value)]);
            match HandshakeRequest::from_head(method, target, headers) {
                Ok(_) => 101,
                Err(Error::InvalidRequest { status, .. }) => status,
                Err(error) => panic!("{error}"),
            }
        };
        let other = ("Origin", "https://example.org");

        assert_eq!(status("GET", "/", other), 101);
        assert_eq!(status("POST", "/", other), 405);
        assert_eq!(status("", "", other), 400);
        for target in ["/ HTTP/1.1\r\nA: b", "/\n", "/a b", "\r\n"] {
            assert_eq!(status("GET", target, other), 400, "{target:?}");
        }
        for header in [("A", "b\r\nC: d"), ("A\r\nB", "c"), ("A b", "c"), ("", ""), ("Host", "b")] {
            assert_eq!(status("GET", "/", header), 400, "{header:?}");
        }
        let plain = HandshakeRequest::from_head("GET", "/", [("Host", "example.org")]);
        assert!(matches!(plain, Err(Error::InvalidRequest { status: 426, .. })));
    }
}
