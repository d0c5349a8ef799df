//! The tables that are printed.

use std::time::Duration;

use crate::memory::{MANY, Weight};
use crate::rotation::Results;
use crate::workload::{OURS, Workload};
use bench_support::profile::Profile;
use bench_support::turns::{median, median_ratio};

/// The results of one server: of both builds, or of the only one.
struct Builds<'a> {
    default: Option<&'a Results>,
    lto: Option<&'a Results>,
    only: Option<&'a Results>,
}

/// Prints the head of the table with a row for each workload and server.
pub(crate) fn print_head_of_rates() {
    println!(
        "| messages | clients | server | per CPU second, default | LTO | ours / its, default | LTO | \
         goal | per second | of its core | p50 | p99 |"
    );
    println!("|---|---|---|---|---|---|---|---|---|---|---|---|");
}

/// Prints the rows of one workload.
///
/// A server with one build is in the column of LTO, and compared with both builds of ours.
pub(crate) fn print_rates(workload: &Workload, results: &[Results]) {
    let ours = Builds::of(OURS, results);
    for server in names(results) {
        let its = Builds::of(server, results);
        let Some(detail) = its.best() else { continue };
        let ratios = [(ours.default, its.default.or(its.only)), (ours.lto, its.lto.or(its.only))]
            .map(|pair| if server == OURS { None } else { ratio(pair) });
        let goal = workload.goal(server);
        let mut latencies = detail.latencies.clone();
        latencies.sort_unstable();
        println!(
            "| {} | {} | {server} | {} | {} | {} | {} | {} | {:.0} | {:.0} % | {} | {} |",
            workload.name,
            workload.clients,
            rate(its.default),
            rate(its.lto.or(its.only)),
            compared(ratios[0], None),
            compared(ratios[1], goal),
            compared(goal, None),
            median(detail.per_second.clone()),
            100.0 * median_ratio(&detail.per_second, &detail.per_cpu_second),
            percentile(&latencies, 50),
            percentile(&latencies, 99),
        );
    }
}

/// Prints the head of the table of servers with threads.
pub(crate) fn print_head_of_threads() {
    println!(
        "\n| messages | clients | server | profile | per CPU second, 1 thread | 2 threads | \
         2 threads / 1 | goal |"
    );
    println!("|---|---|---|---|---|---|---|---|");
}

/// Prints the rows of one workload with threads.
pub(crate) fn print_threads(workload: &Workload, results: &[Results]) {
    for two in results.iter().filter(|results| results.threads == Some(2)) {
        let is_same = |one: &&Results| {
            one.threads == Some(1) && one.server == two.server && one.profile == two.profile
        };
        let one = results.iter().find(is_same);
        let goal = workload.goal(&two.server);
        println!(
            "| {} | {} | {} | {} | {} | {} | {} | {} |",
            workload.name,
            workload.clients,
            two.server,
            match two.profile {
                Some(Profile::Default) => "default",
                Some(Profile::Lto) => "LTO",
                _ => NOTHING,
            },
            rate(one),
            rate(Some(two)),
            compared(ratio((Some(two), one)), goal),
            compared(goal, None),
        );
    }
}

/// Prints what the servers keep in memory.
pub(crate) fn print_weights(weights: &[Weight], idle: usize) {
    println!(
        "\n| server | base, KiB | bytes for each of {idle} idle connections | \
         KiB kept after 1 MiB | by each of {MANY} connections |"
    );
    println!("|---|---|---|---|---|");
    for Weight { server, base, per_idle, kept, kept_by_each, is_secure } in weights {
        let server = if *is_secure { format!("{server}, wss") } else { server.clone() };
        let per_idle = per_idle.map_or(NOTHING.to_owned(), |bytes| bytes.to_string());
        let [base, kept, kept_by_each] = [base, kept, kept_by_each].map(|bytes| bytes / 1024);
        println!("| {server} | {base} | {per_idle} | {kept} | {kept_by_each} |");
    }
}

impl<'a> Builds<'a> {
    fn of(server: &str, results: &'a [Results]) -> Self {
        let built = |profile| {
            results.iter().find(|results| results.server == server && results.profile == profile)
        };
        Self {
            default: built(Some(Profile::Default)),
            lto: built(Some(Profile::Lto)),
            only: built(None),
        }
    }

    /// Returns the build whose details are shown.
    fn best(&self) -> Option<&'a Results> {
        self.lto.or(self.only).or(self.default)
    }
}

/// Returns the servers, each once.
fn names(results: &[Results]) -> Vec<&str> {
    let mut names = Vec::new();
    for results in results {
        if !names.contains(&&*results.server) {
            names.push(&*results.server);
        }
    }
    names
}

fn ratio((first, second): (Option<&Results>, Option<&Results>)) -> Option<f64> {
    Some(median_ratio(&first?.per_cpu_second, &second?.per_cpu_second))
}

fn rate(results: Option<&Results>) -> String {
    let rate = |results: &Results| format!("{:.0}", median(results.per_cpu_second.clone()));
    results.map_or(NOTHING.to_owned(), rate)
}

/// Returns a ratio as it is shown: a missed goal is bold.
fn compared(ratio: Option<f64>, goal: Option<f64>) -> String {
    match ratio {
        None => NOTHING.to_owned(),
        Some(ratio) if goal.is_some_and(|goal| ratio < goal) => format!("**{ratio:.2}**"),
        Some(ratio) => format!("{ratio:.2}"),
    }
}

fn percentile(sorted: &[Duration], percent: usize) -> String {
    let time = sorted.get(sorted.len() * percent / 100);
    time.map_or(NOTHING.to_owned(), |time| format!("{:.2} ms", time.as_secs_f64() * 1e3))
}

const NOTHING: &str = "–";
