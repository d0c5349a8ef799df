//! Messages of one client to all.

use std::time::{Duration, Instant};

use anyhow::Result;

use bench_support::load::{Load, Window};
use bench_support::server::Server;

/// Lets the first client send, and again when all have the message, for `length`.
///
/// The window counts what arrives: one for each message and client, the sender among them.
pub(crate) fn run(load: &mut Load<'_>, server: &Server, length: Duration) -> Result<Window> {
    let mut window = Window::default();
    let server_time = server.cpu_time()?;
    let start = Instant::now();
    while window.count == 0 || start.elapsed() < length {
        let sent_at = Instant::now();
        load.send_to_all()?;
        let mut missing = load.len();
        while missing > 0 {
            for index in load.ready(missing)? {
                missing -= usize::from(load.receive(index)?);
            }
        }
        window.count += u32::try_from(load.len())?;
        window.latencies.push(sent_at.elapsed());
    }
    window.elapsed = start.elapsed();
    window.server_time = server.cpu_time()?.saturating_sub(server_time);
    Ok(window)
}
