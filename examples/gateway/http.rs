//! The port: requests for an upgrade go to the `WebSocketServer`, others get the page.

use std::net::{TcpListener, TcpStream};
use std::time::Duration;

use anyhow::{Result, anyhow, ensure};
use log::{info, warn};
use slotwork::{EventLoop, WebSocketServer};
use smol::future::FutureExt;
use smol::io::{AsyncReadExt, AsyncWriteExt};
use smol::{Async, Timer};

const PAGE: &str = include_str!("page.html");
const MAX_HEAD_LENGTH: usize = 8192;
const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);

pub(crate) async fn accept(listener: Async<TcpListener>, server: WebSocketServer) {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => EventLoop::current().spawn(serve(stream, server.clone())).detach(),
            Err(error) => {
                // Such as too many open files: open connections continue meanwhile.
                warn!("cannot accept: {error}");
                Timer::after(Duration::from_secs(1)).await;
            }
        }
    }
}

async fn serve(stream: Async<TcpStream>, server: WebSocketServer) {
    let time = Timer::after(REQUEST_TIMEOUT);
    let timeout = async { Err(time.await).map_err(|_| anyhow!("no request in time")) };
    answer(stream, &server).or(timeout).await.unwrap_or_else(|error| info!("refused: {error}"));
}

async fn answer(mut stream: Async<TcpStream>, server: &WebSocketServer) -> Result<()> {
    let (mut head, mut buffer) = (Vec::new(), [0; 1024]);
    while !head.windows(4).any(|end| end == b"\r\n\r\n") {
        let length = stream.read(&mut buffer).await?;
        ensure!(length > 0 && head.len() < MAX_HEAD_LENGTH, "the request has no end");
        head.extend_from_slice(&buffer[..length]);
    }
    if String::from_utf8_lossy(&head).to_lowercase().contains("\r\nupgrade:") {
        return Ok(server.handle_connection(stream.into_inner()?, &head)?);
    }
    let (status, kind, body) = if head.starts_with(b"GET / ") {
        ("200 OK", "text/html", PAGE)
    } else {
        ("404 Not Found", "text/plain", "there is one page: /\n")
    };
    let response = format!(
        "HTTP/1.1 {status}\r\nContent-Type: {kind}; charset=utf-8\r\nContent-Length: {}\r\n\
         Connection: close\r\n\r\n{body}",
        body.len()
    );
    Ok(stream.write_all(response.as_bytes()).await?)
}
