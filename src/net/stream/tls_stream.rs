//! TLS between a TCP connection and what is above it (RFC 8446), on rustls.
//!
//! futures-rustls shakes hands. From then on rustls' connection is driven without it: a session
//! reads and writes by calls that do not wait, from any thread, and the bytes of one read belong to
//! the loop.

use std::io::{self, IoSlice, Read, Write};
use std::mem;

use rustls::Connection;

use crate::net::stream::tcp_stream::TcpStream;
use crate::net::tls::TlsSession;

/// A TCP connection with TLS on it, after the handshake.
pub(crate) struct TlsStream {
    pub(crate) tcp: TcpStream,
    connection: Connection,
    /// A read may tell something although the kernel has nothing: a rest, the end, an error.
    has_input: bool,
    /// How many bytes were encrypted that the caller does not count as written: the kernel has not
    /// taken all that they became. The next write begins with the same bytes.
    unconfirmed: usize,
    /// The last read took bytes from the kernel, be they data or not.
    has_received: bool,
}

impl TlsStream {
    pub(crate) fn new(tcp: TcpStream, mut connection: Connection) -> Self {
        connection.set_buffer_limit(Some(ENCRYPTED_AT_ONCE));
        // What came behind the handshake may be decrypted already.
        Self { tcp, connection, has_input: true, unconfirmed: 0, has_received: false }
    }

    pub(crate) fn session(&self) -> TlsSession {
        TlsSession::of(&self.connection)
    }

    /// Returns whether a read may tell something.
    pub(crate) fn is_readable(&self) -> bool {
        self.has_input || self.tcp.source().is_readable()
    }

    /// Reads what is there; `WouldBlock` also when what came was no data, and then there may be
    /// more: [`is_readable`](Self::is_readable) tells.
    pub(crate) fn try_read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.has_received = false;
        if mem::take(&mut self.has_input) {
            let state = self.connection.process_new_packets();
            match self.connection.reader().read(buffer) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    state.map_err(broken)?;
                }
                result => return self.end_read(result),
            }
        }
        let result = if buffer.len() > 2 * HEADROOM {
            self.read_much(buffer)
        } else {
            self.read_little(buffer)
        };
        // Answers of TLS itself; what the kernel does not take now goes out before the next data.
        if self.connection.wants_write() {
            let _ = self.flush();
        }
        self.end_read(result)
    }

    /// Lets rustls take from the kernel what it has room for.
    fn read_little(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.connection.read_tls(&mut Kernel(&mut self.tcp))? == 0 {
            return Ok(0);
        }
        self.has_received = true;
        let state = self.connection.process_new_packets();
        match self.connection.reader().read(buffer) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                state.map_err(broken)?;
                Err(error)
            }
            result => result,
        }
    }

    /// Takes from the kernel as much as the caller has room for: it is received behind the place
    /// for what it becomes, and so needs no other buffer.
    fn read_much(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
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
            length += self.take(plain.get_mut(length..).unwrap_or_default());
            match state {
                Err(error) if length == 0 => return Err(broken(error)),
                // It tells so again, behind what was in order.
                Err(_) => break,
                // Nothing follows the end.
                Ok(_) if count == 0 => break,
                Ok(_) => place += count,
            }
        }
        if received > SMALL {
            // A look at nothing makes it give back the room that a long record needed.
            let _ = self.connection.read_tls(&mut Nothing);
        }
        let is_over = || io::Error::from(io::ErrorKind::WouldBlock);
        if length > 0 { Ok(length) } else { Err(is_over()) }
    }

    /// Takes what is decrypted, as far as there is room.
    fn take(&mut self, buffer: &mut [u8]) -> usize {
        let mut length = 0;
        while let Some(rest) = buffer.get_mut(length..).filter(|rest| !rest.is_empty()) {
            match self.connection.reader().read(rest) {
                Ok(count) if count > 0 => length += count,
                _ => break,
            }
        }
        length
    }

    /// Notes whether there is more to tell, once there was something.
    fn end_read(&mut self, result: io::Result<usize>) -> io::Result<usize> {
        self.has_input = match self.connection.process_new_packets() {
            Ok(state) => state.plaintext_bytes_to_read() > 0 || state.peer_has_closed(),
            Err(_) => true,
        };
        match result {
            // An end without a word: whether a message is missing, its frames tell.
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(0),
            result => result,
        }
    }

    /// Writes what the kernel takes, and returns how many bytes it has taken all of: see
    /// [`Stream::try_write`](crate::net::stream::Stream::try_write).
    pub(crate) fn try_write(&mut self, buffers: &[IoSlice<'_>]) -> io::Result<usize> {
        let mut written = 0;
        loop {
            let taken = match self.flush() {
                // The next call meets the failure again.
                Err(_) if written > 0 => return Ok(written),
                taken => taken?,
            };
            if self.connection.wants_write() {
                // What was taken is shorter than what it stands for, but at the end.
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

    /// Encrypts some of what comes behind the first `skipped` bytes.
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

    /// Hands to the kernel what is encrypted, and returns how much of it was taken.
    fn flush(&mut self) -> io::Result<usize> {
        let mut taken = 0;
        while self.connection.wants_write() {
            match self.connection.write_tls(&mut Kernel(&mut self.tcp)) {
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

    /// Sends `close_notify` (RFC 8446 §6.1), and then ends the sending direction; returns whether
    /// the kernel has taken it all.
    pub(crate) fn shutdown_write(&mut self) -> io::Result<bool> {
        self.connection.send_close_notify();
        self.flush()?;
        if self.connection.wants_write() {
            self.tcp.source().clear_writable();
            return Ok(false);
        }
        self.tcp.shutdown_write().map(|()| true)
    }
}

impl Drop for TlsStream {
    /// Says goodbye, unless that was said: only who is cut off by others hears nothing.
    fn drop(&mut self) {
        self.connection.send_close_notify();
        let _ = self.flush();
    }
}

/// A TCP connection as rustls wants it.
struct Kernel<'a>(&'a mut TcpStream);

impl Read for Kernel<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.try_read(buffer)
    }
}

impl Write for Kernel<'_> {
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

/// Has nothing to read, now.
struct Nothing;

impl Read for Nothing {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        Err(io::ErrorKind::WouldBlock.into())
    }
}

fn broken(error: rustls::Error) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error)
}

/// More than rustls holds back of a record that has not come whole: 16 KiB, and what TLS 1.2 may
/// add (RFC 5246 §6.2.3).
const HEADROOM: usize = 20 * 1024;
/// How much is encrypted before the kernel is asked to take it: a message of 64 KiB, with its
/// header, so that it leaves by one call. rustls' own limit is 64 KiB, which leaves the end over.
const ENCRYPTED_AT_ONCE: usize = (64 + 16) * 1024;
/// What rustls reads without growing its buffer.
const SMALL: usize = 4096;
