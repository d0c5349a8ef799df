//! The cost of a bridge: time, throughput, processor time, memory, losses.
//!
//! `cargo bench --bench bridge` (with a `nats-server` in the path) prints the figures of
//! docs/more-than-one-machine.md. Nodes and engine are processes; the clients are this one, whose
//! loop is also that of the bare client of NATS that it is compared with.

#[path = "../../tests/engine/engine.rs"]
#[expect(dead_code, reason = "the tests use more of it")]
mod engine;
#[path = "../../tests/node/serving.rs"]
mod serving;

mod bare;
mod client;
mod connecting;
mod latency;
mod memory;
mod outage;
mod throughput;

use anyhow::Result;

fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1).filter(|argument| argument != "--bench");
    let part = arguments.next();
    if part.as_deref() == Some("node") {
        return serving::serve(arguments);
    }
    if part.as_deref() == Some("measure") {
        return memory::measure(arguments);
    }
    let is_wanted = |name: &str| part.as_deref().is_none_or(|part| part == name);
    if is_wanted("latency") {
        latency::run()?;
    }
    if is_wanted("connecting") {
        connecting::run()?;
    }
    if is_wanted("throughput") {
        throughput::run()?;
    }
    if is_wanted("outage") {
        outage::run()?;
    }
    if is_wanted("memory") {
        memory::run()?;
    }
    Ok(())
}
