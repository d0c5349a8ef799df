//! The state that all handles of a topic share, and its signals.
//!
//! Data alone: the files of the features act on it.

use std::num::NonZeroU64;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock, Weak};

use slotwork_signals::Signal;

use crate::event_loop::WeakLoopHandle;
use crate::protocol::prepared_message::PreparedMessage;
use crate::runtime::sync::{Mutex, MutexGuard};
use crate::server::topics::loop_queue::LoopQueue;
use crate::server::topics::registry::{Named, Topics};
use crate::server::topics::subscribers::{Behind, Delivery, HandOver, Subscribers};
use crate::socket::WebSocket;
use crate::types::message::Message;

/// The shared part of all handles of a topic.
pub(crate) struct Inner {
    name: Box<str>,
    /// The topics of its server, which hold it.
    pub(crate) topics: Weak<Topics<Self>>,
    signals: OnceLock<Box<TopicSignals>>,
    /// Counts the look-ups, by [`LOOK_UP`] each.
    ///
    /// A topic that is wanted again does not end. With [`HAS_ENDED`] it is out of the set.
    look_ups: AtomicU32,
    state: Mutex<State>,
}

/// The signals, allocated when one of them is first accessed.
#[derive(Default)]
pub(crate) struct TopicSignals {
    pub(crate) subscribed: Signal<WebSocket>,
    pub(crate) unsubscribed: Signal<WebSocket>,
    pub(crate) published: Signal<Message>,
}

/// The part of the state that changes.
#[derive(Default)]
pub(crate) struct State {
    pub(crate) subscribers: Subscribers<WebSocket, WeakLoopHandle, Publication>,
    /// The last message, if the topic keeps it; boxed, as most topics keep none.
    pub(crate) last: Option<Box<PreparedMessage>>,
    pub(crate) keeps_last: bool,
    /// The key of a topic that is conflated.
    ///
    /// Unique among those of all servers; a topic that is conflated again has a new one, so that no
    /// message takes a place in front of those between.
    pub(crate) key: Option<NonZeroU64>,
    pub(crate) relay_report: RelayReport,
}

/// What a relay knows of a topic.
#[derive(Default)]
pub(crate) struct RelayReport {
    pub(crate) has_subscribers: bool,
    /// The number of the relay.
    pub(crate) relay: u32,
    /// A thread is calling the relay.
    pub(crate) is_under_way: bool,
}

/// A message on its way to subscribers.
#[derive(Clone)]
pub(crate) struct Publication {
    pub(crate) message: PreparedMessage,
    /// The key of a topic that is conflated.
    pub(crate) key: Option<NonZeroU64>,
}

/// The steps that follow outside the lock of a topic.
pub(crate) type TopicHandOver = HandOver<WebSocket, WeakLoopHandle, Publication>;
/// The messages in front of what this thread does next.
pub(crate) type TopicBehind = Behind<WebSocket, WeakLoopHandle, Publication>;
/// The messages that wait for one loop.
pub(crate) type TopicQueue = LoopQueue<WeakLoopHandle, TopicDelivery>;
/// A message for the subscribers on one loop.
pub(crate) type TopicDelivery = Delivery<WebSocket, Publication>;

impl Inner {
    pub(crate) fn new(name: &str, topics: Weak<Topics<Self>>) -> Self {
        Self {
            name: name.into(),
            topics,
            signals: OnceLock::new(),
            look_ups: AtomicU32::new(0),
            state: Mutex::default(),
        }
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock()
    }

    /// Returns the signals, which this allocates.
    pub(crate) fn signals(&self) -> &TopicSignals {
        self.signals.get_or_init(Box::default)
    }

    /// Returns the signals, unless no slot was ever connected.
    pub(crate) fn used_signals(&self) -> Option<&TopicSignals> {
        self.signals.get().map(|signals| &**signals)
    }

    /// Returns a number that changes with each look-up, also by a weak handle.
    ///
    /// A new holder has its hold before: read in front of the count of holders, it misses none.
    pub(crate) fn look_ups(&self) -> u32 {
        self.look_ups.load(Ordering::Acquire)
    }

    /// Ends the topic, if it had no look-up since there were so many.
    pub(crate) fn end(&self, look_ups: u32) -> bool {
        let ended = look_ups | HAS_ENDED;
        let exchange =
            self.look_ups.compare_exchange(look_ups, ended, Ordering::AcqRel, Ordering::Relaxed);
        look_ups != ended && exchange.is_ok()
    }

    /// Returns whether the topic is one of these.
    pub(crate) fn is_of(&self, topics: &Arc<Topics<Self>>) -> bool {
        Weak::as_ptr(&self.topics) == Arc::as_ptr(topics)
    }
}

impl Named for Inner {
    type Queue = TopicQueue;

    fn name(&self) -> &str {
        &self.name
    }

    fn note_look_up(&self) -> bool {
        // It wraps beside the lowest bit.
        self.look_ups.fetch_add(LOOK_UP, Ordering::AcqRel) & HAS_ENDED == 0
    }
}

impl State {
    /// Returns a message as this topic publishes it now.
    pub(crate) fn publication(&self, message: &PreparedMessage) -> Publication {
        Publication { message: message.clone(), key: self.key }
    }

    pub(crate) fn set_conflated(&mut self, is_conflated: bool) {
        if !is_conflated {
            self.key = None;
        } else if self.key.is_none() {
            self.key = NonZeroU64::new(NEXT_KEY.fetch_add(1, Ordering::Relaxed));
        }
    }
}

impl TopicSignals {
    /// Returns whether slots are connected; drops those that have ended.
    pub(crate) fn have_slots(&self) -> bool {
        self.subscribed.slot_count() > 0
            || self.unsubscribed.slot_count() > 0
            || self.published.slot_count() > 0
    }
}

const HAS_ENDED: u32 = 1;
const LOOK_UP: u32 = 2;
static NEXT_KEY: AtomicU64 = AtomicU64::new(1);
