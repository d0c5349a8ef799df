"""Checks of packed packages for `tests/packages/run`: `checks.py CHECK FILE...`."""

import json
import re
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

STD = {"alloc", "core", "std"}

FOREIGN = {
    "slotwork": {
        "async_task",  # `smol::Task`
        "futures_core",
        "futures_io",
        "futures_sink",
        "rustls",
        "slotwork_signals",
    },
    "slotwork_signals": {"futures_core"},
    "slotwork_webchannel": {"serde_core", "slotwork", "slotwork_signals"},
    "slotwork_nats": {"serde_core", "slotwork", "slotwork_signals", "tokio"},
}
"""The packages whose types or traits are in signatures, as docs/dependencies.md lists them."""

LINK = re.compile(r"\]\(([^)\s]+)\)")


def links(packages: list[str]) -> Iterator[str]:
    """Relative links of the Markdown files lead to files of the package."""
    for package in map(Path, packages):
        count = 0
        for page in [*package.glob("*.md"), *package.glob("docs/*.md")]:
            for target in LINK.findall(without_code(page.read_text())):
                path = target.partition("#")[0]
                if "://" in target or not path:
                    continue
                count += 1
                if not (page.parent / path).is_file():
                    yield f"{package.name}/{page.relative_to(package)}: {target} is not in the package"
        print(f"{package.name}: {count} relative links")


def without_code(text: str) -> str:
    return re.sub(r"```.*?```|`[^`\n]*`", "``", text, flags=re.DOTALL)


def msrv(files: list[str]) -> Iterator[str]:
    """The `rust-version` of each dependency is not newer than the package's own."""
    for file in files:
        metadata = json.loads(Path(file).read_text())
        packages = {package["id"]: package for package in metadata["packages"]}
        nodes = {node["id"]: node for node in metadata["resolve"]["nodes"]}
        root = metadata["resolve"]["root"]
        wanted = version(packages[root]["rust_version"])
        silent = []
        for package in map(packages.get, sorted(dependencies_of(root, nodes))):
            if package["rust_version"] is None:
                silent.append(f"{package['name']} {package['version']}")
            elif version(package["rust_version"]) > wanted:
                yield f"{package['name']} {package['version']} needs Rust {package['rust_version']}"
        print(f"{packages[root]['name']}: no rust-version in {', '.join(silent) or 'none'}")


def dependencies_of(root: str, nodes: dict) -> set[str]:
    """Those that a program gets, on any system: not for tests."""
    found, waiting = set(), [root]
    while waiting:
        for dependency in nodes[waiting.pop()]["deps"]:
            is_built = any(kind["kind"] != "dev" for kind in dependency["dep_kinds"])
            if is_built and dependency["pkg"] not in found:
                found.add(dependency["pkg"])
                waiting.append(dependency["pkg"])
    return found


def version(text: str) -> tuple[int, ...]:
    return tuple(map(int, text.split("."))) + (0,) * (2 - text.count("."))


def types(files: list[str]) -> Iterator[str]:
    """Signatures name types of the listed packages, and of no others."""
    for file in map(Path, files):
        documentation = json.loads(file.read_text())
        seen = {path[0] for path in foreign_paths(documentation)} - STD
        listed = FOREIGN[file.stem]
        yield from (f"{file.stem}: types of {name} are not listed" for name in sorted(seen - listed))
        yield from (f"{file.stem}: {name} is listed, and not used" for name in sorted(listed - seen))
        print(f"{file.stem}: types of {', '.join(sorted(seen))}")


def foreign_paths(documentation: dict) -> Iterator[list[str]]:
    paths, index = documentation["paths"], documentation["index"]

    def walk(value: object) -> Iterator[list[str]]:
        if isinstance(value, dict):
            path = paths.get(str(value.get("id")))
            if path and path["crate_id"] != 0:
                yield path["path"]
            value = [part for key, part in value.items() if key not in {"attrs", "docs", "links", "span"}]
        if isinstance(value, list):
            for part in value:
                yield from walk(part)

    for item in index.values():
        implementation = item["inner"].get("impl", {})
        is_written = not implementation.get("is_synthetic") and not implementation.get("blanket_impl")
        if item["crate_id"] == 0 and is_written:
            yield from walk(item["inner"])


ROW = re.compile(r"^\| ([^|]*`[^|]*) \|", re.MULTILINE)
NAME_AND_VERSION = re.compile(r"`([-\w]+)`(?: ([\d.]+))?")


def rows(files: list[str]) -> Iterator[str]:
    """The direct dependencies have rows in the documentation, with the versions of the lock file."""
    page, lock, *metadata = map(Path, files)
    text = page.read_text().partition("\n## Direct dependencies\n")[2].partition("\n## ")[0]
    cells = (re.sub(r"\(.*?\)", "", cell) for cell in ROW.findall(text))
    seen = {name: version for cell in cells for name, version in NAME_AND_VERSION.findall(cell)}
    wanted = {
        dependency["name"]
        for file in metadata
        for package in json.loads(file.read_text())["packages"]
        if package["publish"] is None
        for dependency in package["dependencies"]
        if dependency["kind"] is None
    }
    yield from (f"{name} has no row in {page}" for name in sorted(wanted - seen.keys()))
    yield from (f"{name} has a row in {page}, and is not used" for name in sorted(seen.keys() - wanted))
    locked = {(package["name"], package["version"]) for package in tomllib.loads(lock.read_text())["package"]}
    for name, version in seen.items():
        found = [locked_version for locked_name, locked_version in locked if locked_name == name]
        if version and found and not any(f"{it}.".startswith(f"{version}.") for it in found):
            yield f"{name} {version} in {page} is {', '.join(found)} in {lock}"
    print(f"{page}: {len(seen)} direct dependencies")


def main() -> int:
    check, *files = sys.argv[1:]
    faults = list({"links": links, "msrv": msrv, "rows": rows, "types": types}[check](files))
    for fault in faults:
        print(fault, file=sys.stderr)
    return int(bool(faults))


if __name__ == "__main__":
    sys.exit(main())
