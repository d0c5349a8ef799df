//! A client of NATS that is not ours: its protocol over a socket.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use crate::engine::Engine;

pub(crate) struct Foreign {
    stream: BufReader<TcpStream>,
}

impl Foreign {
    pub(crate) fn connect(engine: &Engine) -> Result<Self> {
        let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, engine.port()))?;
        stream.set_read_timeout(Some(Duration::from_secs(10)))?;
        let mut client = Self { stream: BufReader::new(stream) };
        ensure!(client.line()?.starts_with("INFO "));
        client.write(b"CONNECT {\"verbose\":false,\"headers\":true}\r\n")?;
        client.flush()?;
        Ok(client)
    }

    pub(crate) fn publish(&mut self, subject: &str, payload: &[u8]) -> Result<()> {
        self.write(format!("PUB {subject} {}\r\n", payload.len()).as_bytes())?;
        self.write(payload)?;
        self.write(b"\r\n")
    }

    pub(crate) fn publish_binary(&mut self, subject: &str, payload: &[u8]) -> Result<()> {
        self.publish_with_header(subject, "Slotwork-Kind: binary", payload)
    }

    pub(crate) fn publish_with_header(
        &mut self,
        subject: &str,
        header: &str,
        payload: &[u8],
    ) -> Result<()> {
        let header = format!("NATS/1.0\r\n{header}\r\n\r\n");
        let sum = header.len() + payload.len();
        self.write(format!("HPUB {subject} {} {sum}\r\n{header}", header.len()).as_bytes())?;
        self.write(payload)?;
        self.write(b"\r\n")
    }

    pub(crate) fn subscribe(&mut self, subject: &str) -> Result<()> {
        self.write(format!("SUB {subject} 1\r\n").as_bytes())?;
        self.flush()
    }

    /// Returns the payload of the next message.
    pub(crate) fn next(&mut self) -> Result<Vec<u8>> {
        let line = loop {
            let line = self.line()?;
            if line.starts_with("MSG ") || line.starts_with("HMSG ") {
                break line;
            }
        };
        let length = line.rsplit(' ').next().context("no length")?.parse()?;
        let mut payload = vec![0; length];
        self.stream.read_exact(&mut payload)?;
        self.line()?;
        Ok(payload)
    }

    /// Returns the subject and the reply subject of the next request.
    ///
    /// It has no payload.
    pub(crate) fn next_request(&mut self) -> Result<(String, String)> {
        let line = loop {
            let line = self.line()?;
            if line.starts_with("MSG ") {
                break line;
            }
        };
        self.line()?;
        let mut words = line.split(' ').skip(1);
        let subject = words.next().context("no subject")?;
        let reply = words.nth(1).context("no reply subject")?;
        Ok((subject.to_owned(), reply.to_owned()))
    }

    /// Waits until the server has everything.
    pub(crate) fn flush(&mut self) -> Result<()> {
        self.write(b"PING\r\n")?;
        while self.line()? != "PONG" {}
        Ok(())
    }

    fn write(&mut self, bytes: &[u8]) -> Result<()> {
        Ok(self.stream.get_mut().write_all(bytes)?)
    }

    fn line(&mut self) -> Result<String> {
        let mut line = String::new();
        ensure!(self.stream.read_line(&mut line)? > 0, "the server has closed");
        Ok(line.trim_end().to_owned())
    }
}
