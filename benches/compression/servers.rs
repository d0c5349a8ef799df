//! The servers that are compared, and how each of them is started.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::Options;
use bench_support::profile::Profile;
use bench_support::server::{self, Program};

/// Returns those that are there: ours first, without compression and with it.
pub(crate) fn find(options: &Options) -> Result<Vec<Program>> {
    let path = server::example("bench-server", Profile::Lto)?;
    let ours =
        OURS.into_iter().map(|(name, arguments)| Program::new(name, path.clone(), arguments));
    let mut programs: Vec<_> = ours.collect();
    let built = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/compare");
    for (name, program, arguments) in PEERS {
        programs.push(Program::new(name, built.join(program), arguments));
    }
    for also in &options.also {
        let (name, path) = also.split_once('=').context("--also takes NAME=PROGRAM")?;
        programs.push(Program::new(name, PathBuf::from(path), &["--port", "0"]));
    }
    programs.retain(|program| !options.without.iter().any(|name| program.name.contains(name)));
    programs.retain(|program| {
        let is_there = program.path.exists();
        if !is_there {
            let path = program.path.display();
            eprintln!("LEFT OUT: {}, {path}: benches/compare_compression builds it", program.name);
        }
        is_there
    });
    Ok(programs)
}

/// Returns whether a server is for messages of so many bytes.
///
/// Ours with a history of 1 KiB is for short ones. The floor has the levels that ours has at 1 KiB.
pub(crate) fn is_for(name: &str, size: usize) -> bool {
    match name {
        SHORT => size <= 256,
        _ if name.starts_with("floor") => size == 1 << 10,
        _ => true,
    }
}

pub(crate) const PLAIN: &str = "ours, plain";
pub(crate) const NO_HISTORY: &str = "ours, no history";
pub(crate) const SHORT: &str = "ours, 1 KiB history";
pub(crate) const FAST: &str = "ours, 2 KiB history, Fast";
pub(crate) const HISTORY: &str = "ours, 4 KiB history";

const OURS: [(&str, &[&str]); 5] = [
    (PLAIN, &["--port", "0"]),
    (NO_HISTORY, &["--port", "0", "--history", "0"]),
    (SHORT, &["--port", "0", "--history", "1024"]),
    (FAST, &["--port", "0", "--history", "2048", "--fast"]),
    (HISTORY, &["--port", "0", "--history", "4096"]),
];

const PEERS: [(&str, &str, &[&str]); 8] = [
    ("Boost.Beast", "beast", &["--deflate"]),
    ("Boost.Beast, no history", "beast", &["--deflate-without-history"]),
    ("Python websockets", "python-websockets", &[]),
    ("Python websockets, no history", "python-websockets", &["--without-history"]),
    ("Node ws", "node-ws", &[]),
    ("Node ws, no history", "node-ws", &["--without-history"]),
    ("floor, no history", "release/floor", &["--deflate", "0", "3"]),
    ("floor, 4 KiB history", "release/floor", &["--deflate", "4096", "6"]),
];
