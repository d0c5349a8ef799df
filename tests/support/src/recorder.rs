//! Records the calls of slots, for tests to compare.

use std::cell::RefCell;
use std::future::poll_fn;
use std::rc::Rc;
use std::task::{Poll, Waker};

use anyhow::{Context, Result, ensure};
use slotwork::signals::SignalRef;
use slotwork::{Error, WebSocket, WebSocketServer};

use crate::{run_until, wait_until};

/// A list of lines that slots write and a test reads.
#[derive(Clone, Debug, Default)]
pub struct Recorder {
    lines: Rc<RefCell<Vec<String>>>,
    waiting: Rc<RefCell<Option<Waker>>>,
}

impl Recorder {
    /// Appends a line.
    pub fn add(&self, line: impl Into<String>) {
        self.lines.borrow_mut().push(line.into());
        if let Some(waiting) = self.waiting.take() {
            waiting.wake();
        }
    }

    /// Returns all lines so far.
    pub fn lines(&self) -> Vec<String> {
        self.lines.borrow().clone()
    }

    /// Fails unless exactly these lines were written.
    pub fn check(&self, expected: &[&str]) -> Result<()> {
        let lines = self.lines();
        ensure!(lines == expected, "recorded {lines:#?}, not {expected:#?}");
        Ok(())
    }

    /// Runs the loop until as many lines as these were written, and fails unless it is these.
    pub fn wait_for(&self, expected: &[&str]) -> Result<()> {
        let enough = poll_fn(|cx| {
            self.waiting.replace(Some(cx.waker().clone()));
            let has_enough = self.lines.borrow().len() >= expected.len();
            if has_enough { Poll::Ready(()) } else { Poll::Pending }
        });
        run_until(enough).with_context(|| format!("recorded {:#?}", self.lines()))?;
        self.check(expected)
    }

    /// Runs the loop until a socket has disconnected, then checks as [`check`](Self::check) does.
    pub fn check_life(&self, expected: &[&str]) -> Result<()> {
        self.wait_for_disconnected(1)?;
        self.check(expected)
    }

    /// The same for the first lines only: other sockets may follow.
    pub fn check_start(&self, expected: &[&str]) -> Result<()> {
        self.wait_for_disconnected(1)?;
        let lines = self.lines();
        let start: Vec<_> = lines.iter().take(expected.len()).collect();
        ensure!(start == expected, "recorded {lines:#?}, not {expected:#?} first");
        Ok(())
    }

    /// Runs the loop until that many sockets have disconnected.
    pub fn wait_for_disconnected(&self, sockets: usize) -> Result<()> {
        let is_end = |line: &&String| line.starts_with("disconnected");
        wait_until(|| self.lines.borrow().iter().filter(is_end).count() >= sockets)
            .with_context(|| format!("recorded {:#?}", self.lines()))
    }

    /// Writes a line for each signal of `server`.
    pub fn watch_server(&self, server: &WebSocketServer) {
        let recorder = self.clone();
        server.new_connection().connect(move |_server, ()| recorder.add("new connection"));
        let recorder = self.clone();
        server.server_error().connect(move |_server, error| recorder.add(describe(error)));
        let recorder = self.clone();
        server.accept_error().connect(move |_server, error| {
            recorder.add(format!("accept error: {error}"));
        });
        let recorder = self.clone();
        server.closed().connect(move |_server, ()| recorder.add("closed"));
    }

    /// Writes a line for each signal of `socket`, but for `bytes_written`.
    pub fn watch(&self, socket: &WebSocket) {
        self.watch_one(socket.connected(), |()| "connected".into());
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

/// Returns the kind and the close code of a server's error, without the addresses of its peers.
fn describe(error: &Error) -> String {
    let kind = match error {
        Error::Listen { .. } => "cannot listen".into(),
        Error::AlreadyListening { .. } => "already listening".into(),
        Error::HandshakeRefused { status, .. } => format!("refused {status}"),
        Error::HandshakeTimeout { .. } => "timeout".into(),
        Error::HandshakeBroken { .. } => "broken".into(),
        error => format!("{error}:"),
    };
    format!("{kind} {}", u16::from(error.close_code()))
}
