//! Reads heads that come in pieces, for tests.

use crate::protocol::handshake::refusal::Refusal;
use crate::protocol::handshake::request::HandshakeRequest;
use crate::protocol::handshake::request_head::{HeadLimits, HeadReader};

/// What a reader made of some bytes: nothing yet, or the request and what was left over.
pub(crate) type Outcome = Result<Option<(HandshakeRequest, Vec<u8>)>, Refusal>;

/// Reads pieces until the answer is certain; what was not needed is left over.
pub(crate) fn read(pieces: &mut dyn Iterator<Item = &[u8]>) -> Outcome {
    read_with(HeadLimits::default(), pieces)
}

/// The same with limits of the caller's choice.
pub(crate) fn read_with(limits: HeadLimits, pieces: &mut dyn Iterator<Item = &[u8]>) -> Outcome {
    let mut reader = HeadReader::new(limits);
    while let Some(piece) = pieces.next() {
        let found = reader.read(piece);
        let most = limits.head.next_power_of_two();
        assert!(reader.buffer_size() <= most, "{}", reader.buffer_size());
        if let Some((request, rest)) = found? {
            return Ok(Some((request, [rest, &pieces.collect::<Vec<_>>().concat()].concat())));
        }
    }
    Ok(None)
}
