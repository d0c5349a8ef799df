//! Messages that come in several reads, and may leave in several writes.

use std::io::{ErrorKind, Read, Write};

use anyhow::{Context, Result, ensure};
use mio::net::TcpStream;

/// The message of one client, in a buffer of its size.
#[derive(Default)]
pub struct BigMessage {
    frame: Vec<u8>,
    /// How many bytes of the frame have arrived; 0 between messages.
    received: usize,
    /// How many bytes of the frame do not wait to be sent.
    sent: usize,
}

/// Returns whether a frame has a length of 64 bits.
pub fn is_big(frame: &[u8]) -> bool {
    frame.get(1).is_some_and(|length| length & 0x7F == 127)
}

impl BigMessage {
    pub fn is_idle(&self) -> bool {
        self.received == 0
    }

    /// Takes the beginning of a frame.
    pub fn begin(&mut self, start: &[u8]) -> Result<()> {
        let length = start.get(2..10).context("a part of a header")?.try_into()?;
        self.frame.resize(HEADER + usize::try_from(u64::from_be_bytes(length))?, 0);
        self.frame.get_mut(..start.len()).context("more than a frame")?.copy_from_slice(start);
        self.received = start.len();
        Ok(())
    }

    /// Reads and writes as far as the kernel allows; `unmask` has the payload and the key.
    pub fn proceed(
        &mut self,
        stream: &mut TcpStream,
        unmask: impl Fn(&mut [u8], [u8; 4]),
    ) -> Result<()> {
        while self.received < self.frame.len() {
            match stream.read(&mut self.frame[self.received..]) {
                Ok(length) => {
                    ensure!(length > 0, "the end");
                    self.received += length;
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error.into()),
            }
        }
        if self.sent == 0 {
            let key = self.frame[HEADER - KEY..HEADER].try_into()?;
            unmask(&mut self.frame[HEADER..], key);
            self.frame.copy_within(..HEADER - KEY, KEY);
            self.frame[KEY + 1] &= 0x7F;
            self.sent = KEY;
        }
        while self.sent < self.frame.len() {
            match stream.write(&self.frame[self.sent..]) {
                Ok(length) => self.sent += length,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error.into()),
            }
        }
        (self.received, self.sent) = (0, 0);
        Ok(())
    }
}

/// The length of a masked header, with its key at the end (RFC 6455 §5.2).
const HEADER: usize = 14;
const KEY: usize = 4;
