//! What became of what was handed to a socket.

use crate::types::close_code::CloseCode;
use crate::types::error::Error;

/// What became of a message, a ping or a close frame that was handed to a socket.
///
/// It can be ignored, as in Qt: a socket that cannot send is about to emit `disconnected`.
/// [`into_result`](Self::into_result) makes a `Result` of it for those who want to know.
///
/// # Qt
///
/// The number of bytes that `QWebSocket::sendTextMessage()` returns. Qt's 0 means an empty message
/// or a refused one; here the two differ.
///
/// # Examples
///
/// ```
/// use slotwork::{Error, SendStatus};
///
/// assert!(SendStatus::Queued.into_result().is_ok());
/// assert!(matches!(SendStatus::NotConnected.into_result(), Err(Error::NotConnected)));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SendStatus {
    /// It was written, or waits to be.
    Queued,
    /// The socket is not connected, or is being closed; nothing is sent.
    NotConnected,
    /// Too much output waits for the peer. Nothing is sent, and the socket is closed
    /// ([`Error::OutputLimit`]).
    OutputLimit {
        /// The limit in bytes.
        limit: usize,
    },
    /// The sockets of the event loop hold too much memory, and this one holds most. Nothing is sent,
    /// and the socket is closed ([`Error::MemoryBudget`]).
    MemoryBudget {
        /// The budget in bytes.
        limit: usize,
    },
    /// Too much output waits for the peer, and its [`OutputPolicy`](crate::OutputPolicy) is to drop
    /// what comes then. Nothing is sent; the socket stays open.
    Dropped,
    /// The close code must not be sent; the socket stays open.
    InvalidCloseCode(CloseCode),
}

impl SendStatus {
    /// Returns the status as a result.
    ///
    /// # Errors
    ///
    /// [`Error::NotConnected`], [`Error::OutputLimit`], [`Error::MemoryBudget`],
    /// [`Error::MessageDropped`] or [`Error::InvalidCloseCode`], when nothing is sent.
    pub const fn into_result(self) -> Result<(), Error> {
        match self {
            Self::Queued => Ok(()),
            Self::NotConnected => Err(Error::NotConnected),
            Self::OutputLimit { limit } => Err(Error::OutputLimit { limit }),
            Self::MemoryBudget { limit } => Err(Error::MemoryBudget { limit }),
            Self::Dropped => Err(Error::MessageDropped),
            Self::InvalidCloseCode(code) => Err(Error::InvalidCloseCode(code)),
        }
    }
}
