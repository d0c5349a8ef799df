//! TLS (RFC 8446, RFC 5246): servers and clients, certificates, and peers that break its rules.

mod chains;
mod client_certificates;
mod clients;
mod config;
mod impostors;
mod names;
mod records;
mod resumption;
mod servers;
mod slots;
mod trust_anchors;
mod unfinished;
mod violations;
