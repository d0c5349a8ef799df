//! Sends every message to all clients, its sender included: the server of the fan-out benchmark.
//!
//! `benches/echo` starts it with `--port 0 --broadcast`, as it starts every server for that row.

use anyhow::{Context, Result};
use clap::Parser;
use slotwork::{EventLoop, HostAddress, SslMode, WebSocketServer};

/// Sends every message to all clients
#[derive(Parser)]
struct Options {
    /// Port for the server
    #[arg(short, long, default_value_t = 1234)]
    port: u16,
    /// What it does anyway; servers with several modes need the option
    #[arg(long)]
    broadcast: bool,
}

fn main() -> Result<()> {
    let Options { port, broadcast: _ } = Options::parse();
    let server = WebSocketServer::new("Broadcast Server", SslMode::NonSecure);
    server.new_connection().connect(|server, ()| {
        while let Some(socket) = server.next_pending_connection() {
            socket.text_message_received().connect_to(server, |server, _sender, text| {
                server.broadcast_text(text);
            });
            socket.binary_message_received().connect_to(server, |server, _sender, bytes| {
                server.broadcast_binary(bytes);
            });
        }
    });
    server.listen(HostAddress::LocalHost, port).context("cannot start the broadcast server")?;
    println!("listening on {}", server.server_url());
    EventLoop::current().exec();
    Ok(())
}
