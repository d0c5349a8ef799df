//! Echoes every message back to its sender: Qt's `echoserver` example.
//!
//! Run `cargo run --example echoserver`, then open `examples/echoclient.html` in a browser.

use std::fmt;
use std::rc::Rc;

use anyhow::{Context, Result};
use clap::Parser;
use slotwork::{EventLoop, HostAddress, SslMode, WebSocket, WebSocketServer};

/// Slotwork example: echoserver
#[derive(Parser)]
struct Options {
    /// Debug output [default: off]
    #[arg(short, long)]
    debug: bool,
    /// Port for echoserver
    #[arg(short, long, default_value_t = 1234)]
    port: u16,
}

struct EchoServer {
    debug: bool,
}

impl EchoServer {
    fn on_new_connection(self: &Rc<Self>, server: &WebSocketServer, (): &()) {
        while let Some(socket) = server.next_pending_connection() {
            socket.text_message_received().connect_to(self, Self::process_text_message);
            socket.binary_message_received().connect_to(self, Self::process_binary_message);
            socket.disconnected().connect_to(self, Self::socket_disconnected);
        }
    }

    fn process_text_message(self: &Rc<Self>, socket: &WebSocket, message: &str) {
        self.debug(format_args!("Message received: {message:?}"));
        socket.send_text_message(message);
    }

    fn process_binary_message(self: &Rc<Self>, socket: &WebSocket, message: &[u8]) {
        self.debug(format_args!("Binary Message received: \"{}\"", message.escape_ascii()));
        socket.send_binary_message(message);
    }

    fn socket_disconnected(self: &Rc<Self>, socket: &WebSocket, (): &()) {
        self.debug(format_args!("socketDisconnected: {socket:?}"));
    }

    fn debug(&self, line: fmt::Arguments<'_>) {
        if self.debug {
            eprintln!("{line}");
        }
    }
}

fn main() -> Result<()> {
    let options = Options::parse();
    let server = WebSocketServer::new("Echo Server", SslMode::NonSecure);
    let echo = Rc::new(EchoServer { debug: options.debug });

    server.new_connection().connect_to(&echo, EchoServer::on_new_connection);
    server.server_error().connect(|_server, error| eprintln!("refused: {error}"));
    server.closed().connect(|_server, ()| EventLoop::current().quit());

    server.listen(HostAddress::Any, options.port).context("cannot start the echo server")?;
    println!("listening on {}", server.server_url());
    echo.debug(format_args!("Echoserver listening on port {}", server.server_port()));
    EventLoop::current().exec();
    Ok(())
}
