//! A Qt program and its port: `porting.cpp` beside this file, and this, part by part in the same
//! order.
//!
//! The class is a struct, its slots are methods, `sender()` is an argument. There is no list of
//! clients to keep right: the server has one. Run `cargo run --example porting -- 1234`, then
//! `cargo run --example echoclient -- --debug`. `echoserver.rs` does the same with closures.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use anyhow::{Context, Result};
use slotwork::{Error, EventLoop, HostAddress, SslMode, WebSocket, WebSocketServer};

struct EchoServer {
    server: WebSocketServer,
    messages: Cell<u32>,
}

impl EchoServer {
    fn new() -> Rc<Self> {
        let server = WebSocketServer::new("Porting", SslMode::NonSecure);
        let echo = Rc::new(Self { server, messages: Cell::new(0) });
        echo.server.new_connection().connect_to(&echo, Self::on_new_connection);
        echo.server.closed().connect(|_server, ()| EventLoop::current().quit());
        echo
    }

    fn listen(&self, port: u16) -> Result<(), Error> {
        self.server.listen(HostAddress::Any, port)
    }

    fn on_new_connection(self: &Rc<Self>, server: &WebSocketServer, (): &()) {
        while let Some(socket) = server.next_pending_connection() {
            socket.text_message_received().connect_to(self, Self::on_text);
            socket.binary_message_received().connect_to(self, Self::on_binary);
            socket.disconnected().connect_to(self, Self::on_disconnected);
        }
    }

    fn on_text(self: &Rc<Self>, sender: &WebSocket, text: &str) {
        self.messages.set(self.messages.get() + 1);
        sender.send_text_message(text);
    }

    fn on_binary(self: &Rc<Self>, sender: &WebSocket, bytes: &[u8]) {
        self.messages.set(self.messages.get() + 1);
        sender.send_binary_message(bytes);
    }

    fn on_disconnected(self: &Rc<Self>, _socket: &WebSocket, (): &()) {
        let left = self.server.clients().len();
        eprintln!("{} messages, {left} clients left", self.messages.get());
    }
}

fn main() -> Result<()> {
    let port = std::env::args().nth(1).unwrap_or_else(|| "1234".into());

    let echo = EchoServer::new();
    echo.listen(port.parse()?).context("cannot start")?;
    println!("listening on {}", echo.server.server_url());
    EventLoop::current().quit_on_signals()?;
    EventLoop::current().exec();
    echo.server.shutdown(Duration::from_secs(3));
    EventLoop::current().exec();
    Ok(())
}
