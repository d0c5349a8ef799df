//! The memory of a connection, and the memory that stays after its end.

use std::time::Duration;

use anyhow::Result;

use bench_support::exchange::Exchange;
use bench_support::load::Load;
use bench_support::server::{Program, Server};

/// What was found out about one server.
pub(crate) struct Weight {
    pub(crate) server: String,
    pub(crate) is_secure: bool,
    /// What it has in memory with one connection.
    pub(crate) base: i64,
    /// For one connection that was used and is idle.
    pub(crate) per_idle: Option<i64>,
    /// What it has more of after the echo of 1 MiB, on one connection that is still open.
    pub(crate) kept: i64,
    /// The same for each of [`MANY`] connections that did so at the same time.
    pub(crate) kept_by_each: i64,
}

/// Starts `program` afresh for each figure. Every connection has echoed a small message before.
pub(crate) fn weigh(program: &Program, idle: usize) -> Result<Weight> {
    let (base, kept) = weigh_large(program, 1)?;
    let (_, kept_by_many) = weigh_large(program, MANY)?;
    let kept_by_each = kept_by_many / i64::try_from(MANY)?;
    let per_idle = if idle == 0 { None } else { Some(weigh_idle(program, idle)?) };
    let is_secure = program.certificate.is_some();
    Ok(Weight { server: program.name.clone(), is_secure, base, per_idle, kept, kept_by_each })
}

/// Returns what the server has in memory before, and how much more after the echoes of 1 MiB.
fn weigh_large(program: &Program, count: usize) -> Result<(i64, i64)> {
    let small = [Exchange::new(1, 20, 1, false)?];
    let large = [Exchange::new(2, 1 << 20, 1, false)?];
    let server = program.start()?;
    let mut load = open(&server, count, &small)?;
    let base = server.resident_bytes()?;
    load.set_exchanges(&large);
    load.run(&server, Duration::ZERO)?;
    // After a small one the server is through with the large one.
    load.set_exchanges(&small);
    load.run(&server, Duration::ZERO)?;
    load.rest(CALM)?;
    Ok((base, server.resident_bytes()? - base))
}

fn weigh_idle(program: &Program, count: usize) -> Result<i64> {
    let small = [Exchange::new(1, 20, 1, false)?];
    let server = program.start()?;
    let _first = open(&server, 1, &small)?;
    let base = server.resident_bytes()?;
    let _idle = open(&server, count, &small)?;
    Ok((server.resident_bytes()? - base) / i64::try_from(count)?)
}

/// Opens connections, and lets each of them echo one message.
fn open<'a>(server: &Server, count: usize, exchanges: &'a [Exchange]) -> Result<Load<'a>> {
    let mut load = Load::open(server, count, exchanges)?;
    load.run(server, Duration::ZERO)?;
    Ok(load)
}

/// How long the servers have to free what they do not keep for ever.
const CALM: Duration = Duration::from_secs(2);
/// How many connections echo 1 MiB at the same time.
pub(crate) const MANY: usize = 200;
