//! Serves a page, a health check, metrics and a WebSocket on one port: Qt's `QHttpServer` beside a
//! `QWebSocketServer`.
//!
//! Run `cargo run --example httpserver`, then open the address that it prints in a browser. For
//! more than a few pages, `tests/frameworks/src/hyper.rs` has hyper on the same loop, which hands
//! upgraded connections over.

use std::time::Duration;

use anyhow::Result;
use slotwork::{EventLoop, HostAddress, HttpAnswer, HttpRequest, OriginPolicy, SslMode};
use slotwork::{WebSocket, WebSocketServer};

const PAGE: &str = include_str!("httpserver.html");

fn main() -> Result<()> {
    let server = WebSocketServer::new("HTTP Server", SslMode::NonSecure);
    server.set_origin_policy(OriginPolicy::SameOrigin)?;
    server.set_page_handler(|server, request| Some(answer(server, request)));
    server.new_connection().connect(|server, ()| {
        while let Some(socket) = server.next_pending_connection() {
            socket.text_message_received().connect(|socket, text| {
                socket.send_text_message(text);
            });
        }
    });
    server.server_error().connect(|_server, error| eprintln!("rejected: {error}"));

    let port = std::env::args().nth(1).map_or(Ok(8080), |port| port.parse())?;
    server.listen(HostAddress::LocalHost, port)?;
    println!("listening on http://127.0.0.1:{}", server.server_port());

    EventLoop::current().quit_on_signals()?;
    EventLoop::current().exec();
    server.shutdown(Duration::from_secs(3));
    EventLoop::current().run_until(server.closed().next());
    Ok(())
}

fn answer(server: &WebSocketServer, request: &HttpRequest) -> HttpAnswer {
    match request.path() {
        "/" => HttpAnswer::new(200).header("Content-Type", "text/html").body(PAGE),
        "/health" => HttpAnswer::new(200).body("ok\n"),
        "/metrics" => HttpAnswer::new(200).body(metrics(server)),
        _ => HttpAnswer::new(404).body("there is no such page\n"),
    }
}

/// The text format of Prometheus.
fn metrics(server: &WebSocketServer) -> String {
    let clients = server.clients();
    let unsent: usize = clients.iter().map(WebSocket::bytes_to_write).sum();
    format!("chat_clients {}\nchat_unsent_bytes {unsent}\n", clients.len())
}
