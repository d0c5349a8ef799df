//! Serves a page and its WebSocket on one port, on one loop: in Qt a `QTcpServer` that hands
//! connections to `QWebSocketServer::handleConnection()`.
//!
//! Run `cargo run --example httpserver`, then open the address that it prints in a browser.

use std::net::{TcpListener, TcpStream};
use std::time::Duration;

use anyhow::{Context, Result, anyhow, ensure};
use slotwork::{EventLoop, OriginPolicy, SslMode, WebSocketServer};
use smol::future::FutureExt;
use smol::io::{AsyncReadExt, AsyncWriteExt};
use smol::{Async, Timer};

const PAGE: &str = include_str!("httpserver.html");

fn main() -> Result<()> {
    let server = WebSocketServer::new("HTTP Server", SslMode::NonSecure);
    server.set_origin_policy(OriginPolicy::SameOrigin)?;
    server.new_connection().connect(|server, ()| {
        while let Some(socket) = server.next_pending_connection() {
            socket.text_message_received().connect(|socket, text| {
                socket.send_text_message(text);
            });
        }
    });
    server.server_error().connect(|_server, error| eprintln!("rejected: {error}"));

    let port = std::env::args().nth(1).map_or(Ok(8080), |port| port.parse())?;
    let listener = Async::<TcpListener>::bind(([127, 0, 0, 1], port)).context("cannot listen")?;
    println!("listening on http://{}", listener.get_ref().local_addr()?);
    let accepting = EventLoop::current().spawn(accept(listener, server.clone()));

    #[cfg(unix)]
    EventLoop::current().quit_on_signals()?;
    EventLoop::current().exec();
    drop(accepting);
    server.shutdown(Duration::from_secs(3));
    EventLoop::current().run_until(server.closed().next());
    Ok(())
}

async fn accept(listener: Async<TcpListener>, server: WebSocketServer) {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => EventLoop::current().spawn(serve(stream, server.clone())).detach(),
            Err(error) => {
                // Such as too many open files: open connections continue meanwhile.
                eprintln!("cannot accept: {error}");
                Timer::after(Duration::from_secs(1)).await;
            }
        }
    }
}

async fn serve(stream: Async<TcpStream>, server: WebSocketServer) {
    let time = Timer::after(Duration::from_secs(10));
    let timeout = async { Err(time.await).map_err(|_| anyhow!("no request within 10 s")) };
    answer(stream, &server).or(timeout).await.unwrap_or_else(|e| eprintln!("rejected: {e}"));
}

async fn answer(mut stream: Async<TcpStream>, server: &WebSocketServer) -> Result<()> {
    let (mut head, mut buffer) = (Vec::new(), [0; 1024]);
    while !head.windows(4).any(|end| end == b"\r\n\r\n") {
        let length = stream.read(&mut buffer).await?;
        ensure!(length > 0 && head.len() < 8192, "the request has no end");
        head.extend_from_slice(&buffer[..length]);
    }
    if String::from_utf8_lossy(&head).to_lowercase().contains("\r\nupgrade:") {
        return Ok(server.handle_connection(stream.into_inner()?, &head)?);
    }
    let header = "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nConnection: close\r\n\r\n";
    Ok(stream.write_all([header, PAGE].concat().as_bytes()).await?)
}
