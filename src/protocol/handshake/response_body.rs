//! The body of an answer that refuses a connection (RFC 9112 §6 and §7).

use crate::protocol::handshake::grammar;
use crate::protocol::handshake::response::HandshakeResponse;

/// Collects a body as its bytes come in, at most [`MAX_BODY`] of them.
pub(crate) struct BodyReader {
    body: Vec<u8>,
    framing: Framing,
}

/// The meaning of the next bytes.
enum Framing {
    /// The body, up to the end of the connection.
    ToEnd,
    /// The rest of the body, in bytes.
    Rest(usize),
    /// The line that begins a chunk, as received so far.
    ChunkSize(String),
    /// The rest of a chunk, in bytes.
    Chunk(usize),
    /// The line break behind a chunk.
    ChunkEnd,
    Over,
}

impl BodyReader {
    /// Prepares for the body that the head announces.
    pub(crate) fn new(response: &HandshakeResponse) -> Self {
        let mut codings = response.raw_values("Transfer-Encoding").flat_map(grammar::list_members);
        let is_chunked = codings.any(|coding| coding.eq_ignore_ascii_case(b"chunked"));
        let length = response.header("Content-Length").and_then(|length| length.parse().ok());
        let framing = match length {
            // RFC 9110 §6.4.1: these answers have none, whatever they say.
            _ if matches!(response.status(), 100..=199 | 204 | 304) => Framing::Over,
            _ if is_chunked => Framing::ChunkSize(String::new()),
            Some(length) => Framing::rest(length),
            None => Framing::ToEnd,
        };
        Self { body: Vec::new(), framing }
    }

    /// Reads more. A malformed body ends at the error.
    pub(crate) fn read(&mut self, bytes: &[u8]) {
        for byte in bytes {
            if self.is_complete() {
                return;
            }
            self.read_byte(*byte);
        }
    }

    /// Returns whether the body has ended.
    pub(crate) fn is_complete(&self) -> bool {
        matches!(self.framing, Framing::Over) || self.body.len() >= MAX_BODY
    }

    /// Returns the body received so far.
    pub(crate) fn into_body(self) -> Vec<u8> {
        self.body
    }

    fn read_byte(&mut self, byte: u8) {
        match &mut self.framing {
            Framing::ToEnd => self.body.push(byte),
            Framing::Rest(left) => {
                self.framing = Framing::rest(*left - 1);
                self.body.push(byte);
            }
            Framing::ChunkSize(line) if byte == b'\n' => self.framing = Framing::chunk(line),
            Framing::ChunkSize(line) if line.len() < MAX_SIZE_LINE => line.push(byte.into()),
            Framing::Chunk(left) => {
                self.framing =
                    if *left > 1 { Framing::Chunk(*left - 1) } else { Framing::ChunkEnd };
                self.body.push(byte);
            }
            Framing::ChunkEnd if byte == b'\r' => {}
            Framing::ChunkEnd if byte == b'\n' => self.framing = Framing::ChunkSize(String::new()),
            Framing::ChunkSize(_) | Framing::ChunkEnd | Framing::Over => {
                self.framing = Framing::Over;
            }
        }
    }
}

impl Framing {
    fn rest(length: usize) -> Self {
        if length > 0 { Self::Rest(length) } else { Self::Over }
    }

    /// Reads the first line of a chunk; the last chunk is empty (RFC 9112 §7.1).
    fn chunk(line: &str) -> Self {
        let size = line.split(';').next().unwrap_or_default().trim();
        match usize::from_str_radix(size, 16) {
            Ok(size) if size > 0 => Self::Chunk(size),
            _ => Self::Over,
        }
    }
}

/// The maximum size of a body, in bytes; the rest is not read.
const MAX_BODY: usize = 32 * 1024;
/// The maximum length of the first line of a chunk, in bytes.
const MAX_SIZE_LINE: usize = 256;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::handshake::request_head::HeadLimits;
    use crate::protocol::handshake::response_head::ResponseReader;

    /// Reads an answer and its body, and returns whether the end was found.
    fn read(answer: &[u8]) -> (Vec<u8>, bool) {
        let (response, behind) =
            ResponseReader::new(HeadLimits::default()).read(answer).unwrap().unwrap();
        let bodies = [behind.len().max(1), 1, 2, 3].map(|size| {
            let mut reader = BodyReader::new(&response);
            behind.chunks(size).for_each(|piece| reader.read(piece));
            let is_complete = reader.is_complete();
            (reader.into_body(), is_complete)
        });
        let [body, ..] = &bodies;
        assert!(bodies.iter().all(|other| other == body), "{bodies:?}");
        body.clone()
    }

    /// RFC 9112 §6.3 and §7.1.
    #[test]
    fn a_body_ends_where_its_head_says() {
        let table = [
            ("404 x\r\nContent-Length: 2\r\n\r\nabc", ("ab", true)),
            ("404 x\r\nContent-Length: 4\r\n\r\nabc", ("abc", false)),
            ("404 x\r\nContent-Length: 0\r\n\r\nabc", ("", true)),
            ("404 x\r\nContent-Length: x\r\n\r\nabc", ("abc", false)),
            ("404 x\r\n\r\nabc", ("abc", false)),
            ("304 x\r\nContent-Length: 2\r\n\r\nabc", ("", true)),
            (
                "404 x\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n2;e=f\r\nbc\r\n0\r\n\r\n",
                ("abc", true),
            ),
            (
                "404 x\r\nTransfer-Encoding: gzip, Chunked\r\n\r\nA\r\n0123456789\r\n",
                ("0123456789", false),
            ),
            ("404 x\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nabc\r\n", ("a", true)),
            ("404 x\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\nabc\r\n", ("", true)),
            ("404 x\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\nabc", ("", true)),
        ];
        for (answer, (body, is_complete)) in table {
            let seen = read(format!("HTTP/1.1 {answer}").as_bytes());
            assert_eq!(seen, (body.into(), is_complete), "{answer}");
        }
    }

    #[test]
    fn a_body_is_kept_up_to_its_limit() {
        for head in
            ["", "Content-Length: 9999999\r\n", "Transfer-Encoding: chunked\r\n\r\nfffff\r\n"]
        {
            let answer =
                [format!("HTTP/1.1 500 x\r\n{head}\r\n").as_bytes(), &vec![b'x'; 100_000]].concat();
            let (body, is_complete) = read(&answer);
            assert_eq!((body.len(), is_complete), (MAX_BODY, true), "{head}");
        }
        let endless =
            [&b"HTTP/1.1 500 x\r\nTransfer-Encoding: chunked\r\n\r\n"[..], &[b'1'; 999]].concat();
        assert_eq!(read(&endless), (vec![], true));
    }
}
