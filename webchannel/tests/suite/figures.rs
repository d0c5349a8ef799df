//! How much work there is for many clients, counted.

use anyhow::{Result, ensure};
use support::{run_until, serve, wait_until};

use crate::device::{Device, Fixture};
use crate::page::Page;

/// A change of a property is encoded once for all clients that wait.
#[test]
fn clients_share_an_update() -> Result<()> {
    let Fixture { channel: _channel, device, server: _server, port } = Fixture::without_interval()?;
    let (ready, is_ready) = smol::channel::bounded(1);
    let pages = std::thread::spawn(move || -> Result<()> {
        let mut pages = (0..100).map(|_| Page::open(port)).collect::<Result<Vec<_>>>()?;
        for page in &mut pages {
            page.expect_nothing()?;
        }
        // Each has been answered behind its idle.
        ready.send_blocking(())?;
        pages.iter_mut().try_for_each(|page| {
            ensure!(page.next_update()?["properties"]["1"] == 9);
            Ok(())
        })
    });
    run_until(is_ready.recv())??;

    (0..1000).for_each(|_| device.set_level(9));

    wait_until(|| pages.is_finished())?;
    pages.join().unwrap()?;
    ensure!(device.reads.get() == 101, "{} encodings", device.reads.get() - 100);
    Ok(())
}

/// A round is not lost among clients that come and go meanwhile.
#[test]
fn clients_come_and_go_between_updates() -> Result<()> {
    let Fixture { channel: _channel, device, server: _server, port } = Fixture::without_interval()?;
    device.set_hook(Device::raise_level);

    serve(move || {
        for _ in 0..20 {
            let (mut one, mut two) = (Page::open(port)?, Page::open(port)?);
            let level = one.call_hook()?;
            ensure!(one.next_update()?["properties"]["1"] == level);
            ensure!(two.next_update()?["properties"]["1"] == level);
            two.peer.reset()?;
            one.idle()?;
            let level = one.call_hook()?;
            ensure!(one.next_update()?["properties"]["1"] == level);
        }
        Ok(())
    })
}
