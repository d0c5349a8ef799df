//! Records what slots were called with, for tests to compare.

use std::cell::RefCell;
use std::rc::Rc;

use anyhow::{Result, ensure};
use slotwork::WebSocket;
use slotwork::signals::SignalRef;

/// A list of lines that slots write and a test reads.
#[derive(Clone, Debug, Default)]
pub(crate) struct Recorder {
    lines: Rc<RefCell<Vec<String>>>,
}

impl Recorder {
    pub(crate) fn add(&self, line: impl Into<String>) {
        self.lines.borrow_mut().push(line.into());
    }

    pub(crate) fn lines(&self) -> Vec<String> {
        self.lines.borrow().clone()
    }

    /// Fails unless exactly these lines were written.
    pub(crate) fn check(&self, expected: &[&str]) -> Result<()> {
        let lines = self.lines();
        ensure!(lines == expected, "recorded {lines:#?}, not {expected:#?}");
        Ok(())
    }

    /// Writes a line for each signal of `socket`, but for `bytes_written`.
    pub(crate) fn watch(&self, socket: &WebSocket) {
        self.watch_one(socket.text_message_received(), |text| format!("text {text}"));
        self.watch_one(socket.binary_message_received(), |bytes| format!("binary {bytes:?}"));
        self.watch_one(socket.pong(), |pong| {
            let kind = if pong.elapsed.is_some() { "asked" } else { "unasked" };
            format!("pong {kind} {}", String::from_utf8_lossy(&pong.payload))
        });
        self.watch_one(socket.about_to_close(), |()| "about to close".into());
        self.watch_one(socket.state_changed(), |state| format!("{state:?}"));
        self.watch_one(socket.error_occurred(), |error| format!("error: {error}"));
        let recorder = self.clone();
        socket.disconnected().connect(move |socket, ()| {
            let code = socket.close_code().map(u16::from);
            recorder.add(format!("disconnected {code:?} {}", socket.close_reason()));
        });
    }

    fn watch_one<T: ?Sized + ToOwned<Owned: Send> + 'static>(
        &self,
        signal: SignalRef<'_, WebSocket, T>,
        line: impl Fn(&T) -> String + 'static,
    ) {
        let recorder = self.clone();
        signal.connect(move |_socket, value| recorder.add(line(value)));
    }
}
