//! Calls of the program during a delay or an attempt: `open`, `close`, `abort`.

use anyhow::{Result, ensure};
use slotwork::signals::Handle;
use slotwork::{CloseCode, SocketState, WebSocket};

use support::raw_server::RawServer;
use support::{in_thread, serve, wait_until};

use super::{at_once, never, reconnecting_client, refusing_url, wait_for_delay};

/// `open` replaces the URL also while an attempt of the policy is under way.
#[test]
fn open_during_an_attempt_begins_anew() -> Result<()> {
    let policy = at_once().reconnect_url(async |_attempt| std::future::pending::<String>().await);
    let (socket, recorder) = reconnecting_client(policy);
    socket.open(refusing_url()?)?;
    wait_until(|| socket.is_reconnecting() && socket.state() == SocketState::Connecting)?;
    let server = RawServer::listen()?;

    socket.open(server.url())?;
    ensure!(!socket.is_reconnecting());
    serve(move || server.open()?.close(1000, ""))?;

    recorder.wait_for_disconnected(3)?;
    let attempts = |line: &&String| line.starts_with("reconnecting");
    assert_eq!(recorder.lines().iter().filter(attempts).count(), 1);
    assert_eq!(socket.close_code(), Some(CloseCode::NORMAL));
    Ok(())
}

/// `close` and `abort` are final, in any state.
#[test]
fn the_program_ends_reconnecting() -> Result<()> {
    for end in [|socket: &WebSocket| _ = socket.close_normally(), WebSocket::abort] {
        // While it is connected.
        let server = RawServer::listen()?;
        let (socket, recorder) = reconnecting_client(at_once());
        socket.connected().connect(move |socket, ()| end(socket));
        socket.open(server.url())?;
        // Until the close frame, or the end.
        serve(move || Ok(_ = server.open()?.read_frame()))?;
        recorder.wait_for_disconnected(1)?;
        ensure!(!socket.is_reconnecting());

        // While it is connecting.
        socket.open(refusing_url()?)?;
        end(&socket);
        recorder.wait_for_disconnected(2)?;
        ensure!(!socket.is_reconnecting());

        // During the delay; the loop keeps the socket no longer.
        let (socket, _recorder) = reconnecting_client(never());
        socket.open(refusing_url()?)?;
        wait_for_delay(&socket)?;
        end(&socket);
        ensure!(!socket.is_reconnecting());
        let weak = socket.downgrade();
        drop(socket);
        wait_until(|| weak.upgrade().is_none())?;
    }
    Ok(())
}

#[test]
fn a_policy_that_is_removed_ends_the_delay() -> Result<()> {
    let (socket, _recorder) = reconnecting_client(never());
    socket.open(refusing_url()?)?;
    wait_for_delay(&socket)?;

    socket.set_reconnect(None);

    ensure!(!socket.is_reconnecting());
    let weak = socket.downgrade();
    drop(socket);
    wait_until(|| weak.upgrade().is_none())
}

/// Another thread may end the delay, or open the socket during it.
#[test]
fn another_thread_ends_the_delay() -> Result<()> {
    let (socket, _recorder) = reconnecting_client(never());
    let server = RawServer::listen()?;
    socket.open(refusing_url()?)?;
    wait_for_delay(&socket)?;

    let (other, url) = (socket.clone(), server.url());
    serve(move || {
        other.open(url)?;
        drop(server.open()?);
        Ok(())
    })?;
    wait_for_delay(&socket)?;
    let other = socket.clone();
    serve(move || {
        other.abort();
        Ok(())
    })?;

    ensure!(!socket.is_reconnecting());
    Ok(())
}

/// The end of the loop's thread ends the delay, and frees the socket.
#[test]
fn a_thread_that_ends_keeps_no_socket_that_waits() -> Result<()> {
    let weak = in_thread(|_event_loop| -> Result<_> {
        let (socket, _recorder) = reconnecting_client(never());
        socket.open(refusing_url()?)?;
        wait_for_delay(&socket)?;
        Ok(socket.downgrade())
    })??;

    wait_until(|| weak.upgrade().is_none_or(|socket| !socket.is_reconnecting()))
}
