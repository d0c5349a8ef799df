//! The client's side of an opening handshake over a stream (RFC 6455 §4.1).
//!
//! async-tungstenite performs the handshake and computes the keys; the answer is read and checked
//! by [`ResponseReader`] first. async-tungstenite never sees a byte behind the head: frames that
//! came with the answer belong to the session. It logs its request, so it gets one without secrets;
//! the complete one is written instead.

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use async_tungstenite::client_async_with_config;
use async_tungstenite::tungstenite::handshake::client::Request;
use async_tungstenite::tungstenite::handshake::derive_accept_key;
use async_tungstenite::tungstenite::protocol::WebSocketConfig;
use data_encoding::BASE64;
use smol::future::FutureExt;
use smol::io::{AsyncRead, AsyncWrite};

use crate::net::stream::Stream;
use crate::protocol::handshake::extensions;
#[cfg(feature = "compression")]
use crate::protocol::handshake::permessage_deflate::offer;
use crate::protocol::handshake::request::HandshakeRequest;
use crate::protocol::handshake::request_head::{HeadLimits, HeadReader};
use crate::protocol::handshake::response::HandshakeResponse;
use crate::protocol::handshake::response_body::BodyReader;
use crate::protocol::handshake::response_head::{self, Agreed, ExpectedResponse, ResponseReader};
use crate::protocol::handshake::url::Url;
use crate::protocol::random;
#[cfg(feature = "compression")]
use crate::types::compression::Compression;

/// The checked parameters of a client's handshake.
pub(crate) struct Opening {
    pub(crate) key: String,
    pub(crate) url: Url,
    pub(crate) origin: Option<String>,
    pub(crate) subprotocols: Vec<String>,
    /// The subprotocols as a header value.
    pub(crate) offer: Option<String>,
    pub(crate) headers: Vec<(String, String)>,
    /// The credentials for a server that requires authentication.
    pub(crate) authorization: Option<String>,
    pub(crate) answer_limits: HeadLimits,
    /// The settings for which compression is offered.
    #[cfg(feature = "compression")]
    pub(crate) compression: Option<Compression>,
}

/// A successful handshake.
pub(crate) struct Opened {
    pub(crate) response: HandshakeResponse,
    pub(crate) agreed: Agreed,
    /// The bytes that were received behind the answer.
    pub(crate) leftover: Vec<u8>,
}

/// The reason of a failed handshake.
pub(crate) enum Failure {
    /// The server answered with a status other than 101.
    Refused(HandshakeResponse),
    /// The answer breaks a rule of RFC 6455.
    Invalid(&'static str),
    /// The connection ended during the handshake.
    Broken(io::Error),
}

/// Sends the request, and reads and checks the answer.
pub(crate) async fn open(stream: &mut Stream, opening: &Opening) -> Result<Opened, Failure> {
    let request = opening.request().map_err(|error| Failure::Broken(io::Error::other(error)))?;
    let accept_key = derive_accept_key(opening.key.as_bytes());
    let mut outcome = None;
    let exchange = Exchange {
        stream,
        request: opening.head().into_bytes(),
        written: 0,
        expected: ExpectedResponse {
            accept_key: &accept_key,
            subprotocols: &opening.subprotocols,
            #[cfg(feature = "compression")]
            compression: opening.compression.as_ref(),
        },
        reader: ResponseReader::new(opening.answer_limits),
        outcome: &mut outcome,
        canonical: Vec::new(),
        consumed: 0,
    };
    // The session reads the frames: this buffer is not used, and need not be allocated.
    let config = WebSocketConfig::default().read_buffer_size(0);
    let result = client_async_with_config(request, exchange, Some(config)).await.map(drop);
    match (outcome, result) {
        (Some(Ok(opened)), Ok(())) => Ok(opened),
        (Some(Err(failure)), _) => Err(failure),
        (_, Err(error)) => Err(Failure::Broken(io::Error::other(error))),
        (None, Ok(())) => Err(Failure::Invalid("it was not read")),
    }
}

/// Reads the body of a refusal until it is complete or the deadline passes.
///
/// At first the response has the bytes that were received with the head.
pub(crate) async fn read_body(
    stream: &mut Stream,
    response: &mut HandshakeResponse,
    deadline: impl Future<Output = ()>,
) {
    let mut reader = BodyReader::new(response);
    reader.read(&response.body);
    let read = async {
        let mut buffer = [0; READ_SIZE];
        while !reader.is_complete() {
            match poll_fn(|cx| stream.poll_read(cx, &mut buffer)).await {
                Ok(0) | Err(_) => break,
                Ok(count) => reader.read(buffer.get(..count).unwrap_or_default()),
            }
        }
    };
    read.or(deadline).await;
    response.body = reader.into_body();
}

impl Opening {
    /// Returns a new key (RFC 6455 §4.1).
    pub(crate) fn new_key() -> String {
        BASE64.encode(&random::bytes::<16>())
    }

    /// Returns the request as a server reads it; `None` when a line is too long.
    pub(crate) fn handshake_request(&self) -> Option<HandshakeRequest> {
        let head = self.head();
        let (request, _) = HeadReader::new(HeadLimits::OWN).read(head.as_bytes()).ok()??;
        Some(request)
    }

    /// Returns the head of the request.
    fn head(&self) -> String {
        let request_line = format!("GET {} HTTP/1.1\r\n", self.url.resource);
        let extensions = self.extensions();
        let optional = [
            ("Origin", &self.origin),
            ("Sec-WebSocket-Protocol", &self.offer),
            (extensions::HEADER, &extensions),
            ("Authorization", &self.authorization),
        ];
        let optional =
            optional.into_iter().filter_map(|(name, value)| Some((name, value.as_deref()?)));
        let own = self.headers.iter().map(|(name, value)| (&**name, &**value));
        let headers = self.required_headers().into_iter().chain(optional).chain(own);
        let lines = headers.map(|(name, value)| format!("{name}: {value}\r\n"));
        [request_line].into_iter().chain(lines).chain(["\r\n".to_owned()]).collect()
    }

    /// Returns the offered extensions as a header value; `None` without any.
    #[cfg(feature = "compression")]
    fn extensions(&self) -> Option<String> {
        self.compression.as_ref().map(offer::offers)
    }

    #[cfg(not(feature = "compression"))]
    #[expect(clippy::unused_self, reason = "without compression there are none")]
    const fn extensions(&self) -> Option<String> {
        None
    }

    /// Returns the minimal request, for async-tungstenite.
    fn request(&self) -> http::Result<Request> {
        let request = Request::get(format!("ws://{}/", self.url.authority));
        let add = |request: http::request::Builder, (name, value)| request.header(name, value);
        self.required_headers().into_iter().fold(request, add).body(())
    }

    fn required_headers(&self) -> [(&str, &str); 5] {
        [
            ("Host", &self.url.authority),
            ("Connection", "Upgrade"),
            ("Upgrade", "websocket"),
            ("Sec-WebSocket-Version", "13"),
            ("Sec-WebSocket-Key", &self.key),
        ]
    }
}

/// Writes the complete request, and passes on a checked, minimal answer.
struct Exchange<'a> {
    stream: &'a mut Stream,
    request: Vec<u8>,
    /// The number of bytes of the request that are written.
    written: usize,
    expected: ExpectedResponse<'a>,
    reader: ResponseReader,
    outcome: &'a mut Option<Result<Opened, Failure>>,
    /// An answer with only the headers that async-tungstenite checks.
    canonical: Vec<u8>,
    /// The number of its bytes that async-tungstenite has read.
    consumed: usize,
}

impl Exchange<'_> {
    fn poll_answer(&mut self, cx: &mut Context<'_>) -> Poll<Result<Opened, Failure>> {
        let mut buffer = [0; READ_SIZE];
        loop {
            let received = match ready!(self.stream.poll_read(cx, &mut buffer)) {
                Ok(0) if self.reader.is_empty() => {
                    return Poll::Ready(Err(Failure::Invalid("there is none")));
                }
                Ok(0) => return Poll::Ready(Err(Failure::Invalid("it breaks off"))),
                Ok(count) => buffer.get(..count).unwrap_or_default(),
                Err(error) => return Poll::Ready(Err(Failure::Broken(error))),
            };
            let Some((mut response, rest)) =
                self.reader.read(received).map_err(Failure::Invalid)?
            else {
                continue;
            };
            if response.status() != 101 {
                response.body = rest.to_vec();
                return Poll::Ready(Err(Failure::Refused(response)));
            }
            let agreed =
                response_head::check(&response, &self.expected).map_err(Failure::Invalid)?;
            return Poll::Ready(Ok(Opened { response, agreed, leftover: rest.to_vec() }));
        }
    }

    fn canonical_answer(&self) -> String {
        let accept_key = self.expected.accept_key;
        format!(
            "HTTP/1.1 101 Switching Protocols\r\n\
             Upgrade: websocket\r\n\
             Connection: Upgrade\r\n\
             Sec-WebSocket-Accept: {accept_key}\r\n\
             \r\n"
        )
    }
}

impl AsyncRead for Exchange<'_> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        if self.canonical.is_empty() {
            let outcome = ready!(self.poll_answer(cx));
            if outcome.is_ok() {
                self.canonical = self.canonical_answer().into_bytes();
            }
            *self.outcome = Some(outcome);
        }
        let mut rest = self.canonical.get(self.consumed..).unwrap_or_default();
        let count = io::Read::read(&mut rest, buffer)?;
        self.consumed += count;
        Poll::Ready(Ok(count))
    }
}

impl AsyncWrite for Exchange<'_> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &[u8],
    ) -> Poll<io::Result<usize>> {
        let Self { stream, request, written, .. } = &mut *self;
        while let Some(rest) = request.get(*written..).filter(|rest| !rest.is_empty()) {
            *written += ready!(stream.poll_write(cx, rest))?;
        }
        Poll::Ready(Ok(buffer.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// The size of a read, in bytes; a usual answer fits.
const READ_SIZE: usize = 2048;
