//! Clients and servers that speak TLS by themselves, over blocking sockets.

use std::io::Write;
use std::net::TcpStream;
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use rustls::crypto::cipher::{MessageEncrypter, OutboundChunks, OutboundPlainMessage};
use rustls::pki_types::ServerName;
use rustls::{
    ClientConfig, ClientConnection, ConnectionTrafficSecrets, ContentType, ProtocolVersion,
    RootCertStore, StreamOwned, SupportedCipherSuite, SupportedProtocolVersion,
};
use slotwork::TlsCertificate;

use super::certificates::provider;
use super::raw_peer::RawPeer;

/// A client with TLS, which can be as rude as a test needs.
pub(crate) type TlsPeer = RawPeer<StreamOwned<ClientConnection, TcpStream>>;

/// Returns how a client speaks TLS that trusts this certificate.
pub(crate) fn client_config(
    trusted: &TlsCertificate,
    versions: &[&'static SupportedProtocolVersion],
) -> Result<ClientConfig> {
    let mut roots = RootCertStore::empty();
    roots.add(trusted.as_der().to_vec().into())?;
    Ok(ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(versions)?
        .with_root_certificates(roots)
        .with_no_client_auth())
}

impl TlsPeer {
    /// Connects to `localhost`; TLS begins with the first byte that is sent.
    pub(crate) fn begin(port: u16, config: impl Into<Arc<ClientConfig>>) -> Result<Self> {
        Self::begin_over(RawPeer::connect(port)?.stream, config)
    }

    /// The same over a TCP connection.
    pub(crate) fn begin_over(
        stream: TcpStream,
        config: impl Into<Arc<ClientConfig>>,
    ) -> Result<Self> {
        let RawPeer { stream } = RawPeer::of(stream)?;
        let name = ServerName::try_from("localhost")?;
        let connection = ClientConnection::new(config.into(), name)?;
        Ok(Self { stream: StreamOwned::new(connection, stream) })
    }

    /// Connects to a server that has a certificate which this one signs.
    pub(crate) fn begin_with(port: u16, trusted: &TlsCertificate) -> Result<Self> {
        Self::begin(port, client_config(trusted, rustls::ALL_VERSIONS)?)
    }

    /// Sends the greeting, and does not go on.
    pub(crate) fn greet_and_stop(&mut self) -> Result<()> {
        self.stream.conn.write_tls(&mut self.stream.sock)?;
        Ok(())
    }

    /// Finishes the handshake.
    pub(crate) fn finish_tls(&mut self) -> Result<()> {
        self.stream.conn.complete_io(&mut self.stream.sock)?;
        Ok(())
    }

    /// Finishes the handshake, and sends data in the same segment as the end of it.
    pub(crate) fn finish_tls_with(&mut self, data: &[u8]) -> Result<()> {
        let StreamOwned { conn, sock } = &mut self.stream;
        while conn.is_handshaking() {
            while conn.wants_write() {
                conn.write_tls(sock)?;
            }
            conn.read_tls(sock)?;
            conn.process_new_packets()?;
        }
        conn.writer().write_all(data)?;
        let mut segment = Vec::new();
        while conn.wants_write() {
            conn.write_tls(&mut segment)?;
        }
        Ok(sock.write_all(&segment)?)
    }

    /// Changes the keys, and asks the other end to do so (RFC 8446 §4.6.3).
    pub(crate) fn change_keys(&mut self) -> Result<()> {
        self.stream.conn.refresh_traffic_keys()?;
        Ok(self.stream.flush()?)
    }

    /// Leaves TLS to the test, for records that no client would send. The configuration has to have
    /// `enable_secret_extraction`.
    pub(crate) fn into_records(self) -> Result<RecordPeer> {
        let StreamOwned { conn, sock } = self.stream;
        let suite = conn.negotiated_cipher_suite().context("no TLS")?;
        let (sequence, secrets) = conn.dangerous_extract_secrets()?.tx;
        let (ConnectionTrafficSecrets::Aes128Gcm { key, iv }
        | ConnectionTrafficSecrets::Aes256Gcm { key, iv }) = secrets
        else {
            bail!("{suite:?} is not what this helper reckons with");
        };
        let encrypter = match suite {
            SupportedCipherSuite::Tls13(suite) => suite.aead_alg.encrypter(key, iv),
            SupportedCipherSuite::Tls12(suite) => {
                // RFC 5288 §3: what is agreed on, and what each record carries.
                let (salt, explicit) = iv.as_ref().split_at(4);
                suite.aead_alg.encrypter(key, salt, explicit)
            }
        };
        Ok(RecordPeer { tcp: RawPeer { stream: sock }, encrypter, sequence })
    }

    /// What was agreed on for the protocol above TLS.
    pub(crate) fn alpn(&self) -> Option<&[u8]> {
        self.stream.conn.alpn_protocol()
    }

    /// Says goodbye, and lets the TCP connection be.
    pub(crate) fn close_tls(&mut self) -> Result<()> {
        self.stream.conn.send_close_notify();
        while self.stream.conn.wants_write() {
            self.stream.conn.write_tls(&mut self.stream.sock)?;
        }
        Ok(())
    }

    /// The connection below TLS.
    pub(crate) fn tcp(&self) -> &TcpStream {
        &self.stream.sock
    }
}

/// A client after the handshake that makes its records itself, and does not decrypt any.
pub(crate) struct RecordPeer {
    pub(crate) tcp: RawPeer,
    encrypter: Box<dyn MessageEncrypter>,
    sequence: u64,
}

impl RecordPeer {
    /// Encrypts the next record (RFC 8446 §5.2, RFC 5246 §6.2.3).
    pub(crate) fn record(&mut self, kind: ContentType, data: &[u8]) -> Result<Vec<u8>> {
        let message = OutboundPlainMessage {
            typ: kind,
            version: ProtocolVersion::TLSv1_2,
            payload: OutboundChunks::Single(data),
        };
        let record = self.encrypter.encrypt(message, self.sequence)?;
        self.sequence += 1;
        Ok(record.encode())
    }

    /// Encrypts data.
    pub(crate) fn data(&mut self, data: &[u8]) -> Result<Vec<u8>> {
        self.record(ContentType::ApplicationData, data)
    }

    /// Reads a record, and returns of what kind it claims to be.
    pub(crate) fn read_kind(&mut self) -> Result<ContentType> {
        let header = self.tcp.read_bytes(5)?;
        let length = u16::from_be_bytes([header[3], header[4]]);
        self.tcp.read_bytes(length.into())?;
        Ok(header[0].into())
    }
}

/// Returns the greeting of a client that trusts this certificate.
pub(crate) fn greeting(trusted: &TlsCertificate) -> Result<Vec<u8>> {
    let config = client_config(trusted, rustls::ALL_VERSIONS)?;
    let mut connection = ClientConnection::new(config.into(), ServerName::try_from("localhost")?)?;
    let mut greeting = Vec::new();
    connection.write_tls(&mut greeting)?;
    Ok(greeting)
}

/// Checks that a good client is served.
pub(crate) fn check_good_tls_client(port: u16, trusted: &TlsCertificate) -> Result<()> {
    let mut peer = TlsPeer::begin_with(port, trusted)?;
    peer.shake_hands()?;
    peer.check_echo("still there?")?;
    peer.close(1000, "bye")?;
    Ok(())
}

/// A greeting of a client (RFC 5246 §7.4.1.2) that offers this version at the most, with extensions.
pub(crate) fn client_hello(version: [u8; 2], extensions: &[u8]) -> Result<Vec<u8>> {
    let body = [
        &version[..],
        &[7; 32],
        &[0],
        // TLS_RSA_WITH_AES_128_CBC_SHA and TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA
        &[0, 4, 0, 0x2F, 0xC0, 0x09],
        &[1, 0],
        &u16::try_from(extensions.len())?.to_be_bytes(),
        extensions,
    ]
    .concat();
    let body = [&[1, 0, 0, u8::try_from(body.len())?][..], &body].concat();
    let length = u16::try_from(body.len())?.to_be_bytes();
    Ok([&[22, 3, 1][..], &length, &body].concat())
}

/// `supported_groups`: secp256r1; `ec_point_formats`: uncompressed; `signature_algorithms`.
pub(crate) const OF_TLS_1_2: &[u8] =
    &[0, 10, 0, 4, 0, 2, 0, 23, 0, 11, 0, 2, 1, 0, 0, 13, 0, 6, 0, 4, 4, 3, 2, 3];
