//! Qt's names lead to ours: each member that docs/qt-map.md gives a counterpart is found in the
//! documentation's search, under its own name or as an alias.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};

#[test]
fn every_member_of_the_map_is_found_in_the_search() -> Result<()> {
    let names = names_of_the_code()?;
    let map = fs::read_to_string(root().join("docs/qt-map.md"))?;

    let members: BTreeSet<&str> = map.lines().flat_map(members_of_row).collect();
    let lost: Vec<_> = members.into_iter().filter(|member| !is_found(member, &names)).collect();

    ensure!(lost.is_empty(), "no `doc(alias)` for {lost:?}");
    Ok(())
}

/// The members in the first column of a row, if it has something of ours in the second.
fn members_of_row(row: &str) -> Vec<&str> {
    let columns: Vec<_> = row.split(" | ").map(|column| column.trim_matches(['|', ' '])).collect();
    let [qt, ours, remark, ..] = columns[..] else { return Vec::new() };
    if !row.starts_with("| ") || ours.is_empty() || remark.starts_with("not ported") {
        return Vec::new();
    }
    let quoted = qt.split('`').skip(1).step_by(2);
    quoted.filter(|member| member.ends_with(')') || member.starts_with('Q')).map(name_of).collect()
}

/// The name alone: of `QThread::wait()` the last part, of a class all of it.
fn name_of(member: &str) -> &str {
    let name = member.split(['(', ' ', '<']).next().unwrap_or_default();
    if member.ends_with(')') { name.rsplit("::").next().unwrap_or_default() } else { name }
}

fn is_found(member: &str, names: &BTreeSet<String>) -> bool {
    let (class, name) = member.rsplit_once("::").unwrap_or(("", member));
    let is_elsewhere = ELSEWHERE.contains(&member) || name.starts_with('~');
    is_elsewhere || [class, name, member].iter().any(|name| names.contains(*name))
}

/// The aliases, and the names of functions and types.
fn names_of_the_code() -> Result<BTreeSet<String>> {
    let mut names = BTreeSet::new();
    for folder in ["src", "signals/src"] {
        collect(&root().join(folder), &mut names)?;
    }
    ensure!(names.contains("newConnection"), "the sources are gone");
    Ok(names)
}

fn collect(folder: &Path, names: &mut BTreeSet<String>) -> Result<()> {
    for entry in fs::read_dir(folder).with_context(|| folder.display().to_string())? {
        let path = entry?.path();
        if path.is_dir() {
            collect(&path, names)?;
            continue;
        }
        for line in fs::read_to_string(path)?.lines().map(str::trim) {
            let alias = line.split("alias = \"").nth(1).and_then(|rest| rest.split('"').next());
            let item = ["pub fn ", "pub async fn ", "pub struct ", "pub enum ", "pub trait "]
                .iter()
                .find_map(|start| line.strip_prefix(start)?.split(['(', '<', ' ']).next());
            names.extend(alias.into_iter().chain(item).map(str::to_owned));
        }
    }
    Ok(())
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// What is not a name to search for: operations of the language, values, containers.
const ELSEWHERE: [&str; 3] = ["QList", "swap", "QSslError::SslError"];
