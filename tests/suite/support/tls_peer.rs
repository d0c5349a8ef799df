//! Clients and servers that speak TLS by themselves, over blocking sockets.

use std::io::Write;
use std::net::TcpStream;
use std::sync::Arc;

use anyhow::Result;
use rustls::pki_types::ServerName;
use rustls::{
    ClientConfig, ClientConnection, RootCertStore, StreamOwned, SupportedProtocolVersion,
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
        let RawPeer { stream } = RawPeer::connect(port)?;
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

/// Checks that a good client is served.
pub(crate) fn check_good_tls_client(port: u16, trusted: &TlsCertificate) -> Result<()> {
    let mut peer = TlsPeer::begin_with(port, trusted)?;
    peer.shake_hands()?;
    peer.check_echo("still there?")?;
    peer.close(1000, "bye")?;
    Ok(())
}
