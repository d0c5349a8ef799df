//! Remote signals.

use std::cell::Cell;
use std::rc::Rc;

use anyhow::Result;
use serde::{Deserialize, Serialize};
use slotwork::EventLoop;
use slotwork::signals::SignalSpy;
use slotwork_nats::{NatsBridge, RemoteSignal};
use support::{panic_in_slot, run_until, wait_until};

use crate::engine::Engine;
use crate::foreign::Foreign;
use crate::node::{self, Node};

#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
struct Rate {
    bid: f64,
}

fn connected(engine: &Engine) -> Result<NatsBridge> {
    let bridge = NatsBridge::connect(engine.options())?;
    run_until(bridge.wait_connected())??;
    Ok(bridge)
}

/// Emits until it arrives: then the subscription is there.
fn link(from: &RemoteSignal<Rate>, to: &SignalSpy<Rate>) -> Result<()> {
    run_until(async {
        while to.count() == 0 {
            from.emit_to_others(&Rate { bid: 0.0 });
            smol::Timer::after(std::time::Duration::from_millis(5)).await;
        }
        // Those on their way.
        smol::Timer::after(std::time::Duration::from_millis(100)).await;
    })?;
    to.clear();
    Ok(())
}

#[test]
fn an_emission_calls_the_slots_of_all_nodes() -> Result<()> {
    let engine = Engine::start()?;
    let (one, other) = (connected(&engine)?, connected(&engine)?);
    let (here, there) =
        (one.signal::<Rate>("rates.EURUSD")?, other.signal::<Rate>("rates.EURUSD")?);
    let (local, remote) = (SignalSpy::new(&here.received()), SignalSpy::new(&there.received()));
    link(&here, &remote)?;

    here.emit(&Rate { bid: 1.5 });
    assert_eq!(local.values(), [Rate { bid: 1.5 }]);
    here.emit_to_others(&Rate { bid: 2.5 });

    remote.wait_for(2)?;
    assert_eq!(remote.values(), [Rate { bid: 1.5 }, Rate { bid: 2.5 }]);
    assert_eq!(local.count(), 1);
    Ok(())
}

#[test]
fn a_topic_and_a_signal_may_have_one_subject() -> Result<()> {
    let engine = Engine::start()?;
    let one = Node::connected(engine.options(), "rates")?;
    let other = Node::connected(engine.options(), "rates")?;
    other.join("EURUSD")?;
    let signal = other.bridge.signal::<Rate>("rates.EURUSD")?;
    let received = SignalSpy::new(&signal.received());
    node::link(&one, &other)?;

    one.publish("EURUSD", "{\"bid\":1.5}")?;

    assert_eq!(other.take_texts(1)?, ["{\"bid\":1.5}"]);
    received.wait_for(1)?;
    assert_eq!(received.values(), [Rate { bid: 1.5 }]);
    assert_eq!(other.bridge.stats().lost_in, 0);
    Ok(())
}

#[test]
fn calls_with_one_name_return_one_signal() -> Result<()> {
    let bridge = NatsBridge::connect(slotwork_nats::NatsOptions::new("nats://127.0.0.1:1"))?;
    let received = SignalSpy::new(&bridge.signal::<Rate>("rates")?.received());
    let kept = bridge.signal::<Rate>("rates")?;
    let again = SignalSpy::new(&kept.received());

    bridge.signal::<Rate>("rates")?.emit(&Rate { bid: 1.0 });
    bridge.signal::<String>("rates")?.emit(&"of another type".to_owned());

    // The first handle was dropped before the second was made: its slots are gone with it.
    assert_eq!((received.count(), again.count()), (0, 1));
    Ok(())
}

#[test]
fn json_that_does_not_fit_is_lost_alone() -> Result<()> {
    let engine = Engine::start()?;
    let (one, other) = (connected(&engine)?, connected(&engine)?);
    let (here, there) = (one.signal::<Rate>("rates")?, other.signal::<Rate>("rates")?);
    let received = SignalSpy::new(&there.received());
    let lost = SignalSpy::new(&other.lost());
    link(&here, &received)?;
    let mut foreign = Foreign::connect(&engine)?;

    foreign.publish("rates", b"{\"bid\":\"high\"}")?;
    foreign.publish("rates", b"{\"bid\":1.25}")?;

    received.wait_for(1)?;
    assert_eq!(received.values(), [Rate { bid: 1.25 }]);
    lost.wait_for(1)?;
    assert_eq!(lost.values(), [1]);
    Ok(())
}

#[test]
fn a_slot_may_emit_again_disconnect_and_panic() -> Result<()> {
    let engine = Engine::start()?;
    let (one, other) = (connected(&engine)?, connected(&engine)?);
    let (here, there) = (one.signal::<Rate>("rates")?, other.signal::<Rate>("rates")?);
    let received = SignalSpy::new(&there.received());
    link(&here, &received)?;
    let calls = Rc::new(Cell::new(0));
    let panics = SignalSpy::new(&EventLoop::current().panicked());
    there.received().once().connect_to(&calls, |calls, there, rate| {
        calls.set(calls.get() + 1);
        there.emit_to_others(&Rate { bid: -rate.bid });
        panic_in_slot();
    });
    let answers = SignalSpy::new(&here.received());

    here.emit_to_others(&Rate { bid: 1.0 });
    here.emit_to_others(&Rate { bid: 2.0 });

    received.wait_for(2)?;
    panics.wait_for(1)?;
    assert_eq!(calls.get(), 1);
    // It may not be subscribed yet: the slot's emission has not stopped anything.
    assert!(answers.count() <= 1);
    Ok(())
}

#[test]
fn a_slot_may_drop_the_bridge() -> Result<()> {
    let engine = Engine::start()?;
    let (one, other) = (connected(&engine)?, connected(&engine)?);
    let (here, there) = (one.signal::<Rate>("rates")?, other.signal::<Rate>("rates")?);
    let received = SignalSpy::new(&there.received());
    link(&here, &received)?;
    let held = Rc::new(Cell::new(Some(other)));
    let watched = Rc::clone(&held);
    there.received().connect_to(&held, |held, _there, _rate| drop(held.take()));

    here.emit_to_others(&Rate { bid: 1.0 });

    wait_until(|| {
        let bridge = watched.take();
        let is_dropped = bridge.is_none();
        watched.set(bridge);
        is_dropped
    })?;
    assert!(received.count() <= 1);
    Ok(())
}
