//! Errors of bridges.

use std::error;
use std::io;
use std::sync::Arc;

/// Why a bridge could not start, or a name is not valid.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The URL of a server is not valid; `nats://` and `tls://` are.
    #[error("{url:?} is not the URL of a NATS server")]
    InvalidUrl {
        /// The URL, without its password.
        url: String,
        /// What is wrong with it.
        source: io::Error,
    },
    /// The name of a signal or a prefix is not valid.
    ///
    /// Valid are 1 to 255 bytes without control characters.
    #[error("{0:?} is not a valid name")]
    InvalidName(String),
    /// The thread of the bridge could not be started.
    #[error("cannot start the thread of the bridge")]
    Thread(#[source] io::Error),
    /// The NATS server refuses the credentials of the bridge, which tries again.
    #[error("the NATS server refuses the credentials")]
    Refused(#[source] Arc<dyn error::Error + Send + Sync>),
    /// The bridge has ended.
    #[error("the bridge has ended")]
    Ended,
}
