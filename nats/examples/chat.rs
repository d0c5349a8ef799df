//! A chat on several nodes: a client of one sees what clients of the others say.
//!
//! Run `nats-server`, then `cargo run --example chat` and `cargo run --example chat -- --port 1235`
//! in `nats/`. Open `examples/simplechat.html` of the repository once for each:
//! `#ws://localhost:1235` behind its name is the second node. Qt has no counterpart.

use std::time::Duration;

use anyhow::{Context, Result};
use clap::Parser;
use slotwork::{EventLoop, HostAddress, PreparedMessage, SslMode, WebSocketServer};
use slotwork_nats::{NatsBridge, NatsOptions};

/// Slotwork example: a chat on several nodes
#[derive(Parser)]
struct Options {
    /// Port for the chat server
    #[arg(short, long, default_value_t = 1234)]
    port: u16,
    /// URL of a NATS server, with a user and a password if it needs them
    #[arg(short, long, default_value = "nats://127.0.0.1:4222")]
    nats: String,
}

fn main() -> Result<()> {
    env_logger::init();
    let options = Options::parse();
    let server = WebSocketServer::new("Chat Server", SslMode::NonSecure);
    server.set_max_allowed_incoming_message_size(8 * 1024);
    server.new_connection().connect(|server, ()| {
        let Ok(lobby) = server.topic("rooms/lobby") else { return };
        while let Some(socket) = server.next_pending_connection() {
            socket.text_message_received().connect_to(&lobby, |lobby, socket, text| {
                lobby.publish_prepared_except(&PreparedMessage::text(text), socket);
            });
            // Fails when the client has left already.
            _ = lobby.subscribe(&socket);
        }
    });

    let name = format!("chat-{}", options.port);
    let bridge = NatsBridge::connect(NatsOptions::new(options.nats).name(name))?;
    bridge.bridge_topics(&server, "chat")?;
    bridge.connected().connect(|_bridge, ()| println!("connected to the other nodes"));
    bridge.disconnected().connect(|_bridge, ()| println!("alone"));
    bridge.lost().connect(|_bridge, count| eprintln!("{count} messages are lost"));

    server.closed().connect(|_server, ()| EventLoop::current().quit());
    server.listen(HostAddress::Any, options.port).context("cannot start the chat server")?;
    println!("Chat Server listening on port {}", server.server_port());
    #[cfg(unix)]
    EventLoop::current().quit_on_signals()?;
    EventLoop::current().exec();
    server.shutdown(Duration::from_secs(3));
    EventLoop::current().exec();
    EventLoop::current().run_until(bridge.close(Duration::from_secs(3)));
    Ok(())
}
