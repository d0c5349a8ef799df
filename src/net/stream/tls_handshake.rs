//! TLS handshakes, by futures-rustls, over a TCP connection.

use std::io;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures_rustls::{TlsAcceptor, TlsConnector};
use rustls::pki_types::ServerName;
use rustls::{CipherSuite, Connection};

use crate::net::stream::tls_stream::TlsStream;
use crate::net::stream::{Adapter, Readable, Stream};
use crate::net::tls::{ClientSide, Judge, ServerSide, diagnose, judged, note_cipher_suite};
use crate::types::tls_error::TlsError;

/// Why there is no TLS connection.
pub(crate) enum TlsFailure {
    /// One of the ends does not agree. The other one is told, as far as it goes.
    Refused(TlsError),
    /// The TCP connection ended in the middle of the handshake.
    Broken(io::Error),
    /// It ended before a single byte came: a port scan, a health probe.
    Silent,
}

/// What the peer has sent, with a note of how it began.
struct Received<'a> {
    /// What somebody else has read from the stream.
    earlier: &'a [u8],
    /// As much as is looked at.
    start: Vec<u8>,
}

impl Stream {
    /// Shakes hands as a server. What was read from the connection already comes first.
    ///
    /// A failure leaves the connection, on which the peer may not have read yet why.
    pub(crate) async fn accept_tls(
        mut self,
        received: &[u8],
        server: &ServerSide,
        judge: Judge,
    ) -> Result<Self, (TlsFailure, Self)> {
        let adapter = Adapter { stream: &mut self, source: Received::new(received) };
        let accept = TlsAcceptor::from(Arc::clone(&server.config)).accept(adapter).into_fallible();
        match judged(judge, Arc::default(), Box::pin(accept)).await {
            Ok(tls) => {
                let (adapter, connection) = tls.into_inner();
                if adapter.source.earlier.is_empty() {
                    Ok(self.with_tls(connection.into()))
                } else {
                    let end = TlsError::Other("more than a greeting was handed over".into());
                    Err((TlsFailure::Refused(end), self))
                }
            }
            Err((error, adapter)) => {
                let failure = explain(error, adapter.source.start.first().copied());
                Err((failure, self))
            }
        }
    }

    /// Shakes hands as a client, with the host that is meant to be at the other end.
    pub(crate) async fn connect_tls(
        mut self,
        host: &str,
        client: ClientSide,
        judge: Judge,
    ) -> Result<Self, TlsFailure> {
        let Ok(name) = ServerName::try_from(host.to_owned()) else {
            let reason = format!("{host:?} is no name that a certificate could have");
            return Err(TlsFailure::Refused(TlsError::Other(reason)));
        };
        let adapter = Adapter { stream: &mut self, source: Received::new(&[]) };
        let ClientSide { config, validity } = client;
        let connect = TlsConnector::from(config).connect(name, adapter).into_fallible();
        match judged(judge, validity, connect).await {
            Ok(tls) => {
                let (_, connection) = tls.into_inner();
                Ok(self.with_tls(connection.into()))
            }
            Err((error, adapter)) => Err(explain(error, adapter.source.start.first().copied())),
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

impl<'a> Received<'a> {
    /// Begins with what somebody else has read.
    fn new(earlier: &'a [u8]) -> Self {
        Self { earlier, start: earlier.iter().copied().take(LOOKED_AT).collect() }
    }

    /// Notes what the peer begins with.
    fn look_at(&mut self, received: &[u8]) {
        let room = LOOKED_AT - self.start.len();
        if room > 0 {
            self.start.extend(received.iter().take(room));
            cipher_suite(&self.start).into_iter().for_each(note_cipher_suite);
        }
    }
}

impl Readable for Received<'_> {
    fn poll_read(
        &mut self,
        stream: &mut Stream,
        cx: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        if !self.earlier.is_empty() {
            return Poll::Ready(io::Read::read(&mut self.earlier, buffer));
        }
        let result = stream.poll_read(cx, buffer);
        if let Poll::Ready(Ok(count)) = &result {
            self.look_at(buffer.get(..*count).unwrap_or_default());
        }
        result
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

/// Returns the cipher suite that a server has chosen (RFC 8446 §4.1.3, RFC 5246 §7.4.1.3), if these
/// bytes are the beginning of a server's: rustls reports it only after the handshake.
fn cipher_suite(start: &[u8]) -> Option<CipherSuite> {
    let (record, message) = start.split_at_checked(RECORD_HEADER)?;
    if record.first() != Some(&HANDSHAKE) || message.first() != Some(&SERVER_HELLO) {
        return None;
    }
    // Behind the header of the message, its version and its random value.
    let (&id_length, rest) = message.get(4 + 2 + 32..)?.split_first()?;
    let suite = rest.get(id_length.into()..)?.first_chunk()?;
    Some(u16::from_be_bytes(*suite).into())
}

const RECORD_HEADER: usize = 5;
const SERVER_HELLO: u8 = 2;
/// Up to the cipher suite behind the longest session id.
const LOOKED_AT: usize = RECORD_HEADER + 4 + 2 + 32 + 1 + 32 + 2;
/// RFC 8446 §5.1: with what a server or a client can begin.
const HANDSHAKE: u8 = 22;
const ALERT: u8 = 21;
