//! TLS handshakes over a TCP connection, by futures-rustls.

use std::io;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures_rustls::{TlsAcceptor, TlsConnector};
use rustls::pki_types::ServerName;
use rustls::{CipherSuite, Connection};

use crate::net::stream::Stream;
use crate::net::stream::adapter::{Adapter, Readable};
use crate::net::stream::tls_stream::TlsStream;
use crate::net::tls::config::{ClientSide, ServerSide};
use crate::net::tls::error_conversion::tls_error;
use crate::net::tls::handshake_context::{TlsErrorHandler, in_handshake, set_cipher_suite};
use crate::types::tls::TlsError;

/// The reason of a failed TLS handshake.
pub(crate) enum TlsFailure {
    /// One of the ends rejected the handshake, with an alert if that was possible.
    Refused(TlsError),
    /// The TCP connection ended during the handshake.
    Broken(io::Error),
    /// It ended before the first byte: a port scan, a health probe.
    NoData,
}

/// The input of a handshake, of which the first bytes are recorded.
struct RecordedInput<'a> {
    /// Bytes that were read from the stream before.
    earlier: &'a [u8],
    /// The first bytes, up to the cipher suite of a server.
    start: Vec<u8>,
}

impl Stream {
    /// Performs the handshake of a server; `received` bytes come first.
    ///
    /// A failure returns the stream, from which the peer may not have read the alert yet.
    pub(crate) async fn accept_tls(
        mut self,
        received: &[u8],
        server: &ServerSide,
        on_errors: TlsErrorHandler,
    ) -> Result<Self, (TlsFailure, Self)> {
        let adapter = Adapter { stream: &mut self, source: RecordedInput::new(received) };
        let accept = TlsAcceptor::from(Arc::clone(&server.config)).accept(adapter).into_fallible();
        match in_handshake(on_errors, Arc::default(), Box::pin(accept)).await {
            Ok(tls) => {
                let (adapter, connection) = tls.into_inner();
                if adapter.source.earlier.is_empty() {
                    self.with_tls(connection.into())
                } else {
                    let end = TlsError::Other(
                        "more than the client's first message was handed over".into(),
                    );
                    Err((TlsFailure::Refused(end), self))
                }
            }
            Err((error, adapter)) => {
                let failure = failure(error, adapter.source.start.first().copied());
                Err((failure, self))
            }
        }
    }

    /// Performs the handshake of a client, which verifies that the server is this host.
    pub(crate) async fn connect_tls(
        mut self,
        host: &str,
        client: ClientSide,
        on_errors: TlsErrorHandler,
    ) -> Result<Self, TlsFailure> {
        let Ok(name) = ServerName::try_from(host.to_owned()) else {
            let reason = format!("{host:?} is not a name that a certificate could have");
            return Err(TlsFailure::Refused(TlsError::Other(reason)));
        };
        let adapter = Adapter { stream: &mut self, source: RecordedInput::new(&[]) };
        let ClientSide { config, validity } = client;
        let connect = TlsConnector::from(config).connect(name, adapter).into_fallible();
        match in_handshake(on_errors, validity, connect).await {
            Ok(tls) => {
                let (_, connection) = tls.into_inner();
                self.with_tls(connection.into()).map_err(|(failure, _)| failure)
            }
            Err((error, adapter)) => Err(failure(error, adapter.source.start.first().copied())),
        }
    }

    /// Encrypts a stream from here on.
    ///
    /// One of another kind than TCP is an error: it is not continued without TLS.
    fn with_tls(self, connection: Connection) -> Result<Self, (TlsFailure, Self)> {
        if let Self::Tcp(tcp) = self {
            Ok(Self::Tls(Box::new(TlsStream::new(tcp, connection))))
        } else {
            let reason = "TLS needs a TCP connection".into();
            Err((TlsFailure::Refused(TlsError::Other(reason)), self))
        }
    }
}

impl<'a> RecordedInput<'a> {
    /// Begins with the bytes that were read before.
    fn new(earlier: &'a [u8]) -> Self {
        Self { earlier, start: earlier.iter().copied().take(RECORDED).collect() }
    }

    /// Records the first bytes, and the cipher suite once it is among them.
    fn record(&mut self, received: &[u8]) {
        let room = RECORDED - self.start.len();
        if room > 0 {
            self.start.extend(received.iter().take(room));
            cipher_suite(&self.start).into_iter().for_each(set_cipher_suite);
        }
    }
}

impl Readable for RecordedInput<'_> {
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
            self.record(buffer.get(..*count).unwrap_or_default());
        }
        result
    }
}

/// Distinguishes a rejected handshake from the end of the connection.
fn failure(error: io::Error, first_byte: Option<u8>) -> TlsFailure {
    let Some(first_byte) = first_byte else { return TlsFailure::NoData };
    let cause = error.get_ref().and_then(|cause| cause.downcast_ref::<rustls::Error>());
    match cause {
        None => TlsFailure::Broken(error),
        Some(_) if !matches!(first_byte, HANDSHAKE | ALERT) => {
            TlsFailure::Refused(TlsError::NotTls)
        }
        Some(cause) => TlsFailure::Refused(tls_error(cause)),
    }
}

/// Returns the cipher suite of a server's first message.
///
/// RFC 8446 §4.1.3 and RFC 5246 §7.4.1.3.
///
/// rustls reports it only after the handshake.
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
const RECORDED: usize = RECORD_HEADER + 4 + 2 + 32 + 1 + 32 + 2;
/// RFC 8446 §5.1: the types of records with which a server or a client can begin.
const HANDSHAKE: u8 = 22;
const ALERT: u8 = 21;
