//! Delivers what has arrived, on the loop of the bridge.

use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::Poll;

use slotwork::EventLoop;

use crate::inbox::{Batch, Event, Incoming};
use crate::shared::Shared;

/// Delivers what arrives, until the bridge ends.
pub(crate) async fn deliver(shared: Arc<Shared>) {
    let delivery = Delivery(shared);
    let mut batch = Vec::with_capacity(BATCH);
    loop {
        let taken = poll_fn(|cx| delivery.0.inbox.poll_take(cx, &mut batch, BATCH)).await;
        let Batch::Taken { has_more } = taken else { return };
        for item in batch.drain(..) {
            // A slot may have dropped the bridge.
            if delivery.0.has_ended() {
                return;
            }
            delivery.deliver_guarded(item);
        }
        if has_more {
            next_turn().await;
        } else {
            delivery.report_gap();
        }
    }
}

/// Ends the bridge when its loop ends.
struct Delivery(Arc<Shared>);

impl Delivery {
    /// Delivers an item; a slot that panics ends alone, and the loop reports it.
    fn deliver_guarded(&self, item: Incoming) {
        if let Err(payload) = catch_unwind(AssertUnwindSafe(|| self.deliver(item))) {
            EventLoop::current().handle().post(move || resume_unwind(payload));
        }
    }

    fn deliver(&self, item: Incoming) {
        let shared = &self.0;
        match item {
            Incoming::Topic { prefix, name, message, is_of_all } => {
                // While both kinds of subscriptions exist, one of them counts.
                if is_of_all == prefix.has_all() {
                    self.note_received();
                    shared.questions.note_received(&prefix, &name);
                    prefix.deliver(&name, &message, None);
                }
            }
            Incoming::Signal { subject, json } => {
                self.note_received();
                for signal in shared.remote_signals.of_subject(&subject) {
                    if !signal.receive(&json) {
                        shared.lose_in(1, "the value of a signal does not fit its type");
                    }
                }
            }
            Incoming::Question { subject, reply } => shared.answer(&subject, &reply),
            Incoming::Answer { number, message, arrived, age } => {
                shared.take_answer(number, &message, arrived, age);
            }
            Incoming::Event(event) => self.emit(event),
        }
    }

    fn emit(&self, event: Event) {
        let Shared { signals, counters, .. } = &*self.0;
        match event {
            Event::Connected => signals.connected.emit(&()),
            Event::Disconnected => signals.disconnected.emit(&()),
            Event::ResyncNeeded => signals.resync_needed.emit(&()),
            Event::Lost => {
                counters.is_report_queued.store(false, Ordering::Release);
                let count = counters.unreported.swap(0, Ordering::AcqRel);
                if count > 0 {
                    signals.lost.emit(&count);
                }
            }
        }
    }

    /// Reports the gap behind which the inbox is empty again.
    fn report_gap(&self) {
        if self.0.counters.has_gap.swap(false, Ordering::AcqRel) {
            self.deliver_guarded(Incoming::Event(Event::ResyncNeeded));
        }
    }

    fn note_received(&self) {
        self.0.counters.received.fetch_add(1, Ordering::Relaxed);
    }
}

impl Drop for Delivery {
    fn drop(&mut self) {
        self.0.end();
    }
}

/// Waits for the next turn of the loop, in which other work is first.
async fn next_turn() {
    let mut has_waited = false;
    poll_fn(|cx| {
        if has_waited {
            return Poll::Ready(());
        }
        has_waited = true;
        let waker = cx.waker().clone();
        EventLoop::current().handle().post(move || waker.wake());
        Poll::Pending
    })
    .await;
}

/// So many messages are delivered before other work of the loop.
const BATCH: usize = 256;

#[cfg(test)]
mod tests {
    use std::cell::{Cell, RefCell};
    use std::rc::Rc;

    use smol::future::yield_now;

    use super::*;

    #[test]
    fn other_work_of_the_loop_runs_between_256_messages() {
        let shared = Arc::new(Shared::new());
        (0..1000).for_each(|_| shared.emit(Event::Connected));
        shared.inbox.close();
        let (delivered, seen) = (Rc::new(Cell::new(0)), Rc::new(RefCell::new(vec![0])));
        shared.signals.connected.connect_to(&delivered, |delivered, ()| {
            delivered.set(delivered.get() + 1);
        });
        let other_work = {
            let (delivered, seen) = (Rc::clone(&delivered), Rc::clone(&seen));
            async move {
                while delivered.get() < 1000 {
                    seen.borrow_mut().push(delivered.get());
                    yield_now().await;
                }
            }
        };
        EventLoop::current().spawn(other_work).detach();

        EventLoop::current().run_until(deliver(Arc::clone(&shared)));

        let mut seen = seen.take();
        seen.push(delivered.get());
        assert_eq!(seen.last(), Some(&1000));
        assert!(seen.windows(2).all(|pair| pair[1] - pair[0] <= 256), "{seen:?}");
    }
}
