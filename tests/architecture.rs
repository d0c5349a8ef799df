//! The imports between the modules follow the arrow table of docs/architecture.md.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};

type Arrows = BTreeMap<String, BTreeSet<String>>;

#[test]
fn every_import_is_an_arrow_of_the_table() -> Result<()> {
    let allowed = arrows_of_the_table()?;

    for (module, imports) in arrows_of_the_code()? {
        let row = allowed.get(&module).with_context(|| format!("`{module}` has no row"))?;
        let missing: Vec<_> = imports.difference(row).collect();
        ensure!(missing.is_empty(), "`{module}` imports {missing:?}, which its row does not allow");
    }
    Ok(())
}

#[test]
fn every_arrow_of_the_table_is_used() -> Result<()> {
    let used = arrows_of_the_code()?;

    for (module, allowed) in arrows_of_the_table()? {
        let imports = used.get(&module).with_context(|| format!("there is no `{module}`"))?;
        let unused: Vec<_> = allowed.difference(imports).collect();
        ensure!(unused.is_empty(), "`{module}` does not import {unused:?}: delete the arrow");
    }
    Ok(())
}

#[test]
fn the_arrows_have_no_cycle() -> Result<()> {
    let mut arrows = arrows_of_the_table()?;

    while !arrows.is_empty() {
        let leaves: Vec<String> = arrows
            .iter()
            .filter(|(_, imports)| imports.iter().all(|module| !arrows.contains_key(module)))
            .map(|(module, _)| module.clone())
            .collect();
        ensure!(!leaves.is_empty(), "these import each other: {:?}", arrows.keys());
        arrows.retain(|module, _| !leaves.contains(module));
    }
    Ok(())
}

fn arrows_of_the_table() -> Result<Arrows> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/architecture.md");
    let text = fs::read_to_string(path)?;
    let section = text.split("\n## ").find(|section| section.starts_with("Floors"));
    let rows =
        section.context("the section is gone")?.lines().filter(|line| line.starts_with("| `"));
    let arrows: Arrows = rows.filter_map(arrows_of_row).collect();
    ensure!(!arrows.is_empty(), "the table is gone");
    Ok(arrows)
}

fn arrows_of_row(row: &str) -> Option<(String, BTreeSet<String>)> {
    let mut cells = row.split('|').skip(1);
    let module = code_words(cells.next()?).next()?;
    Some((module, code_words(cells.nth(1)?).collect()))
}

fn code_words(cell: &str) -> impl Iterator<Item = String> {
    cell.split('`').skip(1).step_by(2).map(String::from)
}

fn arrows_of_the_code() -> Result<Arrows> {
    let mut arrows = Arrows::new();
    for entry in fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("src"))? {
        let path = entry?.path();
        let module = path.file_stem().context("no name")?.to_string_lossy().into_owned();
        if module != "lib" {
            let imports = arrows.entry(module).or_default();
            collect_imports(&path, imports)?;
        }
    }
    for (floor, imports) in &mut arrows {
        imports.remove(floor);
        // It exists in tests and fuzz builds alone: no other code of a floor can import it.
        imports.remove("testing");
    }
    Ok(arrows)
}

fn collect_imports(path: &Path, imports: &mut BTreeSet<String>) -> Result<()> {
    if path.is_dir() {
        for entry in fs::read_dir(path)? {
            collect_imports(&entry?.path(), imports)?;
        }
        return Ok(());
    }
    let text = fs::read_to_string(path)?;
    for line in text.lines().filter(|line| !line.trim_start().starts_with("//")) {
        let names = line.split("crate::").skip(1).map(leading_name);
        imports.extend(names.filter(|name| !name.is_empty()));
        if line.contains("slotwork_signals") {
            imports.insert("signals".into());
        }
    }
    Ok(())
}

fn leading_name(text: &str) -> String {
    text.chars().take_while(|c| c.is_ascii_lowercase() || *c == '_').collect()
}
