//! How far the connection of a socket has come.

/// How far the connection of a socket has come.
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
    /// The closing handshake is under way; nothing can be sent any more.
    #[doc(alias = "ClosingState")]
    Closing,
}
