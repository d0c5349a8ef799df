//! What a web channel costs: calls, and property updates for many clients.
//!
//! `cargo bench --package slotwork-webchannel --profile plain` prints the tables of docs/performance.md.
//! Server and clients are in this process; the CPU time is that of the server's thread alone.

use std::fs;

use anyhow::{Context, Result};
use slotwork::WebSocketServer;
use slotwork_webchannel::WebChannel;
use support::listening_server;

mod calls;
mod updates;

fn main() -> Result<()> {
    calls::run()?;
    updates::run()
}

/// Starts a server whose clients are those of a channel.
fn serve_channel(channel: &WebChannel) -> Result<WebSocketServer> {
    let server = listening_server()?;
    server.set_max_pending_connections(updates::CLIENTS);
    server.new_connection().connect_to(channel, |channel, server, ()| {
        while let Some(socket) = server.next_pending_connection() {
            channel.connect_to(&socket);
        }
    });
    Ok(server)
}

/// Returns the CPU time of this thread, in nanoseconds.
fn cpu_time() -> Result<u64> {
    let text = fs::read_to_string("/proc/thread-self/schedstat")?;
    Ok(text.split(' ').next().context("no figures")?.parse()?)
}

/// Returns a quotient of large counts.
#[expect(clippy::cast_precision_loss, reason = "figures to read")]
fn ratio(dividend: u64, divisor: u64) -> f64 {
    dividend as f64 / divisor as f64
}
