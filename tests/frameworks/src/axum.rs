//! A router of axum in a tokio runtime with threads of its own, over TLS of tokio-rustls.

use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::Result;
use axum::Router;
use axum::extract::{Extension, Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use hyper::server::conn::http1;
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use rustls::ServerConfig;
use slotwork::{Error, HandshakeRequest, WebSocketServer};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;
use tokio_rustls::TlsAcceptor;
use tokio_util::compat::TokioAsyncReadCompatExt;

use crate::PAGE;

/// Serves until the runtime is dropped; returns it and the port.
pub fn serve(server: &WebSocketServer, config: ServerConfig) -> Result<(Runtime, u16)> {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_io().build()?;
    let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0"))?;
    let port = listener.local_addr()?.port();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let router = Router::new()
        .route("/", get(async || PAGE))
        .route("/chat", get(chat))
        .with_state(server.clone());
    runtime.spawn(async move {
        while let Ok((stream, peer)) = listener.accept().await {
            let (acceptor, router) = (acceptor.clone(), router.clone());
            tokio::spawn(async move {
                if let Err(error) = serve_one(stream, peer, acceptor, router).await {
                    eprintln!("{peer}: {error}");
                }
            });
        }
    });
    Ok((runtime, port))
}

async fn serve_one(
    stream: TcpStream,
    peer: SocketAddr,
    acceptor: TlsAcceptor,
    router: Router,
) -> Result<()> {
    let stream = TokioIo::new(acceptor.accept(stream).await?);
    let service = TowerToHyperService::new(router.layer(Extension(peer)));
    Ok(http1::Builder::new().serve_connection(stream, service).with_upgrades().await?)
}

async fn chat(
    State(server): State<WebSocketServer>,
    Extension(peer): Extension<SocketAddr>,
    request: Request,
) -> Response {
    match HandshakeRequest::from_head(request.method(), request.uri(), request.headers()) {
        Ok(handshake) => {
            let headers = [
                ("Upgrade", "websocket".to_owned()),
                ("Connection", "Upgrade".to_owned()),
                ("Sec-WebSocket-Accept", handshake.accept_key()),
            ];
            tokio::spawn(async move {
                if let Err(error) = hand_over(&server, request, handshake, peer).await {
                    eprintln!("{peer}: {error}");
                }
            });
            (StatusCode::SWITCHING_PROTOCOLS, headers).into_response()
        }
        Err(error) => {
            let status =
                if let Error::InvalidRequest { status, .. } = error { status } else { 500 };
            let status = StatusCode::from_u16(status).unwrap_or_default();
            (status, error.to_string()).into_response()
        }
    }
}

/// Hands the stream over as it is, to the thread of the server.
async fn hand_over(
    server: &WebSocketServer,
    request: Request,
    handshake: HandshakeRequest,
    peer: SocketAddr,
) -> Result<()> {
    let upgraded = TokioIo::new(hyper::upgrade::on(request).await?);
    Ok(server.adopt_upgraded(upgraded.compat(), &[], handshake, peer)?)
}
