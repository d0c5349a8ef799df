//! Rates: how many messages and bytes of a client are read in a second.
//!
//! A client over its rate is not disconnected: nothing more is read from it for a while, and TCP holds
//! it back. A connection without a rate costs no memory for it, and no time for a message.

use std::sync::Arc;

use crate::runtime::clock;
use crate::runtime::timers::{Expiry, Timers, after};
use crate::session::Session;
use crate::session::driver::{Driver, MESSAGES_PER_TURN};
use crate::session::observer::Observer;
use crate::session::rate_meter::Exceeded;

impl<O: Observer> Driver<O> {
    /// Sets how many messages the next turn delivers.
    ///
    /// If that `is_metered`, as many as are allowed. Never none: while none are allowed, nothing is
    /// read.
    #[cold]
    pub(super) fn set_turn_limit(&mut self, is_metered: bool) {
        let allowed = || self.observer.session().allowed_messages(MESSAGES_PER_TURN - 1).max(1);
        self.turn_limit = if is_metered { allowed() } else { MESSAGES_PER_TURN };
    }

    /// Counts what a turn has read, and holds reading if that is over a rate.
    #[cold]
    pub(super) fn charge_rates(&mut self, messages: usize, bytes: usize) {
        let exceeded = self.observer.session().charge(messages as u64, bytes as u64);
        self.set_turn_limit(true);
        let Some(Exceeded { wait, limit }) = exceeded else { return };
        let session = self.observer.session();
        session.set_over_rate(true);
        // A client may have another connection by then: what that reads too early is counted.
        let observer = Arc::downgrade(&self.observer);
        let release = move || {
            if let Some(observer) = observer.upgrade() {
                observer.session().set_over_rate(false);
            }
        };
        Timers::current().insert(after(clock::now(), wait), Expiry::Call(Box::new(release)));
        if let Some(limit) = limit {
            self.report(|observer| observer.limit_reached(limit));
        }
    }
}

impl Session {
    /// Returns how many messages may be delivered now, `most` at the most.
    fn allowed_messages(&self, most: u8) -> u8 {
        let state = self.lock();
        let Some(extra) = state.extra.as_ref() else { return most };
        match (&extra.rate_meter, extra.settings.rates.messages) {
            (Some(meter), Some(rate)) => {
                let left = meter.messages_left(rate, clock::now());
                u8::try_from(left).unwrap_or(most).min(most)
            }
            _ => most,
        }
    }

    /// Counts what was read; returns what follows if it is over a rate.
    fn charge(&self, messages: u64, bytes: u64) -> Option<Exceeded> {
        let mut state = self.lock();
        let extra = state.extra.as_mut()?;
        let (rates, now) = (extra.settings.rates, clock::now());
        extra.rate_meter.as_mut()?.charge(rates, messages, bytes, now)
    }
}
