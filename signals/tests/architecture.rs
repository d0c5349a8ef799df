//! The files of `src` import each other in one direction, and each other by one convention.
//!
//! A folder has a `mod.rs` with its documentation, its `mod` lines and, if it is named after a
//! type, that type. A file imports others by their full path (`crate::slots::list::List`);
//! `super::` is for `mod tests` alone. So the imports can be read off the files, and circles among
//! them be found.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::{fs, io};

/// Each file, or folder, with those that it imports.
type Imports = BTreeMap<String, BTreeSet<String>>;

/// No file imports, over however many others, a file that imports it.
#[test]
fn files_do_not_import_each_other_in_a_circle() -> io::Result<()> {
    let circles = circles(&imports_of_files()?);

    assert!(circles.is_empty(), "files import each other: {circles:#?}");
    Ok(())
}

/// Nor does a folder: each is a floor that imports the floors below it.
#[test]
fn folders_do_not_import_each_other_in_a_circle() -> io::Result<()> {
    let mut imports = Imports::new();
    for (file, imported) in imports_of_files()? {
        let floors = imported.iter().map(|file| floor(file).to_owned());
        imports.entry(floor(&file).to_owned()).or_default().extend(floors);
    }
    for (folder, imported) in &mut imports {
        imported.remove(folder);
    }

    let circles = circles(&imports);

    assert!(circles.is_empty(), "folders import each other: {circles:#?}");
    Ok(())
}

/// A folder's own file is `mod.rs`, so that everything of a folder is in it.
#[test]
fn folders_have_a_mod_file() -> io::Result<()> {
    for file in files()? {
        let folder = file.with_extension("");
        assert!(!folder.is_dir(), "{} belongs into its folder as mod.rs", file.display());
        let own = file.with_file_name("mod.rs");
        let is_below_root = file.parent() != Some(&root());
        assert!(!is_below_root || own.is_file(), "{} is missing", own.display());
    }
    Ok(())
}

/// Each file begins with its purpose, and the first line of each documentation is short.
#[test]
fn documentation_begins_with_a_short_line() -> io::Result<()> {
    for file in files()? {
        let text = fs::read_to_string(&file)?;
        assert!(text.starts_with("//! "), "{} has no documentation", file.display());
        let mut was_documentation = false;
        for (number, line) in text.lines().map(str::trim_start).enumerate() {
            let is_documentation = line.starts_with("///") || line.starts_with("//!");
            let is_short = was_documentation || line.len() <= "/// ".len() + 80;
            let place = format!("{}:{}", file.display(), number + 1);
            assert!(!is_documentation || is_short, "{place} has over 80 characters");
            was_documentation = is_documentation;
        }
    }
    Ok(())
}

/// One way to import: from the file that defines the item, by its full path.
#[test]
fn imports_are_full_paths() -> io::Result<()> {
    for file in files()? {
        let code = code(&file)?;
        let (code, tests) = code.split_once("mod tests {").unwrap_or((&code, ""));
        let name = file.display();
        assert!(!code.contains("super::"), "{name}: write `crate::` instead of `super::`");
        let others = tests.replace("use super::*;", "");
        assert!(!others.contains("super::"), "{name}: tests may `use super::*`, and no more");
        let roots = code.match_indices("crate::").map(|(at, path)| &code[at + path.len()..]);
        for path in roots {
            let names_a_module = path.starts_with(|c: char| c.is_ascii_lowercase());
            assert!(names_a_module, "{name}: import from the file that defines the item");
        }
    }
    Ok(())
}

/// The check finds the circles that there are.
#[test]
fn circles_are_found() {
    let arrows = [("a", "b"), ("b", "c"), ("c", "b"), ("c", "d"), ("e", "e"), ("f", "a")];
    let mut imports = Imports::new();
    for (from, to) in arrows {
        imports.entry(from.to_owned()).or_default().insert(to.to_owned());
    }

    let found = circles(&imports);

    let expected = [["b", "c"].as_slice(), &["e"]];
    let expected = expected.map(|circle| circle.iter().map(ToString::to_string).collect());
    assert_eq!(found, BTreeSet::from(expected));
}

/// Returns the largest sets in which each imports each other, over however many others.
fn circles(imports: &Imports) -> BTreeSet<BTreeSet<String>> {
    let reached: Imports =
        imports.keys().map(|file| (file.clone(), reached_from(file, imports))).collect();
    let leads = |from: &str, to: &str| reached.get(from).is_some_and(|all| all.contains(to));
    let in_circles = imports.keys().filter(|file| leads(file, file));
    in_circles
        .map(|file| {
            let others = imports.keys().filter(|other| leads(file, other) && leads(other, file));
            others.cloned().collect()
        })
        .collect()
}

fn reached_from(file: &str, imports: &Imports) -> BTreeSet<String> {
    let mut reached = BTreeSet::new();
    let mut left = vec![file];
    while let Some(next) = left.pop() {
        for imported in imports.get(next).into_iter().flatten() {
            if reached.insert(imported.clone()) {
                left.push(imported);
            }
        }
    }
    reached
}

/// Reads which files import which, each by its path as a module: `slots::list`.
fn imports_of_files() -> io::Result<Imports> {
    let files: BTreeMap<String, PathBuf> =
        files()?.into_iter().map(|file| (module(&file), file)).collect();
    let mut imports = Imports::new();
    for (name, file) in &files {
        let paths = imported_paths(&code(file)?);
        let imported = paths.iter().filter_map(|path| defining_file(path, &files));
        imports.insert(name.clone(), imported.collect());
    }
    assert!(imports.len() > 20, "the files are gone");
    Ok(imports)
}

/// Returns the paths behind each `crate::`, one for each name in braces.
fn imported_paths(code: &str) -> Vec<String> {
    let mut paths = Vec::new();
    for (at, root) in code.match_indices("crate::") {
        let rest = &code[at + root.len()..];
        let is_path = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == ':';
        let (path, behind) = rest.split_at(rest.find(|c| !is_path(c)).unwrap_or(rest.len()));
        let names = behind.strip_prefix('{').and_then(|names| names.split('}').next());
        match names {
            Some(names) => paths.extend(names.split(',').map(|name| path.to_owned() + name.trim())),
            None => paths.push(path.to_owned()),
        }
    }
    paths
}

/// Returns the file with the longest path that `path` begins with.
fn defining_file(path: &str, files: &BTreeMap<String, PathBuf>) -> Option<String> {
    let mut path = path.trim_end_matches(':');
    while !files.contains_key(path) {
        path = path.rsplit_once("::")?.0;
    }
    Some(path.to_owned())
}

fn floor(module: &str) -> &str {
    module.split("::").next().unwrap_or(module)
}

fn module(file: &Path) -> String {
    let path = file.strip_prefix(root()).unwrap_or(file).with_extension("");
    let names: Vec<_> = path.iter().map(|name| name.to_string_lossy()).collect();
    names.join("::").trim_end_matches("::mod").to_owned()
}

/// Returns a file without its comments.
fn code(file: &Path) -> io::Result<String> {
    let text = fs::read_to_string(file)?;
    let lines = text.lines().filter(|line| !line.trim_start().starts_with("//"));
    Ok(lines.flat_map(|line| [line, "\n"]).collect())
}

fn files() -> io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    let mut folders = vec![root()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder)? {
            let path = entry?.path();
            if path.is_dir() { folders.push(path) } else { files.push(path) }
        }
    }
    Ok(files)
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}
