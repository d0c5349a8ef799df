//! The states of a connection.

/// The state of a socket's connection.
///
/// # Qt
///
/// `QAbstractSocket::SocketState`, without the states that a WebSocket never shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SocketState {
    /// There is no connection, or it has ended.
    #[doc(alias = "UnconnectedState")]
    Unconnected,
    /// The opening handshake is under way.
    #[doc(alias = "ConnectingState")]
    Connecting,
    /// Messages can be sent and received.
    #[doc(alias = "ConnectedState")]
    Connected,
    /// The closing handshake is under way; nothing more can be sent.
    #[doc(alias = "ClosingState")]
    Closing,
}
