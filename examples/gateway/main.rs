//! A gateway for devices, as a case study: docs/porting.md describes it as the port of a Qt program.
//!
//! Devices report measured values over a `WebSocket` each and take commands, both as JSON. A page on
//! the same port shows the devices and sends the commands. A file keeps the values.
//!
//! Run `cargo run --example gateway -- --simulate 3`, then open the address that it prints in a
//! browser.

mod device;
mod gateway;
mod http;
mod journal;
mod messages;
mod simulator;

use std::net::{IpAddr, TcpListener};
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result};
use clap::Parser;
use slotwork::{EventLoop, EventThread};
use smol::Async;

use crate::gateway::Gateway;
use crate::journal::Journal;

/// Slotwork example: gateway
#[derive(Parser)]
struct Options {
    /// Address for devices and pages; everything that reaches it may send commands
    #[arg(short, long, default_value = "127.0.0.1")]
    address: IpAddr,
    /// Port for devices and pages
    #[arg(short, long, default_value_t = 8080)]
    port: u16,
    /// File of the measured values
    #[arg(short, long, default_value = "gateway.jsonl")]
    file: PathBuf,
    /// Seconds that a device has to answer a command
    #[arg(long, default_value_t = 5)]
    answer_timeout: u64,
    /// Seconds without a report after which a device is shown as silent
    #[arg(long, default_value_t = 60)]
    silence: u64,
    /// Simulated devices
    #[arg(long, default_value_t = 0)]
    simulate: u32,
}

fn main() -> Result<()> {
    let options = Options::parse();
    env_logger::init();

    let file = options.file.display();
    let journal = Journal::open(&options.file).with_context(|| format!("cannot open {file}"))?;
    let gateway = Gateway::new(
        journal,
        Duration::from_secs(options.answer_timeout),
        Duration::from_secs(options.silence),
    )?;
    let recording = gateway.start_recording();
    let listener = Async::<TcpListener>::bind((options.address, options.port));
    let listener = listener.with_context(|| format!("cannot listen on port {}", options.port))?;
    let address = listener.get_ref().local_addr()?;
    println!("listening on http://{address}");
    let accepting = EventLoop::current().spawn(http::accept(listener, gateway.server().clone()));
    let simulated = EventThread::spawn("simulator", move || {
        simulator::start(&format!("ws://{address}/devices"), options.simulate)
    })?;

    EventLoop::current().quit_on_signals()?;
    EventLoop::current().exec();
    drop((accepting, simulated));
    gateway.server().shutdown(Duration::from_secs(3));
    EventLoop::current().run_until(gateway.server().closed().next());
    // The end of the gateway's signals is the end of the recording.
    drop(gateway);
    EventLoop::current().run_until(recording);
    Ok(())
}
