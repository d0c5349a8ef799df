//! Clients that speak TLS with rustls alone, over blocking sockets.

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

use crate::certificates::provider;
use crate::raw_peer::RawPeer;

/// A client with TLS, which can break any rule.
pub type TlsPeer = RawPeer<StreamOwned<ClientConnection, TcpStream>>;

/// Makes the configuration of a client that trusts this certificate.
pub fn client_config(
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
    pub fn begin(port: u16, config: impl Into<Arc<ClientConfig>>) -> Result<Self> {
        Self::begin_over(RawPeer::connect(port)?.stream, config)
    }

    /// The same over a TCP connection.
    pub fn begin_over(stream: TcpStream, config: impl Into<Arc<ClientConfig>>) -> Result<Self> {
        let RawPeer { stream } = RawPeer::of(stream)?;
        let name = ServerName::try_from("localhost")?;
        let connection = ClientConnection::new(config.into(), name)?;
        Ok(Self { stream: StreamOwned::new(connection, stream) })
    }

    /// The same, trusting this certificate of an authority.
    pub fn begin_with(port: u16, trusted: &TlsCertificate) -> Result<Self> {
        Self::begin(port, client_config(trusted, rustls::ALL_VERSIONS)?)
    }

    /// Sends the `ClientHello` and nothing behind it.
    pub fn greet_and_stop(&mut self) -> Result<()> {
        self.stream.conn.write_tls(&mut self.stream.sock)?;
        Ok(())
    }

    /// Finishes the handshake.
    pub fn finish_tls(&mut self) -> Result<()> {
        self.stream.conn.complete_io(&mut self.stream.sock)?;
        Ok(())
    }

    /// Finishes the handshake, and sends data in the same segment as the end of it.
    pub fn finish_tls_with(&mut self, data: &[u8]) -> Result<()> {
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

    /// Updates the keys, and requests the same of the other end (RFC 8446 §4.6.3).
    pub fn change_keys(&mut self) -> Result<()> {
        self.stream.conn.refresh_traffic_keys()?;
        Ok(self.stream.flush()?)
    }

    /// Leaves the records to the test. The configuration must have `enable_secret_extraction`.
    pub fn into_records(self) -> Result<RecordPeer> {
        let StreamOwned { conn, sock } = self.stream;
        let suite = conn.negotiated_cipher_suite().context("no TLS")?;
        let (sequence, secrets) = conn.dangerous_extract_secrets()?.tx;
        let (ConnectionTrafficSecrets::Aes128Gcm { key, iv }
        | ConnectionTrafficSecrets::Aes256Gcm { key, iv }) = secrets
        else {
            bail!("{suite:?} is not AES-GCM");
        };
        let encrypter = match suite {
            SupportedCipherSuite::Tls13(suite) => suite.aead_alg.encrypter(key, iv),
            SupportedCipherSuite::Tls12(suite) => {
                // RFC 5288 §3: the salt, and the nonce that each record carries.
                let (salt, explicit) = iv.as_ref().split_at(4);
                suite.aead_alg.encrypter(key, salt, explicit)
            }
        };
        Ok(RecordPeer { tcp: RawPeer { stream: sock }, encrypter, sequence })
    }

    /// Returns the negotiated protocol (ALPN).
    pub fn alpn(&self) -> Option<&[u8]> {
        self.stream.conn.alpn_protocol()
    }

    /// Sends `close_notify` and keeps the TCP connection.
    pub fn close_tls(&mut self) -> Result<()> {
        self.stream.conn.send_close_notify();
        while self.stream.conn.wants_write() {
            self.stream.conn.write_tls(&mut self.stream.sock)?;
        }
        Ok(())
    }

    /// Returns the connection below TLS.
    pub fn tcp(&self) -> &TcpStream {
        &self.stream.sock
    }
}

/// A client after the handshake that encrypts records of its own, and decrypts none.
#[expect(missing_debug_implementations, reason = "its keys have none")]
pub struct RecordPeer {
    /// The connection below TLS.
    pub tcp: RawPeer,
    encrypter: Box<dyn MessageEncrypter>,
    sequence: u64,
}

impl RecordPeer {
    /// Encrypts the next record (RFC 8446 §5.2, RFC 5246 §6.2.3).
    pub fn record(&mut self, kind: ContentType, data: &[u8]) -> Result<Vec<u8>> {
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
    pub fn data(&mut self, data: &[u8]) -> Result<Vec<u8>> {
        self.record(ContentType::ApplicationData, data)
    }

    /// Reads a record and returns the content type of its header.
    pub fn read_kind(&mut self) -> Result<ContentType> {
        let header = self.tcp.read_bytes(5)?;
        let length = u16::from_be_bytes([header[3], header[4]]);
        self.tcp.read_bytes(length.into())?;
        Ok(header[0].into())
    }
}

/// Returns the `ClientHello` of a client that trusts this certificate.
pub fn greeting(trusted: &TlsCertificate) -> Result<Vec<u8>> {
    let config = client_config(trusted, rustls::ALL_VERSIONS)?;
    let mut connection = ClientConnection::new(config.into(), ServerName::try_from("localhost")?)?;
    let mut greeting = Vec::new();
    connection.write_tls(&mut greeting)?;
    Ok(greeting)
}

/// Checks that a well-behaved client is served over TLS.
pub fn check_good_tls_client(port: u16, trusted: &TlsCertificate) -> Result<()> {
    let mut peer = TlsPeer::begin_with(port, trusted)?;
    peer.shake_hands()?;
    peer.check_echo("still there?")?;
    peer.close(1000, "bye")?;
    Ok(())
}

/// Makes a `ClientHello` (RFC 5246 §7.4.1.2) that offers `version` at most, with extensions.
pub fn client_hello(version: [u8; 2], extensions: &[u8]) -> Result<Vec<u8>> {
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

/// The extensions of a `ClientHello` of TLS 1.2: `supported_groups` with secp256r1,
/// `ec_point_formats` with uncompressed points, `signature_algorithms`.
pub const OF_TLS_1_2: &[u8] =
    &[0, 10, 0, 4, 0, 2, 0, 23, 0, 11, 0, 2, 1, 0, 0, 13, 0, 6, 0, 4, 4, 3, 2, 3];
