//! Compression of a connection: what was agreed, and what is sent (RFC 7692 §7).

use std::sync::Arc;

use crate::protocol::deflate::compressor::Effort;
use crate::protocol::deflate::terms::Agreed;
use crate::protocol::prepared_message::PreparedMessage;
use crate::session::Session;
use crate::session::buffers::{compress, put_compressed};
use crate::session::outgoing::Outgoing;
use crate::session::state::State;
use crate::types::compression::{AgreedCompression, HistorySize};

impl Session {
    /// Returns the agreed compression; `None` without it, and after the end.
    pub(crate) fn compression(&self) -> Option<AgreedCompression> {
        Some(self.lock().extra.compression()?.terms.agreed())
    }

    /// Compresses messages from the next one on, or sends them plain.
    pub(crate) fn set_compressing(&self, is_on: bool) {
        let mut state = self.lock();
        if state.settings().compresses != is_on {
            state.extra().settings.compresses = is_on;
        }
    }

    /// Returns whether messages are compressed where that was agreed on.
    pub(crate) fn is_compressing(&self) -> bool {
        self.lock().settings().compresses
    }

    /// Returns the history of the messages received, if they may be compressed.
    pub(super) fn received_history(&self) -> Option<HistorySize> {
        Some(self.lock().extra.compression()?.terms.received)
    }
}

impl State {
    /// Compresses by these terms from now on; called as the connection opens.
    pub(super) fn set_compression(&mut self, agreed: Agreed) {
        self.extra.set_compression(Some(Outgoing::new(agreed)));
    }

    /// Ends compression, and gives back the memory of the histories.
    pub(super) fn end_compression(&mut self) {
        self.extra.set_compression(None);
    }

    /// Returns whether a message of so many bytes is to be compressed.
    #[inline]
    pub(super) fn compresses(&self, length: usize) -> bool {
        let is_on = || self.extra.as_ref().is_none_or(|extra| extra.settings.compresses);
        self.extra.compression().is_some_and(|outgoing| outgoing.compresses(length) && is_on())
    }

    /// Returns whether a shared message is to be compressed for this connection alone.
    #[inline]
    pub(super) fn compresses_alone(&self, message: &PreparedMessage) -> bool {
        (self.extra.compression())
            .is_some_and(|outgoing| outgoing.terms.window < Effort::SHARED_WINDOW)
            && message.is_compressible()
            && self.compresses(message.payload().len())
    }

    /// Compresses a message that will be sent next.
    ///
    /// Returns `None` where it does not become shorter: it is sent plain then, and is not a part of
    /// the history.
    pub(super) fn compress(&mut self, message: &[u8]) -> Option<Vec<u8>> {
        self.extra.compression_mut()?.compress(message)
    }

    /// Returns the compressed form of a shared message, which will be sent next.
    ///
    /// It refers to no history. `None` where it is sent plain.
    #[inline]
    pub(super) fn compressed<'m>(&self, message: &'m PreparedMessage) -> Option<&'m Arc<[u8]>> {
        if !self.compresses(message.payload().len()) {
            return None;
        }
        message.compressed(|payload, encode| {
            let Some(bytes) = compress(Effort::shared(payload.len()), &[], payload) else { return };
            encode(&bytes);
            put_compressed(bytes);
        })
    }

    /// Adds a compressed message to the history of those sent.
    pub(super) fn note_compressed(&mut self, message: &[u8]) {
        if let Some(history) = self.extra.compression_mut().and_then(Outgoing::history) {
            history.push(message);
        }
    }

    /// Ends the history of the messages sent: the next one may be dropped.
    ///
    /// The peer would have another history then.
    pub(super) fn end_sent_history(&mut self) {
        if let Some(outgoing) = self.extra.compression_mut() {
            outgoing.end_history();
        }
    }
}
