//! The inbox: what has arrived for the loop, and waits for its next turn.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use slotwork::PreparedMessage;

use crate::topics::prefix::Prefix;

/// The messages and events that wait for the loop of the bridge.
///
/// Over the bound the oldest messages are dropped, so that a loop that is busy costs a known amount
/// of memory, and then gets the newest.
#[derive(Default)]
pub(crate) struct Inbox(Mutex<Waiting>);

#[derive(Default)]
struct Waiting {
    items: VecDeque<Incoming>,
    /// How many of them are messages.
    messages: usize,
    /// The sum of their payloads.
    bytes: usize,
    /// Wakes the delivery, which waits.
    waker: Option<Waker>,
    is_closed: bool,
}

/// What the loop gets.
pub(crate) enum Incoming {
    /// A message for the subscribers of a topic.
    Topic { prefix: Arc<Prefix>, name: Arc<str>, message: PreparedMessage, is_of_all: bool },
    /// JSON for a remote signal.
    Signal { subject: Arc<str>, json: Vec<u8> },
    /// Another node wants the kept message of a topic.
    Question { subject: String, reply: String },
    /// Another node has answered.
    Answer { number: u64, message: PreparedMessage, arrived: Instant, age: Option<Duration> },
    /// What a signal of the bridge reports.
    Event(Event),
}

/// An emission of a signal of the bridge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Event {
    Connected,
    Disconnected,
    ResyncNeeded,
    /// Losses that are counted in `Counters::unreported`.
    Lost,
}

/// The result of waiting.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Batch {
    Taken { has_more: bool },
    Closed,
}

impl Inbox {
    /// Puts an item at the end; returns how many messages were dropped for it.
    pub(crate) fn push(&self, item: Incoming) -> u64 {
        let mut dropped = Vec::new();
        let mut waiting = self.lock();
        if waiting.is_closed {
            return 0;
        }
        waiting.messages += usize::from(item.is_message());
        waiting.bytes += item.len();
        waiting.items.push_back(item);
        waiting.drop_oldest(&mut dropped);
        let waker = waiting.waker.take();
        drop(waiting);
        if let Some(waker) = waker {
            waker.wake();
        }
        dropped.len() as u64
    }

    /// Moves at most `count` items to `batch`, or waits for the first.
    pub(crate) fn poll_take(
        &self,
        cx: &mut Context<'_>,
        batch: &mut Vec<Incoming>,
        count: usize,
    ) -> Poll<Batch> {
        let mut waiting = self.lock();
        if waiting.items.is_empty() {
            if waiting.is_closed {
                return Poll::Ready(Batch::Closed);
            }
            waiting.waker = Some(cx.waker().clone());
            return Poll::Pending;
        }
        let count = count.min(waiting.items.len());
        batch.extend(waiting.items.drain(..count));
        waiting.messages -= batch.iter().filter(|item| item.is_message()).count();
        waiting.bytes -= batch.iter().map(Incoming::len).sum::<usize>();
        Poll::Ready(Batch::Taken { has_more: !waiting.items.is_empty() })
    }

    /// Ends the delivery, behind what waits.
    pub(crate) fn close(&self) {
        let mut waiting = self.lock();
        waiting.is_closed = true;
        let waker = waiting.waker.take();
        drop(waiting);
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// Drops what waits, and all that follows.
    pub(crate) fn clear(&self) {
        let mut waiting = self.lock();
        (waiting.messages, waiting.bytes) = (0, 0);
        let items = std::mem::take(&mut waiting.items);
        drop(waiting);
        drop(items);
        self.close();
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        // No code of others runs under the lock.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Waiting {
    /// Moves the oldest messages out while there are too many.
    ///
    /// They are dropped unlocked. Events are few, and stay in front.
    fn drop_oldest(&mut self, dropped: &mut Vec<Incoming>) {
        let mut events = Vec::new();
        while self.messages > 1
            && (self.messages > MOST_MESSAGES || self.bytes > MOST_BYTES)
            && let Some(oldest) = self.items.pop_front()
        {
            if oldest.is_message() {
                self.messages -= 1;
                self.bytes -= oldest.len();
                dropped.push(oldest);
            } else {
                events.push(oldest);
            }
        }
        for event in events.into_iter().rev() {
            self.items.push_front(event);
        }
    }
}

impl Incoming {
    fn is_message(&self) -> bool {
        !matches!(self, Self::Event(_))
    }

    /// Returns the bytes of the payload.
    fn len(&self) -> usize {
        match self {
            Self::Topic { message, .. } | Self::Answer { message, .. } => message.payload().len(),
            Self::Signal { json, .. } => json.len(),
            Self::Question { subject, reply } => subject.len() + reply.len(),
            Self::Event(_) => 0,
        }
    }
}

const MOST_MESSAGES: usize = 65_536;
const MOST_BYTES: usize = 64 * 1024 * 1024;

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use super::*;

    fn message(number: u64) -> Incoming {
        Incoming::Signal { subject: "rates".into(), json: number.to_be_bytes().to_vec() }
    }

    fn take(inbox: &Inbox, count: usize) -> (Vec<Incoming>, Poll<Batch>) {
        let mut batch = Vec::new();
        let taken = inbox.poll_take(&mut Context::from_waker(Waker::noop()), &mut batch, count);
        (batch, taken)
    }

    fn number(item: &Incoming) -> Option<u64> {
        match item {
            Incoming::Signal { json, .. } => {
                Some(u64::from_be_bytes(json.as_slice().try_into().ok()?))
            }
            _ => None,
        }
    }

    #[test]
    fn drops_the_oldest_messages_but_no_events() {
        let inbox = Inbox::default();
        assert_eq!(inbox.push(Incoming::Event(Event::Connected)), 0);

        let dropped: u64 = (0..65_540).map(|number| inbox.push(message(number))).sum();

        assert_eq!(dropped, 4);
        assert_eq!(inbox.push(Incoming::Event(Event::Lost)), 0);
        let (batch, taken) = take(&inbox, 2);
        assert!(matches!(batch[0], Incoming::Event(Event::Connected)));
        assert_eq!(number(&batch[1]), Some(4));
        assert_eq!(taken, Poll::Ready(Batch::Taken { has_more: true }));
    }

    #[test]
    fn the_newest_message_stays_however_long_it_is() {
        let inbox = Inbox::default();
        inbox.push(message(1));

        let json = vec![0; MOST_BYTES + 1];
        assert_eq!(inbox.push(Incoming::Signal { subject: "rates".into(), json }), 1);

        assert_eq!(inbox.push(message(2)), 1);
        assert_eq!(take(&inbox, 9).0.iter().map(number).collect::<Vec<_>>(), [Some(2)]);
    }

    #[test]
    fn a_closed_inbox_gives_what_is_there_and_takes_nothing() {
        let inbox = Inbox::default();
        inbox.push(message(1));
        inbox.close();
        inbox.push(message(2));

        assert_eq!(take(&inbox, 9).0.len(), 1);
        assert_eq!(take(&inbox, 9).1, Poll::Ready(Batch::Closed));
    }
}
