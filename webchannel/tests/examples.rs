//! The examples do what they say, also beside clients that misbehave.

use anyhow::{Result, ensure};
use support::example::{Example, program};
use support::raw_peer::{RawPeer, TEXT, masked};

/// Two pages have one target, a rude one harms neither, and the end is orderly (1001).
#[cfg(unix)]
#[test]
fn dashboard_serves_pages_until_it_is_interrupted() -> Result<()> {
    use rustix::process::Signal;

    let mut server = Example::run(program("dashboard").args(["--port", "0"]))?;
    let port = server.port_behind("Dashboard listening on port ")?;
    let mut rude = RawPeer::open(port)?;
    rude.send(masked(TEXT, b"{"))?;
    let (mut one, mut two) = (page(port)?, page(port)?);

    one.send(masked(TEXT, br#"{"type":9,"object":"greenhouse","property":4,"value":99}"#))?;

    // It is the greatest that can be set.
    for page in [&mut one, &mut two] {
        page.send(masked(TEXT, br#"{"type":4}"#))?;
        let mut text = String::new();
        while !text.contains(r#""4":30.0"#) {
            let frame = page.read_frame()?;
            ensure!(frame.opcode == TEXT, "{frame:?}");
            text = String::from_utf8(frame.payload)?;
            page.send(masked(TEXT, br#"{"type":4}"#))?;
        }
    }
    server.send_signal(Signal::TERM)?;
    let mut frame = one.read_frame()?;
    while frame.opcode == TEXT {
        frame = one.read_frame()?;
    }
    ensure!(frame.close_code()? == 1001, "{frame:?}");
    one.close_back()?;
    drop((two, rude));
    ensure!(server.process.wait()?.success());
    Ok(())
}

#[cfg(unix)]
fn page(port: u16) -> Result<RawPeer> {
    let mut page = RawPeer::open(port)?;
    page.send(masked(TEXT, br#"{"type":3,"id":0}"#))?;
    let frame = page.read_frame()?;
    let text = String::from_utf8(frame.payload)?;
    ensure!(text.contains(r#"[4,"target",[1,3],21.0]"#), "{text}");
    Ok(page)
}
