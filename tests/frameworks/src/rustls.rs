//! A server with TLS alone: it reads the head of a request and decides by the path.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::Result;
use futures_rustls::TlsAcceptor;
use rustls::ServerConfig;
use slotwork::{EventLoop, WebSocketServer};
use smol::io::{AsyncReadExt, AsyncWriteExt};
use smol::net::{TcpListener, TcpStream};

use crate::PAGE;

/// Serves on the event loop of this thread, and returns the port.
pub fn serve(server: &WebSocketServer, config: ServerConfig) -> Result<u16> {
    let listener = smol::block_on(TcpListener::bind("127.0.0.1:0"))?;
    let port = listener.local_addr()?.port();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let server = server.clone();
    let accepting = async move {
        while let Ok((stream, peer)) = listener.accept().await {
            let (acceptor, server) = (acceptor.clone(), server.clone());
            let serving = async move {
                if let Err(error) = serve_one(stream, peer, &acceptor, &server).await {
                    eprintln!("{peer}: {error}");
                }
            };
            EventLoop::current().spawn(serving).detach();
        }
    };
    EventLoop::current().spawn(accepting).detach();
    Ok(port)
}

async fn serve_one(
    stream: TcpStream,
    peer: SocketAddr,
    acceptor: &TlsAcceptor,
    server: &WebSocketServer,
) -> Result<()> {
    let mut stream = acceptor.accept(stream).await?;
    let mut received = Vec::new();
    let mut buffer = [0; 1024];
    while !received.windows(4).any(|end| end == b"\r\n\r\n") && received.len() < 8192 {
        match stream.read(&mut buffer).await? {
            0 => return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into()),
            count => received.extend_from_slice(&buffer[..count]),
        }
    }
    if received.starts_with(b"GET /chat") {
        return Ok(server.handle_stream(stream, &received, peer)?);
    }
    let length = PAGE.len();
    let answer =
        format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{PAGE}");
    stream.write_all(answer.as_bytes()).await?;
    Ok(stream.close().await?)
}
