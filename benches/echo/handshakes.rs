//! The rate at which connections open and close.

use std::time::{Duration, Instant};

use anyhow::Result;

use bench_support::load::Window;
use bench_support::server::Server;

/// Opens and closes connections for `length`, so many at once; over TLS each takes a full
/// handshake.
pub(crate) fn run(server: &Server, at_once: usize, length: Duration) -> Result<Window> {
    let mut window = Window::default();
    let server_time = server.cpu_time()?;
    let start = Instant::now();
    while window.count == 0 || start.elapsed() < length {
        server.visit(at_once)?;
        window.count += u32::try_from(at_once)?;
    }
    window.elapsed = start.elapsed();
    window.server_time = server.cpu_time()?.saturating_sub(server_time);
    Ok(window)
}
