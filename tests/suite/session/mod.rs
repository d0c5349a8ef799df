//! One open connection: its end, its output, and its share of the loop.

mod abnormal_closure;
mod closing;
mod fairness;
mod output;
mod output_policy;
mod slow_peers;
