//! A server of hyper on the event loop of the WebSockets, over TLS of futures-rustls.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::{Result, anyhow};
use futures_rustls::TlsAcceptor;
use futures_rustls::server::TlsStream;
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::upgrade::Parts;
use hyper::{Request, Response};
use rustls::ServerConfig;
use slotwork::{Error, EventLoop, HandshakeRequest, WebSocketServer};
use smol::net::{TcpListener, TcpStream};
use smol_hyper::rt::FuturesIo;

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
    let stream = FuturesIo::new(acceptor.accept(stream).await?);
    let service = service_fn(async |request| Ok::<_, Infallible>(answer(server, request, peer)));
    Ok(http1::Builder::new().serve_connection(stream, service).with_upgrades().await?)
}

fn answer(
    server: &WebSocketServer,
    request: Request<Incoming>,
    peer: SocketAddr,
) -> Response<Full<Bytes>> {
    if request.uri().path() != "/chat" {
        return Response::new(PAGE.into());
    }
    match HandshakeRequest::from_head(request.method(), request.uri(), request.headers()) {
        Ok(handshake) => {
            let answer = Response::builder()
                .status(101)
                .header("Upgrade", "websocket")
                .header("Connection", "Upgrade")
                .header("Sec-WebSocket-Accept", handshake.accept_key());
            let server = server.clone();
            let handing_over = async move {
                if let Err(error) = hand_over(&server, request, handshake, peer).await {
                    eprintln!("{peer}: {error}");
                }
            };
            EventLoop::current().spawn(handing_over).detach();
            answer.body(Full::default()).unwrap_or_default()
        }
        Err(error) => {
            let status =
                if let Error::InvalidRequest { status, .. } = error { status } else { 500 };
            let answer = Response::builder().status(status);
            answer.body(error.to_string().into()).unwrap_or_default()
        }
    }
}

/// Takes the stream out of hyper once the answer is written.
async fn hand_over(
    server: &WebSocketServer,
    request: Request<Incoming>,
    handshake: HandshakeRequest,
    peer: SocketAddr,
) -> Result<()> {
    let upgraded = hyper::upgrade::on(request).await?;
    let parts = upgraded.downcast::<FuturesIo<TlsStream<TcpStream>>>();
    let Parts { io, read_buf, .. } = parts.map_err(|_| anyhow!("a stream of another type"))?;
    Ok(server.adopt_upgraded(io.into_inner(), &read_buf, handshake, peer)?)
}
