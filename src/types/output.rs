//! Back-pressure and the outcome of sending, as values.

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
    ///
    /// # Examples
    ///
    /// ```
    /// use slotwork::{Error, WebSocket};
    ///
    /// fn log_in(socket: &WebSocket, name: &str, password: &str) -> Result<(), Error> {
    ///     socket.send_text_message(name).into_result()?;
    ///     socket.send_text_message(password).into_result()
    /// }
    /// ```
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

/// The policy for messages to a peer that reads too slowly (back-pressure).
///
/// Unsent output is queued in memory. The policy applies when it would exceed its limit
/// ([`WebSocket::set_output_limit`](crate::WebSocket::set_output_limit), 16 MiB), and to the socket
/// with the most queued output when the sockets of its loop exceed their budget
/// ([`EventLoop::set_memory_budget`](crate::EventLoop::set_memory_budget)); that socket is closed when
/// nothing, or not enough, can be dropped.
///
/// Messages are dropped whole, and only before their first byte is written; control frames, such as
/// pings and the close frame, are not dropped. The write timeout
/// ([`WebSocket::set_write_timeout`](crate::WebSocket::set_write_timeout), 30 s) applies with each
/// policy.
///
/// # Qt
///
/// Qt has no counterpart: its output is queued without a limit.
///
/// # Examples
///
/// A ticker: slow readers get fewer prices, but always the latest one.
///
/// ```
/// use slotwork::{OutputPolicy, SslMode, WebSocketServer};
///
/// let server = WebSocketServer::new("Ticker", SslMode::NonSecure);
/// server.set_output_policy(OutputPolicy::KeepLatest);
/// server.set_output_limit(64 * 1024);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum OutputPolicy {
    /// The connection is closed ([`Error::OutputLimit`]).
    #[default]
    Close,
    /// The new message is dropped; queued ones stay.
    DropNewest,
    /// The oldest queued messages are dropped until the new one fits.
    DropOldest,
    /// All queued messages are dropped; the new one takes their place.
    KeepLatest,
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Only a queued message is a success; each other status is the error of its name.
    #[test]
    fn a_status_is_the_result_of_its_name() {
        let errors = [
            SendStatus::NotConnected,
            SendStatus::OutputLimit { limit: 1 },
            SendStatus::MemoryBudget { limit: 2 },
            SendStatus::Dropped,
            SendStatus::InvalidCloseCode(CloseCode::MISSING_STATUS_CODE),
        ]
        .map(SendStatus::into_result);

        assert!(SendStatus::Queued.into_result().is_ok());
        assert!(
            matches!(
                errors,
                [
                    Err(Error::NotConnected),
                    Err(Error::OutputLimit { limit: 1 }),
                    Err(Error::MemoryBudget { limit: 2 }),
                    Err(Error::MessageDropped),
                    Err(Error::InvalidCloseCode(CloseCode::MISSING_STATUS_CODE)),
                ]
            ),
            "{errors:?}"
        );
    }
}
