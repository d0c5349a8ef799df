//! Reads the head of a request as its bytes come in, and never more than the limits allow.
//!
//! Each byte is looked at when it arrives and each line when it is complete, so the cost is linear
//! however the bytes are cut into packets, and a request is refused at the first byte that no valid
//! head could have there. That is also why no general HTTP parser stands behind it: there would be
//! nothing left for it to find.

use std::mem;

use super::grammar;
use super::refusal::Refusal;
use super::request::HandshakeRequest;
use super::request_line::RequestLine;
use super::rules;

/// How long the request line and each header line may be, in bytes without CR LF.
///
/// Qt has the same limit (HSR-07).
pub(crate) const MAX_LINE: usize = 8 * 1024;

/// How many headers a request may have. Qt has the same limit (HSR-07).
pub(crate) const MAX_HEADERS: usize = 100;

/// How long a head may be, in bytes with the empty line that ends it (Qt: 819204, HSR-12).
///
/// The empty line that may precede it does not count.
pub(crate) const MAX_HEAD: usize = 32 * 1024;

/// By how many bytes the memory for a head grows, as far as more than one packet brings them.
const SMALLEST_STEP: usize = 128;
const BIGGEST_STEP: usize = 1024;

/// Makes a checked request of bytes that come in pieces of any size.
///
/// It owns no memory before the first byte, and never more than [`MAX_HEAD`] bytes. After the
/// request it is as new; after a refusal it is of no use any more.
#[derive(Debug, Default)]
pub(crate) struct HeadReader {
    head: Vec<u8>,
    /// Where the line that is being read begins.
    line_start: usize,
    /// The first line, when it has been read.
    request_line: Option<RequestLine>,
    /// How many header lines have been read.
    headers: usize,
    /// Whether the empty line that may precede the request line was there.
    had_empty_line: bool,
}

impl HeadReader {
    /// Makes a reader that has read nothing.
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// Reads on, and returns the request when it is complete, with the bytes that are behind it.
    ///
    /// Those bytes are the first frames of a client that does not wait for the answer.
    ///
    /// # Errors
    ///
    /// Why the request is refused, as soon as that is certain.
    pub(crate) fn read<'b>(
        &mut self,
        mut bytes: &'b [u8],
    ) -> Result<Option<(HandshakeRequest, &'b [u8])>, Refusal> {
        while let Some((&byte, rest)) = bytes.split_first() {
            bytes = rest;
            self.check(byte)?;
            if self.head.len() == self.head.capacity() {
                self.make_room(bytes.len() + 1);
            }
            self.head.push(byte);
            if byte == b'\n'
                && let Some(request) = self.end_line()?
            {
                return Ok(Some((request, rest)));
            }
        }
        Ok(None)
    }

    /// Makes room for some of `needed` bytes more, and little besides: heads that have not come whole
    /// may be many. It grows by an eighth at least, so that the cost stays linear.
    fn make_room(&mut self, needed: usize) {
        let length = self.head.len();
        let eighth = (length / 8).next_multiple_of(SMALLEST_STEP);
        let step = needed.clamp(SMALLEST_STEP, BIGGEST_STEP).max(eighth);
        self.head.reserve_exact(step.min(MAX_HEAD - length));
    }

    /// Returns how many bytes of memory the reader owns.
    #[cfg(any(test, fuzzing))]
    pub(crate) fn buffer_size(&self) -> usize {
        self.head.capacity()
    }

    /// Checks whether a byte may follow those that have been read.
    fn check(&self, byte: u8) -> Result<(), Refusal> {
        if self.head.len() == MAX_HEAD {
            return Err(Refusal::HeadersTooLarge("the head of the request is longer than 32 KiB"));
        }
        // RFC 9112 §2.2 lets a server take a bare LF for a line end. Qt waits for the CR until the
        // handshake times out (HSR-13).
        let is_after_cr = self.head.last() == Some(&b'\r');
        if is_after_cr != (byte == b'\n') {
            return Err(Refusal::BadRequest("a line of the request does not end with CR LF"));
        }
        if matches!(byte, b'\r' | b'\n') {
            return Ok(());
        }

        let line_length = self.head.len() - self.line_start;
        if self.request_line.is_none() {
            check_in_request_line(byte, line_length)
        } else {
            self.check_in_header(byte, line_length)
        }
    }

    fn check_in_header(&self, byte: u8, line_length: usize) -> Result<(), Refusal> {
        if line_length == 0 {
            // RFC 9112 §2.2 (before the first header) and §5.2 (folded lines).
            if matches!(byte, b' ' | b'\t') {
                return Err(Refusal::BadRequest("a header line begins with white space"));
            }
            if self.headers == MAX_HEADERS {
                return Err(Refusal::HeadersTooLarge("the request has more than 100 headers"));
            }
        }
        if grammar::is_control(byte) {
            return Err(Refusal::BadRequest("a header contains a control character"));
        }
        if line_length == MAX_LINE {
            return Err(Refusal::HeadersTooLarge("a header of the request is longer than 8 KiB"));
        }
        Ok(())
    }

    /// Takes the line whose LF has just been read; the empty one ends the head.
    fn end_line(&mut self) -> Result<Option<HandshakeRequest>, Refusal> {
        let line = self.head.get(self.line_start..).unwrap_or_default();
        let line = line.strip_suffix(b"\r\n").unwrap_or_default();
        match self.request_line {
            // RFC 9112 §2.2: at least one empty line before the request line is ignored.
            None if line.is_empty() && !self.had_empty_line => {
                self.had_empty_line = true;
                self.head.clear();
                return Ok(None);
            }
            None => {
                let line = std::str::from_utf8(line).unwrap_or_default();
                self.request_line = Some(RequestLine::parse(line)?);
            }
            Some(request_line) if line.is_empty() => {
                let request = HandshakeRequest::new(mem::take(self).head, request_line);
                rules::check(&request)?;
                return Ok(Some(request));
            }
            Some(_) => {
                check_header_line(line)?;
                self.headers += 1;
            }
        }
        self.line_start = self.head.len();
        Ok(None)
    }
}

fn check_in_request_line(byte: u8, line_length: usize) -> Result<(), Refusal> {
    if !matches!(byte, b' '..=b'~') {
        return Err(Refusal::BadRequest("the request line contains a byte that is not printable"));
    }
    if line_length == MAX_LINE {
        return Err(Refusal::RequestLineTooLong);
    }
    Ok(())
}

fn check_header_line(line: &[u8]) -> Result<(), Refusal> {
    let Some((name, _)) = grammar::split_header(line) else {
        return Err(Refusal::BadRequest("a header line has no colon"));
    };
    if name.is_empty() {
        return Err(Refusal::BadRequest("a header has no name"));
    }
    // RFC 9112 §5.1: a space here has let requests pass under a proxy's checks.
    if name.ends_with(b" ") || name.ends_with(b"\t") {
        return Err(Refusal::BadRequest("white space precedes the colon of a header"));
    }
    if !grammar::is_token(name) {
        return Err(Refusal::BadRequest("the name of a header is not a token"));
    }
    Ok(())
}

// The places in `RequestLine` are 16 bits wide.
const _: () = assert!(MAX_HEAD < u16::MAX as usize);

#[cfg(test)]
mod tests;
