//! Connecting: a new bridge, and two bridges after a restart of the engine.

use std::time::{Duration, Instant};

use anyhow::Result;
use slotwork::signals::SignalSpy;
use slotwork_nats::{NatsBridge, NatsOptions};
use smol::Timer;

use crate::client::{run_until, wait_until};
use crate::engine::Engine;

pub(crate) fn run() -> Result<()> {
    println!("connecting, ms: connect → first message; the engine listens → connected, → message");
    for round in 1..=ROUNDS {
        let mut engine = Engine::start()?;
        let receiver = NatsBridge::connect(NatsOptions::new(engine.url()))?;
        run_until(receiver.wait_connected())??;
        let there = receiver.signal::<u32>("first")?;
        let arrivals = SignalSpy::new(&there.received());
        // The subscription is there.
        run_until(async { _ = Timer::after(Duration::from_millis(200)).await })?;

        let start = Instant::now();
        let sender = NatsBridge::connect(NatsOptions::new(engine.url()))?;
        let signal = sender.signal::<u32>("first")?;
        signal.emit_to_others(&1);
        wait_until(|| arrivals.count() == 1)?;
        let first = start.elapsed();

        engine.kill()?;
        run_until(async { _ = Timer::after(Duration::from_secs(1)).await })?;
        signal.emit_to_others(&2);
        engine.restart()?;
        let start = Instant::now();
        wait_until(|| sender.is_connected())?;
        let connected = start.elapsed();
        wait_until(|| arrivals.count() == 2)?;
        let [first, connected, message] =
            [first, connected, start.elapsed()].map(|time| time.as_millis());
        println!("  {round}. {first}; {connected}, {message}");
    }
    Ok(())
}

const ROUNDS: usize = 10;
