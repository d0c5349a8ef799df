//! The server's side of an opening handshake over a stream (RFC 6455 §4.2).
//!
//! The request is checked by [`HeadReader`]; only a head that passed it is handed to
//! async-tungstenite, which answers with 101. It never sees a byte behind the head: frames that
//! came with the request belong to the session.

use std::future::poll_fn;
use std::io::{self, IoSlice};
use std::task::{Poll, ready};

use async_tungstenite::accept_hdr_async_with_config;
use async_tungstenite::tungstenite::handshake::derive_accept_key;
use async_tungstenite::tungstenite::handshake::server::{Request, Response};
use async_tungstenite::tungstenite::protocol::WebSocketConfig;
use http::HeaderValue;
use http::header::{HeaderName, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_PROTOCOL, SERVER};

use crate::net::stream::Stream;
use crate::net::stream::adapter::Adapter;
use crate::protocol::frames::close_frame::ClosePayload;
use crate::protocol::frames::frame::Frame;
use crate::protocol::handshake::grammar;
use crate::protocol::handshake::refusal::Refusal;
use crate::protocol::handshake::request::HandshakeRequest;
use crate::protocol::handshake::request_head::{HeadLimits, HeadReader};
use crate::types::close_code::CloseCode;

/// The reason of a failed handshake.
pub(crate) enum Failure {
    /// The request is answered with this refusal.
    Refused(Refusal),
    /// The connection ended during the handshake.
    Broken(io::Error),
    /// The connection ended before the first byte: a port scan, a health probe.
    NoData,
    /// The server was closed meanwhile, and sends no answers.
    Closed,
}

/// The optional headers of a server's answer with 101.
#[derive(Default)]
pub(crate) struct Agreement<'a> {
    pub(crate) subprotocol: Option<&'a str>,
    /// The `Server` header; there is none when it is empty.
    pub(crate) server_name: &'a str,
    pub(crate) headers: &'a [(String, String)],
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

/// Reads a request, and returns it with the bytes that were received behind it.
///
/// The bytes that were `received` before come first.
pub(crate) async fn read_request(
    stream: &mut Stream,
    received: &[u8],
    limits: HeadLimits,
) -> Result<(HandshakeRequest, Vec<u8>), Failure> {
    let mut reader = HeadReader::new(limits);
    if let Some((request, leftover)) = reader.read(received)? {
        return Ok((request, leftover.to_vec()));
    }
    let mut is_empty = received.is_empty();
    loop {
        let progress = poll_fn(|cx| {
            let mut buffer = [0; READ_SIZE];
            let length = match ready!(stream.poll_read(cx, &mut buffer)) {
                // A probe may reset the connection.
                Ok(0) | Err(_) if is_empty => return Poll::Ready(Err(Failure::NoData)),
                Ok(0) => {
                    let end = io::ErrorKind::UnexpectedEof.into();
                    return Poll::Ready(Err(Failure::Broken(end)));
                }
                Ok(length) => length,
                Err(error) => return Poll::Ready(Err(Failure::Broken(error))),
            };
            is_empty = false;
            let received = buffer.get(..length).unwrap_or_default();
            let head = reader.read(received).map_err(Failure::Refused)?;
            Poll::Ready(Ok(head.map(|(request, leftover)| (request, leftover.to_vec()))))
        });
        if let Some(head) = progress.await? {
            return Ok(head);
        }
    }
}

/// Answers a request that passed all checks with 101, after 100 if it expects that.
pub(crate) async fn upgrade(
    stream: &mut Stream,
    request: &HandshakeRequest,
    agreement: &Agreement<'_>,
) -> Result<(), Failure> {
    // RFC 9110 §7.8 and §10.1.1: in this order.
    let mut expectations = request.raw_values("Expect").flat_map(grammar::list_members);
    if expectations.any(|expected| expected.eq_ignore_ascii_case(b"100-continue")) {
        stream.write_all(CONTINUE).await.map_err(Failure::Broken)?;
    }
    let head = request.canonical_head();
    // async-tungstenite reads the checked head and nothing more.
    let stream = Adapter { stream, source: &*head };
    #[expect(clippy::result_large_err, reason = "the callback's type is tungstenite's")]
    let add_headers = |_: &Request, mut response: Response| {
        // RFC 6455 §4.2.2 item 5.4: of the key as it was sent.
        if request.key() != request.canonical_key()
            && let Ok(value) = HeaderValue::from_str(&derive_accept_key(request.key().as_bytes()))
        {
            response.headers_mut().insert(SEC_WEBSOCKET_ACCEPT, value);
        }
        let subprotocol = agreement.subprotocol.unwrap_or_default();
        // HSR-14: an empty Server header breaks Safari.
        for (name, value) in
            [(SEC_WEBSOCKET_PROTOCOL, subprotocol), (SERVER, agreement.server_name)]
        {
            if !value.is_empty() {
                add_header(&mut response, name, value);
            }
        }
        for (name, value) in agreement.headers {
            if let Ok(name) = HeaderName::from_bytes(name.as_bytes()) {
                add_header(&mut response, name, value);
            }
        }
        Ok(response)
    };
    // The session reads the frames: this buffer is not used, and need not be allocated.
    let config = WebSocketConfig::default().read_buffer_size(0);
    accept_hdr_async_with_config(stream, add_headers, Some(config))
        .await
        .map_err(|error| Failure::Broken(io::Error::other(error)))?;
    Ok(())
}

/// Answers a request that was refused and ends the connection.
pub(crate) async fn refuse(stream: &mut Stream, refusal: &Refusal, server_name: &str) {
    let response = refusal.response(server_name);
    if stream.write_all(&response).await.is_ok() {
        end(stream).await;
    }
}

/// Closes a connection that is refused after its 101, and ends it.
pub(crate) async fn close(stream: &mut Stream, refusal: &Refusal) {
    if stream.write_all(&close_frame(refusal)).await.is_ok() {
        end(stream).await;
    }
}

/// The same as far as the kernel accepts it now, without waiting for the peer.
pub(crate) fn close_at_once(stream: &mut Stream, refusal: &Refusal) {
    // An error means that the peer has gone.
    let _ = stream.try_write_here(&[IoSlice::new(&close_frame(refusal))]);
}

/// Returns the close frame for a refusal.
///
/// Where the refusal has no close code, the client may try again.
fn close_frame(refusal: &Refusal) -> Vec<u8> {
    let code = Some(refusal.close_code()).filter(|code| code.is_allowed_on_wire());
    let code = code.unwrap_or(CloseCode::TRY_AGAIN_LATER);
    let mut frame = Vec::new();
    Frame::close(&ClosePayload::new(code, &refusal.to_string())).write_to(&mut frame, None);
    frame
}

/// Ends a connection after the answer.
///
/// Input is read and discarded until the peer ends too, up to a bound: closing a connection with
/// unread input would reset it, and the peer might not receive the answer.
pub(crate) async fn end(stream: &mut Stream) {
    let mut budget = DISCARDED_AFTER_REFUSAL;
    let mut is_shut_down = false;
    poll_fn(|cx| {
        if !is_shut_down {
            match stream.shutdown_write() {
                Ok(is_done) => is_shut_down = is_done,
                Err(_) => return Poll::Ready(true),
            }
        }
        stream.poll_discard(cx, &mut budget)
    })
    .await;
}

/// Answers as far as the kernel accepts it now, without waiting for the peer.
pub(crate) fn answer_at_once(stream: &mut Stream, refusal: &Refusal, server_name: &str) {
    // An error means that the peer has gone.
    let _ = stream.try_write_here(&[IoSlice::new(&refusal.response(server_name))]);
}

/// Adds a header; the value has been checked.
fn add_header(response: &mut Response, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        response.headers_mut().append(name, value);
    }
}

const CONTINUE: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";
/// The size of a read, in bytes; a usual request fits.
const READ_SIZE: usize = 2048;
/// The maximum of input that is discarded after a refusal, in bytes.
///
/// A well-behaved client has less on its way.
const DISCARDED_AFTER_REFUSAL: usize = 256 * 1024;
