//! The file of the measured values: one reading per line, as JSON.
//!
//! It stands for a database: each call blocks, so that slots make it with `smol::unblock`. Readings
//! are appended; those that are not among the latest of their device are removed when it is opened.

use std::collections::{BTreeMap, VecDeque};
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, BufWriter, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use log::warn;

use crate::messages::{Reading, to_json};

pub(crate) struct Journal {
    path: PathBuf,
    file: Mutex<File>,
}

/// How many readings of each device are kept.
const KEPT: usize = 100;

impl Journal {
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        let mut latest = BTreeMap::<_, VecDeque<_>>::new();
        for reading in read(path)? {
            keep(latest.entry(reading.device.clone()).or_default(), reading);
        }
        let new = path.with_extension("new");
        let mut file = BufWriter::new(File::create(&new)?);
        for reading in latest.values().flatten() {
            writeln!(file, "{}", to_json(reading))?;
        }
        let file = file.into_inner()?;
        file.sync_all()?;
        fs::rename(new, path)?;
        Ok(Self { path: path.to_owned(), file: Mutex::new(file) })
    }

    pub(crate) fn append(&self, reading: &Reading) -> io::Result<()> {
        let line = to_json(reading) + "\n";
        self.file.lock().unwrap_or_else(PoisonError::into_inner).write_all(line.as_bytes())
    }

    /// Returns the last reading of each device.
    pub(crate) fn last_readings(&self) -> io::Result<BTreeMap<String, Reading>> {
        Ok(read(&self.path)?.into_iter().map(|reading| (reading.device.clone(), reading)).collect())
    }

    /// Returns the latest readings of a device, the oldest first.
    pub(crate) fn history(&self, device: &str) -> io::Result<Vec<Reading>> {
        let mut latest = VecDeque::new();
        for reading in read(&self.path)?.into_iter().filter(|reading| reading.device == device) {
            keep(&mut latest, reading);
        }
        Ok(latest.into())
    }
}

fn keep(latest: &mut VecDeque<Reading>, reading: Reading) {
    if latest.len() == KEPT {
        latest.pop_front();
    }
    latest.push_back(reading);
}

/// Skips lines that are not readings, such as half a line after a power failure.
fn read(path: &Path) -> io::Result<Vec<Reading>> {
    let file = match File::open(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        file => file?,
    };
    let mut readings = Vec::new();
    for line in BufReader::new(file).split(b'\n') {
        match serde_json::from_slice(&line?) {
            Ok(reading) => readings.push(reading),
            Err(error) => warn!("a line of {} is skipped: {error}", path.display()),
        }
    }
    Ok(readings)
}
