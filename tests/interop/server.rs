//! Echoes messages, and does what clients that are not ours ask it to: `interop-server [HISTORY]`.
//!
//! With the size of a history in bytes, or 0 for none, it compresses messages of all sizes.
//! `tests/interop/run` starts it; the commands are those that the servers of `client.rs` know too.

use std::cell::Cell;
use std::num::NonZeroUsize;
use std::rc::Rc;

use anyhow::{Context, Result};
use slotwork::{
    Compression, EventLoop, HostAddress, OriginPolicy, SslMode, WebSocket, WebSocketServer,
};

fn main() -> Result<()> {
    let server = WebSocketServer::new("Interop", SslMode::NonSecure);
    server.set_supported_subprotocols(["chat"])?;
    server.set_origin_policy(OriginPolicy::Loopback)?;
    if let Some(history) = std::env::args().nth(1) {
        server.set_compression(compression(history.parse()?)?);
    }
    server.new_connection().connect(|server, ()| {
        while let Some(socket) = server.next_pending_connection() {
            let written = Rc::new(Cell::new(0));
            let sum = Rc::clone(&written);
            socket.bytes_written().connect(move |_socket, bytes| sum.set(sum.get() + bytes));
            socket.text_message_received().connect(move |socket, text| match text {
                "written" => _ = socket.send_text_message(written.get().to_string()),
                _ => answer(socket, text),
            });
            socket.binary_message_received().connect(|socket, bytes| {
                socket.send_binary_message(bytes);
            });
            socket.pong().connect(|socket, pong| {
                socket.send_text_message(String::from_utf8_lossy(&pong.payload));
            });
        }
    });

    server.listen(HostAddress::LocalHost, 0).context("cannot start the server")?;
    println!("listening on {}", server.server_url());
    EventLoop::current().exec();
    Ok(())
}

/// Returns settings with a history of so many bytes; 0 for none.
fn compression(history: usize) -> Result<Compression> {
    let settings = Compression::new().threshold(0);
    Ok(if history == 0 { settings } else { settings.history(history)? })
}

fn answer(socket: &WebSocket, text: &str) {
    let (command, argument) = text.split_once(' ').unwrap_or((text, ""));
    _ = match command {
        "close" => {
            let (code, reason) = argument.split_once(' ').unwrap_or((argument, ""));
            socket.close(code.parse().unwrap_or(0), reason)
        }
        "header" => socket.send_text_message(socket.request().header(argument).unwrap_or_default()),
        "path" => socket.send_text_message(socket.resource_name()),
        "ping" => socket.ping(argument),
        "frames" => {
            let size = argument.parse().unwrap_or(NonZeroUsize::MAX);
            socket.set_outgoing_frame_size(size);
            socket.send_text_message(text)
        }
        _ => socket.send_text_message(text),
    };
}
