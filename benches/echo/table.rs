//! The tables that are printed.

use std::time::Duration;

use crate::handshakes::Greetings;
use crate::memory::{MANY, Weight};
use crate::rotation::Results;
use crate::workload::Workload;
use bench_support::turns::{median, median_ratio};

/// Prints what the servers did; the first of them is compared with the others.
pub(crate) fn print_rates(results: &[(&Workload, Vec<Results>)]) {
    println!(
        "| messages | clients | server | per CPU second | ours / its | goal | per second | ours / its | p50 | p99 |"
    );
    println!("|---|---|---|---|---|---|---|---|---|---|");
    for (workload, servers) in results {
        for server in servers {
            print_rate(workload, server, servers.first());
        }
    }
    println!();
}

fn print_rate(workload: &Workload, server: &Results, ours: Option<&Results>) {
    let ours = ours.filter(|ours| ours.server != server.server);
    let compared = |rates: fn(&Results) -> &Vec<f64>| {
        let Some(ours) = ours else { return NOTHING.to_owned() };
        format!("{:.2}", median_ratio(rates(ours), rates(server)))
    };
    let goal = workload.goal(&server.server);
    let mut latencies = server.latencies.clone();
    latencies.sort_unstable();
    println!(
        "| {} | {} | {} | {:.0} | {} | {} | {:.0} | {} | {} | {} |",
        workload.name,
        workload.clients,
        server.server,
        median(server.per_cpu_second.clone()),
        compared(|results| &results.per_cpu_second),
        goal.map_or(NOTHING.to_owned(), |goal| format!("{goal:.2}")),
        median(server.per_second.clone()),
        compared(|results| &results.per_second),
        milliseconds(percentile(&latencies, 50)),
        milliseconds(percentile(&latencies, 99)),
    );
}

/// Prints how many clients the servers greeted; the first of them is compared with the others.
pub(crate) fn print_handshakes(servers: &[Greetings]) {
    println!("| TLS handshakes | per CPU second | ours / its | per second |");
    println!("|---|---|---|---|");
    for server in servers {
        let ours = servers.first().map(|ours| &*ours.per_cpu_second).unwrap_or_default();
        println!(
            "| {} | {:.0} | {:.2} | {:.0} |",
            server.server,
            median(server.per_cpu_second.clone()),
            median_ratio(ours, &server.per_cpu_second),
            median(server.per_second.clone()),
        );
    }
    println!();
}

/// Prints what the servers keep in memory.
pub(crate) fn print_weights(weights: &[Weight], idle: usize) {
    println!(
        "| server | base, KiB | bytes for each of {idle} idle connections | \
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

fn percentile(sorted: &[Duration], percent: usize) -> Duration {
    sorted.get(sorted.len() * percent / 100).copied().unwrap_or_default()
}

fn milliseconds(time: Duration) -> String {
    format!("{:.2} ms", time.as_secs_f64() * 1e3)
}

const NOTHING: &str = "–";
