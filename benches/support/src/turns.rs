//! Rounds of the candidates, one after the other, and the median of their results.

use anyhow::{Context, Result};

/// Gives each lane its turn in every round; each round another one begins.
///
/// A warm-up round precedes the first one: `turn` gets whether its round counts.
pub fn take_turns<L>(
    lanes: &mut [L],
    rounds: usize,
    mut turn: impl FnMut(&mut L, bool) -> Result<()>,
) -> Result<()> {
    for round in 0..=rounds {
        for offset in 0..lanes.len() {
            let place = (round + offset) % lanes.len();
            turn(lanes.get_mut(place).context("no such lane")?, round > 0)?;
        }
    }
    Ok(())
}

/// Returns the median of the values.
pub fn median(mut values: Vec<f64>) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

/// Returns the median of `ours / its`, round by round.
pub fn median_ratio(ours: &[f64], its: &[f64]) -> f64 {
    median(ours.iter().zip(its).map(|(ours, its)| ours / its).collect())
}
