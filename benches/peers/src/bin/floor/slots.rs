//! Messages that are passed to slots: what a server that has signals does more than the rest.

use std::cell::RefCell;
use std::rc::Rc;

use slotwork_signals::Signal;

use crate::unmask;

/// The signals of a client, as many as a socket of the echo server has slots.
#[derive(Default)]
pub(crate) struct Signals {
    message: Signal<[u8]>,
    text_message: Signal<[u8]>,
    disconnected: Signal<()>,
}

/// The frames that the slots have sent in this turn, of all clients.
pub(crate) type Output = Rc<RefCell<Vec<u8>>>;

impl Signals {
    /// Connects the slots, which put their answers into `output`.
    pub(crate) fn connected(output: &Output) -> Self {
        let signals = Self::default();
        for signal in [&signals.message, &signals.text_message] {
            let output = Rc::clone(output);
            signal.connect(move |payload| append_frame(&mut output.borrow_mut(), payload));
        }
        signals.disconnected.connect(|()| {});
        signals
    }

    /// Emits each of the messages in these frames, which are of up to 64 KiB.
    pub(crate) fn emit_all(&self, mut frames: &mut [u8]) -> Option<()> {
        while let [_, length, ..] = frames {
            let (header, length) = match *length & 0x7F {
                126 => (4, usize::from(u16::from_be_bytes(frames.get(2..4)?.try_into().ok()?))),
                length => (2, usize::from(length)),
            };
            let key = frames.get(header..header + 4)?.try_into().ok()?;
            let (frame, rest) = frames.split_at_mut_checked(header + 4 + length)?;
            let payload = &mut frame[header + 4..];
            unmask(payload, key);
            self.message.emit(payload);
            frames = rest;
        }
        Some(())
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
