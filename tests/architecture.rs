//! The plan of the house: floors, imports and conventions, as docs/architecture.md describes them.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};

type Arrows = BTreeMap<String, BTreeSet<String>>;

/// A Rust file: its module, and its text without comments and unit tests.
struct Source {
    module: String,
    path: PathBuf,
    text: String,
}

#[test]
fn every_import_is_an_arrow_of_the_table() -> Result<()> {
    let allowed = arrows_of_the_table()?;

    for (floor, imports) in arrows_between_floors()? {
        let row = allowed.get(&floor).with_context(|| format!("`{floor}` has no row"))?;
        let missing: Vec<_> = imports.difference(row).collect();
        ensure!(missing.is_empty(), "`{floor}` imports {missing:?}, which its row does not allow");
    }
    Ok(())
}

#[test]
fn every_arrow_of_the_table_is_used() -> Result<()> {
    let used = arrows_between_floors()?;

    for (floor, allowed) in arrows_of_the_table()? {
        let imports = used.get(&floor).with_context(|| format!("there is no `{floor}`"))?;
        let unused: Vec<_> = allowed.difference(imports).collect();
        ensure!(unused.is_empty(), "`{floor}` does not import {unused:?}: delete the arrow");
    }
    Ok(())
}

#[test]
fn the_arrows_have_no_cycle() -> Result<()> {
    let arrows = arrows_of_the_table()?;

    let circles = circles(&arrows);

    ensure!(circles.is_empty(), "these floors import each other: {circles:?}");
    Ok(())
}

#[test]
fn no_files_import_each_other_in_a_circle() -> Result<()> {
    for folder in FOLDERS {
        let sources = sources(folder)?;
        let modules: BTreeSet<_> = sources.iter().map(|source| source.module.clone()).collect();
        let arrows = sources.iter().map(|source| {
            let imports = imports(&source.text).map(|path| file_of(&path, &modules));
            let others = imports.flatten().filter(|module| *module != source.module);
            (source.module.clone(), others.filter(|module| !is_testing(module)).collect())
        });
        let arrows: Arrows = arrows.collect();

        let circles = circles(&arrows);

        ensure!(circles.is_empty(), "{folder}: these files import each other: {circles:#?}");
    }
    Ok(())
}

#[test]
fn folders_have_a_mod_file_and_imports_begin_at_the_crate() -> Result<()> {
    for folder in FOLDERS {
        for Source { path, text, .. } in sources(folder)? {
            let twin = path.with_extension("");
            ensure!(!twin.is_dir(), "{} belongs into {}/mod.rs", path.display(), twin.display());
            ensure!(!text.contains("super::"), "{}: `super::` outside of tests", path.display());
        }
    }
    Ok(())
}

/// Each file begins with its purpose, and the first line of each doc comment is short.
#[test]
fn documentation_begins_with_a_short_line() -> Result<()> {
    let mut long = Vec::new();
    for folder in FOLDERS {
        for Source { path, .. } in sources(folder)? {
            let text = fs::read_to_string(&path)?;
            ensure!(text.starts_with("//! "), "{} has no documentation", path.display());
            let text = text.split("mod tests {").next().unwrap_or_default();
            let mut was_documentation = false;
            for (number, line) in text.lines().map(str::trim_start).enumerate() {
                let is_documentation = line.starts_with("///") || line.starts_with("//!");
                let is_first = is_documentation && !was_documentation;
                if is_first && without_link_targets(line).chars().count() > "/// ".len() + 80 {
                    long.push(format!("{}:{}", path.display(), number + 1));
                }
                was_documentation = is_documentation;
            }
        }
    }
    ensure!(long.is_empty(), "over 80 characters: {long:#?}");
    Ok(())
}

fn without_link_targets(line: &str) -> String {
    let mut parts = line.split("](");
    let first = parts.next().unwrap_or_default();
    let behind = parts.filter_map(|part| part.split_once(')').map(|(_, behind)| behind));
    [first].into_iter().chain(behind).collect()
}

/// The check finds the circles that there are.
#[test]
fn circles_are_found() {
    let mut arrows = Arrows::new();
    for (from, to) in [("a", "b"), ("b", "c"), ("c", "b"), ("c", "d"), ("e", "e"), ("f", "a")] {
        arrows.entry(from.to_owned()).or_default().insert(to.to_owned());
    }

    assert_eq!(circles(&arrows), ["b", "c", "e"]);
}

#[test]
fn every_file_that_the_documents_name_exists() -> Result<()> {
    let root = root();
    let documents = fs::read_dir(root.join("docs"))?.map(|entry| Ok(entry?.path()));
    let mut documents: Vec<_> = documents.collect::<Result<_>>()?;
    documents.retain(|path| path.is_file());
    for document in documents.iter().chain([&root.join("README.md")]) {
        let text = fs::read_to_string(document)?;
        for word in text.split('`').skip(1).step_by(2) {
            let is_path = DOCUMENTED.iter().any(|folder| word.starts_with(folder))
                && !word.contains([' ', '*', '<', '{', '\n']);
            let exists = root.join(word).exists();
            ensure!(!is_path || exists, "{}: there is no {word}", document.display());
        }
    }
    Ok(())
}

/// Returns the files, or floors, that import themselves by way of others.
fn circles(arrows: &Arrows) -> Vec<&str> {
    let imports_itself = |module: &&String| {
        let mut reached = BTreeSet::new();
        let mut next: Vec<_> = arrows[*module].iter().collect();
        while let Some(import) = next.pop() {
            if reached.insert(import) {
                next.extend(arrows.get(import).into_iter().flatten());
            }
        }
        reached.contains(module)
    };
    arrows.keys().filter(imports_itself).map(String::as_str).collect()
}

fn arrows_of_the_table() -> Result<Arrows> {
    let text = fs::read_to_string(root().join("docs/architecture.md"))?;
    let section = text.split("\n## ").find(|section| section.starts_with("Floors"));
    let rows =
        section.context("the section is gone")?.lines().filter(|line| line.starts_with("| `"));
    let arrows: Arrows = rows.filter_map(arrows_of_row).collect();
    ensure!(!arrows.is_empty(), "the table is gone");
    Ok(arrows)
}

fn arrows_of_row(row: &str) -> Option<(String, BTreeSet<String>)> {
    let mut cells = row.split('|').skip(1);
    let floor = code_words(cells.next()?).next()?;
    Some((floor, code_words(cells.nth(1)?).collect()))
}

fn code_words(cell: &str) -> impl Iterator<Item = String> {
    cell.split('`').skip(1).step_by(2).map(String::from)
}

fn arrows_between_floors() -> Result<Arrows> {
    let mut arrows = Arrows::new();
    for Source { module, text, .. } in sources("src")? {
        let floor = first_segment(&module);
        if floor == "lib" {
            continue;
        }
        let others: BTreeSet<_> = imports(&text)
            .map(|path| first_segment(&path))
            .chain(text.contains("slotwork_signals").then(|| "signals".into()))
            .filter(|other| *other != floor && !is_testing(other))
            .collect();
        arrows.entry(floor).or_default().extend(others);
    }
    Ok(arrows)
}

/// Returns whether a module exists in tests and fuzz builds alone: no other code can import it.
fn is_testing(module: &str) -> bool {
    first_segment(module) == "testing"
}

fn first_segment(path: &str) -> String {
    path.split("::").next().unwrap_or_default().into()
}

/// Returns the paths behind `crate::`, those of a group one by one.
fn imports(text: &str) -> impl Iterator<Item = String> {
    text.split("crate::").skip(1).flat_map(|rest| {
        let is_path = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "_:".contains(c);
        let end = rest.find(|c| !is_path(c)).unwrap_or(rest.len());
        let (path, behind) = rest.split_at(end);
        let path = path.trim_end_matches(':').to_owned();
        let group = behind.strip_prefix('{').and_then(|group| group.split('}').next());
        let members = group.map(|group| group.split(',').map(str::trim).collect::<Vec<_>>());
        match members {
            Some(members) => {
                members.into_iter().map(|member| format!("{path}::{member}")).collect()
            }
            None => vec![path],
        }
    })
}

/// Returns the file in which the item of this path is defined, as far as the path names it.
fn file_of(path: &str, modules: &BTreeSet<String>) -> Option<String> {
    let mut candidate = path;
    loop {
        if modules.contains(candidate) {
            return Some(candidate.to_owned());
        }
        candidate = candidate.rsplit_once("::")?.0;
    }
}

fn sources(folder: &str) -> Result<Vec<Source>> {
    let mut sources = Vec::new();
    let folder = root().join(folder);
    collect_sources(&folder, &folder, &mut sources)?;
    Ok(sources)
}

fn collect_sources(root: &Path, folder: &Path, sources: &mut Vec<Source>) -> Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path.file_name().and_then(|name| name.to_str()).context("no name")?;
        // Unit tests may import anything.
        if name == "tests" || name == "tests.rs" {
            continue;
        }
        if path.is_dir() {
            collect_sources(root, &path, sources)?;
            continue;
        }
        let segments: Vec<_> = path.strip_prefix(root)?.with_extension("").components().fold(
            Vec::new(),
            |mut segments, part| {
                segments.push(part.as_os_str().to_string_lossy().into_owned());
                segments
            },
        );
        let module = segments.join("::");
        let module = module.strip_suffix("::mod").unwrap_or(&module).to_owned();
        let text = code_of(&fs::read_to_string(&path)?);
        sources.push(Source { module, path, text });
    }
    ensure!(!sources.is_empty(), "no source in {}", folder.display());
    Ok(())
}

/// Returns a file's text without comments, unit tests and re-exports.
fn code_of(text: &str) -> String {
    let text = text.split("mod tests {").next().unwrap_or_default();
    let lines = text.lines().filter(|line| !line.trim_start().starts_with("//"));
    let code: String = lines.flat_map(|line| [line, "\n"]).collect();
    let is_export = |statement: &str| {
        let statement = statement.trim_start();
        statement.starts_with("pub use ") || statement.starts_with("pub(crate) use ")
    };
    code.split_inclusive(';').filter(|statement| !is_export(statement)).collect()
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

const FOLDERS: [&str; 4] = ["src", "signals/src", "webchannel/src", "nats/src"];

/// The beginnings of paths in the documents.
const DOCUMENTED: [&str; 9] = [
    "src/",
    "tests/",
    "examples/",
    "benches/",
    "docs/",
    "signals/",
    "fuzz/",
    "webchannel/",
    "nats/",
];
