//! Servers with a page and a WebSocket on one port, over TLS that they end themselves.
//!
//! Each answers `/` with a page, and hands the connections for `/chat` over to a `WebSocketServer`
//! that has no port.

pub mod axum;
pub mod hyper;
pub mod rustls;

/// The page at `/`.
pub const PAGE: &str = "a page";
