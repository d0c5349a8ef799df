//! The agreed parameters of a compressed connection (RFC 7692 §7.1).

use crate::protocol::deflate::history_budget::Reservation;
use crate::types::compression::{AgreedCompression, Compression, CompressionLevel, HistorySize};

/// The outcome of the negotiation, for the end that holds it.
#[derive(Debug)]
pub(crate) struct Agreed {
    pub(crate) terms: Terms,
    /// The memory of the histories, given back by its drop.
    ///
    /// `None` where nothing counts it.
    pub(crate) reservation: Option<Reservation>,
}

/// The parameters, as this end applies them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Terms {
    /// The bits of the window in which this end compresses, from 8 to 15.
    ///
    /// A window of 8 bits cannot be compressed for: nothing is compressed then.
    pub(crate) window: u8,
    /// The messages sent to which a later one may refer; at most the window.
    pub(crate) sent: HistorySize,
    /// The messages received to which a later one may refer.
    pub(crate) received: HistorySize,
    pub(crate) level: CompressionLevel,
    /// The size from which messages are compressed, in bytes.
    pub(crate) threshold: u32,
}

impl Terms {
    /// Makes the terms for a window and both histories; the rest is set by the program.
    pub(crate) fn new(
        window: u8,
        sent: HistorySize,
        received: HistorySize,
        settings: &Compression,
    ) -> Self {
        let threshold = u32::try_from(settings.min_size(!sent.is_none())).unwrap_or(u32::MAX);
        Self { window, sent, received, level: settings.effort(), threshold }
    }

    /// Returns them as programs see them.
    pub(crate) const fn agreed(&self) -> AgreedCompression {
        AgreedCompression { sent: self.sent, received: self.received }
    }
}
