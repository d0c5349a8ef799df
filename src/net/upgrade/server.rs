//! The server's side of an opening handshake over a stream (RFC 6455 §4.2).
//!
//! [`HeadReader`] checks the request; the answers are those of `Agreement` and [`Refusal`]. Frames
//! that came behind the request belong to the session.

use std::future::poll_fn;
use std::io;
use std::task::{Poll, ready};

use crate::net::stream::Stream;
use crate::protocol::frames::close_frame::ClosePayload;
use crate::protocol::frames::frame::Frame;
use crate::protocol::handshake::page_request::PageRequest;
use crate::protocol::handshake::refusal::Refusal;
use crate::protocol::handshake::request::HandshakeRequest;
use crate::protocol::handshake::request_head::{HeadLimits, HeadReader};
use crate::types::close_code::CloseCode;

/// The reason of a failed handshake.
pub(crate) enum Failure {
    /// The request is answered with this refusal.
    Refused(Refusal),
    /// The request is for a page.
    Page(Box<PageRequest>),
    /// The connection ended during the handshake.
    Broken(io::Error),
    /// The connection ended before the first byte: a port scan, a health probe.
    NoData,
    /// The server was closed meanwhile, and sends no answers.
    Closed,
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

/// Reads a request, and returns it with the bytes that were received behind it.
///
/// The bytes that were `received` before come first. A server that `takes_pages` reads requests for
/// them, too.
pub(crate) async fn read_request(
    stream: &mut Stream,
    received: &[u8],
    limits: HeadLimits,
    takes_pages: bool,
) -> Result<(HandshakeRequest, Vec<u8>), Failure> {
    let mut reader =
        if takes_pages { HeadReader::with_pages(limits) } else { HeadReader::new(limits) };
    let head = reader.read(received).map_err(|refusal| refused(&mut reader, refusal))?;
    if let Some((request, leftover)) = head {
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
            let head = reader.read(received).map_err(|refusal| refused(&mut reader, refusal))?;
            Poll::Ready(Ok(head.map(|(request, leftover)| (request, leftover.to_vec()))))
        });
        if let Some(head) = progress.await? {
            return Ok(head);
        }
    }
}

fn refused(reader: &mut HeadReader, refusal: Refusal) -> Failure {
    reader.take_page().map_or(Failure::Refused(refusal), Failure::Page)
}

/// Answers a request that was refused and ends the connection.
pub(crate) async fn refuse(stream: &mut Stream, response: &[u8]) {
    if stream.write_all(response).await.is_ok() {
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
    let _ = stream.try_write_here(&close_frame(refusal));
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
pub(crate) fn answer_at_once(stream: &mut Stream, response: &[u8]) {
    // An error means that the peer has gone.
    let _ = stream.try_write_here(response);
}

/// The size of a read, in bytes; a usual request fits.
const READ_SIZE: usize = 2048;
/// The maximum of input that is discarded after a refusal, in bytes.
///
/// A well-behaved client has less on its way.
const DISCARDED_AFTER_REFUSAL: usize = 256 * 1024;
