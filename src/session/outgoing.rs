//! The compression of what a connection sends: terms and history.
//!
//! Apart from `compression`, because the state has one: it knows neither state nor session.

use std::mem;

use crate::protocol::deflate::compressor::{Effort, worthwhile_history};
use crate::protocol::deflate::history_budget::Reservation;
use crate::protocol::deflate::terms::{Agreed, Terms};
use crate::protocol::deflate::window::Window;
use crate::session::buffers::compress;

/// The compression that was agreed on, for the messages that are sent.
pub(super) struct Outgoing {
    pub(super) terms: Terms,
    /// Present where there is a history in any direction.
    histories: Option<Box<Histories>>,
}

/// The history of the messages sent, and the memory of both histories.
struct Histories {
    /// `None` without one, and once the peer may have missed a message of it.
    sent: Option<Window>,
    /// Given back by its drop.
    reservation: Option<Reservation>,
}

impl Outgoing {
    pub(super) fn new(agreed: Agreed) -> Self {
        let Agreed { terms, reservation } = agreed;
        let has_history = !(terms.sent.is_none() && terms.received.is_none());
        let histories = has_history.then(|| {
            let has_sent = !terms.sent.is_none();
            let sent = has_sent.then(|| Window::for_sending(terms.sent.bits()));
            Box::new(Histories { sent, reservation })
        });
        Self { terms, histories }
    }

    /// Returns whether a message of so many bytes is to be compressed.
    pub(super) fn compresses(&self, length: usize) -> bool {
        let threshold = usize::try_from(self.terms.threshold).unwrap_or(usize::MAX);
        length >= threshold
    }

    /// Compresses a message that will be sent next; `None` if that is not shorter.
    pub(super) fn compress(&mut self, message: &[u8]) -> Option<Vec<u8>> {
        let Terms { window, level, .. } = self.terms;
        let history = self.history();
        let effort = Effort::of(window, level, message.len(), history.is_some());
        let Some(history) = history else { return compress(effort, &[], message) };

        let known = history.last(worthwhile_history(message.len()));
        let compressed = compress(effort, known, message)?;
        history.push(message);
        Some(compressed)
    }

    /// Returns the history of the messages sent.
    pub(super) fn history(&mut self) -> Option<&mut Window> {
        self.histories.as_mut()?.sent.as_mut()
    }

    /// Ends the history of the messages sent, and gives its memory back.
    pub(super) fn end_history(&mut self) {
        let Some(histories) = &mut self.histories else { return };
        if histories.sent.take().is_some() {
            let size = mem::take(&mut self.terms.sent).bytes();
            histories.reservation.iter_mut().for_each(|reservation| reservation.give_back(size));
        }
    }
}
