//! A server made of raw TCP bytes, which can break any rule.

use std::net::{Ipv4Addr, TcpListener};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use async_tungstenite::tungstenite::handshake::derive_accept_key;
use socket2::SockRef;

use crate::raw_peer::{Frame, RawPeer};

/// A TCP listener on 127.0.0.1 that a test answers for.
#[derive(Debug)]
pub struct RawServer {
    listener: TcpListener,
    /// The port on which it listens.
    pub port: u16,
}

/// A client that has connected and sent its request.
#[derive(Debug)]
pub struct RawClient {
    /// The connection to the client.
    pub peer: RawPeer,
    /// The head of the request.
    pub request: String,
}

/// A frame of a client as it was received.
#[derive(Debug, PartialEq, Eq)]
pub struct MaskedFrame {
    /// The FIN bit.
    pub is_final: bool,
    /// The masking key.
    pub key: [u8; 4],
    /// The opcode, and the payload without its mask.
    pub frame: Frame,
}

impl RawServer {
    /// Listens on a free port.
    pub fn listen() -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let port = listener.local_addr()?.port();
        Ok(Self { listener, port })
    }

    /// The same with a small receive buffer, in bytes, in the kernel.
    pub fn listen_slowly(receive_buffer: usize) -> Result<Self> {
        let raw = Self::listen()?;
        SockRef::from(&raw.listener).set_recv_buffer_size(receive_buffer)?;
        Ok(raw)
    }

    /// Returns a `ws` URL of this server.
    pub fn url(&self) -> String {
        format!("ws://127.0.0.1:{}/chat", self.port)
    }

    /// Waits for a client, and sends nothing.
    pub fn accept(&self) -> Result<RawPeer> {
        RawPeer::of(self.listener.accept()?.0)
    }

    /// Fails if another client has connected.
    pub fn expect_no_client(&self) -> Result<()> {
        self.listener.set_nonblocking(true)?;
        let accepted = self.listener.accept();
        self.listener.set_nonblocking(false)?;
        ensure!(accepted.is_err(), "{accepted:?}");
        Ok(())
    }

    /// Waits for a client and its request, and answers nothing.
    pub fn read_request(&self) -> Result<RawClient> {
        let mut peer = self.accept()?;
        let request = peer.read_head()?;
        Ok(RawClient { peer, request })
    }

    /// Waits for a client and accepts its request.
    pub fn open(&self) -> Result<RawClient> {
        let mut client = self.read_request()?;
        client.accept("")?;
        Ok(client)
    }
}

impl RawClient {
    /// Accepts the request (RFC 6455 §4.2.2), with more header lines.
    pub fn accept(&mut self, more: &str) -> Result<()> {
        let head = self.upgrade()?;
        self.peer.send(head.replace("\r\n\r\n", &format!("\r\n{more}\r\n")))
    }

    /// Returns the shortest valid answer with 101.
    pub fn upgrade(&self) -> Result<String> {
        let key = self.header("Sec-WebSocket-Key").context("no key")?;
        let accept = derive_accept_key(key.as_bytes());
        Ok(format!(
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Accept: {accept}\r\n\r\n"
        ))
    }

    /// Returns the value of a header of the request; the case of its name does not matter.
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut headers = self.request.lines().filter_map(|line| line.split_once(": "));
        headers.find(|(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    /// Reads a frame and unmasks it.
    pub fn read_frame(&mut self) -> Result<MaskedFrame> {
        let [first, second] = self.read()?;
        ensure!(second & 0x80 != 0, "a client sent a frame that is not masked");
        let length = match second & 0x7F {
            126 => u16::from_be_bytes(self.read()?).into(),
            127 => u64::from_be_bytes(self.read()?),
            length => length.into(),
        };
        let key = self.read::<4>()?;
        let mut payload = self.peer.read_bytes(usize::try_from(length)?)?;
        for (byte, key) in payload.iter_mut().zip(key.iter().cycle()) {
            *byte ^= key;
        }
        let frame = Frame { opcode: first & 0x0F, payload };
        Ok(MaskedFrame { is_final: first & 0x80 != 0, key, frame })
    }

    /// Reads a frame at about 200 KiB/s and returns the length of its payload.
    pub fn read_frame_slowly(&mut self) -> Result<usize> {
        let [_, second] = self.read()?;
        let length = match second & 0x7F {
            126 => u16::from_be_bytes(self.read()?).into(),
            127 => u64::from_be_bytes(self.read()?),
            length => length.into(),
        };
        self.read::<4>()?;
        let length = usize::try_from(length)?;
        for start in (0..length).step_by(SLOW_PIECE) {
            self.peer.read_bytes(SLOW_PIECE.min(length - start))?;
            smol::block_on(smol::Timer::after(Duration::from_millis(20)));
        }
        Ok(length)
    }

    /// Reads a frame, which has to be this one.
    pub fn expect(&mut self, expected: &Frame) -> Result<()> {
        let MaskedFrame { frame, .. } = self.read_frame()?;
        ensure!(frame == *expected, "{frame:?} came, not {expected:?}");
        Ok(())
    }

    /// Closes as a good server does: close frame, the client's answer, the end.
    pub fn close(mut self, code: u16, reason: &str) -> Result<()> {
        let close = Frame::close(code, reason);
        self.peer.send(unmasked(close.opcode, &close.payload))?;
        self.expect(&close)
    }

    fn read<const N: usize>(&mut self) -> Result<[u8; N]> {
        let bytes = self.peer.read_bytes(N)?;
        bytes.try_into().map_err(|bytes| anyhow::anyhow!("{bytes:?}"))
    }
}

/// Returns a frame of a server: final, not masked, with a payload of at most 125 bytes.
pub fn unmasked(opcode: u8, payload: &[u8]) -> Vec<u8> {
    let length = u8::try_from(payload.len()).unwrap_or(u8::MAX);
    assert!(length <= 125, "a payload over 125 bytes needs a longer header");
    [&[0x80 | opcode, length], payload].concat()
}

/// The size of one read of a slow server, in bytes.
const SLOW_PIECE: usize = 4 * 1024;
