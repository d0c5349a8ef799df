//! A client made of raw TCP bytes, which can break any rule.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use socket2::SockRef;

use crate::DEADLINE;

/// The `Sec-WebSocket-Key` of the example in RFC 6455 §1.3.
pub const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
/// The `Sec-WebSocket-Accept` that answers [`KEY`].
pub const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

/// Returns a complete request for an upgrade.
pub fn request() -> String {
    format!(
        "GET /chat?room=1 HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\n\
         Connection: Upgrade\r\nSec-WebSocket-Key: {KEY}\r\nSec-WebSocket-Version: 13\r\n\r\n"
    )
}

/// Returns a complete request with more header lines, each with its line end.
pub fn request_with(lines: &str) -> String {
    request().replacen("\r\n\r\n", &format!("\r\n{lines}\r\n"), 1)
}

/// A frame as it was received.
#[derive(Debug, PartialEq, Eq)]
pub struct Frame {
    /// The opcode.
    pub opcode: u8,
    /// The payload, of a message that of all its frames.
    pub payload: Vec<u8>,
}

/// The opcode of a continuation frame (RFC 6455 §11.8, as the others).
pub const CONTINUATION: u8 = 0;
/// The opcode of a text frame.
pub const TEXT: u8 = 1;
/// The opcode of a binary frame.
pub const BINARY: u8 = 2;
/// The opcode of a close frame.
pub const CLOSE: u8 = 8;
/// The opcode of a ping frame.
pub const PING: u8 = 9;
/// The opcode of a pong frame.
pub const PONG: u8 = 10;

impl Frame {
    /// Makes a text frame.
    pub fn text(text: &str) -> Self {
        Self { opcode: TEXT, payload: text.into() }
    }

    /// Makes a close frame.
    pub fn close(code: u16, reason: &str) -> Self {
        let payload = [&code.to_be_bytes()[..], reason.as_bytes()].concat();
        Self { opcode: CLOSE, payload }
    }

    /// Returns the code of a close frame.
    pub fn close_code(&self) -> Result<u16> {
        ensure!(self.opcode == CLOSE, "not a close frame: {self:?}");
        let Some(code) = self.payload.first_chunk() else { bail!("no code in {self:?}") };
        Ok(u16::from_be_bytes(*code))
    }
}

/// Returns a frame of a client: final, and masked.
pub fn masked(opcode: u8, payload: &[u8]) -> Vec<u8> {
    masked_frame(0x80 | opcode, payload)
}

/// Returns text messages of a client, one behind the other.
pub fn masked_texts(texts: &[&str]) -> Vec<u8> {
    texts.iter().flat_map(|text| masked(TEXT, text.as_bytes())).collect()
}

/// Returns a close frame of a client.
pub fn masked_close(code: u16, reason: &str) -> Vec<u8> {
    masked(CLOSE, &Frame::close(code, reason).payload)
}

/// Returns a masked frame with this first byte (FIN, reserved bits, opcode).
pub fn masked_frame(first_byte: u8, payload: &[u8]) -> Vec<u8> {
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
pub struct Response {
    /// The status line and the header lines.
    pub head: String,
    /// What follows the head.
    pub body: String,
}

impl Response {
    /// Returns whether the head has this line; the case of the header's name does not matter.
    pub fn has_header(&self, name: &str, value: &str) -> bool {
        self.head
            .lines()
            .filter_map(|line| line.split_once(": "))
            .any(|(found, found_value)| found.eq_ignore_ascii_case(name) && found_value == value)
    }
}

/// A TCP connection to a server of this machine, or what is on top of one.
#[derive(Debug)]
pub struct RawPeer<S = TcpStream> {
    pub(crate) stream: S,
}

impl RawPeer {
    /// Connects to a port of 127.0.0.1.
    pub fn connect(port: u16) -> Result<Self> {
        Self::connect_to((Ipv4Addr::LOCALHOST, port))
    }

    /// Connects to an address.
    pub fn connect_to(address: impl Into<SocketAddr>) -> Result<Self> {
        Self::of(TcpStream::connect_timeout(&address.into(), DEADLINE)?)
    }

    /// Wraps a connection that was accepted.
    pub fn of(stream: TcpStream) -> Result<Self> {
        stream.set_read_timeout(Some(DEADLINE))?;
        stream.set_write_timeout(Some(DEADLINE))?;
        stream.set_nodelay(true)?;
        Ok(Self { stream })
    }

    /// Connects and finishes the opening handshake.
    pub fn open(port: u16) -> Result<Self> {
        let mut peer = Self::connect(port)?;
        peer.shake_hands()?;
        Ok(peer)
    }

    /// A second handle of the connection, to read in another thread.
    pub fn try_clone_stream(&self) -> Result<TcpStream> {
        Ok(self.stream.try_clone()?)
    }

    /// Sets the timeout of each read, which is [`DEADLINE`] at first.
    pub fn set_read_timeout(&mut self, timeout: Duration) -> Result<()> {
        Ok(self.stream.set_read_timeout(Some(timeout))?)
    }

    /// Fails if the server has sent anything, or has ended the connection.
    pub fn expect_silence(&mut self) -> Result<()> {
        self.stream.set_nonblocking(true)?;
        let result = self.read_some();
        self.stream.set_nonblocking(false)?;
        let is_silent = result.as_ref().is_err_and(|error| error.kind() == ErrorKind::WouldBlock);
        ensure!(is_silent, "read {result:?}");
        Ok(())
    }

    /// Ends the sending direction.
    pub fn finish(&mut self) -> Result<()> {
        Ok(self.stream.shutdown(Shutdown::Write)?)
    }

    /// Resets the connection: the server gets RST instead of FIN.
    pub fn reset(self) -> Result<()> {
        Ok(SockRef::from(&self.stream).set_linger(Some(Duration::ZERO))?)
    }
}

impl<S: Read + Write> RawPeer<S> {
    /// Takes another stream than TCP over, which has to have a deadline.
    pub fn over(stream: S) -> Self {
        Self { stream }
    }

    /// Returns the stream.
    pub fn stream(&self) -> &S {
        &self.stream
    }

    /// Returns the stream below, to write to it.
    pub fn stream_mut(&mut self) -> &mut S {
        &mut self.stream
    }

    /// Sends a good request and reads its answer.
    pub fn shake_hands(&mut self) -> Result<()> {
        self.send(request())?;
        self.expect_upgrade()
    }

    /// Sends all of these bytes.
    pub fn send(&mut self, bytes: impl AsRef<[u8]>) -> Result<()> {
        Ok(self.stream.write_all(bytes.as_ref())?)
    }

    /// Reads some bytes, drops them, and returns their count.
    pub fn read_some(&mut self) -> io::Result<usize> {
        self.stream.read(&mut [0; 1024])
    }

    /// Reads some bytes into a buffer and returns their count; 0 is the end.
    pub fn read_into(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.stream.read(buffer)
    }

    /// Reads exactly this many bytes.
    pub fn read_bytes(&mut self, length: usize) -> Result<Vec<u8>> {
        let mut bytes = vec![0; length];
        self.stream.read_exact(&mut bytes)?;
        Ok(bytes)
    }

    /// Reads an HTTP answer, and the end of the connection behind it.
    pub fn read_response(&mut self) -> Result<Response> {
        let text = String::from_utf8(self.read_to_end()?)?;
        let (head, body) = text.split_once("\r\n\r\n").with_context(|| format!("{text:?}"))?;
        Ok(Response { head: format!("{head}\r\n"), body: body.into() })
    }

    /// Reads the head of an HTTP request or answer, and not a byte more.
    pub fn read_head(&mut self) -> Result<String> {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(self.read_exact::<1>()?[0]);
        }
        Ok(String::from_utf8(head)?)
    }

    /// Reads the head of an HTTP answer and returns its status.
    pub fn read_status(&mut self) -> Result<u16> {
        let head = self.read_head()?;
        let status = head.split(' ').nth(1).with_context(|| head.clone())?;
        Ok(status.parse()?)
    }

    /// Reads the answer that accepts [`request`].
    pub fn expect_upgrade(&mut self) -> Result<()> {
        let head = self.read_head()?;
        ensure!(head.starts_with("HTTP/1.1 101 "), "{head}");
        ensure!(head.contains(ACCEPT), "{head}");
        Ok(())
    }

    /// Reads a frame of the server, or all frames of a message.
    pub fn read_frame(&mut self) -> Result<Frame> {
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
        let (first, payload) = self.read_any_frame()?;
        Ok((first & 0x80 != 0, Frame { opcode: first & 0x0F, payload }))
    }

    /// Reads a frame of the server, and returns its first byte and its payload.
    pub fn read_any_frame(&mut self) -> Result<(u8, Vec<u8>)> {
        let [first, second] = self.read_exact()?;
        ensure!(second & 0x80 == 0, "a server masked a frame");
        let length = match second {
            126 => u16::from_be_bytes(self.read_exact()?).into(),
            127 => u64::from_be_bytes(self.read_exact()?),
            length => length.into(),
        };
        Ok((first, self.read_bytes(usize::try_from(length)?)?))
    }

    /// Reads until the end of the connection, and returns the bytes before it.
    pub fn read_to_end(&mut self) -> Result<Vec<u8>> {
        let mut rest = Vec::new();
        match self.stream.read_to_end(&mut rest) {
            Err(error) if error.kind() != ErrorKind::ConnectionReset => Err(error.into()),
            _ => Ok(rest),
        }
    }

    /// Reads a frame, which has to be this one.
    pub fn expect(&mut self, expected: &Frame) -> Result<()> {
        let frame = self.read_frame()?;
        ensure!(frame == *expected, "{frame:?} came, not {expected:?}");
        Ok(())
    }

    /// Reads text messages, which have to be these.
    pub fn expect_texts(&mut self, texts: &[&str]) -> Result<()> {
        texts.iter().try_for_each(|text| self.expect(&Frame::text(text)))
    }

    /// Sends a text message and reads its echo.
    pub fn check_echo(&mut self, text: &str) -> Result<()> {
        self.send(masked(TEXT, text.as_bytes()))?;
        self.expect(&Frame::text(text))
    }

    /// Closes as a good client does: close frame, the server's answer, the end.
    pub fn close(&mut self, code: u16, reason: &str) -> Result<Frame> {
        self.send(masked_close(code, reason))?;
        let answer = self.read_frame()?;
        let rest = self.read_to_end()?;
        ensure!(rest.is_empty(), "{rest:?} came after the close frame");
        Ok(answer)
    }

    /// Answers the server's close frame, which was read, and reads the end.
    pub fn close_back(&mut self) -> Result<()> {
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

/// Checks that a well-behaved client is served.
pub fn check_good_client(port: u16) -> Result<()> {
    let mut peer = RawPeer::open(port)?;
    peer.check_echo("still there?")?;
    let answer = peer.close(1000, "bye")?;
    ensure!(answer == Frame::close(1000, "bye"), "{answer:?}");
    Ok(())
}
