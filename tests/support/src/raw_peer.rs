//! A client made of raw TCP bytes, which can be as rude as a test needs.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use socket2::SockRef;

use super::DEADLINE;

/// The key of the example in RFC 6455 §1.3, and the answer to it.
pub(crate) const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
pub(crate) const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

/// A complete request for an upgrade.
pub(crate) fn request() -> String {
    format!(
        "GET /chat?room=1 HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\n\
         Connection: Upgrade\r\nSec-WebSocket-Key: {KEY}\r\nSec-WebSocket-Version: 13\r\n\r\n"
    )
}

/// A complete request with more header lines, each with its line end.
pub(crate) fn request_with(lines: &str) -> String {
    request().replacen("\r\n\r\n", &format!("\r\n{lines}\r\n"), 1)
}

/// A frame as it was received.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Frame {
    pub(crate) opcode: u8,
    pub(crate) payload: Vec<u8>,
}

pub(crate) const CONTINUATION: u8 = 0;
pub(crate) const TEXT: u8 = 1;
pub(crate) const BINARY: u8 = 2;
pub(crate) const CLOSE: u8 = 8;
pub(crate) const PING: u8 = 9;
pub(crate) const PONG: u8 = 10;

impl Frame {
    pub(crate) fn text(text: &str) -> Self {
        Self { opcode: TEXT, payload: text.into() }
    }

    pub(crate) fn close(code: u16, reason: &str) -> Self {
        let payload = [&code.to_be_bytes()[..], reason.as_bytes()].concat();
        Self { opcode: CLOSE, payload }
    }

    /// The code of a close frame.
    pub(crate) fn close_code(&self) -> Result<u16> {
        ensure!(self.opcode == CLOSE, "not a close frame: {self:?}");
        let Some(code) = self.payload.first_chunk() else { bail!("no code in {self:?}") };
        Ok(u16::from_be_bytes(*code))
    }
}

/// A frame of a client: final, and masked.
pub(crate) fn masked(opcode: u8, payload: &[u8]) -> Vec<u8> {
    masked_frame(0x80 | opcode, payload)
}

/// Text messages of a client, one behind the other.
pub(crate) fn masked_texts(texts: &[&str]) -> Vec<u8> {
    texts.iter().flat_map(|text| masked(TEXT, text.as_bytes())).collect()
}

/// A close frame of a client.
pub(crate) fn masked_close(code: u16, reason: &str) -> Vec<u8> {
    masked(CLOSE, &Frame::close(code, reason).payload)
}

/// A masked frame with a first byte of the caller's choice.
pub(crate) fn masked_frame(first_byte: u8, payload: &[u8]) -> Vec<u8> {
    const MASK: [u8; 4] = [0x37, 0xFA, 0x21, 0x3D];
    let mut frame = vec![first_byte];
    if let Ok(length @ 0..=125) = u8::try_from(payload.len()) {
        frame.push(0x80 | length);
    } else if let Ok(length) = u16::try_from(payload.len()) {
        frame.push(0x80 | 0x7E);
        frame.extend(length.to_be_bytes());
    } else {
        frame.push(0x80 | 0x7F);
        frame.extend((payload.len() as u64).to_be_bytes());
    }
    frame.extend(MASK);
    frame.extend(payload.iter().zip(MASK.iter().cycle()).map(|(byte, mask)| byte ^ mask));
    frame
}

/// An HTTP answer that ended the connection.
#[derive(Debug)]
pub(crate) struct Response {
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Response {
    /// Returns whether the head has this line; the case of the header's name does not matter.
    pub(crate) fn has_header(&self, name: &str, value: &str) -> bool {
        self.head
            .lines()
            .filter_map(|line| line.split_once(": "))
            .any(|(found, found_value)| found.eq_ignore_ascii_case(name) && found_value == value)
    }
}

/// A TCP connection to a server of this machine, or what is on top of one.
#[derive(Debug)]
pub(crate) struct RawPeer<S = TcpStream> {
    pub(super) stream: S,
}

impl RawPeer {
    pub(crate) fn connect(port: u16) -> Result<Self> {
        Self::connect_to((Ipv4Addr::LOCALHOST, port))
    }

    pub(crate) fn connect_to(address: impl Into<SocketAddr>) -> Result<Self> {
        Self::of(TcpStream::connect_timeout(&address.into(), DEADLINE)?)
    }

    /// The other end of a connection that was accepted.
    pub(crate) fn of(stream: TcpStream) -> Result<Self> {
        stream.set_read_timeout(Some(DEADLINE))?;
        stream.set_write_timeout(Some(DEADLINE))?;
        stream.set_nodelay(true)?;
        Ok(Self { stream })
    }

    /// Connects and finishes the opening handshake.
    pub(crate) fn open(port: u16) -> Result<Self> {
        let mut peer = Self::connect(port)?;
        peer.shake_hands()?;
        Ok(peer)
    }

    /// A second handle of the connection, to read in another thread.
    #[allow(dead_code, reason = "only the stress tests read in another thread")]
    pub(crate) fn try_clone_stream(&self) -> Result<TcpStream> {
        Ok(self.stream.try_clone()?)
    }

    pub(crate) fn set_read_timeout(&mut self, timeout: Duration) -> Result<()> {
        Ok(self.stream.set_read_timeout(Some(timeout))?)
    }

    /// Fails if the server has sent anything, or has ended the connection.
    pub(crate) fn expect_silence(&mut self) -> Result<()> {
        self.stream.set_nonblocking(true)?;
        let result = self.read_some();
        self.stream.set_nonblocking(false)?;
        let is_silent = result.as_ref().is_err_and(|error| error.kind() == ErrorKind::WouldBlock);
        ensure!(is_silent, "read {result:?}");
        Ok(())
    }

    /// Ends the sending direction.
    pub(crate) fn finish(&mut self) -> Result<()> {
        Ok(self.stream.shutdown(Shutdown::Write)?)
    }

    /// Breaks the connection off: the server gets a reset instead of an end.
    pub(crate) fn reset(self) -> Result<()> {
        Ok(SockRef::from(&self.stream).set_linger(Some(Duration::ZERO))?)
    }
}

impl<S: Read + Write> RawPeer<S> {
    /// Sends a good request and reads its answer.
    pub(crate) fn shake_hands(&mut self) -> Result<()> {
        self.send(request())?;
        self.expect_upgrade()
    }

    pub(crate) fn send(&mut self, bytes: impl AsRef<[u8]>) -> Result<()> {
        Ok(self.stream.write_all(bytes.as_ref())?)
    }

    /// Reads what comes next, whatever it is, and returns how much that was.
    pub(crate) fn read_some(&mut self) -> io::Result<usize> {
        self.stream.read(&mut [0; 1024])
    }

    /// Reads what comes next into a buffer; 0 bytes are the end.
    #[allow(dead_code, reason = "not each of the test programs uses it")]
    pub(crate) fn read_into(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.stream.read(buffer)
    }

    /// Reads as many bytes as that.
    pub(crate) fn read_bytes(&mut self, length: usize) -> Result<Vec<u8>> {
        let mut bytes = vec![0; length];
        self.stream.read_exact(&mut bytes)?;
        Ok(bytes)
    }

    /// Reads an HTTP answer, and the end of the connection behind it.
    pub(crate) fn read_response(&mut self) -> Result<Response> {
        let text = String::from_utf8(self.read_to_end()?)?;
        let (head, body) = text.split_once("\r\n\r\n").with_context(|| format!("{text:?}"))?;
        Ok(Response { head: format!("{head}\r\n"), body: body.into() })
    }

    /// Reads the head of an HTTP answer, and not a byte more.
    pub(crate) fn read_head(&mut self) -> Result<String> {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(self.read_exact::<1>()?[0]);
        }
        Ok(String::from_utf8(head)?)
    }

    /// Reads the head of an HTTP answer and returns its status.
    pub(crate) fn read_status(&mut self) -> Result<u16> {
        let head = self.read_head()?;
        let status = head.split(' ').nth(1).with_context(|| head.clone())?;
        Ok(status.parse()?)
    }

    pub(crate) fn expect_upgrade(&mut self) -> Result<()> {
        let head = self.read_head()?;
        ensure!(head.starts_with("HTTP/1.1 101 "), "{head}");
        ensure!(head.contains(ACCEPT), "{head}");
        Ok(())
    }

    /// Reads a frame of the server, or all frames of a message.
    pub(crate) fn read_frame(&mut self) -> Result<Frame> {
        let (mut is_final, mut message) = self.read_one_frame()?;
        while !is_final {
            let (is_last, frame) = self.read_one_frame()?;
            ensure!(frame.opcode == CONTINUATION, "{frame:?} came inside a message");
            message.payload.extend(frame.payload);
            is_final = is_last;
        }
        Ok(message)
    }

    fn read_one_frame(&mut self) -> Result<(bool, Frame)> {
        let [first, second] = self.read_exact()?;
        ensure!(second & 0x80 == 0, "a server masked a frame");
        let length = match second {
            126 => u16::from_be_bytes(self.read_exact()?).into(),
            127 => u64::from_be_bytes(self.read_exact()?),
            length => length.into(),
        };
        let payload = self.read_bytes(usize::try_from(length)?)?;
        Ok((first & 0x80 != 0, Frame { opcode: first & 0x0F, payload }))
    }

    /// Reads until the server ends the connection, and returns what it still sent.
    pub(crate) fn read_to_end(&mut self) -> Result<Vec<u8>> {
        let mut rest = Vec::new();
        match self.stream.read_to_end(&mut rest) {
            Err(error) if error.kind() != ErrorKind::ConnectionReset => Err(error.into()),
            _ => Ok(rest),
        }
    }

    /// Reads a frame, which has to be this one.
    pub(crate) fn expect(&mut self, expected: &Frame) -> Result<()> {
        let frame = self.read_frame()?;
        ensure!(frame == *expected, "{frame:?} came, not {expected:?}");
        Ok(())
    }

    /// Reads text messages, which have to be these.
    pub(crate) fn expect_texts(&mut self, texts: &[&str]) -> Result<()> {
        texts.iter().try_for_each(|text| self.expect(&Frame::text(text)))
    }

    /// Sends a text message and reads its echo.
    pub(crate) fn check_echo(&mut self, text: &str) -> Result<()> {
        self.send(masked(TEXT, text.as_bytes()))?;
        self.expect(&Frame::text(text))
    }

    /// Closes as a good client does: close frame, the server's answer, the end.
    pub(crate) fn close(&mut self, code: u16, reason: &str) -> Result<Frame> {
        self.send(masked_close(code, reason))?;
        let answer = self.read_frame()?;
        let rest = self.read_to_end()?;
        ensure!(rest.is_empty(), "{rest:?} came after the close frame");
        Ok(answer)
    }

    /// Answers the server's close frame, which was read, and reads the end.
    pub(crate) fn close_back(&mut self) -> Result<()> {
        self.send(masked_close(1000, ""))?;
        let rest = self.read_to_end()?;
        ensure!(rest.is_empty(), "{rest:?} came after the close frame");
        Ok(())
    }

    fn read_exact<const N: usize>(&mut self) -> Result<[u8; N]> {
        let mut bytes = [0; N];
        self.stream.read_exact(&mut bytes)?;
        Ok(bytes)
    }
}

/// Checks that a good client is served.
pub(crate) fn check_good_client(port: u16) -> Result<()> {
    let mut peer = RawPeer::open(port)?;
    peer.check_echo("still there?")?;
    let answer = peer.close(1000, "bye")?;
    ensure!(answer == Frame::close(1000, "bye"), "{answer:?}");
    Ok(())
}
