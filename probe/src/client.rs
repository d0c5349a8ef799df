//! A run against a server, from `open` to the exit code.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::{Duration, Instant};

use anyhow::Result;
use slotwork::{
    ClientRequest, CloseCode, Compression, Error, EventLoop, Message, SocketState, Timer,
    TlsCertificate, TlsError, WebSocket,
};

use crate::input::{self, Input};
use crate::options::Options;
use crate::output::{Output, hexadecimal};
use crate::pings;
use crate::progress::{Arrival, Progress};
use crate::report::{self, Close, Exit, Pings, Report, Response, Timings, Tls, without_login};
use crate::text;

/// A run against a server.
pub(crate) struct Client {
    pub(crate) options: Options,
    pub(crate) socket: WebSocket,
    output: Rc<Output>,
    report: RefCell<Report>,
    progress: RefCell<Progress>,
    inputs: RefCell<Vec<Input>>,
    deadline: Timer,
    connected_at: Cell<Option<Instant>>,
    round_trips: RefCell<Vec<Duration>>,
    /// The bytes of the messages in the report.
    kept: Cell<usize>,
    tls_errors: RefCell<Vec<TlsError>>,
    /// The certificate that `--insecure` accepts with a further attempt.
    accepted: RefCell<Option<TlsCertificate>>,
    exit: Cell<Exit>,
    has_ended: Cell<bool>,
}

impl Client {
    /// Connects, does what the options say, and prints the findings.
    pub(crate) fn run(options: Options, output: &Rc<Output>) -> Result<Exit> {
        let inputs = input::load(&options)?;
        let config = options.tls.client_config()?;
        let client = Rc::new(Self {
            socket: WebSocket::new(),
            output: Rc::clone(output),
            report: RefCell::default(),
            progress: RefCell::new(Progress::new(&options.exchange)),
            inputs: RefCell::new(inputs),
            deadline: Timer::new(),
            connected_at: Cell::default(),
            round_trips: RefCell::default(),
            kept: Cell::default(),
            tls_errors: RefCell::default(),
            accepted: RefCell::default(),
            exit: Cell::default(),
            has_ended: Cell::default(),
            options,
        });
        client.socket.set_tls_config(config);
        client.prepare()?;
        EventLoop::current().quit_on_signals()?;
        if client.open() {
            EventLoop::current().exec();
        }
        if !client.has_ended.get() {
            // Ctrl-C, SIGTERM, or an output that is closed.
            if output.has_failed() {
                client.socket.set_closing_timeout(Some(Duration::from_secs(1)));
            }
            client.close();
            EventLoop::current().exec();
        }
        Ok(client.finish())
    }

    fn prepare(self: &Rc<Self>) -> Result<()> {
        let (socket, options) = (&self.socket, &self.options);
        if let Some(origin) = &options.handshake.origin {
            socket.set_origin(origin)?;
        }
        socket.set_connect_timeout(Some(options.handshake.connect_timeout));
        socket.set_connect_timings_enabled(true);
        socket.set_proxy(options.handshake.proxy.clone());
        socket.set_compression(options.handshake.compress.then(Compression::new));
        socket.set_closing_timeout(Some(options.exchange.timeout));
        // `send` waits for the server after each message.
        socket.set_output_limit(usize::MAX);
        self.deadline.set_single_shot(true);

        socket.connected().connect_to(self, Self::on_connected);
        socket.text_message_received().connect_to(
            self,
            |client: &Rc<Self>, _socket, text: &str| {
                client.receive(&text.into());
            },
        );
        socket.binary_message_received().connect_to(
            self,
            |client: &Rc<Self>, _socket, bytes: &[u8]| {
                client.receive(&bytes.into());
            },
        );
        socket.tls_errors().connect_to(self, Self::on_tls_errors);
        socket.error_occurred().connect_to(self, Self::on_error_occurred);
        socket.disconnected().connect_to(self, Self::on_disconnected);
        self.deadline.timeout().connect_to(self, |client: &Rc<Self>, _timer, (): &()| {
            client.exit.set(Exit::Unmet);
            client.close();
        });
        Ok(())
    }

    /// Begins to connect; returns whether there is an attempt.
    fn open(&self) -> bool {
        let url = self.options.url.clone().unwrap_or_default();
        self.report.borrow_mut().url = without_login(&url);
        let mut request = ClientRequest::new(url);
        for (name, value) in &self.options.handshake.headers {
            request = request.header(name, value);
        }
        let request = request.subprotocols(&self.options.handshake.subprotocols);
        let is_opening = self.socket.open_request(request).is_ok();
        self.has_ended.set(!is_opening);
        is_opening
    }

    fn on_connected(self: &Rc<Self>, socket: &WebSocket, (): &()) {
        self.connected_at.set(Some(Instant::now()));
        let mut report = self.report.borrow_mut();
        report.is_connected = true;
        report.subprotocol = socket.subprotocol();
        report.is_compressed = socket.compression().is_some();
        report.tls = socket.tls_session().as_ref().map(Tls::of);
        self.note_opening(&mut report);
        drop(report);
        self.print_opening();

        let (sender, inputs) = (Rc::clone(self), self.inputs.take());
        let send = async move {
            if let Err(error) = input::send(&sender, inputs).await {
                sender.fail(Exit::Usage, format!("{error:#}"));
                return sender.close();
            }
            sender.progress.borrow_mut().set_all_sent();
            sender.go_on();
        };
        EventLoop::current().spawn(send).detach();
        EventLoop::current().spawn(pings::measure(Rc::clone(self))).detach();
    }

    /// Sends a message, and waits while the server is slower than that.
    pub(crate) async fn send(&self, message: &Message) -> Result<()> {
        let drained = self.socket.output_drained().next();
        let status = match message.as_text() {
            Some(text) => self.socket.send_text_message(text),
            None => self.socket.send_binary_message(message.as_bytes()),
        };
        if self.socket.state() != SocketState::Connected {
            // The run ends with the connection, and drops this task.
            return std::future::pending().await;
        }
        status.into_result()?;
        self.report.borrow_mut().sent.add(message.as_bytes().len());
        let sent = self.report.borrow().sent.messages;
        if self.prints_report() {
            self.output.line(&text::sent(message));
        }
        if self.socket.bytes_to_write() > self.socket.high_water_mark() {
            drained.await;
        } else if sent.is_multiple_of(MESSAGES_PER_TURN) {
            smol::future::yield_now().await;
        }
        Ok(())
    }

    fn receive(&self, message: &Message) {
        let arrival = self.progress.borrow_mut().receive(message);
        if arrival == Arrival::Superfluous {
            return;
        }
        let mut report = self.report.borrow_mut();
        if report.received.messages == 0 {
            let elapsed = self.connected_at.get().map(|begun| begun.elapsed());
            report.timings_ms.first_message = elapsed.map(report::milliseconds);
        }
        report.received.add(message.as_bytes().len());
        if self.options.report.json {
            self.keep(&mut report, message);
        }
        drop(report);
        if self.options.report.quiet {
            self.output.message(message);
        } else if self.prints_report() {
            self.output.line(&text::received(message));
        }
        if arrival == Arrival::Awaited {
            self.go_on();
        }
    }

    /// Keeps the first messages for the JSON object.
    fn keep(&self, report: &mut Report, message: &Message) {
        let bytes = message.as_bytes();
        let kept = self.kept.get().saturating_add(bytes.len());
        if report.messages.len() < MAX_KEPT && kept <= MAX_KEPT_BYTES {
            self.kept.set(kept);
            report.messages.push(match message.as_text() {
                Some(text) => report::Message::Text(text.to_owned()),
                None => report::Message::Binary(hexadecimal(bytes, "")),
            });
        }
    }

    pub(crate) fn begin_ping(&self) {
        self.progress.borrow_mut().begin_ping();
        self.go_on();
    }

    pub(crate) fn end_ping(&self, number: u32, elapsed: Duration) {
        self.round_trips.borrow_mut().push(elapsed);
        self.progress.borrow_mut().end_ping();
        if self.options.report.verbose && self.prints_report() {
            self.output.line(&text::pong(number, elapsed));
        }
        self.go_on();
    }

    /// Closes when all is done, or begins to wait for the next thing.
    fn go_on(&self) {
        let progress = self.progress.borrow();
        let (is_complete, has_deadline) = (progress.is_complete(), progress.has_deadline());
        drop(progress);
        self.deadline.stop();
        if is_complete {
            self.close();
        } else if has_deadline {
            self.deadline.start(self.options.exchange.timeout);
        }
    }

    fn close(&self) {
        self.deadline.stop();
        // After Ctrl-C there is no further attempt.
        self.accepted.take();
        self.socket.close_normally();
    }

    /// Notes the errors of a certificate, with the chain; `--insecure` ignores them.
    fn on_tls_errors(self: &Rc<Self>, socket: &WebSocket, errors: &[TlsError]) {
        let session = socket.tls_session();
        self.report.borrow_mut().tls = session.as_ref().map(Tls::of);
        let known = self.tls_errors.take();
        let new: Vec<_> = errors.iter().filter(|error| !known.contains(error)).cloned().collect();
        if self.options.tls.insecure {
            for error in &new {
                self.output.warning(&format!("{error}, which --insecure ignores"));
            }
            socket.ignore_tls_errors(errors.to_vec());
            if known.is_empty() && errors.iter().any(|error| !error.is_ignorable()) {
                let session = session.as_ref();
                let own = session.and_then(slotwork::TlsSession::peer_certificate).cloned();
                self.accepted.replace(own);
            }
        }
        self.tls_errors.replace([known, new].concat());
    }

    fn on_error_occurred(self: &Rc<Self>, socket: &WebSocket, error: &Error) {
        self.fail(Exit::of(error), socket.error_string());
    }

    /// Notes an error; the first one decides about the exit code.
    fn fail(&self, exit: Exit, error: String) {
        if self.exit.get() == Exit::Success {
            self.exit.set(exit);
        }
        self.report.borrow_mut().error = Some(error);
    }

    fn on_disconnected(self: &Rc<Self>, socket: &WebSocket, (): &()) {
        self.deadline.stop();
        let accepted = self.accepted.take();
        if let Some(certificate) = accepted.filter(|_| self.exit.get() == Exit::Tls)
            && let Ok(config) = self.options.tls.client_config()
        {
            // Exactly the certificate that the server has shown.
            socket.set_tls_config(config.ca_certificates([certificate]));
            self.exit.take();
            self.report.borrow_mut().error = None;
            if self.open() {
                return;
            }
        }
        self.has_ended.set(true);
        EventLoop::current().quit();
    }

    /// Completes the report, and prints the rest of it.
    fn finish(&self) -> Exit {
        let report = &mut *self.report.borrow_mut();
        report.missing = self.progress.borrow().missing();
        if report.is_connected {
            self.note_end(report);
        } else {
            self.note_opening(report);
            self.refine_exit(report);
        }
        match self.exit.get() {
            Exit::Success if !report.missing.is_empty() => self.exit.set(Exit::Unmet),
            // It has arrived behind the timeout, in front of the server's close frame.
            Exit::Unmet if report.missing.is_empty() => self.exit.set(Exit::Success),
            _ => {}
        }
        report.exit_code = self.exit.get() as u8;
        if self.options.report.json {
            self.output.write(|out| {
                serde_json::to_writer_pretty(&mut *out, report)?;
                writeln!(out)
            });
            return self.exit.get();
        }
        if !self.options.report.quiet {
            if !report.is_connected {
                self.output.lines(&text::opening(report, self.options.report.verbose));
            }
            self.output.lines(&text::end(report));
        }
        if let Some(error) = &report.error {
            self.output.error(error);
        }
        for missing in report.missing.iter().filter(|_| report.is_connected) {
            self.output.error(&format!("missing: {missing}"));
        }
        self.exit.get()
    }

    /// Notes the findings of connecting, successful or not.
    fn note_opening(&self, report: &mut Report) {
        if let Some(timings) = self.socket.connect_timings() {
            report.timings_ms.set_steps(&timings);
        }
        report.response = self.socket.handshake_response().as_ref().map(Response::of);
        let (address, port) = (self.socket.peer_address(), self.socket.peer_port());
        report.peer = address.map(|ip| std::net::SocketAddr::new(ip, port).to_string());
        if let Some(tls) = &mut report.tls {
            tls.errors = self.tls_errors.borrow().iter().map(ToString::to_string).collect();
        }
    }

    /// Notes the findings of an open connection at its end.
    fn note_end(&self, report: &mut Report) {
        if self.options.exchange.ping > 0 {
            let sent = self.progress.borrow().pings_sent();
            report.pings = Some(Pings::of(sent, &self.round_trips.borrow()));
        }
        report.close = self.socket.close_code().map(|code| Close {
            code: code.into(),
            meaning: code.to_string(),
            reason: self.socket.close_reason(),
        });
        let code = self.socket.close_code();
        let is_in_order =
            [CloseCode::NORMAL, CloseCode::GOING_AWAY, CloseCode::MISSING_STATUS_CODE]
                .map(Some)
                .contains(&code);
        if !is_in_order && self.exit.get() == Exit::Success {
            self.exit.set(Exit::Broken);
        }
    }

    /// Names the step at which a connection has failed that was never open.
    fn refine_exit(&self, report: &mut Report) {
        let Timings { proxy, tls, .. } = report.timings_ms;
        let needs_proxy = self.options.handshake.proxy.is_some() && proxy.is_none();
        let needs_tls = report.url.to_ascii_lowercase().starts_with("wss:") && tls.is_none();
        match self.exit.get() {
            // Only Ctrl-C and SIGTERM end an attempt without an error.
            Exit::Success => {
                self.exit.set(Exit::NoConnection);
                report.error = Some("interrupted before the connection was open".to_owned());
            }
            Exit::Broken if needs_proxy => self.exit.set(Exit::NoConnection),
            Exit::Broken if needs_tls => self.exit.set(Exit::Tls),
            Exit::Broken => self.exit.set(Exit::Refused),
            _ => {}
        }
    }

    fn print_opening(&self) {
        if self.prints_report() {
            let lines = text::opening(&self.report.borrow(), self.options.report.verbose);
            self.output.lines(&lines);
        }
    }

    const fn prints_report(&self) -> bool {
        !self.options.report.json && !self.options.report.quiet
    }
}

/// The number of messages that are sent in a turn of the loop.
///
/// It receives as many: an echo server would end a client that sends more than it reads.
const MESSAGES_PER_TURN: u64 = 16;
/// The number of messages that the JSON object has at the most.
const MAX_KEPT: usize = 1000;
/// Their size, in bytes.
const MAX_KEPT_BYTES: usize = 16 * 1024 * 1024;
