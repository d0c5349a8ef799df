//! What a service and systemd exchange: the listening socket, readiness, signs of life.

use anyhow::Result;
use listenfd::ListenFd;
#[cfg(unix)]
use sd_notify::{NotifyState, notify, watchdog_enabled};
#[cfg(unix)]
use slotwork::Timer;
use slotwork::{HostAddress, WebSocketServer};

/// Listens with the socket of systemd, if there is one.
pub(crate) fn listen(server: &WebSocketServer, port: u16) -> Result<()> {
    let mut inherited = ListenFd::from_env();
    #[cfg(unix)]
    if let Ok(Some(listener)) = inherited.take_unix_listener(0) {
        // Of a proxy, which alone may connect: chat.socket has its group.
        server.set_unix_peers_trusted(true);
        return Ok(server.listen_on_unix(listener)?);
    }
    let inherited = inherited.take_tcp_listener(0)?;
    let listen = || server.listen(HostAddress::LocalHost, port);
    Ok(inherited.map_or_else(listen, |it| server.listen_on(it))?)
}

/// Reports to systemd that the service is ready, and then that its loop runs (`WatchdogSec`).
#[cfg(unix)]
pub(crate) fn report_ready() -> Result<Timer> {
    notify(&[NotifyState::Ready])?;
    let watchdog = Timer::new();
    watchdog.timeout().connect(|_timer, ()| _ = notify(&[NotifyState::Watchdog]));
    if let Some(timeout) = watchdog_enabled().filter(|timeout| !timeout.is_zero()) {
        watchdog.start(timeout / 2);
    }
    Ok(watchdog)
}
