//! An echo server.

use axum::Router;
use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::routing::any;

#[tokio::main(flavor = "current_thread")]
async fn main() -> std::io::Result<()> {
    let upgrade = async |upgrade: WebSocketUpgrade| upgrade.on_upgrade(echo);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:1234").await?;
    axum::serve(listener, Router::new().route("/", any(upgrade))).await
}

async fn echo(mut socket: WebSocket) {
    while let Some(Ok(message)) = socket.recv().await {
        let is_data = matches!(message, Message::Text(_) | Message::Binary(_));
        if is_data && socket.send(message).await.is_err() {
            return;
        }
    }
}
