//! Certificates, keys, and how they are checked: what TLS needs to know, on rustls.
//!
//! rustls is told which cryptography to use with each configuration: what else a program links
//! does not matter.

use std::sync::{Arc, OnceLock};

use rustls::crypto::CryptoProvider;
#[cfg(feature = "tls-aws-lc-rs")]
use rustls::crypto::aws_lc_rs as cryptography;
#[cfg(not(feature = "tls-aws-lc-rs"))]
use rustls::crypto::ring as cryptography;

mod config;
mod error_conversion;
mod handshake_context;
mod identity;
mod peer_verify_mode;
mod pem;
mod resolver;
mod resumption;
mod sides;
mod tls_session;
mod verify;

pub use config::TlsConfig;
pub use identity::TlsIdentity;
pub use peer_verify_mode::PeerVerifyMode;
pub use tls_session::{TlsProtocol, TlsSession};

pub(crate) use error_conversion::{diagnose, received_alert};
pub(crate) use handshake_context::{Judge, judged, note_cipher_suite};
pub(crate) use sides::{ClientSide, ServerSide};

/// Returns the cryptography for a configuration.
fn provider() -> Arc<CryptoProvider> {
    static PROVIDER: OnceLock<Arc<CryptoProvider>> = OnceLock::new();
    Arc::clone(PROVIDER.get_or_init(|| Arc::new(cryptography::default_provider())))
}
