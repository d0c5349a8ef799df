//! Takes a client through what servers that are not ours can do:
//! `interop-client NAME URL [HISTORY]`.
//!
//! With the size of a history in bytes, or 0 for none, it compresses messages of all sizes.
//! `tests/interop/run` starts the servers, which all know the same commands. Each result is one
//! line, `ok - …` or `not ok - …`. One socket is opened again for each case.

use std::num::NonZeroUsize;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use slotwork::signals::SignalSpy;
use slotwork::{ClientRequest, Compression, Error, SocketState, WebSocket};

fn main() -> Result<ExitCode> {
    let mut arguments = std::env::args().skip(1);
    let (name, url) = arguments.next().zip(arguments.next()).context("usage: NAME URL")?;
    let history = arguments.next().map(|history| history.parse()).transpose()?;
    let socket = WebSocket::new();
    if let Some(history) = history {
        socket.set_compression(compression(history)?);
    }
    let mut client = Client { socket, name, url, history, failed: 0 };

    client.agree_on_compression();
    client.echo_messages();
    client.echo_fragments();
    client.ask();
    client.close_in_every_way();
    Ok(if client.failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The client and the server that it talks to.
struct Client {
    socket: WebSocket,
    name: String,
    url: String,
    /// The size of the history, in bytes, if it compresses.
    history: Option<usize>,
    failed: u32,
}

/// Returns settings with a history of so many bytes; 0 for none.
fn compression(history: usize) -> Result<Compression> {
    let settings = Compression::new().threshold(0);
    Ok(if history == 0 { settings } else { settings.history(history)? })
}

impl Client {
    /// RFC 7692: what both ends have agreed on is used.
    fn agree_on_compression(&mut self) {
        self.case("agrees on compression as far as it offers it", |client| {
            let agreed = client.socket.compression();
            ensure!(agreed.is_some() == client.history.is_some(), "{agreed:?}");
            let history = agreed.map(|agreed| agreed.history_received());
            ensure!(history == client.history, "{agreed:?}");
            Ok(())
        });
        self.case("sends as many bytes as it has agreed on", |client| {
            let written = SignalSpy::new(&client.socket.bytes_written());
            let text = "as long as no other ".repeat(1000);
            client.echo_text(&text)?;
            let bytes: usize = written.values().iter().sum();
            ensure!((bytes < 1000) == client.history.is_some(), "{bytes} bytes");
            Ok(())
        });
    }

    fn echo_messages(&mut self) {
        // The largest has nothing to do with compression, and takes long.
        let most = if self.history.is_some() { 1 << 20 } else { usize::MAX };
        let sizes = [0, 1, 125, 126, 65_535, 65_536, 1 << 20, 16 << 20];
        for size in sizes.into_iter().filter(|&size| size <= most) {
            let binary: Vec<u8> = (0..=255).cycle().take(size).collect();
            self.case(&format!("echoes {size} bytes"), |client| client.echo_binary(&binary));
        }
        for text in
            ["Hello, world!", "", "Grüße, Ελλάδα, 你好, مرحبا 🦀𝄞👩‍🚀", "one\0two\r\n\u{7f}\u{feff}"]
        {
            self.case(&format!("echoes {text:?}"), |client| client.echo_text(text));
        }
        let long = "0123456789abcdef".repeat(1 << 16);
        self.case("echoes 1 MiB of text", |client| client.echo_text(&long));
        self.case("echoes 200 messages in order", |client| {
            let echoes = SignalSpy::new(&client.socket.text_message_received());
            let texts: Vec<_> = (0..200).map(|number| number.to_string().repeat(number)).collect();
            for text in &texts {
                client.socket.send_text_message(text);
            }
            echoes.wait_for_within(texts.len(), DEADLINE)?;
            ensure!(echoes.values() == texts);
            Ok(())
        });
    }

    /// In frames of several sizes, there and back; one byte is part of a character.
    fn echo_fragments(&mut self) {
        const WORDS: &str = "Grüße, 你好 🦀";
        let long = WORDS.repeat(50_000);
        self.case("sends 1 MiB of text in frames of 1000", |client| {
            client.socket.set_outgoing_frame_size(NonZeroUsize::new(1000).context("0")?);
            let echoed = client.echo_text(&long);
            client.socket.set_outgoing_frame_size(NonZeroUsize::MAX);
            echoed
        });
        for size in [1, 5, 1000] {
            self.case(&format!("sends a binary message in frames of {size}"), |client| {
                client.socket.set_outgoing_frame_size(NonZeroUsize::new(size).context("0")?);
                let echoed = client.echo_binary(&[0xA5; 3_000]);
                client.socket.set_outgoing_frame_size(NonZeroUsize::MAX);
                echoed
            });
            self.case(&format!("receives a text in frames of {size}"), |client| {
                client.command(&format!("frames {size}"))?;
                let frames = SignalSpy::new(&client.socket.text_frame_received());
                client.echo_text(WORDS)?;
                let received = frames.count();
                // A compressed message is reported as one frame.
                let expects_one = client.history.is_some();
                ensure!(!expects_one || received == 1, "{received} frames");
                ensure!(expects_one || size == 1000 || received > 1, "{received} frames");
                ensure!(frames.values().last().is_some_and(|frame| frame.is_last_frame));
                Ok(())
            });
        }
    }

    fn ask(&mut self) {
        self.case("answers a ping", |client| {
            ensure!(client.command("ping are you there?")? == "are you there?");
            Ok(())
        });
        self.case("is answered a ping", |client| {
            let pongs = SignalSpy::new(&client.socket.pong());
            client.socket.ping("are you there?");
            pongs.wait_for_within(1, DEADLINE)?;
            ensure!(pongs.values().first().is_some_and(|pong| pong.payload == b"are you there?"));
            Ok(())
        });
        let request = ClientRequest::new(&*self.url).header("X-Test", "a b,c");
        self.case_with("sends a header", request, |client| {
            ensure!(client.command("header X-Test")? == "a b,c");
            Ok(())
        });
        let subprotocols = ["superchat", "chat"];
        let request = ClientRequest::new(&*self.url).subprotocols(subprotocols);
        self.case_with("agrees on a subprotocol", request, |client| {
            let subprotocol = client.socket.subprotocol();
            ensure!(subprotocol.as_deref() == Some("chat"), "{subprotocol:?}");
            Ok(())
        });
        let elsewhere = format!("{}/a b/é?q=1 2", self.url.trim_end_matches('/'));
        self.case_with("asks for a path", ClientRequest::new(elsewhere), |client| {
            let path = client.command("path")?;
            ensure!(path.ends_with("/a%20b/%C3%A9?q=1%202"), "{path}");
            Ok(())
        });
        let _ = self.socket.set_origin("https://evil.example");
        let refused = self.open(ClientRequest::new(&*self.url));
        let _ = self.socket.set_origin("");
        let error = self.socket.error();
        self.report(
            "is refused because of its origin",
            match error {
                Some(Error::UpgradeRefused { status: 403, .. }) if refused.is_err() => Ok(()),
                other => Err(anyhow::anyhow!("{other:?}")),
            },
        );
    }

    fn close_in_every_way(&mut self) {
        let reason = "r".repeat(123);
        for (code, reason) in
            [(1000, ""), (1000, "done"), (3000, "Grüße 🦀"), (4001, "bye"), (4999, &reason)]
        {
            let brief: String = reason.chars().take(10).collect();
            self.case(&format!("closes with {code} {brief:?}"), |client| {
                client.end(|socket| _ = socket.close(code, reason), code, reason)
            });
            self.case(&format!("is closed with {code} {brief:?}"), |client| {
                let command = format!("close {code} {reason}");
                client.end(|socket| _ = socket.send_text_message(&command), code, reason)
            });
        }
    }

    /// Runs a case with a connection of its own, and closes that.
    fn case(&mut self, what: &str, act: impl FnOnce(&Self) -> Result<()>) {
        self.case_with(what, ClientRequest::new(&*self.url), act);
    }

    fn case_with(
        &mut self,
        what: &str,
        request: ClientRequest,
        act: impl FnOnce(&Self) -> Result<()>,
    ) {
        let result = self.open(request).and_then(|()| act(self));
        let closed = match self.socket.state() {
            SocketState::Unconnected => Ok(()),
            _ => self.end(|socket| _ = socket.close(1000, ""), 1000, ""),
        };
        self.report(what, result.and(closed));
    }

    fn report(&mut self, what: &str, result: Result<()>) {
        match result {
            Ok(()) => println!("ok - client of {}: {what}", self.name),
            Err(error) => {
                self.failed += 1;
                println!("not ok - client of {}: {what}: {error:#}", self.name);
            }
        }
    }

    fn open(&self, request: ClientRequest) -> Result<()> {
        let states = SignalSpy::new(&self.socket.state_changed());
        let disconnected = SignalSpy::new(&self.socket.disconnected());
        self.socket.open_request(request)?;
        states.wait_for_within(2, DEADLINE)?;
        if states.values() != [SocketState::Connecting, SocketState::Connected] {
            disconnected.wait_for_within(1, DEADLINE)?;
            bail!("{}", self.socket.error_string());
        }
        Ok(())
    }

    /// Lets the connection be closed, and compares the close code and reason that are reported.
    fn end(&self, close: impl FnOnce(&WebSocket), code: u16, reason: &str) -> Result<()> {
        let disconnected = SignalSpy::new(&self.socket.disconnected());
        close(&self.socket);
        disconnected.wait_for_within(1, DEADLINE)?;
        let found = (self.socket.close_code().map(u16::from), self.socket.close_reason());
        ensure!(found == (Some(code), reason.to_owned()), "{found:?}");
        Ok(())
    }

    fn echo_binary(&self, bytes: &[u8]) -> Result<()> {
        let echoes = SignalSpy::new(&self.socket.binary_message_received());
        self.socket.send_binary_message(bytes).into_result()?;
        echoes.wait_for_within(1, DEADLINE)?;
        ensure!(echoes.values() == [bytes], "another message came back");
        Ok(())
    }

    fn echo_text(&self, text: &str) -> Result<()> {
        ensure!(self.command(text)? == text, "another message came back");
        Ok(())
    }

    /// Sends a text and returns what comes back.
    fn command(&self, command: &str) -> Result<String> {
        let answers = SignalSpy::new(&self.socket.text_message_received());
        self.socket.send_text_message(command).into_result()?;
        answers.wait_for_within(1, DEADLINE)?;
        answers.take().pop().context("no answer")
    }
}

/// How long one event may take.
const DEADLINE: Duration = Duration::from_secs(10);
