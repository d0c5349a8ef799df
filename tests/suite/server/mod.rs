//! `WebSocketServer`: which clients it accepts, what it does for all of them, how it ends.

mod accept;
mod address_limit;
mod broadcast;
mod client_limits;
#[cfg(feature = "compression")]
mod compression;
mod handover;
#[cfg(feature = "testing")]
mod keepalive;
mod listening;
mod origins;
mod pages;
mod proxies;
mod rates;
mod shutdown;
mod slots;
mod stats;
mod streams;
mod subprotocols;
mod threads;
mod topics;
mod verifier;
