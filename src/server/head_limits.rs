//! How long the head of a request may be.

use crate::protocol::handshake::head::MAX_REQUEST_LINE;
use crate::server::WebSocketServer;

/// Limits of requests.
///
/// What is longer is refused as soon as that is certain, and reported by
/// [`server_error`](Self::server_error) with
/// [`CloseCode::TOO_MUCH_DATA`](crate::CloseCode::TOO_MUCH_DATA). Each setter counts for handshakes that
/// begin from now on. A socket keeps its request as long as it lives. Qt has no counterpart: its limits
/// are fixed.
impl WebSocketServer {
    /// Sets the maximum size of a request line, in bytes without CR LF; the default is 8 KiB.
    ///
    /// It has the path and the query. 32 KiB are the most; a higher number counts as that. A request
    /// with a longer line is refused with 414.
    ///
    /// # Qt
    ///
    /// Qt has no counterpart: the limit is 8 KiB.
    pub fn set_max_request_line_size(&self, size: usize) {
        self.inner.lock().head_limits.request_line = size.min(MAX_REQUEST_LINE);
    }

    /// Returns the maximum size of a request line, in bytes.
    #[must_use]
    pub fn max_request_line_size(&self) -> usize {
        self.inner.lock().head_limits.request_line
    }

    /// Sets the maximum size of each header line, in bytes without CR LF; the default is 16 KiB.
    ///
    /// A browser sends all cookies of a host in one line. A request with a longer line is refused with
    /// 431. To allow more than about 30 KiB, raise [`set_max_header_size`](Self::set_max_header_size)
    /// as well.
    ///
    /// # Qt
    ///
    /// Qt has no counterpart: the limit is 8 KiB.
    pub fn set_max_header_line_size(&self, size: usize) {
        self.inner.lock().head_limits.header_line = size;
    }

    /// Returns the maximum size of each header line, in bytes.
    #[must_use]
    pub fn max_header_line_size(&self) -> usize {
        self.inner.lock().head_limits.header_line
    }

    /// Sets the maximum number of headers; the default is 100.
    ///
    /// A request with more is refused with 431.
    ///
    /// # Qt
    ///
    /// Qt has no counterpart: the limit is 100.
    pub fn set_max_header_count(&self, count: usize) {
        self.inner.lock().head_limits.headers = count;
    }

    /// Returns the maximum number of headers.
    #[must_use]
    pub fn max_header_count(&self) -> usize {
        self.inner.lock().head_limits.headers
    }

    /// Sets the maximum size of a request's head, in bytes; the default is 32 KiB.
    ///
    /// It is that of the request line and all headers together, with their line ends. A longer one is
    /// refused with 431. It is also the memory that a client can fill before its request is complete.
    ///
    /// # Qt
    ///
    /// Qt has no counterpart: the limit is 819204 bytes.
    pub fn set_max_header_size(&self, size: usize) {
        self.inner.lock().head_limits.head = size;
    }

    /// Returns the maximum size of a request's head, in bytes.
    #[must_use]
    pub fn max_header_size(&self) -> usize {
        self.inner.lock().head_limits.head
    }
}
