//! Tests over a scripted stream, with a scripted clock.

use std::io;
use std::thread;
use std::time::Duration;

use crate::protocol::frames::frame::Frame;
use crate::protocol::frames::frame_header::ReservedBits;
use crate::protocol::frames::opcode::{MessageKind, Opcode};
use crate::testing::connection::{Record, Recorder, Report, ScriptedConnection};
use crate::types::role::Role;

mod big_messages;
mod closing;
#[cfg(feature = "compression")]
mod compression;
mod conflation;
mod corking;
mod failures;
mod flush_list;
mod keepalive;
mod output_policy;
mod rates;
mod shared_frame;
mod timeouts;
mod traffic;
mod would_block;

const SECOND: Duration = Duration::from_secs(1);
const MIB: usize = 1024 * 1024;

/// Returns a connection that sends back each text.
fn echoing() -> io::Result<ScriptedConnection> {
    let mut connection = ScriptedConnection::new(
        Role::Server,
        &[],
        Box::new(|recorder: &Recorder, report: &Report| {
            if let Report::Text(text) = report {
                recorder.send(MessageKind::Text, text.as_bytes());
            }
        }),
    )?;
    connection.start_reading();
    connection.settle();
    Ok(connection)
}

/// Checks MSG-12: as long as something arrives within the write timeout, the peer is alive.
fn assert_input_keeps_alive<'a>(
    connection: &mut ScriptedConnection,
    input: impl IntoIterator<Item = &'a [u8]>,
) {
    for piece in input {
        connection.advance(29 * SECOND);
        connection.peer.send(piece);
        connection.settle();
        assert!(!connection.has_ended());
    }
    connection.advance(30 * SECOND);
    connection.settle();
    assert!(connection.has_ended());
}

fn masked(opcode: Opcode, payload: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let reserved = ReservedBits::NONE;
    Frame { opcode, is_final: true, reserved, payload }
        .write_to(&mut bytes, Some([0x37, 0xFA, 0x21, 0x3D]));
    bytes
}

/// Returns the frames of what was accepted to be sent, in order.
fn sent(connection: &ScriptedConnection) -> Vec<u8> {
    let mut frames = Vec::new();
    for (opcode, payload) in &connection.record().sent {
        let kind = match opcode {
            Opcode::Text => MessageKind::Text,
            _ => MessageKind::Binary,
        };
        Frame::message(kind, payload).write_to(&mut frames, None);
    }
    frames
}

/// Calls a function in another thread, and waits for its end.
fn elsewhere<T: Send>(call: impl FnOnce() -> T + Send) -> T {
    thread::scope(|scope| scope.spawn(call).join()).unwrap()
}

/// Shows the reports as words, without the bytes.
fn life(record: &Record) -> Vec<String> {
    let show = |report: &Report| match report {
        Report::Text(text) => text.clone(),
        Report::Failed(error) => error.to_string(),
        Report::Limit(limit) => limit.to_string(),
        report => format!("{report:?}"),
    };
    record.reports.iter().map(show).collect()
}

/// The reports of a closing handshake.
const CLOSED: [&str; 4] = ["Closing", "State(Closing)", "State(Unconnected)", "Ended"];
