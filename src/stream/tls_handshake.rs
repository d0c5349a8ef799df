//! TLS handshakes, by futures-rustls, over a TCP connection.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures_rustls::{TlsAcceptor, TlsConnector};
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, Connection, ServerConfig};
use smol::io::{AsyncRead, AsyncWrite};

use super::Stream;
use super::tls::TlsStream;
use crate::tls::{Judge, diagnose, judged};
use crate::tls_error::TlsError;

/// Why there is no TLS connection.
pub(crate) enum TlsFailure {
    /// One of the ends does not agree. The other one is told, as far as it goes.
    Refused(TlsError),
    /// The TCP connection ended in the middle of the handshake.
    Broken(io::Error),
    /// It ended before a single byte came: a port scan, a health probe.
    Silent,
}

/// What is handed to futures-rustls: a connection that remembers how the peer began.
struct Handshaking<'a> {
    stream: &'a mut Stream,
    /// What somebody else has read from the stream.
    received: &'a [u8],
    first_byte: Option<u8>,
}

impl Stream {
    /// Shakes hands as a server. What was read from the connection already comes first.
    ///
    /// A failure leaves the connection, on which the peer may not have read yet why.
    pub(crate) async fn accept_tls(
        mut self,
        received: &[u8],
        config: Arc<ServerConfig>,
        judge: Judge,
    ) -> Result<Self, (TlsFailure, Self)> {
        let handshaking = Handshaking::new(&mut self, received);
        let accept = TlsAcceptor::from(config).accept(handshaking).into_fallible();
        match judged(judge, accept).await {
            Ok(tls) => {
                let (handshaking, connection) = tls.into_inner();
                if handshaking.received.is_empty() {
                    Ok(self.with_tls(connection.into()))
                } else {
                    let end = TlsError::Other("more than a greeting was handed over".into());
                    Err((TlsFailure::Refused(end), self))
                }
            }
            Err((error, handshaking)) => {
                let failure = explain(error, handshaking.first_byte);
                Err((failure, self))
            }
        }
    }

    /// Shakes hands as a client, with the host that is meant to be at the other end.
    pub(crate) async fn connect_tls(
        mut self,
        host: &str,
        config: Arc<ClientConfig>,
        judge: Judge,
    ) -> Result<Self, TlsFailure> {
        let Ok(name) = ServerName::try_from(host.to_owned()) else {
            let reason = format!("{host:?} is no name that a certificate could have");
            return Err(TlsFailure::Refused(TlsError::Other(reason)));
        };
        let handshaking = Handshaking::new(&mut self, &[]);
        let connect = TlsConnector::from(config).connect(name, handshaking).into_fallible();
        match judged(judge, connect).await {
            Ok(tls) => {
                let (_, connection) = tls.into_inner();
                Ok(self.with_tls(connection.into()))
            }
            Err((error, handshaking)) => Err(explain(error, handshaking.first_byte)),
        }
    }

    fn with_tls(self, connection: Connection) -> Self {
        if let Self::Tcp(tcp) = self {
            Self::Tls(Box::new(TlsStream::new(tcp, connection)))
        } else {
            self
        }
    }
}

impl<'a> Handshaking<'a> {
    fn new(stream: &'a mut Stream, received: &'a [u8]) -> Self {
        Self { stream, received, first_byte: received.first().copied() }
    }
}

impl AsyncRead for Handshaking<'_> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        if !self.received.is_empty() {
            return Poll::Ready(io::Read::read(&mut self.received, buffer));
        }
        let result = self.stream.poll_read(cx, buffer);
        if let Poll::Ready(Ok(1..)) = &result {
            let first = buffer.first().copied();
            self.first_byte = self.first_byte.or(first);
        }
        result
    }
}

impl AsyncWrite for Handshaking<'_> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.stream.poll_write(cx, buffer)
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_close(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(self.stream.shutdown_write())
    }
}

/// Tells the peer's mistakes from the end of its connection.
fn explain(error: io::Error, first_byte: Option<u8>) -> TlsFailure {
    let Some(first_byte) = first_byte else { return TlsFailure::Silent };
    let cause = error.get_ref().and_then(|cause| cause.downcast_ref::<rustls::Error>());
    match cause {
        None => TlsFailure::Broken(error),
        Some(_) if !matches!(first_byte, HANDSHAKE | ALERT) => {
            TlsFailure::Refused(TlsError::NotTls)
        }
        Some(cause) => TlsFailure::Refused(diagnose(cause)),
    }
}

/// RFC 8446 §5.1: with what a server or a client can begin.
const HANDSHAKE: u8 = 22;
const ALERT: u8 = 21;
