//! The table that is printed.

use crate::lane::Results;
use crate::servers::{FAST, HISTORY, NO_HISTORY, SHORT};
use bench_support::turns::{median, median_ratio};

/// Prints the head of the table, with a row for each size and server.
pub(crate) fn print_head(idle: usize) {
    println!(
        "| message | server | messages per CPU second | no history / its | 1 KiB | 2 KiB, Fast | \
         4 KiB | bytes back | bytes of each of {idle} idle connections, after 1 message | after 10 |"
    );
    println!("|---|---|---|---|---|---|---|---|---|---|");
}

/// Prints the rows of one size.
pub(crate) fn print_rows(size: &str, results: &[Results]) {
    for its in results {
        let [none, short, fast, history] = [NO_HISTORY, SHORT, FAST, HISTORY].map(|ours| {
            let ours = results.iter().find(|results| results.server == ours);
            ratio(ours.filter(|ours| ours.server != its.server), its)
        });
        let [one, ten] = its.weight.as_ref().map_or([NOTHING.into(), NOTHING.into()], |weight| {
            [weight.after_one, weight.after_ten].map(|bytes| bytes.to_string())
        });
        println!(
            "| {size} | {} | {:.0} | {none} | {short} | {fast} | {history} | {} | {one} | {ten} |",
            its.server,
            median(its.per_cpu_second.clone()),
            its.bytes_per_message(),
        );
    }
}

fn ratio(ours: Option<&Results>, its: &Results) -> String {
    let ratio = |ours: &Results| median_ratio(&ours.per_cpu_second, &its.per_cpu_second);
    ours.map_or(NOTHING.to_owned(), |ours| format!("{:.2}", ratio(ours)))
}

const NOTHING: &str = "–";
