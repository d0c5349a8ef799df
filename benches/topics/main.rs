//! What topics cost: publishing, subscribing, memory, conflation for a slow reader.
//!
//! `cargo bench --bench topics` prints the tables of docs/performance.md. Server and clients are in
//! this process; what is timed is the work of the server's thread alone.

use anyhow::Result;

mod clients;
mod conflation;
mod memory;
mod publishing;
mod subscribing;

fn main() -> Result<()> {
    bench_support::server::raise_descriptor_limit()?;
    publishing::run()?;
    subscribing::run()?;
    memory::run()?;
    conflation::run()
}
