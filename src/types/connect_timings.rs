//! The durations of a client's steps.

use std::time::Duration;

/// The durations of the steps of a client's connection attempt.
///
/// A step that was not reached, or has failed, is `None`, and so is one that the connection does not
/// have. When credentials are sent on a further connection, the durations are those of the last one.
///
/// # Qt
///
/// Qt has no counterpart.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ConnectTimings {
    /// The look-up of the host name; of an IP address next to nothing.
    ///
    /// With a proxy it is that of the proxy's name.
    pub look_up: Option<Duration>,
    /// The TCP connection to the server or the proxy, with addresses that failed.
    pub tcp: Option<Duration>,
    /// The proxy's tunnel to the server.
    pub proxy: Option<Duration>,
    /// The TLS handshake.
    ///
    /// The first one of a process loads the system's trust store if it is used.
    pub tls: Option<Duration>,
    /// The opening handshake (RFC 6455 §4.1), up to the response 101.
    pub opening_handshake: Option<Duration>,
}
