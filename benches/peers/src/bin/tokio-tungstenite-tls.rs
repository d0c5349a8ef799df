//! An echo server on tokio-tungstenite and rustls, on one thread; it shows the certificate
//! `localhost.cert` of the folder that it runs in.

use std::sync::Arc;

use anyhow::Result;
use futures_util::{SinkExt, StreamExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let chain = vec![CertificateDer::from_pem_file("localhost.cert")?];
    let key = PrivateKeyDer::from_pem_file("localhost.key")?;
    let config = ServerConfig::builder().with_no_client_auth().with_single_cert(chain, key)?;
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("listening on wss://{}", listener.local_addr()?);
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let acceptor = acceptor.clone();
        tokio::spawn(async move {
            if let Err(error) = echo(stream, acceptor).await {
                eprintln!("ended: {error}");
            }
        });
    }
}

async fn echo(stream: TcpStream, acceptor: TlsAcceptor) -> Result<()> {
    let stream = acceptor.accept(stream).await?;
    let mut socket = tokio_tungstenite::accept_async(stream).await?;
    while let Some(message) = socket.next().await {
        let message = message?;
        if message.is_text() || message.is_binary() {
            socket.send(message).await?;
        }
    }
    Ok(())
}
