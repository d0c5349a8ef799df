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

mod chain;
mod client_check;
mod config;
mod details;
mod diagnosis;
mod identity;
mod judge;
mod peer_verify_mode;
mod pem;
mod resolver;
mod server_check;
mod session;
mod sessions;
mod sides;
mod trust;
mod validity;
mod weak_key;

pub use config::TlsConfig;
pub use identity::TlsIdentity;
pub use peer_verify_mode::PeerVerifyMode;
pub use session::{TlsProtocol, TlsSession};

pub(crate) use diagnosis::{diagnose, received_alert};
pub(crate) use judge::{Judge, judged, note_cipher_suite};
pub(crate) use sides::{ClientSide, ServerSide};

/// Returns the cryptography for a configuration.
fn provider() -> Arc<CryptoProvider> {
    static PROVIDER: OnceLock<Arc<CryptoProvider>> = OnceLock::new();
    Arc::clone(PROVIDER.get_or_init(|| Arc::new(cryptography::default_provider())))
}
