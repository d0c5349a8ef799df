//! Messages that are passed to slots: what a server that has signals does more than the rest.

use std::cell::RefCell;
use std::rc::Rc;

use slotwork_signals::Signal;

use crate::{lengths, unmask};

/// The signals of a client, as many as a socket of the echo server has slots.
#[derive(Default)]
pub(crate) struct Signals {
    message: Signal<[u8]>,
    text_message: Signal<[u8]>,
    disconnected: Signal<()>,
    output: Output,
}

/// The frames that the slots have sent in this turn; all clients share it.
pub(crate) type Output = Rc<RefCell<Vec<u8>>>;

impl Signals {
    /// Connects the slots, which put their answers into `output`.
    pub(crate) fn connected(output: &Output) -> Self {
        let signals = Self { output: Rc::clone(output), ..Self::default() };
        for signal in [&signals.message, &signals.text_message] {
            let output = Rc::clone(output);
            signal.connect(move |payload| append_frame(&mut output.borrow_mut(), payload));
        }
        signals.disconnected.connect(|()| {});
        signals
    }

    /// Emits each of the messages in these frames, which are of up to 64 KiB; returns what was sent.
    pub(crate) fn answers(&self, mut frames: &mut [u8]) -> Option<Output> {
        while !frames.is_empty() {
            let (header, length) = lengths(frames)?;
            let key = frames.get(header..header + 4)?.try_into().ok()?;
            let (frame, rest) = frames.split_at_mut_checked(header + 4 + length)?;
            let payload = &mut frame[header + 4..];
            unmask(payload, key);
            self.message.emit(payload);
            frames = rest;
        }
        Some(Rc::clone(&self.output))
    }
}

#[expect(clippy::cast_possible_truncation, reason = "a payload has up to 64 KiB")]
fn append_frame(output: &mut Vec<u8>, payload: &[u8]) {
    match payload.len() {
        length @ ..126 => output.extend([BINARY, length as u8]),
        length => {
            let [high, low] = (length as u16).to_be_bytes();
            output.extend([BINARY, 126, high, low]);
        }
    }
    output.extend_from_slice(payload);
}

const BINARY: u8 = 0x82;
