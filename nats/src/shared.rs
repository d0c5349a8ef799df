//! The state of a bridge that its handles, its loop and its tasks share.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Instant;

use async_nats::ConnectError;
use log::warn;
use slotwork::signals::Signal;
use tokio::sync::{Notify, watch};

use crate::inbox::{Event, Inbox, Incoming};
use crate::outbox::{Outbox, Outgoing};
use crate::remote_signal::registry::RemoteSignals;
use crate::subscriptions::Subscriptions;
use crate::topics::kept::Questions;
use crate::topics::prefix::Prefixes;

/// The shared state of a bridge.
pub(crate) struct Shared {
    pub(crate) outbox: Outbox,
    pub(crate) inbox: Inbox,
    pub(crate) subscriptions: Subscriptions,
    pub(crate) prefixes: Prefixes,
    pub(crate) questions: Questions,
    pub(crate) remote_signals: RemoteSignals,
    pub(crate) signals: BridgeSignals,
    pub(crate) counters: Counters,
    pub(crate) status: watch::Sender<Status>,
    /// Until when the bridge is to end, once it is closed.
    pub(crate) closing: watch::Sender<Option<Instant>>,
    /// Wakes the task that watches the connection.
    pub(crate) control: Notify,
    /// Wakes the task that reports losses.
    pub(crate) losses: Notify,
    /// How many subscriptions are being read.
    pub(crate) forwards: watch::Sender<usize>,
    /// The number of the connection on which messages are sent now; 0 is none.
    pub(crate) ready_for: AtomicU64,
}

/// The signals of a bridge, emitted by its loop.
#[derive(Default)]
pub(crate) struct BridgeSignals {
    pub(crate) connected: Signal<()>,
    pub(crate) disconnected: Signal<()>,
    pub(crate) resync_needed: Signal<()>,
    pub(crate) lost: Signal<u64>,
}

/// What has happened so far.
#[derive(Default)]
pub(crate) struct Counters {
    pub(crate) published: AtomicU64,
    pub(crate) received: AtomicU64,
    pub(crate) lost_out: AtomicU64,
    pub(crate) lost_in: AtomicU64,
    pub(crate) reconnects: AtomicU64,
    /// Losses that `lost` is to report.
    pub(crate) unreported: AtomicU64,
    /// The inbox has the event that reports them.
    pub(crate) is_report_queued: AtomicBool,
    /// The inbox had to drop messages.
    pub(crate) has_gap: AtomicBool,
}

/// The state of the connection.
#[derive(Clone, Debug)]
pub(crate) enum Status {
    Connecting,
    Refused(Arc<ConnectError>),
    Connected,
    Disconnected,
    /// The bridge has ended; so many messages were not sent.
    Ended(usize),
}

impl Shared {
    pub(crate) fn new() -> Self {
        Self {
            outbox: Outbox::default(),
            inbox: Inbox::default(),
            subscriptions: Subscriptions::default(),
            prefixes: Prefixes::default(),
            questions: Questions::default(),
            remote_signals: RemoteSignals::default(),
            signals: BridgeSignals::default(),
            counters: Counters::default(),
            status: watch::Sender::new(Status::Connecting),
            closing: watch::Sender::new(None),
            control: Notify::new(),
            losses: Notify::new(),
            forwards: watch::Sender::new(0),
            ready_for: AtomicU64::new(0),
        }
    }

    /// Queues a message for the other nodes.
    pub(crate) fn publish(&self, message: Outgoing) {
        let dropped = self.outbox.push(message);
        // While nothing is sent, the task sleeps: it is woken by what changes that.
        if self.ready_for.load(Ordering::Acquire) != 0 {
            self.outbox.wake_up.notify_one();
        }
        self.lose_out(dropped, "more wait to be sent than the queue takes");
    }

    /// Queues what has arrived for the loop.
    pub(crate) fn receive(&self, item: Incoming) {
        let dropped = self.inbox.push(item);
        if dropped > 0 {
            self.counters.has_gap.store(true, Ordering::Release);
            self.lose_in(dropped, "the loop is too slow for what arrives");
        }
    }

    /// Counts messages for other nodes that are lost.
    pub(crate) fn lose_out(&self, count: u64, reason: &str) {
        self.lose(&self.counters.lost_out, count, reason);
    }

    /// Counts messages of other nodes that are lost.
    pub(crate) fn lose_in(&self, count: u64, reason: &str) {
        self.lose(&self.counters.lost_in, count, reason);
    }

    /// Counts losses, and has them reported soon, those of a short time together.
    fn lose(&self, counter: &AtomicU64, count: u64, reason: &str) {
        if count == 0 {
            return;
        }
        counter.fetch_add(count, Ordering::Relaxed);
        if self.counters.unreported.fetch_add(count, Ordering::Relaxed) == 0 {
            warn!("messages are lost: {reason}");
            self.losses.notify_one();
        }
    }

    pub(crate) fn emit(&self, event: Event) {
        self.inbox.push(Incoming::Event(event));
    }

    pub(crate) fn set_status(&self, status: Status) {
        self.status.send_if_modified(|current| {
            let is_open = !matches!(current, Status::Ended(_));
            if is_open {
                *current = status;
            }
            is_open
        });
    }

    pub(crate) fn has_ended(&self) -> bool {
        matches!(*self.status.borrow(), Status::Ended(_))
    }

    /// Ends the bridge at once.
    pub(crate) fn end(&self) {
        let unsent = self.outbox.close();
        self.set_status(Status::Ended(unsent));
        self.inbox.clear();
    }
}
