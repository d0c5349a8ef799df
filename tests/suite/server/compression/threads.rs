//! Compression on several threads: settings reach all parts, which share one budget.

use anyhow::{Result, ensure};
use slotwork::{Compression, HostAddress, SslMode, WebSocketServer};

use support::{echo, wait_until};

use super::{CHROMIUM, WITH_4_KIB, WITHOUT, connect_one};

/// The second connection is on the other thread.
#[test]
fn the_parts_of_a_server_share_one_budget() -> Result<()> {
    let settings = Compression::new().history(4096)?.history_budget(8192);
    for is_set_before in [true, false] {
        let server = WebSocketServer::new("Test Server", SslMode::NonSecure);
        if is_set_before {
            server.set_compression(settings);
        }
        let _threads = server.serve_on_threads(2, |part| {
            part.new_connection().connect(|part, ()| {
                part.next_pending_connection().iter().for_each(echo);
            });
        })?;
        server.set_compression(settings);
        server.listen(HostAddress::LocalHost, 0)?;

        let (first, agreed) = connect_one(&server, CHROMIUM)?;
        ensure!(agreed.as_deref() == Some(WITH_4_KIB), "{agreed:?}");
        let (_second, agreed) = connect_one(&server, CHROMIUM)?;
        ensure!(agreed.as_deref() == Some(WITHOUT), "{agreed:?}");
        drop(first);
        wait_until(|| server.clients().len() == 1)?;
        let (_third, agreed) = connect_one(&server, CHROMIUM)?;
        ensure!(agreed.as_deref() == Some(WITH_4_KIB), "{agreed:?}");
    }
    Ok(())
}
