//! The part of a request that an open connection keeps: a shared head, and the key.
//!
//! The heads of clients of one kind differ in `Sec-WebSocket-Key` alone, so a server's connections
//! share a head that is equal but for the key. A client with cookies or tokens has a head of its
//! own, which takes some 30 bytes more than the text alone.

use std::num::NonZeroU16;
use std::sync::{Arc, Weak};

use data_encoding::BASE64;

use crate::protocol::handshake::request::{HandshakeRequest, KEY_LENGTH, UsualHeaders};
use crate::protocol::handshake::request_line::RequestLine;

/// The request of an open connection, in little memory.
#[derive(Default)]
pub(crate) struct KeptRequest {
    head: Arc<Head>,
    /// The decoded key; zeros if it is in the head.
    key: [u8; KEY_SIZE],
}

/// The heads of a server's latest clients, as far as those are connected.
#[derive(Default)]
pub(crate) struct SharedHeads {
    latest: [Weak<Head>; LATEST],
    oldest: usize,
}

/// The head of a request, without the value of the key.
#[derive(Default)]
struct Head {
    text: Box<[u8]>,
    request_line: RequestLine,
    usual: UsualHeaders,
    /// Where the value of the key belongs; `None` if it is in the text.
    key_place: Option<NonZeroU16>,
}

/// A request in parts: the text around the value of the key, and the decoded key.
struct Parts<'r> {
    before: &'r [u8],
    behind: &'r [u8],
    /// Where the value belongs; `None` if it is in the text.
    key_place: Option<NonZeroU16>,
    key: [u8; KEY_SIZE],
    request: &'r HandshakeRequest,
}

impl SharedHeads {
    /// Returns the form of a request in which its connection keeps it.
    pub(crate) fn keep(&mut self, request: &HandshakeRequest) -> KeptRequest {
        let parts = Parts::of(request);
        KeptRequest { head: self.share(&parts), key: parts.key }
    }

    /// Returns the same head of another connection, or else adds this one.
    fn share(&mut self, parts: &Parts<'_>) -> Arc<Head> {
        if parts.text_len() > MAX_SHARED_SIZE {
            return Arc::new(parts.head());
        }
        let mut latest = self.latest.iter().filter_map(Weak::upgrade);
        latest.find(|latest| parts.are_of(latest)).unwrap_or_else(|| {
            let head = Arc::new(parts.head());
            if let Some(oldest) = self.latest.get_mut(self.oldest) {
                *oldest = Arc::downgrade(&head);
            }
            self.oldest = (self.oldest + 1) % LATEST;
            head
        })
    }
}

impl KeptRequest {
    /// Returns the request, which this allocates.
    pub(crate) fn request(&self) -> HandshakeRequest {
        let Head { text, request_line, usual, key_place } = &*self.head;
        let place = key_place.map(|place| usize::from(place.get()));
        let head = match place.and_then(|place| text.split_at_checked(place)) {
            Some((before, behind)) => {
                let mut key = [0; KEY_LENGTH];
                BASE64.encode_mut(&self.key, &mut key);
                [before, &key, behind].concat().into()
            }
            None => Arc::from(&**text),
        };
        HandshakeRequest { head, request_line: *request_line, usual: *usual, key_place: *key_place }
    }
}

impl<'r> Parts<'r> {
    /// Splits the head of a request into what is not the key, and the key.
    ///
    /// A key that is not the encoding of 16 bytes to the letter stays in the head: RFC 6455 leaves
    /// the last four bits of the digits to the client.
    fn of(request: &'r HandshakeRequest) -> Self {
        let whole = Self {
            before: &request.head,
            behind: &[],
            key_place: None,
            key: [0; KEY_SIZE],
            request,
        };
        Self::around_key(request).unwrap_or(whole)
    }

    fn around_key(request: &'r HandshakeRequest) -> Option<Self> {
        let key_place = request.key_place?;
        let (before, rest) = request.head.split_at_checked(usize::from(key_place.get()))?;
        let (value, behind) = rest.split_at_checked(KEY_LENGTH)?;
        let mut decoded = [0; KEY_LENGTH / 4 * 3];
        let length = BASE64.decode_mut(value, &mut decoded).ok()?;
        let key = *decoded.first_chunk().filter(|_| length == KEY_SIZE)?;
        Some(Self { before, behind, key_place: Some(key_place), key, request })
    }

    /// Returns whether this is the head of the request, but for the key.
    fn are_of(&self, head: &Head) -> bool {
        let HandshakeRequest { request_line, usual, .. } = self.request;
        head.text.len() == self.text_len()
            && head.text.starts_with(self.before)
            && head.text.ends_with(self.behind)
            && (head.request_line, head.usual) == (*request_line, *usual)
            && head.key_place == self.key_place
    }

    fn head(&self) -> Head {
        let HandshakeRequest { request_line, usual, .. } = *self.request;
        let text = [self.before, self.behind].concat().into();
        Head { text, request_line, usual, key_place: self.key_place }
    }

    fn text_len(&self) -> usize {
        self.before.len() + self.behind.len()
    }
}

/// The size of a decoded key in bytes (RFC 6455 §4.1).
const KEY_SIZE: usize = 16;
/// The number of heads with which a new one is compared.
const LATEST: usize = 4;
/// The maximum size of a head that is shared; longer ones have cookies or tokens.
const MAX_SHARED_SIZE: usize = 1024;

const _: () = assert!(size_of::<KeptRequest>() <= 24 && size_of::<Head>() <= 32);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::requests::{HEAD, head_and, request};

    /// RFC 6455 §4.1 leaves the last four bits of the key's digits to the client.
    const ODD_KEY: (&str, &str) = ("dGhlIHNhbXBsZSBub25jZQ==", "dGhlIHNhbXBsZSBub25jZR==");

    #[test]
    fn a_request_is_the_same_after_it_was_kept() {
        let heads = [
            HEAD.to_owned(),
            head_and("Cookie: a=b\r\nX-Key: dGhlIHNhbXBsZSBub25jZQ=="),
            HEAD.replace("Sec-WebSocket-Key", "sec-websocket-KEY"),
            HEAD.replace(ODD_KEY.0, ODD_KEY.1),
            HEAD.replace("GET /chat", "GET ws://bar.net?x=1"),
        ];

        for head in &heads {
            let (request, mut shared) = (request(head), SharedHeads::default());
            let (kept, again) = (shared.keep(&request), shared.keep(&request));

            assert!(kept.request() == request, "{head}");
            assert!(again.request() == request && Arc::ptr_eq(&kept.head, &again.head), "{head}");
        }
        assert!(
            SharedHeads::default().keep(&HandshakeRequest::default()).request().key().is_empty()
        );
    }

    #[test]
    fn connections_share_a_head_that_is_equal_but_for_the_key() {
        let mut shared = SharedHeads::default();
        let other = request(&HEAD.replace(ODD_KEY.0, "AQIDBAUGBwgJCgsMDQ4PEA=="));

        let (first, second) = (shared.keep(&request(HEAD)), shared.keep(&other));
        let third = shared.keep(&request(&head_and("Cookie: a=b")));

        assert!(Arc::ptr_eq(&first.head, &second.head));
        assert!(!Arc::ptr_eq(&first.head, &third.head));
        assert_eq!(second.request().key(), b"AQIDBAUGBwgJCgsMDQ4PEA==");
    }

    #[test]
    fn the_heads_of_connections_that_have_ended_are_freed() {
        let mut shared = SharedHeads::default();

        let kept = shared.keep(&request(HEAD));
        let weak = Arc::downgrade(&kept.head);
        drop(kept);

        assert_eq!(weak.strong_count(), 0);
        for number in 0..2 * LATEST {
            drop(shared.keep(&request(&head_and(&format!("Cookie: {number}")))));
        }
        let long = request(&head_and(&format!("Cookie: {}", "x".repeat(MAX_SHARED_SIZE))));
        assert!(!Arc::ptr_eq(&shared.keep(&long).head, &shared.keep(&long).head));
    }
}
