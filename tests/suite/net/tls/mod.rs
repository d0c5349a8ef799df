//! TLS (RFC 8446, RFC 5246): servers and clients, certificates, and peers that break its rules.

mod algorithms;
mod chains;
mod changes;
mod client_certificates;
mod clients;
mod config;
mod cut;
mod floods;
mod host_names;
mod impostors;
mod name_constraints;
mod names;
mod paths;
mod records;
mod resumption;
mod servers;
mod slots;
mod trust_anchors;
mod tunnels;
mod unfinished;
mod usages;
mod violations;
