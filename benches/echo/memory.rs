//! How much memory a connection takes, and how much stays behind.

use std::time::Duration;

use anyhow::Result;

use crate::exchange::Exchange;
use crate::load::Load;
use crate::server::{Program, Server};

/// What was found out about one server.
pub(crate) struct Weight {
    pub(crate) server: String,
    /// What it has in memory with one connection.
    pub(crate) base: i64,
    /// For one connection that was used and is idle.
    pub(crate) per_idle: Option<i64>,
    /// What it has more of after the echo of 1 MiB, on one connection that is still open.
    pub(crate) kept: i64,
}

/// Starts `program` afresh for each figure. Every connection has echoed a small message before.
pub(crate) fn weigh(program: &Program, idle: usize) -> Result<Weight> {
    let small = Exchange::new(1, 20, 1, false)?;
    let large = Exchange::new(2, 1 << 20, 1, false)?;
    // The first client begins with the second.
    let exchanges = [large, small];

    let server = program.start()?;
    let mut only = open(&server, 1, &exchanges)?;
    let base = server.resident_bytes()?;
    // The large one, and a small one, so that the server is through with it.
    only.run(&server, Duration::ZERO)?;
    only.run(&server, Duration::ZERO)?;
    let kept = server.resident_bytes()? - base;

    let per_idle = if idle == 0 { None } else { Some(weigh_idle(program, idle)?) };
    Ok(Weight { server: program.name.clone(), base, per_idle, kept })
}

fn weigh_idle(program: &Program, count: usize) -> Result<i64> {
    let exchanges = [Exchange::new(1, 20, 1, false)?];
    let server = program.start()?;
    let _first = open(&server, 1, &exchanges)?;
    let base = server.resident_bytes()?;
    let _idle = open(&server, count, &exchanges)?;
    Ok((server.resident_bytes()? - base) / i64::try_from(count)?)
}

/// Opens connections, and lets each of them echo one message.
fn open<'a>(server: &Server, count: usize, exchanges: &'a [Exchange]) -> Result<Load<'a>> {
    let mut load = Load::open(server.port(), count, exchanges)?;
    load.run(server, Duration::ZERO)?;
    Ok(load)
}
