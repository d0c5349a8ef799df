//! How lines are read, what they may contain, and where the limits are.

use crate::protocol::handshake::refusal::Refusal;
use crate::protocol::handshake::request_head::{HeadLimits, HeadReader, MAX_REQUEST_LINE};

use crate::testing::requests::{HEAD, head_and, head_with, outcome, refusal, request};
use crate::testing::requests::{check_written_again, read, read_with};

/// The default ones.
const LIMITS: HeadLimits =
    HeadLimits { request_line: 8 * 1024, header_line: 16 * 1024, headers: 100, head: 32 * 1024 };

/// Checks that the bytes are refused with this status at the last of them, and not before.
fn assert_refused_at_the_last_byte(status: u16, bytes: &[u8]) {
    let (_, before) = bytes.split_last().unwrap();
    let shown = String::from_utf8_lossy(&bytes[..bytes.len().min(60)]);

    assert_eq!(outcome(before), Ok(None), "before the last byte of {shown:?}");
    assert_eq!(outcome(bytes).unwrap_err().status(), status, "{shown:?}");
}

/// Returns header lines that are this long together.
fn padding(length: usize) -> String {
    let line = |length: usize| format!("P:{}\r\n", "p".repeat(length - "P:\r\n".len()));

    // The last line is the longest, so that it has room for name and colon.
    line(2000).repeat(length / 2000 - 1) + &line(2000 + length % 2000)
}

/// RFC 6455 §4.2.1: an honest peer may cut its request where it likes.
#[test]
fn every_beginning_of_a_valid_head_is_waited_for() {
    for end in 0..HEAD.len() {
        assert_eq!(read(&mut [&HEAD.as_bytes()[..end]].into_iter()), Ok(None), "{end}");
    }
    assert_eq!(request(HEAD).host(), "foo.com");
}

/// RFC 6455 §4.1: a client that sends frames before the answer came is rash, but they are its.
#[test]
fn what_follows_the_head_is_left_over() {
    for frames in [&b"\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58"[..], b"\r\n\r\n", &[0; 300]] {
        let (request, leftover) = outcome(&[HEAD.as_bytes(), frames].concat()).unwrap().unwrap();

        assert_eq!(request.resource_name(), "/chat");
        assert_eq!(leftover, frames);
    }
}

/// RFC 9112 §2.2.
#[test]
fn one_empty_line_may_precede_the_request_line() {
    assert_eq!(request(&format!("\r\n{HEAD}")), request(HEAD));
    assert_refused_at_the_last_byte(400, b"\r\n\r\n");
    assert_refused_at_the_last_byte(400, b"\n");
    assert_refused_at_the_last_byte(400, b"\rG");
    assert_refused_at_the_last_byte(400, b"  \r\n");
}

/// RFC 9112 §2.2 and §5, RFC 9110 §5.5. Qt waits for the rest of a line ended by LF (HSR-13).
#[test]
fn bytes_that_no_head_contains_are_refused_at_once() {
    for bytes in [
        // Within the request line.
        &b"GET / HTTP/1.1\n"[..],
        b"GET / HTTP/1.1\r\r",
        b"GET / HTTP/1.1\rH",
        b"V R\0",
        b"\0",
        b"GET /\t",
        b"GET /\x7f",
        b"\xff",
        b"GE\xc3",
        b"HEAD /\xc3",
        // A TLS client at a port without TLS.
        b"\x16",
        // Within a header.
        b"GET / HTTP/1.1\r\nHost: foo.com\n",
        b"GET / HTTP/1.1\r\nHost: foo.com\rU",
        b"GET / HTTP/1.1\r\nHost: foo.com\r\0",
        b"GET / HTTP/1.1\r\nHost: foo.com\0",
        b"GET / HTTP/1.1\r\nHost: foo.com\x0b",
        b"GET / HTTP/1.1\r\nHost: foo.com\x1b",
        b"GET / HTTP/1.1\r\nHost: foo.com\x7f",
        b"GET / HTTP/1.1\r\nHo\0",
        // In the place of a header line.
        b"GET / HTTP/1.1\r\n ",
        b"GET / HTTP/1.1\r\n\t",
        b"GET / HTTP/1.1\r\n\n",
        b"GET / HTTP/1.1\r\nHost: foo.com\r\n ",
        b"GET / HTTP/1.1\r\nHost: foo.com\r\n\t",
        b"GET / HTTP/1.1\r\nHost: foo.com\r\n\r\r",
    ] {
        assert_refused_at_the_last_byte(400, bytes);
    }
}

/// RFC 9112 §3 and §5: a line is judged when its LF comes. Qt: HSR-02 and HSR-10.
#[test]
fn a_wrong_line_is_refused_at_its_end() {
    for (status, bytes) in [
        (400, "foofoofoo\r\n"),
        (400, "VERB RESOURCE PROTOCOL\r\n"),
        (400, "GET . HTTP/1.1\r\n"),
        (400, "GET /\u{e9} HTTP/1.1 \u{e9}\r\n"),
        (400, "GET / HTTP/1.1\u{e9}\r\n"),
        (405, "POST / HTTP/1.1\r\n"),
        (405, "XXX / HTTP/1.1\r\n"),
        (505, "GET / HTTP/1.0\r\n"),
        (505, "GET / HTTP/2.0\r\n"),
        (400, "GET / HTTP/1.1\r\nHost foo.com\r\n"),
        (400, "GET / HTTP/1.1\r\n: foo.com\r\n"),
        (400, "GET / HTTP/1.1\r\nHost : foo.com\r\n"),
        (400, "GET / HTTP/1.1\r\nHost\t: foo.com\r\n"),
        (400, "GET / HTTP/1.1\r\nHo st: foo.com\r\n"),
        (400, "GET / HTTP/1.1\r\n(Host): foo.com\r\n"),
        (400, "GET / HTTP/1.1\r\nH\u{f6}st: foo.com\r\n"),
    ] {
        assert_refused_at_the_last_byte(status, bytes.as_bytes());
    }
}

/// The first three are Qt's HSR-02; its other rows are in the tests above and of the rules.
#[test]
fn the_refusal_says_what_is_wrong_with_the_line() {
    let table = [
        ("Host: foo.com\r\n".to_owned(), " Host: foo.com\r\n", "begins with white space"),
        ("Host: foo.com".to_owned(), "Host foo.com", "no colon"),
        ("GET /chat".to_owned(), "V R\0", "not printable"),
        ("Upgrade: websocket".to_owned(), "X:\r\n\tfolded", "begins with white space"),
        ("Upgrade".to_owned(), "Upgrade ", "white space precedes"),
        ("Upgrade".to_owned(), "Up[grade", "not a token"),
        ("Upgrade".to_owned(), "", "no name"),
        ("websocket".to_owned(), "web\x08socket", "control character"),
        ("websocket\r\n".to_owned(), "websocket\n", "CR LF"),
    ];

    for (part, replacement, reason) in table {
        let refusal = refusal(&head_with(&part, replacement));
        assert!(refusal.to_string().contains(reason), "{refusal} for {replacement:?}");
    }
}

/// RFC 9110 §5.5 and RFC 9112 §5. Qt: HSR-05, without its folded line (see above).
#[test]
fn values_may_have_tabs_old_bytes_and_white_space_around_them() {
    let head = head_and("A:\t x\ty \t\r\nB:\r\nC:: :\r\nD: caf\u{e9}").replace(": foo", ":foo");
    let request = request(&head);

    assert_eq!(request.raw_header("a"), Some(&b"x\ty"[..]));
    assert_eq!(request.raw_header("b"), Some(&b""[..]));
    assert_eq!(request.raw_header("c"), Some(&b": :"[..]));
    assert_eq!(request.raw_header("d"), Some("caf\u{e9}".as_bytes()));
    assert_eq!(request.host(), "foo.com");
}

/// RFC 3986 §2.1; the limit counts what is sent, and what it becomes fits.
#[test]
fn utf_8_in_the_target_is_encoded() {
    let head = |target: &str| head_with("/chat", target);
    for (target, resource) in [
        ("/\u{e9}?\u{1F600}=%41", "/%C3%A9?%F0%9F%98%80=%41"),
        ("ws://b\u{fc}.example?\u{e9}", "/?%C3%A9"),
    ] {
        assert_eq!(request(&head(target)).resource_name(), resource);
    }
    assert_eq!(request(&head("ws://b\u{fc}.example/")).host(), "b%C3%BC.example");
    for invalid in [&b"GET /\xc3 HTTP/1.1\r\n"[..], b"GET /\xed\xa0\x80 HTTP/1.1\r\n"] {
        assert_refused_at_the_last_byte(400, invalid);
    }
    let most = (LIMITS.request_line - "GET / HTTP/1.1".len()) / 2;
    let longest = request(&head(&format!("/{}", "\u{e9}".repeat(most))));
    assert_eq!(longest.resource_name().len(), 1 + 6 * most);
    // Encoded, it would exceed the limit for the head, or 16 bits.
    let limits = HeadLimits { head: 6 * most, ..LIMITS };
    let mut reader = HeadReader::new(limits);
    let too_long = head(&format!("/{}", "\u{e9}".repeat(most)));
    assert_eq!(reader.read(too_long.as_bytes()).unwrap_err(), Refusal::RequestLineTooLong);
    assert!(reader.buffer_size() <= limits.head);
    let limits = HeadLimits { request_line: MAX_REQUEST_LINE, head: 1 << 20, ..LIMITS };
    let endless = head(&format!("/{}", "\u{e9}".repeat(16_000)));
    let refusal = read_with(limits, &mut [endless.as_bytes()].into_iter()).unwrap_err();
    assert_eq!(refusal.status(), 414);
}

/// Each limit can be another one; the default ones are tested below.
#[test]
fn limits_can_be_set() {
    let limits = HeadLimits { request_line: 20, header_line: 50, headers: 6, head: 250 };
    let status = |head: &str| match read_with(limits, &mut [head.as_bytes()].into_iter()) {
        Ok(request) => request.map_or(0, |_| 101),
        Err(refusal) => refusal.status(),
    };
    let header = |length: usize| head_and(&format!("{:x<length$}", "X: "));

    for (head, expected) in [
        (HEAD.to_owned(), 101),
        (head_with("/chat", "/chat12"), 101),
        (head_with("/chat", "/chat123"), 414),
        (header(50), 101),
        (header(51), 431),
        (head_and("X: y"), 101),
        (head_and("X: y\r\nX: y"), 431),
        (header(50).replace("foo.com", &"f".repeat(44)), 101),
        (header(50).replace("foo.com", &"f".repeat(45)).replace("/chat", "/chat12"), 431),
    ] {
        assert_eq!(status(&head), expected, "{} {head}", head.len());
    }
}

/// OPEN-02: 414 comes with the first byte over 8 KiB.
#[test]
fn the_request_line_is_limited() {
    let line = |length: usize| {
        let path = "a".repeat(length - "GET / HTTP/1.1".len());
        format!("GET /{path} HTTP/1.1")
    };

    let longest = request(&head_with("GET /chat HTTP/1.1", &line(LIMITS.request_line)));
    assert_eq!(longest.resource_name().len(), LIMITS.request_line - "GET  HTTP/1.1".len());
    assert_refused_at_the_last_byte(414, line(LIMITS.request_line + 1).as_bytes());
    assert_refused_at_the_last_byte(414, "a".repeat(LIMITS.request_line + 1).as_bytes());
}

/// 431 comes with the first byte too many. Qt: HSR-07, with the same numbers.
#[test]
fn each_header_line_is_limited() {
    let line = |length: usize| format!("X: {}", "x".repeat(length - 3));
    let start = "GET / HTTP/1.1\r\n";

    let longest = request(&head_and(&line(LIMITS.header_line)));
    assert_eq!(longest.raw_header("X").map(<[u8]>::len), Some(LIMITS.header_line - 3));
    assert_refused_at_the_last_byte(
        431,
        format!("{start}{}", line(LIMITS.header_line + 1)).as_bytes(),
    );
    assert_refused_at_the_last_byte(
        431,
        format!("{start}{}", "x".repeat(LIMITS.header_line + 1)).as_bytes(),
    );
}

/// Qt: HSR-07; the request line does not count.
#[test]
fn the_number_of_headers_is_limited() {
    let there = request(HEAD).raw_headers().count();
    let most = head_and("X: y\r\n".repeat(LIMITS.headers - there).trim_end());

    assert_eq!(request(&most).raw_headers().count(), LIMITS.headers);
    let lines = most.strip_suffix("\r\n").unwrap();
    assert_refused_at_the_last_byte(431, format!("{lines}X").as_bytes());
}

/// The empty line that ends the head counts, one before the request line does not.
#[test]
fn the_whole_head_is_limited() {
    let of_length = |length: usize| {
        let padding = padding(length - HEAD.len());
        head_with("\r\n\r\n", &format!("\r\n{padding}\r\n"))
    };

    let longest = of_length(LIMITS.head);
    assert_eq!(longest.len(), LIMITS.head);
    assert_eq!(request(&longest).host(), "foo.com");
    assert_eq!(request(&format!("\r\n{longest}")).host(), "foo.com");
    assert_refused_at_the_last_byte(431, of_length(LIMITS.head + 1).as_bytes());
}

/// A header line that nearly all requests have counts as any other one.
#[test]
fn usual_lines_do_not_evade_the_limits() {
    let head = "GET / HTTP/1.1\r\nX: y\r\nUpgrade: websocket\r\n";
    let exact = HeadLimits { request_line: 14, header_line: 18, headers: 2, head: head.len() };
    let read = |limits| read_with(limits, &mut [head.as_bytes()].into_iter());

    assert!(matches!(read(exact), Ok(None)));
    for limits in [
        HeadLimits { header_line: exact.header_line - 1, ..exact },
        HeadLimits { headers: exact.headers - 1, ..exact },
        HeadLimits { head: exact.head - 1, ..exact },
    ] {
        assert_eq!(read(limits).unwrap_err().status(), 431, "{limits:?}");
    }
}

/// OPEN-02: never buffered beyond the limit, however much is sent and in whatever pieces.
#[test]
fn nothing_is_buffered_beyond_the_limits() {
    assert_eq!(HeadReader::new(LIMITS).buffer_size(), 0);

    let start = b"GET / HTTP/1.1\r\n".to_vec();
    for (endless, limit) in [
        (b"a".repeat(1 << 20), LIMITS.request_line),
        ([start.clone(), b"a".repeat(1 << 20)].concat(), 2 * LIMITS.header_line),
        ([start.clone(), b"a:b\r\n".repeat(1 << 18)].concat(), LIMITS.request_line),
        ([start, padding(1 << 20).into_bytes()].concat(), LIMITS.head),
    ] {
        let mut reader = HeadReader::new(LIMITS);
        reader.read(&endless).unwrap_err();
        assert!(reader.buffer_size() <= limit, "{} of {limit}", reader.buffer_size());
    }
}

/// Whatever is changed in a head: no panic, the same answer for all ways to cut it, bounded
/// memory (see [`read`]), an HTTP answer for each refusal, and what passes is still a request.
#[test]
fn random_changes_never_confuse_the_reader() {
    let rich = head_and(
        "Origin: http://foo.com\r\nSec-WebSocket-Protocol: chat, superchat\r\n\
         Sec-WebSocket-Extensions: permessage-deflate\r\nCookie: a=b; c=d\r\nContent-Length: 0",
    );
    let absolute = rich.replace("GET /chat", "GET ws://[::1]:80?x=1");
    let mut random = Random(0x5EED);
    let mut accepted = 0;

    for round in 0..8000 {
        let mut head = if round % 2 == 0 { rich.clone() } else { absolute.clone() }.into_bytes();
        for _ in 0..=random.below(3) {
            random.change(&mut head);
        }

        let whole = read(&mut [&head[..]].into_iter());
        let size = 1 + random.below(40);
        assert_eq!(read(&mut head.chunks(size)), whole, "{}", String::from_utf8_lossy(&head));
        match whole {
            Ok(Some((found, _))) => {
                accepted += 1;
                check_written_again(&found);
            }
            Ok(None) => {}
            Err(refusal) => assert!(refusal.response("").starts_with(b"HTTP/1.1 ")),
        }
    }

    assert!((800..7200).contains(&accepted), "{accepted} accepted: the changes test nothing");
}

/// A small generator of numbers that look random and are the same in each run (xorshift).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.next() >> 33).unwrap() % limit
    }

    fn change(&mut self, bytes: &mut Vec<u8>) {
        const PIECES: [&[u8]; 12] = [
            b"\r",
            b"\n",
            b"\r\n",
            b"\0",
            b" ",
            b"\t",
            b":",
            b",",
            b"/",
            b"\xff",
            b"a",
            b"\r\n\r\n",
        ];

        let place = self.below(bytes.len());
        let end = place + self.below(bytes.len() - place).min(30);
        match self.below(6) {
            0 => bytes[place] = self.next().to_le_bytes()[0],
            1 => drop(bytes.splice(place..place, PIECES[self.below(PIECES.len())].iter().copied())),
            2 => drop(bytes.drain(place..end)),
            3 => bytes.extend_from_within(place..end),
            4 => {
                let copy = bytes[place..end].to_vec();
                let target = self.below(bytes.len());
                drop(bytes.splice(target..target, copy));
            }
            _ => bytes[place] ^= 0x20,
        }
    }
}
