//! The outbox: what waits to be sent to the other nodes.

use std::collections::VecDeque;
use std::mem;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use async_nats::{HeaderMap, Subject};
use bytes::Bytes;
use slotwork::{MessageKind, PreparedMessage};
use tokio::sync::Notify;

/// The messages that are not with the client yet.
///
/// Any thread pushes, and never waits: over the bound the oldest messages are dropped.
#[derive(Default)]
pub(crate) struct Outbox {
    waiting: Mutex<Waiting>,
    /// How many the sending task has taken and not handed to the client.
    ///
    /// Set under the lock, and lowered without it, message by message.
    in_hand: AtomicUsize,
    /// Wakes the task that sends: there are messages, or they may be sent now.
    pub(crate) wake_up: Notify,
}

#[derive(Default)]
struct Waiting {
    messages: VecDeque<Outgoing>,
    /// The sum of their payloads.
    bytes: usize,
    /// How many messages were not sent when the outbox was closed.
    unsent: Option<usize>,
}

/// A message for the other nodes.
pub(crate) struct Outgoing {
    pub(crate) subject: Subject,
    pub(crate) payload: Bytes,
    pub(crate) kind: MessageKind,
    /// When a kept message was published; it travels as the age.
    pub(crate) since: Option<Instant>,
}

impl Outbox {
    /// Puts a message at the end; returns how many others were dropped for it.
    ///
    /// The caller wakes the task that sends.
    pub(crate) fn push(&self, message: Outgoing) -> u64 {
        let mut dropped = Vec::new();
        let mut waiting = self.lock();
        if waiting.unsent.is_some() {
            return 0;
        }
        waiting.bytes += message.payload.len();
        waiting.messages.push_back(message);
        waiting.drop_oldest(self.in_hand(), &mut dropped);
        drop(waiting);
        dropped.len() as u64
    }

    /// Moves at most `count` messages to `batch`, the oldest first.
    pub(crate) fn take(&self, batch: &mut VecDeque<Outgoing>, count: usize) {
        let mut waiting = self.lock();
        let count = count.min(waiting.messages.len());
        batch.extend(waiting.messages.drain(..count));
        waiting.bytes -= payloads(batch);
        self.in_hand.store(batch.len(), Ordering::Relaxed);
    }

    /// Takes back what could not be sent; returns how many were dropped for it.
    pub(crate) fn put_back(&self, batch: &mut VecDeque<Outgoing>) -> u64 {
        let mut dropped = Vec::new();
        let mut waiting = self.lock();
        self.in_hand.store(0, Ordering::Relaxed);
        waiting.bytes += payloads(batch);
        while let Some(message) = batch.pop_back() {
            waiting.messages.push_front(message);
        }
        waiting.drop_oldest(self.in_hand(), &mut dropped);
        drop(waiting);
        dropped.len() as u64
    }

    /// Notes that one message of the batch was handed to the client.
    pub(crate) fn note_sent(&self) {
        self.in_hand.fetch_sub(1, Ordering::Release);
    }

    /// Returns how many messages are not with the client yet.
    pub(crate) fn len(&self) -> usize {
        self.lock().messages.len() + self.in_hand()
    }

    /// Drops what waits, and all that follows; returns how many messages were not sent.
    pub(crate) fn close(&self) -> usize {
        let mut waiting = self.lock();
        let count = waiting.messages.len() + self.in_hand();
        let unsent = *waiting.unsent.get_or_insert(count);
        waiting.bytes = 0;
        let dropped = mem::take(&mut waiting.messages);
        drop(waiting);
        drop(dropped);
        unsent
    }

    fn in_hand(&self) -> usize {
        self.in_hand.load(Ordering::Acquire)
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        // No code of others runs under the lock.
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Waiting {
    /// Moves the oldest messages out while there are too many, but not the last one.
    ///
    /// They are dropped unlocked.
    fn drop_oldest(&mut self, in_hand: usize, dropped: &mut Vec<Outgoing>) {
        while self.messages.len() > 1
            && (self.messages.len() + in_hand > MOST_MESSAGES || self.bytes > MOST_BYTES)
            && let Some(oldest) = self.messages.pop_front()
        {
            self.bytes -= oldest.payload.len();
            dropped.push(oldest);
        }
    }
}

impl Outgoing {
    /// Returns a message with the payload of another, which is not copied.
    pub(crate) fn of_prepared(subject: Subject, message: &PreparedMessage) -> Self {
        let payload = Bytes::from_owner(Payload(message.clone()));
        Self { subject, payload, kind: message.kind(), since: None }
    }

    /// Returns the headers as of now; a text of a topic has none.
    pub(crate) fn headers(&self) -> Option<HeaderMap> {
        let is_binary = self.kind == MessageKind::Binary;
        (is_binary || self.since.is_some()).then(|| {
            let mut headers = HeaderMap::new();
            if is_binary {
                headers.insert(KIND_HEADER, BINARY);
            }
            if let Some(since) = self.since {
                // Rounded up: it is never newer than it was.
                let age = since.elapsed().as_micros().div_ceil(1000);
                headers.insert(AGE_HEADER, age.to_string());
            }
            headers
        })
    }
}

/// Returns the age of a kept message of another node, in milliseconds on the way.
pub(crate) fn age_of(headers: Option<&HeaderMap>) -> Option<Duration> {
    let age = headers?.get(AGE_HEADER)?;
    age.as_str().parse().ok().map(Duration::from_millis)
}

/// Returns whether a message from another node is text or binary.
pub(crate) fn kind_of(headers: Option<&HeaderMap>) -> MessageKind {
    let kind = headers.and_then(|headers| headers.get(KIND_HEADER));
    match kind {
        Some(kind) if kind.as_str().eq_ignore_ascii_case(BINARY) => MessageKind::Binary,
        _ => MessageKind::Text,
    }
}

/// The payload of a prepared message, shared with the sockets.
struct Payload(PreparedMessage);

impl AsRef<[u8]> for Payload {
    fn as_ref(&self) -> &[u8] {
        self.0.payload()
    }
}

fn payloads(messages: &VecDeque<Outgoing>) -> usize {
    messages.iter().map(|message| message.payload.len()).sum()
}

const KIND_HEADER: &str = "Slotwork-Kind";
const AGE_HEADER: &str = "Slotwork-Age";
const BINARY: &str = "binary";
const MOST_MESSAGES: usize = 16_384;
const MOST_BYTES: usize = 8 * 1024 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    fn message(payload: impl AsRef<[u8]>) -> Outgoing {
        let message = PreparedMessage::binary(payload);
        Outgoing::of_prepared(Subject::from_static("chat.rooms"), &message)
    }

    fn take(outbox: &Outbox, count: usize) -> VecDeque<Outgoing> {
        let mut batch = VecDeque::new();
        outbox.take(&mut batch, count);
        batch
    }

    #[test]
    fn drops_the_oldest_messages_over_the_number() {
        let outbox = Outbox::default();

        let dropped: u64 = (0..16_390_u32).map(|i| outbox.push(message(i.to_be_bytes()))).sum();

        assert_eq!(dropped, 6);
        assert_eq!(take(&outbox, 1)[0].payload[..], 6_u32.to_be_bytes());
    }

    #[test]
    fn drops_the_oldest_messages_over_the_bytes_but_not_the_newest() {
        let outbox = Outbox::default();
        for _ in 0..8 {
            assert_eq!(outbox.push(message(vec![0; 1024 * 1024])), 0);
        }

        assert_eq!(outbox.push(message([1])), 1);
        assert_eq!(outbox.push(message(vec![2; 9 * 1024 * 1024])), 8);
        assert_eq!(outbox.len(), 1);
    }

    #[test]
    fn what_is_put_back_keeps_its_place() {
        let outbox = Outbox::default();
        for i in 0..3 {
            outbox.push(message([i]));
        }
        let mut batch = take(&outbox, 2);
        assert_eq!(outbox.len(), 3);
        batch.pop_front();
        outbox.note_sent();
        assert_eq!(outbox.len(), 2);

        outbox.put_back(&mut batch);

        let payloads: Vec<_> = take(&outbox, 9).iter().map(|it| it.payload[0]).collect();
        assert_eq!(payloads, [1, 2]);
    }

    #[test]
    fn a_kept_message_carries_its_age() {
        let mut kept = message([1]);
        assert_eq!(age_of(kept.headers().as_ref()), None);

        kept.since = Instant::now().checked_sub(Duration::from_secs(3));

        let headers = kept.headers();
        let age = age_of(headers.as_ref()).unwrap();
        assert!(age >= Duration::from_secs(3) && age < Duration::from_secs(60), "{age:?}");
        assert_eq!(kind_of(headers.as_ref()), MessageKind::Binary);
        let mut strange = HeaderMap::new();
        strange.insert(AGE_HEADER, "-1");
        assert_eq!(age_of(Some(&strange)), None);
    }

    #[test]
    fn a_closed_outbox_drops_everything() {
        let outbox = Outbox::default();
        outbox.push(message([1]));

        assert_eq!(outbox.close(), 1);
        assert_eq!(outbox.push(message([2])), 0);
        assert_eq!(outbox.len(), 0);
    }
}
