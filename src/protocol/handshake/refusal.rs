//! The reasons to refuse an opening handshake, with their HTTP answers.

use std::fmt;

use http::StatusCode;
use thiserror::Error;

use crate::protocol::handshake::grammar;
use crate::types::close_code::CloseCode;

/// The reason to refuse an opening handshake.
///
/// Shown, it is the reason in words; [`response`](Self::response) is what the client gets.
///
/// Qt closes the TCP connection without an answer in nearly all of these cases (HSR-10, HSR-12,
/// SRV-16, SRV-21), so that a client cannot know the reason.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub(crate) enum Refusal {
    /// The request breaks a rule of HTTP or of RFC 6455; the text names it (400).
    #[error("{0}")]
    BadRequest(&'static str),
    /// The program does not accept connections from pages of this origin (403).
    #[error("the origin is not allowed")]
    OriginRefused,
    /// The method is not GET (405).
    #[error("the method of the request is not GET")]
    MethodNotAllowed {
        /// Whether it is HEAD: its answers have no body.
        head: bool,
        /// Whether HEAD is allowed for other requests, those for pages.
        has_pages: bool,
    },
    /// The request was not complete when the time for the handshake was over (408).
    #[error("the handshake took too long")]
    Timeout,
    /// The request line is longer than a request line may be (414).
    #[error("the request line is too long")]
    RequestLineTooLong,
    /// It is a request for something other than a WebSocket connection (426).
    #[error("the request does not ask for an upgrade to websocket")]
    UpgradeRequired,
    /// The version of the WebSocket protocol is missing or not 13 (426).
    #[error("the request does not ask for version 13 of the WebSocket protocol")]
    UnsupportedVersion,
    /// The headers exceed a limit, which the text names (431).
    #[error("{0}")]
    HeadersTooLarge(&'static str),
    /// The number of pending connections has reached its limit (503).
    #[error("too many connections are pending")]
    TooManyPending,
    /// The number of open connections has reached its limit (503).
    #[error("there are too many connections")]
    TooManyConnections {
        /// The limit.
        limit: usize,
    },
    /// The number of connections from the client's address has reached its limit (429).
    #[error("there are too many connections from this address")]
    TooManyPerAddress {
        /// The limit.
        limit: usize,
    },
    /// The number of opening handshakes under way has reached its limit (503).
    #[error("too many opening handshakes are under way")]
    TooManyHandshakes {
        /// The limit.
        limit: usize,
    },
    /// The program has rejected the request with its own answer.
    #[error("the program refused it")]
    Rejected(Box<Rejection>),
    /// The program made no valid decision, such as after a panic (500).
    #[error("the program failed to decide about it")]
    NoDecision,
    /// The version of HTTP is not 1.1 (505).
    #[error("the version of HTTP is not 1.1")]
    UnsupportedHttpVersion,
}

impl Refusal {
    /// Returns the complete HTTP answer, with the reason as a short text.
    ///
    /// It asks for the connection to be closed, because what follows a broken request cannot be
    /// trusted to be another one. An empty `server_name` gives no `Server` header (an empty
    /// header breaks Safari, HSR-14); neither does a name that could not be a header value.
    pub(crate) fn response(&self, server_name: &str) -> Vec<u8> {
        let server = if server_name.is_empty() || !grammar::is_printable(server_name.as_bytes()) {
            String::new()
        } else {
            format!("Server: {server_name}\r\n")
        };
        if let Self::Rejected(rejection) = self {
            return rejection.response(&server);
        }
        let (status, text, headers) = (self.status(), self.status_text(), self.headers());
        let start = format!("HTTP/1.1 {status} {text}\r\n{headers}{server}");

        // RFC 9110 §9.3.2: the answer to HEAD has no body, and no length that GET would not have.
        if matches!(self, Self::MethodNotAllowed { head: true, .. }) {
            return format!("{start}\r\n").into_bytes();
        }
        let body = format!("This is a WebSocket server: {self}.\n");
        let length = body.len();
        format!(
            "{start}Content-Type: text/plain; charset=utf-8\r\nContent-Length: {length}\r\n\r\n{body}"
        )
        .into_bytes()
    }

    /// Returns the status code of the answer.
    pub(crate) fn status(&self) -> u16 {
        match self {
            Self::BadRequest(_) => 400,
            Self::OriginRefused => 403,
            Self::MethodNotAllowed { .. } => 405,
            Self::Timeout => 408,
            Self::RequestLineTooLong => 414,
            Self::UpgradeRequired | Self::UnsupportedVersion => 426,
            // RFC 6585 §4.
            Self::TooManyPerAddress { .. } => 429,
            Self::HeadersTooLarge(_) => 431,
            Self::Rejected(rejection) => rejection.status,
            Self::NoDecision => 500,
            Self::TooManyPending
            | Self::TooManyConnections { .. }
            | Self::TooManyHandshakes { .. } => 503,
            Self::UnsupportedHttpVersion => 505,
        }
    }

    /// Returns the close code that `server_error` reports it with.
    ///
    /// These are Qt's codes (HSR-10 to HSR-12, SRV-15, SRV-27). Qt reports no timeout; here it
    /// has the code of connections that ended although no rule was broken.
    pub(crate) const fn close_code(&self) -> CloseCode {
        match self {
            Self::BadRequest(_)
            | Self::MethodNotAllowed { .. }
            | Self::UpgradeRequired
            | Self::UnsupportedVersion
            | Self::UnsupportedHttpVersion => CloseCode::PROTOCOL_ERROR,
            Self::RequestLineTooLong | Self::HeadersTooLarge(_) => CloseCode::TOO_MUCH_DATA,
            Self::Timeout
            | Self::TooManyPending
            | Self::TooManyConnections { .. }
            | Self::TooManyPerAddress { .. }
            | Self::TooManyHandshakes { .. } => CloseCode::ABNORMAL_DISCONNECTION,
            Self::OriginRefused | Self::Rejected(_) => CloseCode::POLICY_VIOLATED,
            Self::NoDecision => CloseCode::BAD_OPERATION,
        }
    }

    fn status_text(&self) -> &'static str {
        match self {
            Self::BadRequest(_) => "Bad Request",
            Self::OriginRefused => "Forbidden",
            Self::MethodNotAllowed { .. } => "Method Not Allowed",
            Self::Timeout => "Request Timeout",
            Self::RequestLineTooLong => "URI Too Long",
            Self::UpgradeRequired | Self::UnsupportedVersion => "Upgrade Required",
            Self::TooManyPerAddress { .. } => "Too Many Requests",
            Self::HeadersTooLarge(_) => "Request Header Fields Too Large",
            Self::Rejected(rejection) => rejection.status_text(),
            Self::NoDecision => "Internal Server Error",
            Self::TooManyPending
            | Self::TooManyConnections { .. }
            | Self::TooManyHandshakes { .. } => "Service Unavailable",
            Self::UnsupportedHttpVersion => "HTTP Version Not Supported",
        }
    }

    /// Returns the header lines that depend on the status.
    const fn headers(&self) -> &'static str {
        match self {
            // RFC 9110 §15.5.6: the methods that are supported.
            Self::MethodNotAllowed { has_pages: true, .. } => {
                "Connection: close\r\nAllow: GET, HEAD\r\n"
            }
            Self::MethodNotAllowed { .. } => "Connection: close\r\nAllow: GET\r\n",
            // RFC 9110 §15.5.22: Upgrade names the required protocol; §7.8: with Upgrade,
            // Connection has to name it.
            Self::UpgradeRequired => "Connection: Upgrade, close\r\nUpgrade: websocket\r\n",
            // RFC 6455 §4.4: the versions that the client may try instead.
            Self::UnsupportedVersion => concat!(
                "Connection: Upgrade, close\r\n",
                "Upgrade: websocket\r\n",
                "Sec-WebSocket-Version: 13\r\n",
            ),
            _ => "Connection: close\r\n",
        }
    }
}

/// An answer of the program other than 101.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Rejection {
    status: u16,
    /// Checked: without headers for the length of the answer or the connection.
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Rejection {
    /// Makes the answer of a program.
    ///
    /// # Errors
    ///
    /// Its defect in words; the value of a header may be a secret.
    pub(crate) fn new(
        status: u16,
        headers: Vec<(String, String)>,
        body: Vec<u8>,
    ) -> Result<Self, String> {
        if !(200..=599).contains(&status) {
            return Err(format!("status {status}"));
        }
        check_headers(&headers)?;
        Ok(Self { status, headers, body })
    }

    /// Returns the complete answer; `server` is the `Server` header line, or empty.
    pub(crate) fn response(&self, server: &str) -> Vec<u8> {
        let (status, text) = (self.status, self.status_text());
        let mut head = format!("HTTP/1.1 {status} {text}\r\nConnection: close\r\n{server}");
        for (name, value) in &self.headers {
            head.extend([name, ": ", value, "\r\n"]);
        }
        // RFC 9110 §15.3.5 and §15.4.5: these have no body, and §8.6: 204 has no length.
        if matches!(self.status, 204 | 304) {
            return format!("{head}\r\n").into_bytes();
        }
        if !self.headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("Content-Type")) {
            head.push_str("Content-Type: text/plain; charset=utf-8\r\n");
        }
        let length = self.body.len();
        [format!("{head}Content-Length: {length}\r\n\r\n").as_bytes(), &self.body].concat()
    }

    fn status_text(&self) -> &'static str {
        let status = StatusCode::from_u16(self.status).ok();
        status.and_then(|status| status.canonical_reason()).unwrap_or_default()
    }
}

/// Shows neither the values of headers nor the body: they may be secrets.
impl fmt::Debug for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rejection").field("status", &self.status).finish_non_exhaustive()
    }
}

/// Checks the headers that a program adds to an answer.
///
/// # Errors
///
/// The first one that it may not add, without its value, which may be a secret.
pub(crate) fn check_headers(headers: &[(String, String)]) -> Result<(), String> {
    match headers.iter().find(|header| !is_allowed(header)) {
        Some((name, _)) => Err(format!("header {name:?}")),
        None => Ok(()),
    }
}

fn is_allowed((name, value): &(String, String)) -> bool {
    let is_reserved = RESERVED_HEADERS.iter().any(|reserved| reserved.eq_ignore_ascii_case(name));
    let value = value.as_bytes();
    !is_reserved && grammar::is_token(name.as_bytes()) && grammar::is_printable(value)
}

/// Headers that the opening handshake itself sets, also of its other answers.
const RESERVED_HEADERS: [&str; 8] = [
    "Connection",
    "Content-Length",
    "Sec-WebSocket-Accept",
    "Sec-WebSocket-Extensions",
    "Sec-WebSocket-Protocol",
    "Server",
    "Transfer-Encoding",
    "Upgrade",
];

#[cfg(test)]
mod tests {
    use super::*;

    const BAD_REQUEST: Refusal = Refusal::BadRequest("the request has no Host header");
    const TOO_LARGE: Refusal = Refusal::HeadersTooLarge("the request has more than 100 headers");

    fn method_not_allowed(head: bool) -> Refusal {
        Refusal::MethodNotAllowed { head, has_pages: false }
    }

    fn response(refusal: &Refusal, server_name: &str) -> String {
        String::from_utf8(refusal.response(server_name)).unwrap()
    }

    /// RFC 9112 §4 and §6.2; Qt sends nothing (HSR-10).
    #[test]
    fn the_answer_is_a_complete_http_response() {
        assert_eq!(
            response(&BAD_REQUEST, "Echo Server"),
            "HTTP/1.1 400 Bad Request\r\n\
             Connection: close\r\n\
             Server: Echo Server\r\n\
             Content-Type: text/plain; charset=utf-8\r\n\
             Content-Length: 60\r\n\
             \r\n\
             This is a WebSocket server: the request has no Host header.\n"
        );
    }

    /// Qt's close codes: HSR-10 to HSR-12, SRV-15, SRV-27.
    #[test]
    fn each_refusal_has_its_status_and_its_close_code() {
        let body = b"This is a WebSocket server: the program refused it.\n".to_vec();
        let rejected = Rejection { status: 418, headers: vec![], body };
        let rejected = Refusal::Rejected(Box::new(rejected));
        let table = [
            (BAD_REQUEST, "400 Bad Request", 1002),
            (Refusal::OriginRefused, "403 Forbidden", 1008),
            (method_not_allowed(false), "405 Method Not Allowed", 1002),
            (Refusal::Timeout, "408 Request Timeout", 1006),
            (Refusal::RequestLineTooLong, "414 URI Too Long", 1009),
            (Refusal::UpgradeRequired, "426 Upgrade Required", 1002),
            (Refusal::UnsupportedVersion, "426 Upgrade Required", 1002),
            (TOO_LARGE, "431 Request Header Fields Too Large", 1009),
            (rejected, "418 I'm a teapot", 1008),
            (Refusal::NoDecision, "500 Internal Server Error", 1011),
            (Refusal::TooManyPending, "503 Service Unavailable", 1006),
            (Refusal::TooManyConnections { limit: 1 }, "503 Service Unavailable", 1006),
            (Refusal::TooManyHandshakes { limit: 1 }, "503 Service Unavailable", 1006),
            (Refusal::TooManyPerAddress { limit: 1 }, "429 Too Many Requests", 1006),
            (Refusal::UnsupportedHttpVersion, "505 HTTP Version Not Supported", 1002),
        ];

        for (refusal, status, close_code) in table {
            let response = response(&refusal, "");
            let (head, body) = response.split_once("\r\n\r\n").unwrap();

            assert!(head.starts_with(&format!("HTTP/1.1 {status}\r\n")), "{head}");
            assert!(status.starts_with(&refusal.status().to_string()), "{status}");
            assert!(head.ends_with(&format!("\r\nContent-Length: {}", body.len())), "{head}");
            assert_eq!(body, format!("This is a WebSocket server: {refusal}.\n"));
            assert_eq!(u16::from(refusal.close_code()), close_code, "{status}");
        }
    }

    /// RFC 9110 §15.5.6 (405), §15.5.22 and §7.8 (426); RFC 6455 §4.4 (version). Qt answers an
    /// unsupported version with 400 and the same `Sec-WebSocket-Version` (HSR-11).
    #[test]
    fn the_answer_says_what_would_be_accepted() {
        let upgrade = "\r\nConnection: Upgrade, close\r\nUpgrade: websocket\r\n";
        let version = "\r\nSec-WebSocket-Version: 13\r\n";

        let method = response(&method_not_allowed(false), "");
        assert!(method.contains("\r\nConnection: close\r\nAllow: GET\r\n"), "{method}");
        let no_upgrade = response(&Refusal::UpgradeRequired, "");
        assert!(no_upgrade.contains(upgrade) && !no_upgrade.contains(version), "{no_upgrade}");
        let old_version = response(&Refusal::UnsupportedVersion, "");
        assert!(old_version.contains(upgrade) && old_version.contains(version), "{old_version}");
    }

    /// RFC 9110 §9.3.2.
    #[test]
    fn the_answer_to_head_has_no_body() {
        assert_eq!(
            response(&method_not_allowed(true), ""),
            "HTTP/1.1 405 Method Not Allowed\r\nConnection: close\r\nAllow: GET\r\n\r\n"
        );
    }

    /// Qt: HSR-14 (no empty `Server` header); HSR-16, where Qt lets a line break through.
    #[test]
    fn a_server_name_that_is_no_header_value_is_left_out() {
        for name in ["", "Echo\r\nSet-Cookie: a=b", "Echo\0", "Écho"] {
            let response = response(&BAD_REQUEST, name);

            assert!(!response.contains("Server:") && !response.contains("Cookie"), "{response}");
        }
    }

    fn rejection_response(status: u16, headers: &[(&str, &str)], body: &str) -> String {
        let headers = headers.iter().map(|(name, value)| ((*name).into(), (*value).into()));
        let rejection = Rejection { status, headers: headers.collect(), body: body.into() };
        String::from_utf8(rejection.response("Server: Chat\r\n")).unwrap()
    }

    /// RFC 9112 §4 and §6.2.
    #[test]
    fn a_rejection_is_a_complete_http_response() {
        assert_eq!(
            rejection_response(401, &[("WWW-Authenticate", "Bearer")], "who?\n"),
            "HTTP/1.1 401 Unauthorized\r\n\
             Connection: close\r\n\
             Server: Chat\r\n\
             WWW-Authenticate: Bearer\r\n\
             Content-Type: text/plain; charset=utf-8\r\n\
             Content-Length: 5\r\n\
             \r\n\
             who?\n"
        );
        assert!(rejection_response(599, &[], "").starts_with("HTTP/1.1 599 \r\n"));
    }

    /// RFC 9110 §8.3.
    #[test]
    fn the_program_may_say_what_the_body_is() {
        let answer = rejection_response(403, &[("content-type", "application/json")], "{}");

        assert!(answer.contains("content-type: application/json\r\n"), "{answer}");
        assert!(!answer.contains("text/plain"), "{answer}");
    }

    /// RFC 9110 §8.6, §15.3.5 and §15.4.5.
    #[test]
    fn some_answers_have_no_body() {
        for status in [204, 304] {
            let answer = rejection_response(status, &[], "a body");

            assert!(answer.ends_with("Server: Chat\r\n\r\n"), "{answer}");
            assert!(!answer.contains("Content-"), "{answer}");
        }
    }
}
