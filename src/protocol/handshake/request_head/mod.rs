//! Reads the head of a request as its bytes arrive, within limits.
//!
//! Each byte is looked at when it arrives and each line when it is complete, so the cost is linear
//! however the bytes are cut into packets, and a request is refused at the first byte that no valid
//! head could have there. Lines of visible ASCII characters within the limits, which nearly all are,
//! are taken as a whole. A general HTTP parser is not used: all its checks are made here.

use std::mem;

use crate::protocol::handshake::grammar;
use crate::protocol::handshake::page_request::PageRequest;
use crate::protocol::handshake::refusal::Refusal;
use crate::protocol::handshake::request::{HandshakeRequest, UsualHeaders};
use crate::protocol::handshake::request_line::{PageLine, RequestLine};
use crate::protocol::handshake::request_rules::RequestRules;
use crate::protocol::handshake::spare_buffer;
use crate::protocol::handshake::url;

/// The maximum sizes of a head and its parts.
#[derive(Clone, Copy, Debug)]
pub(crate) struct HeadLimits {
    /// For the request line, in bytes without CR LF; [`MAX_REQUEST_LINE`] at most.
    pub(crate) request_line: usize,
    /// For each header line, in bytes without CR LF.
    pub(crate) header_line: usize,
    /// For the number of headers.
    pub(crate) headers: usize,
    /// For the whole head, in bytes with the empty line that ends it.
    ///
    /// The empty line that may precede it does not count.
    pub(crate) head: usize,
}

impl HeadLimits {
    /// The limits for a head that this program has made.
    pub(crate) const OWN: Self = Self {
        request_line: MAX_REQUEST_LINE,
        header_line: usize::MAX,
        headers: usize::MAX,
        head: usize::MAX,
    };
}

/// The default limits.
///
/// Qt has 8 KiB for each line and the same number of headers (HSR-07), and 819204 bytes for the
/// head (HSR-12).
impl Default for HeadLimits {
    fn default() -> Self {
        Self { request_line: 8 * 1024, header_line: 16 * 1024, headers: 100, head: 32 * 1024 }
    }
}

/// The maximum of the limit for the request line, in bytes.
///
/// The positions in [`RequestLine`] have 16 bits.
pub(crate) const MAX_REQUEST_LINE: usize = 32 * 1024;

/// The minimum by which the memory for a head grows, in bytes.
const SMALLEST_STEP: usize = 128;
const BIGGEST_STEP: usize = 1024;

/// Makes a checked request of bytes that come in pieces of any size.
///
/// It owns no memory before the first byte, and never more than the limit for the head. After the
/// request or a refusal it must not be used again.
#[derive(Debug)]
pub(crate) struct HeadReader {
    limits: HeadLimits,
    head: Vec<u8>,
    /// Where the line that is being read begins.
    line_start: usize,
    /// The first line, when it has been read.
    request_line: Option<RequestLine>,
    /// How many header lines have been read.
    headers: usize,
    /// Whether an empty line preceded the request line.
    had_empty_line: bool,
    /// Which of the usual headers have been read, which are not kept.
    usual: UsualHeaders,
    /// How many bytes of them were dropped.
    dropped: usize,
    rules: RequestRules,
    /// Where the value of the key begins; 0 before it has been read.
    key_place: usize,
    /// Whether requests for pages are read, too.
    takes_pages: bool,
    /// The form of the first line, if only a request for a page has it.
    page_line: Option<PageLine>,
    /// The request for a page, which is refused as a handshake.
    page: Option<Box<PageRequest>>,
}

impl HeadReader {
    /// Makes a reader that has read nothing.
    pub(crate) fn new(limits: HeadLimits) -> Self {
        Self {
            limits,
            head: Vec::new(),
            line_start: 0,
            request_line: None,
            headers: 0,
            had_empty_line: false,
            usual: UsualHeaders::default(),
            dropped: 0,
            rules: RequestRules::default(),
            key_place: 0,
            takes_pages: false,
            page_line: None,
            page: None,
        }
    }

    /// The same for a server with pages, whose requests [`take_page`](Self::take_page) returns.
    pub(crate) fn with_pages(limits: HeadLimits) -> Self {
        Self { takes_pages: true, ..Self::new(limits) }
    }

    /// Returns the request for a page, after it was refused as a handshake.
    pub(crate) fn take_page(&mut self) -> Option<Box<PageRequest>> {
        self.page.take()
    }

    /// Reads more, and returns the request once it is complete.
    ///
    /// The bytes behind it are the first frames of a client that does not wait for the answer.
    ///
    /// # Errors
    ///
    /// The reason to refuse the request, as soon as it is certain.
    pub(crate) fn read<'b>(
        &mut self,
        bytes: &'b [u8],
    ) -> Result<Option<(HandshakeRequest, &'b [u8])>, Refusal> {
        if bytes.is_empty() || self.head.capacity() > 0 {
            return self.read_pieces(bytes);
        }
        // Most heads arrive in one piece, and need no memory of their own.
        self.head = spare_buffer::take();
        let outcome = self.read_pieces(bytes);
        let is_complete = !matches!(outcome, Ok(None));
        let own = if is_complete { Vec::new() } else { self.head.as_slice().to_vec() };
        spare_buffer::put(mem::replace(&mut self.head, own));
        outcome
    }

    fn read_pieces<'b>(
        &mut self,
        mut bytes: &'b [u8],
    ) -> Result<Option<(HandshakeRequest, &'b [u8])>, Refusal> {
        while !bytes.is_empty() {
            if let Some(rest) = self.read_usual_line(bytes) {
                bytes = rest;
                continue;
            }
            let length = match self.read_text(bytes) {
                0 => self.read_bytes(bytes)?,
                length => length,
            };
            let rest = bytes.get(length..).unwrap_or_default();
            if self.head.last() == Some(&b'\n')
                && let Some(request) = self.end_line()?
            {
                return Ok(Some((request, rest)));
            }
            bytes = rest;
        }
        Ok(None)
    }

    /// Reads a usual header line, which is not kept; returns the bytes behind it.
    ///
    /// None if the bytes begin with another line, with a part of one, or exceed a limit: they are
    /// then read in the general way.
    fn read_usual_line<'b>(&mut self, bytes: &'b [u8]) -> Option<&'b [u8]> {
        let is_header = self.request_line.is_some() && self.line_start == self.head.len();
        let mut usual = self.usual;
        let (place, length) = if is_header { usual.add_first(bytes)? } else { return None };
        let is_allowed = self.headers < self.limits.headers
            && length - "\r\n".len() <= self.limits.header_line
            && self.size() + length <= self.limits.head;
        if !is_allowed {
            return None;
        }
        self.usual = usual;
        self.rules.note_usual(place);
        self.headers += 1;
        self.dropped += length;
        bytes.get(length..)
    }

    /// Reads the text at the beginning of the bytes, and the line end behind it.
    ///
    /// Returns how many bytes that were; 0 when they have to be checked one by one, as most lines
    /// need not be.
    fn read_text(&mut self, bytes: &[u8]) -> usize {
        let text = grammar::leading_text(bytes);
        let is_line = bytes.get(text..).unwrap_or_default().starts_with(b"\r\n");
        let length = if is_line { text + "\r\n".len() } else { text };
        let has_room = self.size() + length <= self.limits.head;
        if !has_room || self.head.last() == Some(&b'\r') || !self.may_follow(bytes, text) {
            return 0;
        }
        self.append(bytes.get(..length).unwrap_or_default(), bytes.len());
        length
    }

    /// Returns whether so much text may follow in the line that is being read.
    fn may_follow(&self, bytes: &[u8], text: usize) -> bool {
        let line_length = self.head.len() - self.line_start;
        if self.request_line.is_none() {
            return line_length + text <= self.limits.request_line;
        }
        let begins_well = || bytes.first() != Some(&b' ') && self.headers < self.limits.headers;
        line_length + text <= self.limits.header_line
            && (line_length > 0 || text == 0 || begins_well())
    }

    /// Reads bytes one by one up to the end of the line; returns how many that were.
    fn read_bytes(&mut self, bytes: &[u8]) -> Result<usize, Refusal> {
        for (place, byte) in bytes.iter().enumerate() {
            self.check(*byte)?;
            self.append(&[*byte], bytes.len() - place);
            if *byte == b'\n' {
                return Ok(place + 1);
            }
        }
        Ok(bytes.len())
    }

    /// Appends checked bytes, the first of `needed` ones.
    fn append(&mut self, mut bytes: &[u8], mut needed: usize) {
        while !bytes.is_empty() {
            if self.head.len() == self.head.capacity() {
                self.make_room(needed);
            }
            let room = self.head.capacity() - self.head.len();
            let (part, rest) = bytes.split_at(room.min(bytes.len()));
            self.head.extend_from_slice(part);
            (bytes, needed) = (rest, needed - part.len());
        }
    }

    /// Returns how many bytes of the head have been read.
    fn size(&self) -> usize {
        self.head.len() + self.dropped
    }

    /// Reserves memory for some of `needed` bytes, and little more.
    ///
    /// Incomplete heads may be many. It grows by an eighth at least, so that the cost stays linear.
    fn make_room(&mut self, needed: usize) {
        let length = self.head.len();
        let eighth = (length / 8).next_multiple_of(SMALLEST_STEP);
        let step = needed.clamp(SMALLEST_STEP, BIGGEST_STEP).max(eighth);
        self.head.reserve_exact(step.min(self.limits.head.saturating_sub(self.size())));
    }

    /// Returns how many bytes of memory the reader owns.
    #[cfg(any(test, fuzzing))]
    pub(crate) fn buffer_size(&self) -> usize {
        self.head.capacity()
    }

    /// Checks whether a byte may follow those that have been read.
    fn check(&self, byte: u8) -> Result<(), Refusal> {
        if self.size() >= self.limits.head {
            return Err(Refusal::HeadersTooLarge("the head of the request is too long"));
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
            self.check_in_request_line(byte, line_length)
        } else {
            self.check_in_header(byte, line_length)
        }
    }

    fn check_in_request_line(&self, byte: u8, line_length: usize) -> Result<(), Refusal> {
        // RFC 3986 §2 has no such bytes in a URL, but some clients send UTF-8 there, and Qt takes it.
        let may_be_utf_8 = byte >= 0x80 && self.head.starts_with(b"GET ");
        if !matches!(byte, b' '..=b'~') && !may_be_utf_8 {
            return Err(Refusal::BadRequest(
                "the request line contains a byte that is not printable",
            ));
        }
        if line_length >= self.limits.request_line {
            return Err(Refusal::RequestLineTooLong);
        }
        Ok(())
    }

    fn check_in_header(&self, byte: u8, line_length: usize) -> Result<(), Refusal> {
        if line_length == 0 {
            // RFC 9112 §2.2 (before the first header) and §5.2 (folded lines).
            if matches!(byte, b' ' | b'\t') {
                return Err(Refusal::BadRequest("a header line begins with white space"));
            }
            if self.headers >= self.limits.headers {
                return Err(Refusal::HeadersTooLarge("the request has too many headers"));
            }
        }
        if grammar::is_control(byte) {
            return Err(Refusal::BadRequest("a header contains a control character"));
        }
        if line_length >= self.limits.header_line {
            return Err(Refusal::HeadersTooLarge("a header of the request is too long"));
        }
        Ok(())
    }

    /// Checks the headers of a complete request.
    fn check_rules(&self, request: &HandshakeRequest) -> Result<(), Refusal> {
        match self.page_line {
            None => self.rules.check(request),
            Some(line) => self.rules.check_page(line),
        }
    }

    /// Keeps the request for a page; returns the refusal of a server without pages.
    fn keep_page(&mut self, request: HandshakeRequest) -> Refusal {
        let line = self.page_line;
        let refusal = line.map_or(Refusal::UpgradeRequired, PageLine::refusal);
        let is_head = line.is_some_and(|line| line.is_head);
        self.page = Some(Box::new(PageRequest { request, is_head, refusal: refusal.clone() }));
        refusal
    }

    /// Ends a line after its LF; the empty one ends the head.
    fn end_line(&mut self) -> Result<Option<HandshakeRequest>, Refusal> {
        let line = self.head.get(self.line_start..).unwrap_or_default();
        let line = line.strip_suffix(b"\r\n").unwrap_or_default();
        match self.request_line {
            // RFC 9112 §2.2: one empty line before the request line is ignored.
            None if line.is_empty() && !self.had_empty_line => {
                self.had_empty_line = true;
                self.head.clear();
                return Ok(None);
            }
            None => {
                let line = std::str::from_utf8(line)
                    .map_err(|_| Refusal::BadRequest("the request target is not UTF-8"))?;
                if line.is_ascii() {
                    let parsed = parse_line(line, self.takes_pages)?;
                    (self.request_line, self.page_line) = (Some(parsed.0), parsed.1);
                } else {
                    let line = url::encode_non_ascii(line);
                    if line.len() + "\r\n".len() > self.limits.head {
                        return Err(Refusal::RequestLineTooLong);
                    }
                    let parsed = parse_line(&line, self.takes_pages)?;
                    (self.request_line, self.page_line) = (Some(parsed.0), parsed.1);
                    self.head = Vec::with_capacity(line.len() + 2);
                    self.head.extend_from_slice(line.as_bytes());
                    self.head.extend_from_slice(b"\r\n");
                }
            }
            Some(request_line) if line.is_empty() => {
                self.head.truncate(self.line_start);
                self.rules.add_noted(&mut self.usual);
                let (head, usual) = (&mut self.head, self.usual);
                let request = HandshakeRequest::new(head, request_line, usual, self.key_place);
                return match self.check_rules(&request) {
                    Ok(()) => Ok(Some(request)),
                    Err(Refusal::UpgradeRequired) if self.takes_pages => {
                        Err(self.keep_page(request))
                    }
                    Err(refusal) => Err(refusal),
                };
            }
            Some(_) => {
                self.headers += 1;
                if let Some((name, value)) = self.usual.add(line) {
                    self.rules.note(name.as_bytes(), value.as_bytes());
                    self.dropped += self.head.len() - self.line_start;
                    self.head.truncate(self.line_start);
                } else {
                    let (name, value) = split_header(line)?;
                    self.rules.note(name, value);
                    if self.key_place == 0 && self.rules.has_key() {
                        // The value is a part of the head.
                        self.key_place = value.as_ptr().addr() - self.head.as_ptr().addr();
                    }
                }
            }
        }
        self.line_start = self.head.len();
        Ok(None)
    }
}

/// Parses a request line, which may be one of a page if the server has pages.
fn parse_line(line: &str, takes_pages: bool) -> Result<(RequestLine, Option<PageLine>), Refusal> {
    if takes_pages {
        return RequestLine::parse_page(line);
    }
    Ok((RequestLine::parse(line)?, None))
}

/// Splits a header line into its name and its value.
fn split_header(line: &[u8]) -> Result<(&[u8], &[u8]), Refusal> {
    let (name, rest) = line.split_at(grammar::leading_token(line));
    match rest.strip_prefix(b":") {
        Some(value) if !name.is_empty() => Ok((name, grammar::trim(value))),
        _ => Err(malformed_header(line)),
    }
}

/// Returns what is wrong with a header line.
#[cold]
fn malformed_header(line: &[u8]) -> Refusal {
    let reason = match grammar::split_header(line) {
        None => "a header line has no colon",
        Some((b"", _)) => "a header has no name",
        // RFC 9112 §5.1: a space here has let requests pass under a proxy's checks.
        Some(([.., b' ' | b'\t'], _)) => "white space precedes the colon of a header",
        Some(_) => "the name of a header is not a token",
    };
    Refusal::BadRequest(reason)
}

#[cfg(test)]
mod tests;
