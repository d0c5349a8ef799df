//! A server under test: its process, its processor time, its memory.

use std::io::{self, BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio, id};
use std::sync::Arc;
use std::time::Duration;
use std::{env, fs, thread};

use anyhow::{Context, Result, ensure};
use rustls::ClientConfig;

use crate::client::{self, Client};
use crate::profile::Profile;
use crate::tls;
use crate::visit::visit;

/// A server that can be started.
#[derive(Clone, Debug)]
pub struct Program {
    /// Its name in the tables.
    pub name: String,
    /// The program.
    pub path: PathBuf,
    /// What it is started with.
    pub arguments: &'static [&'static str],
    /// The largest message that it can take, in bytes.
    pub largest: usize,
    /// The folder of its certificate, if it speaks TLS.
    pub certificate: Option<PathBuf>,
    /// How cargo built it, if it is a program of cargo that is built in both ways.
    pub profile: Option<Profile>,
    /// How many threads it serves with, if it may use several cores.
    pub threads: Option<usize>,
}

impl Program {
    /// Makes one that speaks no TLS and takes messages of all sizes.
    pub fn new(name: &str, path: PathBuf, arguments: &'static [&'static str]) -> Self {
        let name = name.to_owned();
        let largest = usize::MAX;
        Self { name, path, arguments, largest, certificate: None, profile: None, threads: None }
    }

    /// Makes it one that speaks TLS, with the certificate in this folder.
    #[must_use]
    pub fn with_certificate(self, folder: &Path) -> Self {
        Self { certificate: Some(folder.to_owned()), ..self }
    }

    /// Sets the largest message that it can take, in bytes.
    #[must_use]
    pub fn with_largest(self, largest: usize) -> Self {
        Self { largest, ..self }
    }

    /// Sets how cargo built it.
    #[must_use]
    pub fn with_profile(self, profile: Profile) -> Self {
        Self { profile: Some(profile), ..self }
    }

    /// Makes it one that serves with so many threads, and may use a second core.
    #[must_use]
    pub fn with_threads(self, threads: usize) -> Self {
        Self { threads: Some(threads), ..self }
    }

    /// Returns whether it takes messages of all sizes, which the floor does not.
    pub const fn takes_all(&self) -> bool {
        self.largest == usize::MAX
    }

    /// Starts it on its core or cores, and waits for the line with its port.
    pub fn start(&self) -> Result<Server> {
        let cores = if self.threads.is_some() { two_cores() } else { SERVER_CORE };
        let mut process = Command::new("taskset")
            .args(["-c", cores])
            .arg(&self.path)
            .args(self.arguments)
            // A server that makes errors of its clients' ends would be measured with a backtrace for each.
            .env("RUST_BACKTRACE", "0")
            .current_dir(self.certificate.as_deref().unwrap_or(Path::new(".")))
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .context("cannot start taskset, of util-linux")?;
        let output = process.stdout.take();
        let tls = self.certificate.as_deref().map(tls::client_config).transpose()?;
        let mut server = Server { process, port: 0, tls };
        let mut line = String::new();
        let mut output = BufReader::new(output.context("no output")?);
        output.read_line(&mut line)?;
        let port = line.trim().rsplit([':', ' ']).next().and_then(|port| port.parse().ok());
        server.port = port.with_context(|| format!("{} reports no port: {line:?}", self.name))?;
        let threads = server.thread_count()?;
        ensure!(threads >= self.threads.unwrap_or(1), "{} has {threads} threads", self.name);
        // Its further output must not block it.
        thread::spawn(move || io::copy(&mut output, &mut io::sink()));
        Ok(server)
    }
}

/// A server that runs; dropping it ends it.
#[derive(Debug)]
pub struct Server {
    process: Child,
    port: u16,
    /// The configuration of its clients, if it speaks TLS.
    tls: Option<Arc<ClientConfig>>,
}

impl Server {
    /// Returns the port on which it listens.
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// Connects a client.
    pub fn connect(&self) -> Result<Client> {
        match &self.tls {
            None => Client::open(self.port()),
            Some(config) => Client::open_tls(self.port(), Arc::clone(config)),
        }
    }

    /// Opens and closes connections, each step for all of them before the next one.
    pub fn visit(&self, count: usize) -> Result<()> {
        let connections = (0..count).map(|_| client::connect(self.port()));
        let Some(config) = &self.tls else { return visit(connections.collect::<Result<_>>()?) };
        let wrap = |connection: Result<_>| tls::connect(connection?, Arc::clone(config));
        visit(connections.map(wrap).collect::<Result<_>>()?)
    }

    /// Returns how many threads it has.
    fn thread_count(&self) -> Result<usize> {
        Ok(fs::read_dir(format!("/proc/{}/task", self.process.id()))?.count())
    }

    /// Returns the processor time of all its threads, in the kernel as well.
    ///
    /// It is exact only while the server waits: running time is added at the kernel's next tick.
    pub fn cpu_time(&self) -> Result<Duration> {
        let mut sum = Duration::ZERO;
        for task in fs::read_dir(format!("/proc/{}/task", self.process.id()))? {
            let times = fs::read_to_string(task?.path().join("schedstat"))?;
            let running = times.split(' ').next().context("no times")?;
            sum += Duration::from_nanos(running.parse()?);
        }
        Ok(sum)
    }

    /// Returns its resident memory, in bytes.
    pub fn resident_bytes(&self) -> Result<i64> {
        let map = fs::read_to_string(format!("/proc/{}/smaps_rollup", self.process.id()))?;
        let resident = map.lines().find_map(|line| line.strip_prefix("Rss:"));
        let kibibytes = resident.and_then(|rest| rest.trim().strip_suffix(" kB"));
        Ok(kibibytes.context("no Rss")?.parse::<i64>()? * 1024)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Builds one of our examples, which cargo does not build for a benchmark.
pub fn example(name: &str, profile: Profile) -> Result<PathBuf> {
    let built = Command::new(env!("CARGO"))
        .args(["build", "--profile", profile.cargo_name(), "--example", name, "--manifest-path"])
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/../../Cargo.toml"))
        .status()?;
    ensure!(built.success(), "the example {name} does not build");
    let this = env::current_exe()?;
    let target = this.ancestors().nth(3).context("this program is in no target folder")?;
    Ok(target.join(profile.cargo_name()).join("examples").join(name))
}

/// Puts this process, the load generator, on its own core.
pub fn pin_this_process() -> Result<()> {
    let pinned = Command::new("taskset")
        .args(["-cp", GENERATOR_CORE, &id().to_string()])
        .stdout(Stdio::null())
        .status()
        .context("cannot start taskset, of util-linux")?;
    ensure!(pinned.success(), "two cores are needed");
    Ok(())
}

/// Raises the limit of descriptors to its maximum, here and in the servers.
pub fn raise_descriptor_limit() -> Result<()> {
    #[cfg(unix)]
    {
        use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

        let most = getrlimit(Resource::Nofile).maximum;
        setrlimit(Resource::Nofile, Rlimit { current: most, maximum: most })?;
    }
    Ok(())
}

/// Returns the cores of a server with threads; without a third core it shares the generator's.
fn two_cores() -> &'static str {
    if Path::new("/sys/devices/system/cpu/cpu2").exists() { "0,2" } else { "0,1" }
}

const SERVER_CORE: &str = "0";
const GENERATOR_CORE: &str = "1";
