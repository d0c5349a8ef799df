//! An echo server on as many threads as its argument says, for Autobahn|Testsuite.

use std::env;

use anyhow::{Context, Result};
use slotwork::{EventLoop, HostAddress, SslMode, WebSocketServer};

fn main() -> Result<()> {
    let threads = env::args().nth(1).context("the number of threads is missing")?.parse()?;
    let server = WebSocketServer::new("Echo Server", SslMode::NonSecure);
    let _threads = server.serve_on_threads(threads, echo_all)?;
    server.listen(HostAddress::LocalHost, 0)?;
    println!("listening on {}", server.server_url());
    EventLoop::current().exec();
    Ok(())
}

fn echo_all(part: &WebSocketServer) {
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
