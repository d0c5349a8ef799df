//! TLS configurations, certificates and keys, and their verification, on rustls.
//!
//! Each configuration names its cryptography, so that rustls' process-wide default, which other
//! crates of the program may set, has no effect.

use std::sync::{Arc, OnceLock};

use rustls::crypto::CryptoProvider;
#[cfg(feature = "tls-aws-lc-rs")]
use rustls::crypto::aws_lc_rs as cryptography;
#[cfg(not(feature = "tls-aws-lc-rs"))]
use rustls::crypto::ring as cryptography;

pub(crate) mod config;
pub(crate) mod error_conversion;
pub(crate) mod handshake_context;
mod identity;
mod pem;
mod resumption;
pub(crate) mod tls_session;
mod verify;

pub use config::TlsConfig;
pub use identity::TlsIdentity;
pub use tls_session::{TlsProtocol, TlsSession};
pub use verify::client_verifier::PeerVerifyMode;

pub(crate) use config::ServerSide;
pub(crate) use error_conversion::received_alert;
pub(crate) use handshake_context::TlsErrorHandler;

/// Returns the cryptography for a configuration.
fn provider() -> Arc<CryptoProvider> {
    static PROVIDER: OnceLock<Arc<CryptoProvider>> = OnceLock::new();
    Arc::clone(PROVIDER.get_or_init(|| Arc::new(cryptography::default_provider())))
}
