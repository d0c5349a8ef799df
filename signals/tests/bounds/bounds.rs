//! What the compiler refuses, and what it takes: the bounds of the public interface.
//!
//! Each file in `refused` has a twin in `accepted`, which differs in the one thing that is refused:
//! a file that is wrong in another way has a twin that fails. Why a file is refused is in the
//! `.stderr` file beside it.
//!
//! Those are in the words of rustc 1.95. Other compilers choose others: with them the test is
//! ignored, and `cargo test` shows that it is. With a new compiler `TRYBUILD=overwrite cargo test
//! -p slotwork-signals-bounds -- --include-ignored` writes the `.stderr` files anew; change
//! the version below, and check that each still has the same reason. None may quote the standard
//! library: its text is not available on all machines.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::path::Path;
use std::{fs, io};

use trybuild::TestCases;

/// Values, slots and what belongs to a thread go to other threads only where the types say so.
#[rustversion::attr(not(stable(1.95)), ignore = "the `.stderr` files are those of rustc 1.95")]
#[test]
fn programs_are_refused_for_their_reason_and_their_twins_are_not() {
    let programs = TestCases::new();
    programs.compile_fail("refused/*.rs");
    programs.pass("accepted/*.rs");
}

/// No refused program without a twin, and no twin of nothing.
#[test]
fn each_refused_program_has_a_twin() -> io::Result<()> {
    assert_eq!(programs("refused")?, programs("accepted")?);
    Ok(())
}

fn programs(folder: &str) -> io::Result<BTreeSet<OsString>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let names = fs::read_dir(folder)?.map(|entry| entry.map(|entry| entry.file_name()));
    let is_program = |name: &OsString| Path::new(name).extension().is_some_and(|end| end == "rs");
    names.filter(|name| name.as_ref().map_or(true, is_program)).collect()
}
