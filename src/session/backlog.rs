//! Messages that a slow peer has yet to begin with, and may never see.

use std::collections::VecDeque;

use crate::session::outbox::Chunk;

/// Whole messages that wait behind the output, so that they can be dropped.
///
/// There are some only while there is output: once that is written, the first of them follow.
#[derive(Default)]
pub(super) struct Backlog {
    messages: VecDeque<Chunk>,
    length: usize,
}

impl Backlog {
    /// Returns how many bytes wait here.
    pub(super) fn len(&self) -> usize {
        self.length
    }

    pub(super) fn is_empty(&self) -> bool {
        self.messages.is_empty()
    }

    /// Puts an encoded message behind the others.
    pub(super) fn push(&mut self, message: Chunk) {
        self.length += message.len();
        self.messages.push_back(message);
    }

    /// Takes the message that has waited longest.
    pub(super) fn pop(&mut self) -> Option<Chunk> {
        let message = self.messages.pop_front()?;
        self.length -= message.len();
        Some(message)
    }
}
