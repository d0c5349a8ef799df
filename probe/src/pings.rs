//! Round-trip times of pings.

use std::rc::Rc;
use std::time::Duration;

use slotwork::Timer;

use crate::client::Client;
use crate::report::{Pings, milliseconds};

/// Sends pings, each when the one before has been answered.
pub(crate) async fn measure(client: Rc<Client>) {
    let exchange = &client.options.exchange;
    let mut pongs = client.socket.pong().stream();
    let pause = Timer::new();
    pause.set_single_shot(true);
    for number in 1..=exchange.ping {
        if number > 1 {
            let end = pause.timeout().next();
            pause.start(exchange.interval);
            end.await;
        }
        let payload = number.to_string();
        client.begin_ping();
        client.socket.ping(&payload);
        // A pong that nothing has asked for has another payload.
        let elapsed = loop {
            let Some(pong) = pongs.next().await else { return };
            if pong.payload == payload.as_bytes() {
                break pong.elapsed;
            }
        };
        client.end_ping(number, elapsed.unwrap_or_default());
    }
}

impl Pings {
    /// Returns the statistics of round-trip times.
    pub(crate) fn of(sent: u32, times: &[Duration]) -> Self {
        let mut times = times.to_vec();
        times.sort_unstable();
        let rank = |percent: usize| {
            // The nearest rank: the smallest time that is not exceeded by this share of all.
            let rank = (times.len() * percent).div_ceil(100).max(1);
            times.get(rank - 1).copied().map(milliseconds)
        };
        Self {
            sent,
            received: times.len(),
            min_ms: rank(0),
            median_ms: rank(50),
            p99_ms: rank(99),
            max_ms: rank(100),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_those_of_the_nearest_rank() {
        let times: Vec<_> = (1..=200).rev().map(Duration::from_millis).collect();
        let all = |pings: &Pings| [pings.min_ms, pings.median_ms, pings.p99_ms, pings.max_ms];

        assert_eq!(all(&Pings::of(200, &times)), [1.0, 100.0, 198.0, 200.0].map(Some));
        assert_eq!(all(&Pings::of(200, &times[..1])), [200.0; 4].map(Some));
        assert_eq!(all(&Pings::of(1, &[])), [None; 4]);
    }
}
