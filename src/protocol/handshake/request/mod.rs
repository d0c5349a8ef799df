//! A request to open a WebSocket connection that has passed all checks.

use std::borrow::Cow;
use std::fmt;
use std::num::NonZeroU16;
use std::ops::Range;
use std::sync::Arc;

use crate::protocol::handshake::grammar;
use crate::protocol::handshake::request_line::RequestLine;
use crate::protocol::handshake::url::without_query;

pub(crate) mod kept;

/// The request with which a client opened its WebSocket connection.
///
/// It is complete and valid: each header that RFC 6455 §4.2.1 requires exists once and is
/// well-formed. Headers are kept as they were sent, in their order, behind those that are the
/// same in nearly every request: `Upgrade: websocket`, `Connection: Upgrade` and
/// `Sec-WebSocket-Version: 13`.
///
/// Shown with `{:?}`, it lists the names of the headers without their values, and the path without
/// the query: they may be passwords, cookies or tokens.
///
/// # Qt
///
/// `QWebSocket::request()`, a `QNetworkRequest`, as far as a server needs it.
#[derive(Clone, Default)]
pub struct HandshakeRequest {
    /// The head as it was sent, without [`USUAL`] lines and the empty one.
    ///
    /// UTF-8 in its target is percent-encoded.
    ///
    /// It is one allocation of the exact size, and headers are looked up in the text. Clones share
    /// it; an open connection keeps less, see `kept`.
    head: Arc<[u8]>,
    request_line: RequestLine,
    usual: UsualHeaders,
    /// Where the value of `Sec-WebSocket-Key` begins; `None` if not noted.
    key_place: Option<NonZeroU16>,
}

/// The [`USUAL`] lines and the [`OccasionalHeader`]s of a request, as bits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct UsualHeaders(u8);

impl UsualHeaders {
    /// Adds a line without its CR LF; returns name and value if it is usual.
    ///
    /// A second one has to be kept, so that duplicates can be counted.
    pub(crate) fn add(&mut self, line: &[u8]) -> Option<(&'static str, &'static str)> {
        let place = USUAL.iter().position(|header| is_exactly(line, header))?;
        let before = self.0;
        self.0 |= 1 << place;
        if self.0 == before { None } else { USUAL.get(place).copied() }
    }

    /// Adds the usual line that the bytes begin with; returns its place and length.
    ///
    /// None for a second one, which has to be kept.
    pub(crate) fn add_first(&mut self, bytes: &[u8]) -> Option<(usize, usize)> {
        let place = USUAL_LINES.iter().position(|line| bytes.starts_with(line))?;
        let is_first = !self.has(place);
        self.0 |= 1 << place;
        is_first.then_some((place, USUAL_LINES.get(place)?.len()))
    }

    /// Notes a header that is kept.
    pub(crate) const fn note(&mut self, header: OccasionalHeader) {
        self.0 |= 1 << header as u8;
    }

    const fn has(self, place: usize) -> bool {
        self.0 & (1 << place) != 0
    }

    const fn has_noted(self, header: OccasionalHeader) -> bool {
        self.has(header as usize)
    }
}

/// A header that each handshake looks up, and that few requests have.
///
/// The values are places among the bits, behind those of [`USUAL`].
#[derive(Clone, Copy)]
pub(crate) enum OccasionalHeader {
    Origin = 3,
    Expect = 4,
}

impl HandshakeRequest {
    /// Wraps a head of well-formed lines with this request line.
    ///
    /// It is given without its `usual` headers and the empty line. The value of the key begins at
    /// `key_place`; 0 if that is not known.
    pub(crate) fn new(
        head: &mut Vec<u8>,
        mut request_line: RequestLine,
        usual: UsualHeaders,
        mut key_place: usize,
    ) -> Self {
        // RFC 6455 §3: an empty path is "/". Here `resource_name` needs it in the text.
        let path_start = usize::from(request_line.resource_start);
        if head.get(path_start).is_some_and(|byte| *byte != b'/') {
            head.insert(path_start, b'/');
            request_line.resource_end += 1;
            key_place += usize::from(key_place > 0);
        }
        let key_place = u16::try_from(key_place).ok().and_then(NonZeroU16::new);
        Self { head: head.as_slice().into(), request_line, usual, key_place }
    }

    /// Returns path and query of the request target, as they were sent: `/chat?room=1`.
    ///
    /// It begins with a slash and is visible ASCII; percent-escapes are not decoded. Scheme and
    /// host of an absolute target (`ws://example.org/chat`) are not part of it.
    ///
    /// # Qt
    ///
    /// `QWebSocket::resourceName()`, which on the server's side returns the whole URL.
    ///
    /// # Examples
    ///
    /// ```
    /// use slotwork::HandshakeRequest;
    ///
    /// /// Returns the room of `/chat?room=1`.
    /// fn room(request: &HandshakeRequest) -> Option<&str> {
    ///     let (_path, query) = request.resource_name().split_once('?')?;
    ///     query.split('&').find_map(|field| field.strip_prefix("room="))
    /// }
    /// ```
    #[doc(alias = "resourceName")]
    #[must_use]
    pub fn resource_name(&self) -> &str {
        self.text(self.request_line.resource_start..self.request_line.resource_end)
    }

    /// Returns the host, and the port if there is one, that the client wanted to reach.
    ///
    /// This is the `Host` header, or the host of an absolute target, in which case the header
    /// does not count (RFC 9112 §3.2.2). A client can send any name here.
    #[must_use]
    pub fn host(&self) -> &str {
        match self.text(self.request_line.authority_start..self.request_line.resource_start) {
            "" => self.ascii_header("Host").unwrap_or_default(),
            authority => authority,
        }
    }

    /// Returns the origin of the web page that asks for the connection.
    ///
    /// Browsers always send it, and a page cannot change it; other clients may leave it out
    /// (`None`) or invent it. It is printable ASCII and may be empty or `null`.
    ///
    /// # Qt
    ///
    /// `QWebSocket::origin()`, where a missing origin is an empty one.
    #[must_use]
    pub fn origin(&self) -> Option<&str> {
        if self.usual.has_noted(OccasionalHeader::Origin) {
            self.ascii_header("Origin")
        } else {
            None
        }
    }

    /// Returns the URL that the client opened, with `wss` when `secure`, else `ws`.
    ///
    /// Host and path are what the client says they are.
    ///
    /// # Qt
    ///
    /// `QWebSocket::requestUrl()`.
    #[doc(alias = "requestUrl")]
    #[must_use]
    pub fn request_url(&self, secure: bool) -> String {
        let scheme = if secure { "wss" } else { "ws" };
        format!("{scheme}://{}{}", self.host(), self.resource_name())
    }

    /// Returns the subprotocols that the client offers, the one it likes best first.
    ///
    /// They are tokens, and all different (RFC 6455 §4.1).
    ///
    /// # Examples
    ///
    /// ```
    /// use slotwork::{HandshakeRequest, Verdict};
    ///
    /// /// Refuses clients that do not offer the subprotocol; to be called in a verifier.
    /// fn verify(request: &HandshakeRequest) -> Verdict {
    ///     if request.subprotocols().any(|name| name == "chat.v2") {
    ///         Verdict::accept()
    ///     } else {
    ///         Verdict::refuse(400, "this server speaks chat.v2\n")
    ///     }
    /// }
    /// ```
    pub fn subprotocols(&self) -> impl Iterator<Item = &str> {
        self.raw_values("Sec-WebSocket-Protocol").flat_map(grammar::list_members).map(ascii)
    }

    /// Returns the value of the first header of this name (case-insensitive).
    ///
    /// Bytes that are not UTF-8 are replaced with U+FFFD; see [`raw_header`](Self::raw_header).
    ///
    /// # Examples
    ///
    /// ```
    /// use slotwork::HandshakeRequest;
    ///
    /// /// Returns the token of `Authorization: Bearer <token>`.
    /// fn token(request: &HandshakeRequest) -> Option<String> {
    ///     let authorization = request.header("Authorization")?;
    ///     authorization.strip_prefix("Bearer ").map(str::to_owned)
    /// }
    /// ```
    #[must_use]
    pub fn header(&self, name: &str) -> Option<Cow<'_, str>> {
        self.raw_header(name).map(String::from_utf8_lossy)
    }

    /// Returns the bytes of the first header of this name (case-insensitive).
    ///
    /// There is no white space around them; they may be empty.
    ///
    /// # Qt
    ///
    /// `QNetworkRequest::rawHeader()`, which returns an empty value for a header that is missing.
    ///
    /// # Examples
    ///
    /// ```
    /// use slotwork::WebSocket;
    ///
    /// fn has_session(socket: &WebSocket) -> bool {
    ///     let request = socket.request();
    ///     request.raw_header("Cookie").is_some_and(|cookies| cookies.starts_with(b"session="))
    /// }
    /// ```
    #[doc(alias = "rawHeader")]
    #[must_use]
    pub fn raw_header(&self, name: &str) -> Option<&[u8]> {
        self.raw_values(name).next()
    }

    /// Returns whether there is a header of this name (case-insensitive).
    ///
    /// # Qt
    ///
    /// `QNetworkRequest::hasRawHeader()`.
    #[doc(alias = "hasRawHeader")]
    #[must_use]
    pub fn has_raw_header(&self, name: &str) -> bool {
        self.raw_header(name).is_some()
    }

    /// Returns all headers in the order in which they were sent, as names and values.
    ///
    /// # Qt
    ///
    /// `QNetworkRequest::rawHeaderList()`.
    #[doc(alias = "rawHeaderList")]
    pub fn raw_headers(&self) -> impl Iterator<Item = (&str, &[u8])> {
        let sent = self.sent_lines().filter_map(grammar::split_header);
        let sent = sent.map(|(name, value)| (ascii(name), value));
        self.usual_headers().map(|(name, value)| (name, value.as_bytes())).chain(sent)
    }

    /// Returns the values of all headers of this name (case-insensitive).
    pub(crate) fn raw_values(&self, name: &str) -> impl Iterator<Item = &[u8]> {
        let usual = self.usual_headers().filter(move |(found, _)| found.eq_ignore_ascii_case(name));
        let sent = self.sent_lines().filter_map(move |line| header_value(line, name.as_bytes()));
        usual.map(|(_, value)| value.as_bytes()).chain(sent)
    }

    /// Returns whether the client waits for the interim answer 100 (RFC 9110 §10.1.1).
    pub(crate) fn expects_continue(&self) -> bool {
        self.usual.has_noted(OccasionalHeader::Expect)
            && self
                .raw_values("Expect")
                .flat_map(grammar::list_members)
                .any(|expected| expected.eq_ignore_ascii_case(b"100-continue"))
    }

    /// Returns the usual headers that it has.
    fn usual_headers(&self) -> impl Iterator<Item = (&'static str, &'static str)> {
        let usual = USUAL.iter().enumerate().filter(|(place, _)| self.usual.has(*place));
        usual.map(|(_, header)| *header)
    }

    /// Returns the header lines that are kept.
    fn sent_lines(&self) -> impl Iterator<Item = &[u8]> {
        let start = usize::from(self.request_line.resource_end) + RequestLine::VERSION.len();
        let lines = self.head.get(start..).unwrap_or_default().split(|byte| *byte == b'\n');
        lines.filter_map(|line| line.strip_suffix(b"\r"))
    }

    /// Returns the key that the server's answer proves to have read (RFC 6455 §4.2.2).
    pub(crate) fn key(&self) -> &[u8] {
        let noted = self.key_place.and_then(|place| {
            let start = usize::from(place.get());
            self.head.get(start..start + KEY_LENGTH)
        });
        noted.or_else(|| self.raw_header("Sec-WebSocket-Key")).unwrap_or_default()
    }

    /// Returns the value of a header that has been checked to be ASCII.
    fn ascii_header(&self, name: &str) -> Option<&str> {
        self.raw_header(name).map(ascii)
    }

    fn text(&self, range: Range<u16>) -> &str {
        let range = usize::from(range.start)..usize::from(range.end);
        ascii(self.head.get(range).unwrap_or_default())
    }
}

/// The place of the key follows from the rest.
impl PartialEq for HandshakeRequest {
    fn eq(&self, other: &Self) -> bool {
        let parts = |request: &Self| (request.request_line, request.usual);
        parts(self) == parts(other) && self.head == other.head
    }
}

impl Eq for HandshakeRequest {}

impl fmt::Debug for HandshakeRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HandshakeRequest")
            .field("resource_name", &without_query(self.resource_name()))
            .field("host", &self.host())
            .field("origin", &self.origin())
            .field("headers", &self.raw_headers().map(|(name, _)| name).collect::<Vec<_>>())
            .finish()
    }
}

/// Returns the value of a header line of this name.
fn header_value<'l>(line: &'l [u8], name: &[u8]) -> Option<&'l [u8]> {
    let (found, rest) = line.split_at_checked(name.len())?;
    let value = rest.strip_prefix(b":")?;
    found.eq_ignore_ascii_case(name).then(|| grammar::trim(value))
}

/// Returns whether a line is this header, written in this very way.
fn is_exactly(line: &[u8], (name, value): &(&str, &str)) -> bool {
    let rest = line.strip_prefix(name.as_bytes()).and_then(|rest| rest.strip_prefix(b": "));
    rest == Some(value.as_bytes())
}

/// Headers that nearly every request has, so that connections need no copies.
const USUAL: [(&str, &str); 3] =
    [("Upgrade", "websocket"), ("Connection", "Upgrade"), ("Sec-WebSocket-Version", "13")];

/// The lines of the [`USUAL`] headers, as nearly every request has them.
const USUAL_LINES: [&[u8]; 3] =
    [b"Upgrade: websocket\r\n", b"Connection: Upgrade\r\n", b"Sec-WebSocket-Version: 13\r\n"];

/// The length of a key, in digits and padding (RFC 6455 §4.1: 16 bytes).
const KEY_LENGTH: usize = 24;

/// Views bytes, which have been checked to be ASCII, as text.
fn ascii(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap_or_default()
}

#[cfg(test)]
mod tests;
