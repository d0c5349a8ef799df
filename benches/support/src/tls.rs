//! TLS of the clients: a certificate made for this run, and connections with it.

use std::fs;
use std::io::{self, Read, Write};
use std::net;
use std::path::Path;
use std::sync::Arc;

use anyhow::Result;
use mio::net::TcpStream;
use rustls::crypto::ring::default_provider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

/// A connection, with TLS or without.
#[derive(Debug)]
#[non_exhaustive]
pub enum Transport {
    /// TCP alone.
    Plain(TcpStream),
    /// TLS over TCP.
    Tls(Box<StreamOwned<ClientConnection, TcpStream>>),
}

/// Makes a certificate and its key where the servers look for them.
pub fn make_certificate(folder: &Path) -> Result<()> {
    fs::create_dir_all(folder)?;
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()])?;
    fs::write(folder.join("localhost.cert"), made.cert.pem())?;
    Ok(fs::write(folder.join("localhost.key"), made.signing_key.serialize_pem())?)
}

/// Makes a configuration for clients that trust that certificate, and resume no sessions.
pub fn client_config(folder: &Path) -> Result<Arc<ClientConfig>> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(folder.join("localhost.cert"))?)?;
    let mut config = ClientConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.resumption = rustls::client::Resumption::disabled();
    Ok(Arc::new(config))
}

/// Wraps a connection; TLS begins with the first byte that is written.
pub fn connect(
    stream: net::TcpStream,
    config: Arc<ClientConfig>,
) -> Result<StreamOwned<ClientConnection, net::TcpStream>> {
    let connection = ClientConnection::new(config, ServerName::try_from("localhost")?)?;
    Ok(StreamOwned::new(connection, stream))
}

impl Transport {
    /// Returns the TCP connection.
    pub const fn socket_mut(&mut self) -> &mut TcpStream {
        match self {
            Self::Plain(stream) => stream,
            Self::Tls(stream) => &mut stream.sock,
        }
    }

    /// Returns whether a short read means that the kernel has no more.
    pub const fn reads_all(&self) -> bool {
        matches!(self, Self::Plain(_))
    }
}

impl Read for Transport {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(stream) => stream.read(buffer),
            Self::Tls(stream) => stream.read(buffer),
        }
    }
}

impl Write for Transport {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(stream) => stream.write(bytes),
            Self::Tls(stream) => stream.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(stream) => stream.flush(),
            Self::Tls(stream) => stream.flush(),
        }
    }
}
