//! Servers with compression compared, on two cores of one machine: permessage-deflate (RFC 7692).
//!
//! `benches/compare_compression` builds the others and runs this. As in the comparison of echo
//! servers each server is on core 0 and the clients on core 1, and the servers have their turns in
//! short windows: only the ratios of one run mean something.
//!
//! Each of 50 clients sends a chat-like JSON text and waits for its echo. All clients send the same
//! bytes to each server that compresses: the messages are compressed beforehand, each by itself. One
//! client of each server inflates and compares the echoes, the others count them.
//!
//! The floor does nothing but to call zlib-rs and the kernel: no server with this engine, these levels
//! and histories is ahead of it.

use anyhow::Result;
use clap::Parser;

mod check;
mod lane;
mod memory;
mod servers;
mod table;
mod texts;

use bench_support::server;

/// Measures WebSocket servers with compression side by side.
///
/// Another server is measured with --also NAME=PROGRAM. PROGRAM is started with `--port 0`, and has
/// to print "listening on ws://HOST:PORT" once it listens. It echoes every message, compressed if it
/// agrees to that.
#[derive(Parser)]
struct Options {
    /// How often each server has its turn with a size
    #[arg(long, default_value_t = 15)]
    rounds: usize,
    /// How long a turn is, in milliseconds
    #[arg(long, default_value_t = 200)]
    window: u64,
    /// How many idle connections are weighed; 0 for none
    #[arg(long, default_value_t = 1000)]
    idle: usize,
    /// Only the messages of this size: "100 B", "1 KiB" or "16 KiB"
    #[arg(long)]
    size: Option<String>,
    /// Leaves out servers with this in their name
    #[arg(long)]
    without: Vec<String>,
    /// One more server, such as an older build
    #[arg(long, value_name = "NAME=PROGRAM")]
    also: Vec<String>,
    /// Cargo passes this to every benchmark
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() -> Result<()> {
    let options = Options::parse();
    let programs = servers::find(&options)?;
    server::pin_this_process()?;
    server::raise_descriptor_limit()?;

    table::print_head(options.idle);
    let chosen = |name: &str| options.size.as_deref().is_none_or(|size| size == name);
    for (name, size) in SIZES.into_iter().filter(|(name, _)| chosen(name)) {
        table::print_rows(name, &lane::run(size, &programs, &options)?);
    }
    Ok(())
}

/// The sizes of the messages, in bytes.
const SIZES: [(&str, usize); 3] = [("100 B", 100), ("1 KiB", 1 << 10), ("16 KiB", 16 << 10)];
/// How many clients a server has.
const CLIENTS: usize = 50;
