//! Publishing to 1 to 5,000 subscribers, beside a loop over a list of sockets.

use anyhow::Result;
use bench_support::turns::{median, median_ratio};
use slotwork::{EventLoop, PreparedMessage};

use crate::clients::{Clients, cpu_time};

pub(crate) fn run() -> Result<()> {
    println!("| subscribers | publish, µs CPU a delivery | loop of `send_prepared` | ratio |");
    println!("|---|---|---|---|");
    for count in [1, 100, 1000, 5000] {
        let mut clients = Clients::open(count)?;
        let topic = clients.server.topic("a")?;
        for socket in &clients.sockets {
            topic.subscribe(socket)?;
        }
        let (mut published, mut looped) = (Vec::new(), Vec::new());
        for _ in 0..ROUNDS {
            published
                .push(measure(&mut clients, |_, message| _ = topic.publish_prepared(message))?);
            looped.push(measure(&mut clients, |clients, message| {
                for socket in &clients.sockets {
                    socket.send_prepared(message);
                }
            })?);
        }
        let ratio = median_ratio(&published, &looped);
        let (published, looped) = (median(published), median(looped));
        println!("| {count} | {published:.3} | {looped:.3} | {ratio:.3} |");
    }
    Ok(())
}

/// Returns the µs of CPU for a delivery, with its write.
fn measure(clients: &mut Clients, send: impl Fn(&Clients, &PreparedMessage)) -> Result<f64> {
    let count = clients.sockets.len();
    let messages = (DELIVERIES / count).max(3);
    let message = PreparedMessage::text("x".repeat(100));
    let (mut time, mut left) = (0, messages);
    while left > 0 {
        let batch = left.min(100);
        left -= batch;
        let start = cpu_time()?;
        for _ in 0..batch {
            send(clients, &message);
            // One turn writes it.
            EventLoop::current().process_events();
        }
        time += cpu_time()? - start;
        clients.check_written()?;
        clients.drain()?;
    }
    #[expect(clippy::cast_precision_loss, reason = "figures to read")]
    let per_delivery = time as f64 / 1000.0 / (messages * count) as f64;
    Ok(per_delivery)
}

const ROUNDS: usize = 11;
/// Of one measurement.
const DELIVERIES: usize = 100_000;
