//! The server of benchmarks and of Autobahn's cases that need more than the echo server example.
//!
//! It echoes each message, or sends it to all clients, on one thread or several.

use anyhow::{Context, Result};
use clap::Parser;
use slotwork::{Compression, CompressionLevel, EventLoop, HostAddress, SslMode, WebSocketServer};

/// Echoes messages, or sends each to all clients
#[derive(Parser)]
struct Options {
    /// Port for the server; 0 for a free one
    #[arg(short, long, default_value_t = 0)]
    port: u16,
    /// Sends each message to all clients, its sender included
    #[arg(long)]
    broadcast: bool,
    /// Threads that serve the clients [default: the main thread]
    #[arg(short, long)]
    threads: Option<usize>,
    /// Compresses messages, with a history of so many bytes; 0 for none
    #[arg(long, value_name = "BYTES")]
    history: Option<usize>,
    /// Compresses with zlib's level 1
    #[arg(long, requires = "history")]
    fast: bool,
}

fn main() -> Result<()> {
    let options = Options::parse();
    let server = WebSocketServer::new("Bench Server", SslMode::NonSecure);
    if let Some(history) = options.history {
        server.set_compression(compression(history, options.fast)?);
    }
    let serve = if options.broadcast { broadcast } else { echo };
    let threads = options.threads.map(|count| server.serve_on_threads(count, serve));
    let threads = threads.transpose()?;
    if threads.is_none() {
        serve(&server);
    }
    server.listen(HostAddress::LocalHost, options.port).context("cannot start the server")?;
    println!("listening on {}", server.server_url());
    EventLoop::current().exec();
    Ok(())
}

/// Returns the settings with this history, in bytes.
fn compression(history: usize, is_fast: bool) -> Result<Compression> {
    let level = if is_fast { CompressionLevel::Fast } else { CompressionLevel::Balanced };
    let settings = Compression::new().level(level);
    Ok(if history == 0 { settings } else { settings.history(history)? })
}

fn echo(part: &WebSocketServer) {
    part.new_connection().connect(|part, ()| {
        while let Some(socket) = part.next_pending_connection() {
            socket.text_message_received().connect(|socket, text| {
                socket.send_text_message(text);
            });
            socket.binary_message_received().connect(|socket, bytes| {
                socket.send_binary_message(bytes);
            });
        }
    });
}

fn broadcast(part: &WebSocketServer) {
    part.new_connection().connect(|part, ()| {
        while let Some(socket) = part.next_pending_connection() {
            socket.text_message_received().connect_to(part, |part, _sender, text| {
                part.whole().broadcast_text(text);
            });
            socket.binary_message_received().connect_to(part, |part, _sender, bytes| {
                part.whole().broadcast_binary(bytes);
            });
        }
    });
}
