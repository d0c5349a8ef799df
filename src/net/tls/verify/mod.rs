//! Verifies the certificates of peers (RFC 5280 §6.1).

pub(crate) mod certificate_fields;
pub(crate) mod chain;
pub(crate) mod client_verifier;
pub(crate) mod server_verifier;
pub(crate) mod trust_anchors;
pub(crate) mod validity;
pub(crate) mod weak_key;
