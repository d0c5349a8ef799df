//! The statistics of a loop, in virtual time.

use std::rc::Rc;
use std::time::Duration;

use anyhow::{Result, ensure};
use slotwork::testing::VirtualClock;
use slotwork::{EventLoop, LoopStats, Timer};

const SECOND: Duration = Duration::from_secs(1);

/// Neither while the loop itself waits, nor one inside a slot.
#[test]
fn sleep_is_not_busy_time() -> Result<()> {
    let _clock = VirtualClock::install();
    let event_loop = EventLoop::current();
    ensure!(event_loop.stats() == LoopStats::default());
    Timer::single_shot(SECOND, || EventLoop::current().wait(5 * SECOND));

    event_loop.wait(10 * SECOND);

    let stats = event_loop.stats();
    ensure!(stats.turns > 3 && stats.elapsed == 10 * SECOND, "{stats:?}");
    ensure!(stats.busy.is_zero() && stats.longest_turn.is_zero(), "{stats:?}");
    Ok(())
}

/// A slot that takes long makes a long turn, until the measurement begins anew.
#[test]
fn the_time_that_a_slot_takes_is_busy_time() -> Result<()> {
    let clock = Rc::new(VirtualClock::install());
    let event_loop = EventLoop::current();
    event_loop.reset_stats();
    let slot_clock = Rc::clone(&clock);
    Timer::single_shot(SECOND, move || slot_clock.advance(2 * SECOND));

    event_loop.wait(10 * SECOND);

    let stats = event_loop.stats();
    ensure!((stats.busy, stats.longest_turn) == (2 * SECOND, 2 * SECOND), "{stats:?}");
    ensure!(stats.elapsed == 10 * SECOND, "{stats:?}");
    event_loop.reset_stats();
    ensure!(event_loop.stats() == LoopStats::default());
    Ok(())
}
