//! The alarm of a reactor: a `timerfd` that ends waits in place of a timeout.
//!
//! The kernel begins and ends a timeout with each wait that sleeps. The alarm stays set from one wait
//! to the next until it goes off: a loop that sleeps between messages sets it now and then. For a
//! deadline that was cleared meanwhile it ends a wait for nothing, once. Linux alone has one; elsewhere
//! each wait has its timeout.

use std::cell::Cell;
use std::io;
use std::os::fd::{AsFd, AsRawFd};
use std::time::{Duration, Instant};

use mio::event::Event;
use mio::unix::SourceFd;
use mio::{Interest, Registry, Token};
use nix::sys::time::TimeSpec;
use nix::sys::timerfd::{ClockId, Expiration, TimerFd, TimerFlags, TimerSetTimeFlags};

/// The alarm of a reactor.
pub(super) struct Alarm {
    timer: TimerFd,
    /// When it goes off; `None` when it is not set.
    set_to: Cell<Option<Instant>>,
}

impl Alarm {
    /// Makes an alarm that ends the waits of this registry's poll.
    ///
    /// Its events are edges: the timer is never read.
    pub(super) fn new(registry: &Registry) -> io::Result<Self> {
        let flags = TimerFlags::TFD_CLOEXEC | TimerFlags::TFD_NONBLOCK;
        let timer = TimerFd::new(ClockId::CLOCK_MONOTONIC, flags)?;
        let descriptor = timer.as_fd().as_raw_fd();
        registry.register(&mut SourceFd(&descriptor), ALARM, Interest::READABLE)?;
        Ok(Self { timer, set_to: Cell::default() })
    }

    /// Returns whether the alarm ends a wait at the deadline at the latest.
    #[inline]
    pub(super) fn is_set_before(&self, deadline: Instant) -> bool {
        self.set_to.get().is_some_and(|set_to| set_to <= deadline)
    }

    /// Sets the alarm; returns false if a wait is to have the timeout itself.
    pub(super) fn set(&self, now: Instant, timeout: Duration) -> bool {
        if timeout < SHORTEST {
            return false;
        }
        let expiration = Expiration::OneShot(TimeSpec::from_duration(timeout));
        let is_set = self.timer.set(expiration, TimerSetTimeFlags::empty()).is_ok();
        self.set_to.set(is_set.then_some(now + timeout));
        is_set
    }

    /// Notes that the alarm went off, if that is the event.
    pub(super) fn handle_event(&self, event: &Event) {
        if event.token() == ALARM {
            self.set_to.set(None);
        }
    }
}

/// No socket has this token.
const ALARM: Token = Token(usize::MAX - 1);
/// Shorter timeouts are those of the wait: to set the alarm is a system call.
const SHORTEST: Duration = Duration::from_millis(20);

#[cfg(test)]
mod tests {
    use mio::{Events, Poll};

    use super::*;

    fn wait(alarm: &Alarm, poll: &mut Poll) -> io::Result<()> {
        let mut events = Events::with_capacity(8);
        poll.poll(&mut events, Some(Duration::from_secs(60)))?;
        assert!(!events.is_empty());
        events.iter().for_each(|event| alarm.handle_event(event));
        Ok(())
    }

    #[test]
    fn stays_set_until_it_goes_off() -> io::Result<()> {
        let mut poll = Poll::new()?;
        let alarm = Alarm::new(poll.registry())?;
        let begin = Instant::now();
        assert!(!alarm.is_set_before(begin + SHORTEST * 3));

        assert!(alarm.set(begin, SHORTEST * 2));
        assert!(alarm.is_set_before(begin + SHORTEST * 2));
        assert!(!alarm.is_set_before(begin + SHORTEST));
        wait(&alarm, &mut poll)?;

        assert!(begin.elapsed() >= SHORTEST * 2);
        assert!(!alarm.is_set_before(begin + Duration::from_secs(3600)));
        Ok(())
    }

    #[test]
    fn can_be_set_earlier_and_again() -> io::Result<()> {
        let mut poll = Poll::new()?;
        let alarm = Alarm::new(poll.registry())?;
        let now = Instant::now();
        assert!(alarm.set(now, Duration::from_secs(3600)));

        for _ in 0..3 {
            assert!(alarm.set(now, SHORTEST));
            wait(&alarm, &mut poll)?;
        }
        Ok(())
    }

    #[test]
    fn leaves_short_timeouts_to_the_wait() -> io::Result<()> {
        let alarm = Alarm::new(Poll::new()?.registry())?;

        assert!(!alarm.set(Instant::now(), SHORTEST / 2));
        assert_eq!(alarm.timer.get()?, None);
        Ok(())
    }
}
