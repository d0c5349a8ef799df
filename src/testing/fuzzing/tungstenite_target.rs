//! Fuzz target: the frame reader and the frame writer beside tungstenite's.
//!
//! Both read the same bytes within the same limits, and read what the other one has written. Where
//! they differ by design, [`compare`] has the reason, and what each of them does is checked.

use std::borrow::Cow;
use std::io::{self, Cursor, Read, Write};
use std::num::NonZeroUsize;

use async_tungstenite::tungstenite::error::{CapacityError, ProtocolError};
use async_tungstenite::tungstenite::protocol::{CloseFrame, Role as TheirRole, WebSocketConfig};
use async_tungstenite::tungstenite::{Error, Message, WebSocket};

use crate::protocol::frames::limits::Limits;
use crate::protocol::frames::violation::Violation;
use crate::testing::decoding::{Outcome, Received, decode_reads};
use crate::testing::fuzzing::frames_target::{limits_of, written};
use crate::types::role::Role;

/// The first two bytes choose role, limits and the size of written frames.
///
/// The others are the input from the peer.
pub fn tungstenite(data: &[u8]) {
    let Some((&[choice, frame_size], wire)) = data.split_first_chunk() else { return };
    let role = if choice & 0x80 == 0 { Role::Server } else { Role::Client };
    let limits = comparable_limits(choice);
    let ours = decode_reads((role, limits), [wire]);

    let wire = if ours.1.is_some() { completed(wire, limits) } else { wire.into() };

    compare(&ours, &read(role, limits, &wire), limits);
    let (received, _) = ours;
    let frame_size = NonZeroUsize::MIN.saturating_add(frame_size.into());
    let by_us = written(role, &received, frame_size);
    assert_eq!(read(role, GENEROUS, &by_us), (as_they_report(&received), End::Quiet));
    let by_them = written_by_tungstenite(role, &received);
    assert_eq!(decode_reads((role, GENEROUS), [&by_them[..]]), (received, None));
}

/// Returns limits that both have: tungstenite does not count fragments.
///
/// It reserves what a header announces, so its frames are kept small.
fn comparable_limits(choice: u8) -> Limits {
    let limits = limits_of(choice);
    let max_frame_size = limits.max_frame_size.min(GENEROUS.max_frame_size);
    Limits { max_frame_size, max_fragments: u32::MAX, ..limits }
}

/// Returns the input with as much behind it that its last frame is complete.
///
/// Violations are found at their first byte, and by tungstenite in complete frames.
fn completed(wire: &[u8], limits: Limits) -> Cow<'_, [u8]> {
    let rest = LONGEST_HEADER + limits.max_frame_size.max(LONGEST_CONTROL_PAYLOAD);
    [wire, &vec![0; rest]].concat().into()
}

/// Compares both outcomes.
fn compare((ours, violation): &Outcome, (theirs, end): &Theirs, limits: Limits) {
    let theirs = theirs.as_slice();
    let is_control = |size: usize| size <= LONGEST_CONTROL_PAYLOAD && size > limits.max_frame_size;
    match (violation, end) {
        // The limit for frames is one for data frames here, and for all in tungstenite.
        (_, End::TooBig(size))
            if is_control(*size) && (violation.is_none() || theirs.len() < ours.len()) =>
        {
            let (before, behind) = ours.split_at(theirs.len());
            assert_eq!(theirs, before);
            // `None` if the payload is incomplete.
            let next = behind.first().map(control_size);
            assert!(next.is_none_or(|next| next == Some(*size)), "{behind:?}, {size} bytes");
        }
        // RFC 6455 §5.2, the minimal number of bytes for the length: tungstenite takes any.
        (Some(Violation::LONG_LENGTH_ENCODING), _) => assert!(theirs.starts_with(ours)),
        // The same of a control frame, which is too long here by the form of its length.
        (Some(Violation::LONG_CONTROL_FRAME), _) => {
            let behind = theirs.strip_prefix(ours.as_slice());
            let next = behind.and_then(|behind| behind.first());
            assert!(behind.is_some() && next.is_none_or(|next| control_size(next).is_some()));
            assert!(next.is_some() || *end != End::Quiet, "a long control frame is not refused");
        }
        // RFC 6455 §5.5.1: tungstenite reports the code as 1002.
        (Some(Violation::FORBIDDEN_CLOSE_CODE), End::Quiet) => {
            assert_eq!(theirs, [ours, &[forbidden_code()][..]].concat());
        }
        // A reason that is not text either: tungstenite looks at it first.
        (Some(Violation::FORBIDDEN_CLOSE_CODE), End::NotText) => assert_eq!(theirs, ours),
        // A frame that is too big and wrong otherwise: tungstenite looks at the size first.
        (Some(violation), End::TooBig(size)) if !is_size(*violation) => {
            assert_eq!(theirs, ours, "{violation:?}");
            assert_ne!(*violation, Violation::INVALID_TEXT, "the size has been looked at before");
            assert!(*size > limits.max_frame_size, "{violation:?}, {size} bytes");
        }
        (violation, end) => {
            assert_eq!(theirs, as_they_report(ours));
            let close_code = violation.map(|violation| u16::from(violation.close_code()));
            assert_eq!(close_code, end.close_code(), "{violation:?}, {end:?}");
        }
    }
}

fn is_size(violation: Violation) -> bool {
    matches!(violation, Violation::FRAME_TOO_BIG | Violation::MESSAGE_TOO_BIG)
}

/// Returns the size of the payload of a control frame, in bytes.
fn control_size(received: &Received) -> Option<usize> {
    match received {
        Received::Ping(payload) | Received::Pong(payload) => Some(payload.len()),
        Received::Close(code, reason) => Some(code.map_or(0, |_| 2) + reason.len()),
        Received::Text(_) | Received::Binary(_) => None,
    }
}

/// Returns what tungstenite reports of these messages.
///
/// It does not know the code 1014, which IANA has registered since.
fn as_they_report(ours: &[Received]) -> Vec<Received> {
    let mut reported = ours.to_vec();
    if let Some(close @ Received::Close(Some(1014), _)) = reported.last_mut() {
        *close = forbidden_code();
    }
    reported
}

fn forbidden_code() -> Received {
    Received::Close(Some(1002), "Protocol violation".to_owned())
}

/// The messages that tungstenite reads, and why there are no more.
type Theirs = (Vec<Received>, End);

#[derive(Debug, PartialEq, Eq)]
enum End {
    /// The end of the input, or a close frame.
    Quiet,
    NotText,
    /// A frame or a message over the limit, and its size in bytes.
    TooBig(usize),
    Violation(ProtocolError),
}

impl End {
    /// Returns the code of the close frame that RFC 6455 §7.4.1 has for it.
    const fn close_code(&self) -> Option<u16> {
        match self {
            Self::Quiet => None,
            Self::NotText => Some(1007),
            Self::TooBig(_) => Some(1009),
            Self::Violation(_) => Some(1002),
        }
    }
}

impl From<Error> for End {
    fn from(error: Error) -> Self {
        match error {
            Error::Protocol(ProtocolError::ResetWithoutClosingHandshake) => Self::Quiet,
            Error::Protocol(error) => Self::Violation(error),
            Error::Utf8(_) => Self::NotText,
            Error::Capacity(CapacityError::MessageTooLong { size, .. }) => Self::TooBig(size),
            other => unreachable!("{other:?}"),
        }
    }
}

fn read(role: Role, limits: Limits, wire: &[u8]) -> Theirs {
    let config = WebSocketConfig::default()
        .read_buffer_size(4096)
        .max_frame_size(Some(limits.max_frame_size))
        .max_message_size(Some(limits.max_message_size));
    let peer = Peer { sent: Cursor::new(wire), written: Vec::new() };
    let mut socket = WebSocket::from_raw_socket(peer, their_role(role), Some(config));
    let mut received = Vec::new();
    loop {
        received.push(match socket.read() {
            Ok(Message::Text(text)) => Received::Text(text.as_str().to_owned()),
            Ok(Message::Binary(bytes)) => Received::Binary(bytes.into()),
            Ok(Message::Ping(payload)) => Received::Ping(payload.into()),
            Ok(Message::Pong(payload)) => Received::Pong(payload.into()),
            Ok(Message::Close(frame)) => {
                let (code, reason) = frame.map(|it| (it.code.into(), it.reason)).unzip();
                let reason = reason.map(|reason| reason.as_str().to_owned());
                received.push(Received::Close(code, reason.unwrap_or_default()));
                return (received, End::Quiet);
            }
            Ok(Message::Frame(frame)) => unreachable!("{frame} is never read as such"),
            Err(error) => return (received, error.into()),
        });
    }
}

/// Returns the messages as tungstenite writes them to an endpoint of this role.
fn written_by_tungstenite(reader: Role, messages: &[Received]) -> Vec<u8> {
    let role = match reader {
        Role::Server => TheirRole::Client,
        Role::Client => TheirRole::Server,
    };
    let peer = Peer { sent: Cursor::new(&[][..]), written: Vec::new() };
    let mut socket = WebSocket::from_raw_socket(peer, role, None);
    for message in messages {
        let sent = socket.send(match message {
            Received::Text(text) => Message::text(&**text),
            Received::Binary(bytes) => Message::binary(bytes.clone()),
            Received::Ping(payload) => Message::Ping(payload.clone().into()),
            Received::Pong(payload) => Message::Pong(payload.clone().into()),
            Received::Close(code, reason) => Message::Close(
                code.map(|code| CloseFrame { code: code.into(), reason: (&**reason).into() }),
            ),
        });
        assert!(sent.is_ok(), "{sent:?}");
    }
    socket.into_inner().written
}

const fn their_role(role: Role) -> TheirRole {
    match role {
        Role::Server => TheirRole::Server,
        Role::Client => TheirRole::Client,
    }
}

/// A stream that has sent all it has to send, and takes everything.
struct Peer<'w> {
    sent: Cursor<&'w [u8]>,
    written: Vec<u8>,
}

impl Read for Peer<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.sent.read(buffer)
    }
}

impl Write for Peer<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.written.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Limits that no input of a fuzzer meets.
const GENEROUS: Limits = Limits { max_frame_size: 100_000, ..Limits::DEFAULT };

/// The size of the longest header, in bytes (RFC 6455 §5.2).
const LONGEST_HEADER: usize = 14;

/// The size of the longest payload of a control frame, in bytes (RFC 6455 §5.5).
const LONGEST_CONTROL_PAYLOAD: usize = 125;
