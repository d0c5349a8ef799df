//! Each promise has its tests in docs/reliability.md, and those exist.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};

#[test]
fn every_promise_has_one_row_in_the_table_of_tests() -> Result<()> {
    let (document, table) = (read("docs/promises.md")?, read("docs/reliability.md")?);
    let (promised, tested) = (ids(&document), ids(&table));

    ensure!(promised.len() > 50, "docs/promises.md has {} promises", promised.len());
    let without: Vec<_> = promised.keys().filter(|id| !tested.contains_key(*id)).collect();
    ensure!(without.is_empty(), "without a row: {without:?}");
    let is_other = |(id, rows): &(&&str, &usize)| !promised.contains_key(*id) || **rows > 1;
    let other: Vec<_> = tested.iter().filter(is_other).collect();
    ensure!(other.is_empty(), "not promised, or more than one row: {other:?}");
    Ok(())
}

#[test]
fn every_test_that_the_table_names_exists() -> Result<()> {
    let table = read("docs/reliability.md")?;
    let mut missing = Vec::new();

    for row in rows(&table) {
        let tests = tests_of(row)?;
        ensure!(!tests.is_empty(), "without a test: {row}");
        for (path, name) in tests {
            let text = read(&path).with_context(|| row.to_owned())?;
            if !is_test(&path, &text, &name) {
                missing.push(format!("{}: {name}", path.display()));
            }
        }
    }

    ensure!(missing.is_empty(), "no such test: {missing:#?}");
    Ok(())
}

/// A test that exists elsewhere, or is only called somewhere, is not found.
#[test]
fn a_test_is_a_function_with_its_attribute_or_a_case_of_a_script() {
    let text = "#[test]\n#[cfg(unix)]\nfn holds() {\n}\n\nfn helper() {\n    holds();\n}\n";
    let script = "def holds(line):\n    pass\n\ndef main():\n    other(holds)\n";

    assert!(is_test("a.rs", text, "holds"));
    assert!(!is_test("a.rs", text, "helper") && !is_test("a.rs", text, "old"));
    assert!(is_test("tests/a/run", script, "holds") && !is_test("tests/a/run", script, "other"));
}

/// LOOP-09: deadlines and timers cannot depend on a clock that no code reads.
///
/// What the system's clock decides is whether a certificate is valid.
#[test]
fn only_tls_reads_the_wall_clock() -> Result<()> {
    let mut files = Vec::new();
    for folder in ["signals/src", "src", "webchannel/src"] {
        collect(&root().join(folder), &mut files)?;
    }
    ensure!(files.len() > 100, "{} files", files.len());

    for path in files {
        let text = fs::read_to_string(&path)?;
        let is_tls = path.starts_with(root().join("src/net/tls"));
        let reads = ["SystemTime", "UnixTime", "UNIX_EPOCH"].iter().find(|it| text.contains(**it));
        ensure!(is_tls || reads.is_none(), "{}: {reads:?}", path.display());
    }
    Ok(())
}

/// The ids in the first columns of tables, and in how many rows each is.
fn ids(document: &str) -> BTreeMap<&str, usize> {
    let mut found = BTreeMap::new();
    for row in rows(document) {
        *found.entry(first_id(row).unwrap_or_default()).or_default() += 1;
    }
    found
}

/// The rows of tables that begin with an id, which may be a link.
fn rows(document: &str) -> impl Iterator<Item = &str> {
    document.lines().filter(|line| first_id(line).is_some())
}

fn first_id(line: &str) -> Option<&str> {
    let cell = line.strip_prefix("| ")?.split(" |").next()?;
    let id = cell.strip_prefix('[').and_then(|link| link.split(']').next()).unwrap_or(cell);
    let (area, number) = id.split_once('-')?;
    let is_id = area.bytes().all(|byte| byte.is_ascii_uppercase())
        && number.len() == 2
        && number.bytes().all(|byte| byte.is_ascii_digit());
    is_id.then_some(id)
}

/// The tests of a row: code in its second column, each file in front of its tests.
fn tests_of(row: &str) -> Result<Vec<(PathBuf, String)>> {
    let column = row.split(" | ").nth(1).with_context(|| format!("no second column: {row}"))?;
    let (mut tests, mut file) = (Vec::new(), None);
    for code in column.split('`').skip(1).step_by(2) {
        if code.contains('/') {
            file = Some(PathBuf::from(code));
        } else {
            let file = file.clone().with_context(|| format!("{code} has no file: {row}"))?;
            tests.push((file, code.to_owned()));
        }
    }
    Ok(tests)
}

/// Returns whether a file has this test: of Rust, or a function of a script.
fn is_test(path: impl AsRef<Path>, text: &str, name: &str) -> bool {
    if path.as_ref().extension().is_none_or(|extension| extension != "rs") {
        return text.contains(&format!("\ndef {name}("))
            || text.starts_with(&format!("def {name}("));
    }
    let lines: Vec<_> = text.lines().map(str::trim_start).collect();
    lines.iter().enumerate().any(|(place, line)| {
        let before = lines.iter().take(place).rev();
        let mut attributes = before.take_while(|line| line.starts_with("#["));
        line.starts_with(&format!("fn {name}(")) && attributes.any(|line| *line == "#[test]")
    })
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) -> Result<()> {
    for entry in fs::read_dir(folder).with_context(|| folder.display().to_string())? {
        let path = entry?.path();
        if path.is_dir() {
            collect(&path, files)?;
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    Ok(())
}

fn read(document: impl AsRef<Path>) -> Result<String> {
    let path = root().join(document);
    fs::read_to_string(&path).with_context(|| path.display().to_string())
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}
