//! One open connection: its end, its output, and its share of the loop.

mod abnormal_closure;
mod closing;
#[cfg(feature = "compression")]
mod compression;
#[cfg(feature = "testing")]
mod deadlines;
mod fairness;
mod output;
mod output_policy;
mod slow_peers;
