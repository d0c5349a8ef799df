//! A TCP connection with TLS (RFC 8446), on rustls.
//!
//! futures-rustls performs the handshake. After it rustls' connection is driven directly: a session
//! writes from any thread by calls that do not block, and reads into the buffer of the loop.

use std::io::{self, IoSlice, Read, Write};
use std::mem;
use std::net::SocketAddr;
use std::time::Duration;

use rustls::Connection;

use crate::net::stream::tcp_stream::TcpStream;
use crate::net::tls::tls_session::TlsSession;
use crate::runtime::reactor::{Readiness, Source};

/// A TCP connection with TLS on it, after the handshake.
pub(crate) struct TlsStream {
    tcp: TcpStream,
    connection: Connection,
    /// Whether rustls has data, the end or an error to report without new input.
    has_input: bool,
    /// The number of bytes that are encrypted but not reported as written.
    ///
    /// The kernel has not accepted all of their records. The next write begins with the same bytes.
    unconfirmed: usize,
    /// Whether the last read received bytes, be they data or not.
    has_received: bool,
}

impl TlsStream {
    pub(crate) fn new(tcp: TcpStream, mut connection: Connection) -> Self {
        connection.set_buffer_limit(Some(ENCRYPTED_AT_ONCE));
        // Data behind the handshake may already be decrypted.
        Self { tcp, connection, has_input: true, unconfirmed: 0, has_received: false }
    }

    pub(crate) fn session(&self) -> TlsSession {
        TlsSession::of(&self.connection)
    }

    /// Returns the readiness of the socket, and of what rustls holds back.
    pub(crate) fn readiness(&self) -> Readiness {
        self.tcp.source().readiness().with_input(self.has_input)
    }

    /// Reads the available data; `WouldBlock` also when the input was no data.
    ///
    /// Then there may be more: see [`readiness`](Self::readiness).
    pub(crate) fn try_read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.has_received = false;
        if mem::take(&mut self.has_input) {
            let state = self.connection.process_new_packets();
            match self.connection.reader().read(buffer) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    state.map_err(invalid_data)?;
                }
                result => return self.end_read(result),
            }
        }
        let result = if buffer.len() > 2 * HEADROOM {
            self.read_into_large(buffer)
        } else {
            self.read_into_small(buffer)
        };
        // Replies of TLS itself; what the kernel does not accept now precedes the next data.
        if self.connection.wants_write() {
            let _ = self.flush();
        }
        self.end_read(result)
    }

    /// Receives into rustls' own buffer.
    fn read_into_small(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.connection.read_tls(&mut TcpIo(&mut self.tcp))? == 0 {
            return Ok(0);
        }
        self.has_received = true;
        let state = self.connection.process_new_packets();
        match self.connection.reader().read(buffer) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                state.map_err(invalid_data)?;
                Err(error)
            }
            result => result,
        }
    }

    /// Receives into the caller's buffer, behind the room for the decrypted data.
    ///
    /// No other buffer is needed for that.
    fn read_into_large(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let received = self.tcp.try_read(buffer.get_mut(HEADROOM..).unwrap_or_default())?;
        if received == 0 {
            return Ok(0);
        }
        self.has_received = true;
        let (mut place, end) = (HEADROOM, HEADROOM + received);
        let mut length = 0;
        while place < end {
            let Some((plain, encrypted)) = buffer.split_at_mut_checked(place) else { break };
            let mut rest = encrypted.get(..end - place).unwrap_or_default();
            let count = self.connection.read_tls(&mut rest)?;
            let state = self.connection.process_new_packets();
            length += self.read_decrypted(plain.get_mut(length..).unwrap_or_default());
            match state {
                Err(error) if length == 0 => return Err(invalid_data(error)),
                // The next read reports it, after the valid data.
                Err(_) => break,
                // After `close_notify` rustls reads no more.
                Ok(_) if count == 0 => break,
                Ok(_) => place += count,
            }
        }
        if received > SMALL {
            // A read without input makes rustls release the memory for a long record.
            let _ = self.connection.read_tls(&mut EmptyInput);
        }
        if length > 0 { Ok(length) } else { Err(io::ErrorKind::WouldBlock.into()) }
    }

    /// Copies decrypted data, as far as there is room.
    fn read_decrypted(&mut self, buffer: &mut [u8]) -> usize {
        let mut length = 0;
        while let Some(rest) = buffer.get_mut(length..).filter(|rest| !rest.is_empty()) {
            match self.connection.reader().read(rest) {
                Ok(count) if count > 0 => length += count,
                _ => break,
            }
        }
        length
    }

    /// Updates `has_input` after a read.
    fn end_read(&mut self, result: io::Result<usize>) -> io::Result<usize> {
        self.has_input = match self.connection.process_new_packets() {
            Ok(state) => state.plaintext_bytes_to_read() > 0 || state.peer_has_closed(),
            Err(_) => true,
        };
        match result {
            // The end without `close_notify`: the session detects incomplete messages by itself.
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(0),
            result => result,
        }
    }

    /// Writes what the kernel accepts; returns the number of accepted bytes.
    ///
    /// See [`Stream::try_write`](crate::net::stream::Stream::try_write).
    pub(crate) fn try_write(&mut self, buffers: &[IoSlice<'_>]) -> io::Result<usize> {
        let mut written = 0;
        loop {
            let taken = match self.flush() {
                // The next call meets the failure again.
                Err(_) if written > 0 => return Ok(written),
                taken => taken?,
            };
            if self.connection.wants_write() {
                // Accepted bytes count as plain ones; the last one counts once all are accepted.
                let part = taken.min(self.unconfirmed.saturating_sub(1));
                self.unconfirmed -= part;
                return Ok(written + part);
            }
            written += mem::take(&mut self.unconfirmed);
            if !self.tcp.source().is_writable() {
                return Ok(written);
            }
            self.unconfirmed = self.encrypt(buffers, written)?;
            if self.unconfirmed == 0 {
                return Ok(written);
            }
        }
    }

    /// Encrypts some of the bytes behind the first `skipped`.
    fn encrypt(&mut self, mut buffers: &[IoSlice<'_>], mut skipped: usize) -> io::Result<usize> {
        while let [first, rest @ ..] = buffers
            && skipped >= first.len()
        {
            skipped -= first.len();
            buffers = rest;
        }
        let Some((first, rest)) = buffers.split_first() else { return Ok(0) };
        let first = first.get(skipped..).unwrap_or_default();
        let second = rest.first().map(|second| &**second).unwrap_or_default();
        self.connection.writer().write_vectored(&[IoSlice::new(first), IoSlice::new(second)])
    }

    /// Writes encrypted bytes; returns how many of them the kernel has accepted.
    fn flush(&mut self) -> io::Result<usize> {
        let mut taken = 0;
        while self.connection.wants_write() {
            match self.connection.write_tls(&mut TcpIo(&mut self.tcp)) {
                Ok(count) => taken += count,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) => return Err(error),
            }
        }
        Ok(taken)
    }

    pub(crate) const fn has_received(&self) -> bool {
        self.has_received
    }

    pub(crate) fn unconfirmed(&self) -> usize {
        self.unconfirmed
    }

    /// Sends `close_notify` (RFC 8446 §6.1), and then ends the sending direction.
    ///
    /// Returns whether the kernel has accepted all of it.
    pub(crate) fn shutdown_write(&mut self) -> io::Result<bool> {
        self.connection.send_close_notify();
        self.flush()?;
        if self.connection.wants_write() {
            self.tcp.source().clear_writable();
            return Ok(false);
        }
        self.tcp.shutdown_write()
    }

    pub(crate) fn set_unsent_limit(&self, limit: Option<usize>) {
        self.tcp.set_unsent_limit(limit);
    }

    pub(crate) fn set_send_buffer(&self, size: Option<usize>) {
        self.tcp.set_send_buffer(size);
    }

    pub(crate) fn set_user_timeout(&self, timeout: Option<Duration>) -> bool {
        self.tcp.set_user_timeout(timeout)
    }

    pub(crate) fn is_at_end(&self) -> bool {
        self.tcp.is_at_end()
    }

    pub(crate) fn end(&self) -> io::Error {
        self.tcp.end()
    }

    pub(crate) fn local_address(&self) -> io::Result<SocketAddr> {
        self.tcp.local_address()
    }

    pub(crate) fn source(&self) -> &Source {
        self.tcp.source()
    }
}

impl Drop for TlsStream {
    /// Sends `close_notify` if it was not sent, as far as the kernel accepts it.
    fn drop(&mut self) {
        self.connection.send_close_notify();
        let _ = self.flush();
    }
}

/// `Read` and `Write` of a TCP connection, for rustls.
struct TcpIo<'a>(&'a mut TcpStream);

impl Read for TcpIo<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.try_read(buffer)
    }
}

impl Write for TcpIo<'_> {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        self.write_vectored(&[IoSlice::new(buffer)])
    }

    fn write_vectored(&mut self, buffers: &[IoSlice<'_>]) -> io::Result<usize> {
        match self.0.try_write(buffers)? {
            0 => Err(io::ErrorKind::WouldBlock.into()),
            count => Ok(count),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// An input without bytes.
struct EmptyInput;

impl Read for EmptyInput {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        Err(io::ErrorKind::WouldBlock.into())
    }
}

fn invalid_data(error: rustls::Error) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error)
}

/// The room for decrypted data, in bytes: more than an incomplete record.
///
/// That is 16 KiB and the overhead of TLS 1.2 (RFC 5246 §6.2.3).
const HEADROOM: usize = 20 * 1024;
/// The maximum of output that is encrypted before it is written, in bytes.
///
/// A message of 64 KiB fits with its header, so that it is written by one call; rustls' default of
/// 64 KiB would leave a rest.
const ENCRYPTED_AT_ONCE: usize = (64 + 16) * 1024;
/// The size up to which rustls reads without growing its buffer, in bytes.
const SMALL: usize = 4096;
