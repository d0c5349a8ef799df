//! Forwards every text message to all other clients: Qt's `simplechat` example.
//!
//! Run `cargo run --example simplechat`, with `-- --threads 4` on several threads, then open
//! `examples/simplechat.html` in two windows.

use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use anyhow::{Context, Result};
use clap::Parser;
use slotwork::{EventLoop, HostAddress, PreparedMessage, SslMode, WebSocket, WebSocketServer};

/// Slotwork example: simplechat
#[derive(Parser)]
struct Options {
    /// Port for the chat server
    #[arg(short, long, default_value_t = 1234)]
    port: u16,
    /// Threads that serve the clients [default: the main thread]
    #[arg(short, long)]
    threads: Option<usize>,
}

/// The chat of one thread.
struct ChatServer {
    server: WebSocketServer,
}

impl ChatServer {
    fn new(server: &WebSocketServer) -> Rc<Self> {
        let chat = Rc::new(Self { server: server.clone() });
        server.new_connection().connect_to(&chat, Self::on_new_connection);
        chat
    }

    fn on_new_connection(self: &Rc<Self>, server: &WebSocketServer, (): &()) {
        while let Some(socket) = server.next_pending_connection() {
            println!("{} connected!", identifier(&socket));
            socket.text_message_received().connect_to(self, Self::process_message);
            socket.disconnected().connect_to(self, Self::socket_disconnected);
        }
    }

    fn process_message(self: &Rc<Self>, sender: &WebSocket, text: &str) {
        let message = PreparedMessage::text(text);
        for client in self.server.whole().clients().iter().filter(|client| *client != sender) {
            client.send_prepared(&message);
        }
    }

    fn socket_disconnected(self: &Rc<Self>, socket: &WebSocket, (): &()) {
        let left = self.server.whole().clients().len();
        println!("{} disconnected! {left} left", identifier(socket));
    }
}

fn identifier(socket: &WebSocket) -> String {
    let address = socket.peer_address().map(|ip| SocketAddr::new(ip, socket.peer_port()));
    address.map(|address| address.to_string()).unwrap_or_default()
}

fn main() -> Result<()> {
    let options = Options::parse();
    let server = WebSocketServer::new("Chat Server", SslMode::NonSecure);
    let (_chat, _threads) = match options.threads {
        None => (Some(ChatServer::new(&server)), None),
        Some(count) => (None, Some(server.serve_on_threads(count, ChatServer::new)?)),
    };
    server.closed().connect(|_server, ()| EventLoop::current().quit());
    server.listen(HostAddress::Any, options.port).context("cannot start the chat server")?;
    println!("Chat Server listening on port {}", server.server_port());

    EventLoop::current().quit_on_signals()?;
    EventLoop::current().exec();
    server.shutdown(Duration::from_secs(3));
    EventLoop::current().exec();
    Ok(())
}
