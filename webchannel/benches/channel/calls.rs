//! Calls of a method of two numbers, with 500 under way on one socket.

use std::io::{BufReader, Read, Write};
use std::net::TcpStream;
use std::rc::Rc;
use std::time::Instant;

use anyhow::{Result, ensure};
use slotwork_webchannel::{Publish, Publisher, WebChannel};
use support::raw_peer::{RawPeer, TEXT, masked};
use support::serve;

use crate::{cpu_time, ratio, serve_channel};

struct Calculator;

impl Publish for Calculator {
    fn publish(with: &mut Publisher<Self>) {
        with.method("add", |_: &Rc<Self>, a: i64, b: i64| a + b);
    }
}

pub(crate) fn run() -> Result<()> {
    let (channel, calculator) = (WebChannel::new(), Rc::new(Calculator));
    channel.register("calculator", &calculator)?;
    let server = serve_channel(&channel)?;
    let port = server.server_port();

    println!("| calls/s | µs CPU a call |\n|---|---|");
    for _ in 0..ROUNDS {
        let (cpu, start) = (cpu_time()?, Instant::now());
        serve(move || call_all(port))?;
        let (cpu, time) = (cpu_time()? - cpu, start.elapsed().as_nanos());
        let calls = BATCH * BATCHES;
        let rate = ratio(calls * 1_000_000_000, u64::try_from(time)?);
        println!("| {rate:.0} | {:.2} |", ratio(cpu, calls * 1000));
    }
    Ok(())
}

/// Calls in batches: the next is sent when the one before has been answered.
fn call_all(port: u16) -> Result<()> {
    let mut peer = RawPeer::open(port)?;
    let frames: Vec<u8> = (0..BATCH)
        .flat_map(|id| {
            let call = r#"{"type":6,"object":"calculator","method":"add","args":[2,3],"id":"#;
            masked(TEXT, format!("{call}{id}}}").as_bytes())
        })
        .collect();
    let mut stream = peer.stream_mut().try_clone()?;
    let mut reader = BufReader::with_capacity(64 * 1024, peer.stream_mut());
    for _ in 0..BATCHES {
        stream.write_all(&frames)?;
        (0..BATCH).try_for_each(|_| skip_answer(&mut reader))?;
    }
    Ok(())
}

/// Reads one short frame.
fn skip_answer(reader: &mut BufReader<&mut TcpStream>) -> Result<()> {
    let mut header = [0; 2];
    reader.read_exact(&mut header)?;
    let mut payload = [0; 125];
    let length = usize::from(header[1]);
    ensure!(length <= payload.len(), "a long answer");
    reader.read_exact(&mut payload[..length])?;
    ensure!(payload[..length].ends_with(br#","data":5}"#), "a wrong answer");
    Ok(())
}

const ROUNDS: usize = 5;
/// Calls under way.
const BATCH: u64 = 500;
const BATCHES: u64 = 400;
