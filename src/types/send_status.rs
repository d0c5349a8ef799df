//! The outcome of sending.

use crate::types::close_code::CloseCode;
use crate::types::error::Error;

/// The outcome of sending a message, a ping or a close frame.
///
/// It can be ignored, as in Qt: a socket that cannot send is about to emit `disconnected`.
/// [`into_result`](Self::into_result) makes it a `Result`.
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
    /// Written, or queued to be written.
    Queued,
    /// Nothing is sent: the socket is not connected, or is closing.
    NotConnected,
    /// Nothing is sent, and the socket is closed: it exceeded its output limit.
    ///
    /// It emits [`Error::OutputLimit`].
    OutputLimit {
        /// The limit in bytes.
        limit: usize,
    },
    /// Nothing is sent, and the socket is closed: the memory budget is exceeded.
    ///
    /// Of the sockets of its event loop it holds most; it emits [`Error::MemoryBudget`].
    MemoryBudget {
        /// The budget in bytes.
        limit: usize,
    },
    /// Nothing is sent, and the socket stays open: the output policy drops messages.
    ///
    /// See [`OutputPolicy`](crate::OutputPolicy).
    Dropped,
    /// Nothing is sent, and the socket stays open: the close code is not allowed.
    InvalidCloseCode(CloseCode),
}

impl SendStatus {
    /// Returns the status as a result.
    ///
    /// # Errors
    ///
    /// [`Error::NotConnected`], [`Error::OutputLimit`], [`Error::MemoryBudget`],
    /// [`Error::MessageDropped`] or [`Error::InvalidCloseCode`]: nothing is sent.
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
