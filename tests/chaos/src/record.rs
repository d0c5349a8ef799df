//! What one end of one connection has reported, and what it must not have.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use slotwork::{CloseCode, SendStatus, WebSocket};

use crate::script::{Request, Side};

/// The signals and calls of one end of one connection.
#[derive(Debug)]
pub(crate) struct Record {
    pub(crate) side: Side,
    /// The client, and which of its connections.
    pub(crate) client: usize,
    pub(crate) number: usize,
    /// When it began, on the virtual clock.
    pub(crate) begin: Duration,
    pub(crate) is_connected: Cell<bool>,
    /// How many messages were accepted.
    pub(crate) sent: Cell<usize>,
    pub(crate) received: Cell<usize>,
    /// The number that the next broadcast has at least.
    pub(crate) next_broadcast: Cell<usize>,
    /// The code of the first `close`, and how many messages were sent before it.
    pub(crate) closed: Cell<Option<(CloseCode, usize)>>,
    pub(crate) final_code: Cell<Option<CloseCode>>,
    pub(crate) disconnections: Cell<usize>,
    /// All of it, to compare runs and to show them.
    pub(crate) log: Log,
    pub(crate) violations: Rc<RefCell<Vec<String>>>,
}

/// The lines of a run, in their order.
pub(crate) type Log = Rc<RefCell<Vec<String>>>;

impl Record {
    pub(crate) fn new(
        side: Side,
        client: usize,
        number: usize,
        begin: Duration,
        log: &Log,
        violations: &Rc<RefCell<Vec<String>>>,
    ) -> Self {
        Self {
            side,
            client,
            number,
            begin,
            is_connected: Cell::default(),
            sent: Cell::default(),
            received: Cell::default(),
            next_broadcast: Cell::default(),
            closed: Cell::default(),
            final_code: Cell::default(),
            disconnections: Cell::default(),
            log: Rc::clone(log),
            violations: Rc::clone(violations),
        }
    }

    /// Adds a line to the log.
    pub(crate) fn note(&self, now: Duration, line: impl AsRef<str>) {
        self.log.borrow_mut().push(format!("{now:?} {}: {}", self.name(), line.as_ref()));
    }

    pub(crate) fn violation(&self, what: impl AsRef<str>) {
        self.violations.borrow_mut().push(format!("{}: {}", self.name(), what.as_ref()));
    }

    pub(crate) fn name(&self) -> String {
        format!("{:?} {}.{}", self.side, self.client, self.number)
    }

    /// Notes a signal; `disconnected` is the last one.
    pub(crate) fn signal(&self, now: Duration, line: impl AsRef<str>) {
        self.note(now, &line);
        if self.disconnections.get() > 0 {
            self.violation(format!("{} follows `disconnected`", line.as_ref()));
        }
    }

    /// Sends the next message, and counts it if it was accepted.
    pub(crate) fn send(&self, socket: &WebSocket, size: usize, request: Request) {
        let number = self.sent.get();
        let message = message(number, size, request);
        let status = if size.is_multiple_of(2) {
            socket.send_text_message(&message)
        } else {
            socket.send_binary_message(&message)
        };
        if status == SendStatus::Queued {
            self.sent.set(number + 1);
            if self.closed.get().is_some() {
                self.violation("a message was accepted behind `close`");
            }
        }
    }

    /// Notes a message: the next one, whole. Returns the request in it.
    pub(crate) fn receive(&self, now: Duration, text: &str) -> Request {
        if let Some(broadcast) = text.strip_prefix(BROADCAST) {
            self.receive_broadcast(now, broadcast);
            return Request::Nothing;
        }
        let expected = self.received.get();
        let mut parts = text.splitn(4, ':');
        let mut number = || parts.next().and_then(|part| part.parse::<usize>().ok());
        let (number, size) = (number(), number());
        let request = Request::of_letter(parts.next().unwrap_or_default());
        self.signal(now, format!("message {number:?} of {} bytes", text.len()));
        match (number, size) {
            (Some(number), Some(size)) if message(number, size, request) == text => {
                if number != expected {
                    self.violation(format!("message {number} instead of {expected}"));
                }
                self.received.set(number + 1);
            }
            _ => self.violation(format!("a message is damaged: {text:.40?}")),
        }
        request
    }

    /// Notes a broadcast: none twice, and in their order.
    fn receive_broadcast(&self, now: Duration, text: &str) {
        self.signal(now, format!("broadcast of {} bytes", text.len()));
        let mut parts = text.split(':').map(str::parse::<usize>);
        match (parts.next(), parts.next()) {
            (Some(Ok(number)), Some(Ok(size))) if broadcast(number, size).ends_with(text) => {
                if number < self.next_broadcast.replace(number + 1) {
                    self.violation(format!("broadcast {number} arrives twice, or late"));
                }
            }
            _ => self.violation(format!("a broadcast is damaged: {text:.40?}")),
        }
    }

    /// Closes the connection, with a code that is this end's own.
    pub(crate) fn close(&self, now: Duration, socket: &WebSocket) {
        let code = CloseCode::from(match self.side {
            Side::Client => 4000,
            Side::Server => 3000,
        });
        self.note(now, "close()");
        if socket.close(code, "bye") == SendStatus::Queued && self.closed.get().is_none() {
            self.closed.set(Some((code, self.sent.get())));
        }
    }

    pub(crate) fn abort(&self, now: Duration, socket: &WebSocket) {
        self.note(now, "abort()");
        socket.abort();
    }
}

impl Request {
    const fn letter(self) -> &'static str {
        match self {
            Self::Nothing => "n",
            Self::Echo => "e",
            Self::Close => "c",
            Self::Abort => "a",
        }
    }

    fn of_letter(letter: &str) -> Self {
        match letter {
            "e" => Self::Echo,
            "c" => Self::Close,
            "a" => Self::Abort,
            _ => Self::Nothing,
        }
    }
}

/// Returns a message: its number, its size, the request, and filling.
fn message(number: usize, size: usize, request: Request) -> String {
    let mut message = format!("{number}:{size}:{}:", request.letter());
    message.extend(('a'..='z').cycle().skip(number % 26).step_by(7).take(size));
    message
}

/// Returns a message for all clients.
pub(crate) fn broadcast(number: usize, size: usize) -> String {
    format!("{BROADCAST}{}", message(number, size, Request::Nothing))
}

const BROADCAST: &str = "broadcast ";
