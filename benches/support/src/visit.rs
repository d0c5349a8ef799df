//! Connections that do nothing but open and close.

use std::io::{ErrorKind, Read, Write};

use anyhow::{Result, ensure};

use crate::client::{await_answer, request};

/// Opens and closes some connections, each step for all of them before the next one.
///
/// The peer has several connections in each of its turns, as a busy server has. A connection is
/// closed by a close frame, its answer and the end of the stream (RFC 6455 §7.1.1).
pub fn visit<S: Read + Write>(mut streams: Vec<S>) -> Result<()> {
    streams.iter_mut().try_for_each(request)?;
    streams.iter_mut().try_for_each(await_answer)?;
    streams.iter_mut().try_for_each(|stream| stream.write_all(&CLOSE))?;
    streams.iter_mut().try_for_each(await_end)
}

fn await_end<S: Read>(stream: &mut S) -> Result<()> {
    let mut received = Vec::new();
    let mut bytes = [0; 128];
    loop {
        match stream.read(&mut bytes) {
            Ok(0) => break,
            Ok(length) => received.extend(bytes.get(..length).unwrap_or_default()),
            // TLS without `close_notify`.
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => break,
            Err(error) => return Err(error.into()),
        }
    }
    ensure!(received == ANSWER, "not the answer to a close frame: {}", received.escape_ascii());
    Ok(())
}

/// A close frame with code 1000, masked with zeros.
const CLOSE: [u8; 8] = [0x88, 0x82, 0, 0, 0, 0, 0x03, 0xE8];
/// The same of a server.
const ANSWER: &[u8] = &[0x88, 0x02, 0x03, 0xE8];
