//! Bridges with a real `nats-server`, which `tests/engines/run` installs.
//!
//! Tests that take longer than some seconds are ignored; that script runs them with `--full`.

mod cluster;
mod connecting;
mod delivery;
mod ending;
mod engine;
mod foreign;
mod kept;
mod node;
mod nodes;
mod outage;
mod process;
mod proxy;
mod servers;
mod signals;
mod tls;
