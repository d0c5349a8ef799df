//! Echoes messages, and does what clients that are not ours ask it to: `interop-server`.
//!
//! `tests/interop/run` starts it; the commands are those that the servers of `client.rs` know too.

use std::num::NonZeroUsize;

use anyhow::{Context, Result};
use slotwork::{EventLoop, HostAddress, OriginPolicy, SslMode, WebSocket, WebSocketServer};

fn main() -> Result<()> {
    let server = WebSocketServer::new("Interop", SslMode::NonSecure);
    server.set_supported_subprotocols(["chat"])?;
    server.set_origin_policy(OriginPolicy::Loopback)?;
    server.new_connection().connect(|server, ()| {
        while let Some(socket) = server.next_pending_connection() {
            socket.text_message_received().connect(answer);
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
