//! The servers that are compared, and how each of them is started.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::Options;
use crate::workload::{Kind, OURS};
use bench_support::server::{self, Program};
use bench_support::tls;

/// Returns those that are there: ours first.
pub(crate) fn find(kind: Kind, options: &Options) -> Result<Vec<Program>> {
    let built = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/compare");
    let certificate = built.join("certificate");
    let mut programs = match kind {
        Kind::Echo | Kind::Handshakes => {
            tls::make_certificate(&certificate)?;
            echo(&built, &certificate, options)?
        }
        Kind::FanOut => fan_out(&built, options)?,
        Kind::Threads => threads(&built, options)?,
    };
    for also in &options.also {
        let (name, path) = also.split_once('=').context("--also takes NAME=PROGRAM")?;
        let arguments = if kind == Kind::FanOut { PORT_BROADCAST } else { PORT };
        let program = Program::new(name, PathBuf::from(path), arguments);
        let is_secure = name.contains("wss");
        programs.push(if is_secure { program.with_certificate(&certificate) } else { program });
    }
    programs.retain(|program| !options.without.iter().any(|name| program.name.contains(name)));
    programs.retain(|program| {
        let is_there = program.path.exists();
        if !is_there {
            let path = program.path.display();
            eprintln!("LEFT OUT: {}, {path}: benches/compare builds it", program.name);
        }
        is_there
    });
    if kind == Kind::Threads { Ok(with_threads(&programs)) } else { Ok(programs) }
}

fn echo(built: &Path, certificate: &Path, options: &Options) -> Result<Vec<Program>> {
    let mut programs = ours("bench-server", PORT, options)?;
    programs.push(Program::new("QtWebSockets", built.join("qt"), &[]));
    programs.push(Program::new("Boost.Beast", built.join("beast"), &[]));
    programs.extend(of_crates("fastwebsockets", built, &[], options));
    programs.extend(of_crates("tokio-tungstenite", built, &[], options));
    programs.extend(floors(built, &[], options));
    let with_slots = floors(built, &["--slots"], options);
    programs.extend(with_slots.map(|floor| Program { name: FLOOR_WITH_SLOTS.to_owned(), ..floor }));

    let mut secure = ours("sslechoserver", PORT, options)?;
    secure.push(Program::new("QtWebSockets", built.join("qt"), &["--tls"]));
    let tokio = of_crates("tokio-tungstenite-tls", built, &[], options);
    secure.extend(tokio.map(|program| Program { name: "tokio-tungstenite".to_owned(), ..program }));
    secure.extend(floors(built, &["--tls"], options).map(|floor| floor.with_largest(1 << 10)));
    programs.extend(secure.into_iter().map(|program| program.with_certificate(certificate)));
    Ok(programs)
}

/// fastwebsockets is not among them: a socket that waits for input can send nothing, unless an
/// unstable feature splits it.
fn fan_out(built: &Path, options: &Options) -> Result<Vec<Program>> {
    let mut programs = ours("bench-server", PORT_BROADCAST, options)?;
    programs.push(Program::new("QtWebSockets", built.join("qt"), BROADCAST));
    programs.push(Program::new("Boost.Beast", built.join("beast"), BROADCAST));
    programs.extend(of_crates("tokio-tungstenite", built, BROADCAST, options));
    programs.extend(floors(built, BROADCAST, options));
    let with_handles = floors(built, &["--broadcast", "--handles"], options);
    let named = |floor| Program { name: FLOOR_WITH_HANDLES.to_owned(), ..floor };
    programs.extend(with_handles.map(named));
    Ok(programs)
}

fn threads(built: &Path, options: &Options) -> Result<Vec<Program>> {
    let mut programs = ours("bench-server", PORT, options)?;
    programs.extend(floors(built, PORT, options));
    Ok(programs)
}

/// Returns each of them with one thread and with two, on the same cores.
fn with_threads(programs: &[Program]) -> Vec<Program> {
    let twice = |program: &Program| {
        let two = Program { arguments: PORT_THREADS, ..program.clone() };
        [program.clone().with_threads(1), two.with_threads(2)]
    };
    programs.iter().flat_map(twice).collect()
}

fn ours(
    example: &str,
    arguments: &'static [&'static str],
    options: &Options,
) -> Result<Vec<Program>> {
    let build = |profile| {
        let path = server::example(example, profile)?;
        Ok(Program::new(OURS, path, arguments).with_profile(profile))
    };
    options.profiles().map(build).collect()
}

fn of_crates(
    name: &str,
    built: &Path,
    arguments: &'static [&'static str],
    options: &Options,
) -> impl Iterator<Item = Program> {
    options.profiles().map(move |profile| {
        let path = built.join(profile.cargo_name()).join(name);
        Program::new(name, path, arguments).with_profile(profile)
    })
}

/// It shows what the kernel takes, and is too simple for big messages over TLS.
fn floors(
    built: &Path,
    arguments: &'static [&'static str],
    options: &Options,
) -> impl Iterator<Item = Program> {
    of_crates("floor", built, arguments, options)
}

const FLOOR_WITH_SLOTS: &str = "floor with slots";
const FLOOR_WITH_HANDLES: &str = "floor with handles";
const PORT: &[&str] = &["--port", "0"];
const BROADCAST: &[&str] = &["--broadcast"];
const PORT_BROADCAST: &[&str] = &["--port", "0", "--broadcast"];
const PORT_THREADS: &[&str] = &["--port", "0", "--threads", "2"];
