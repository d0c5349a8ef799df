"""Gathers the pages of the book from their sources: `make.py FOLDER`, from the repository's root.

docs/book/chapters.txt names the source of each page. Links between sources become links between pages;
those to items of the documentation, which is not part of the book, become plain text.
"""

import re
import shutil
import sys
from pathlib import Path

BOOK = Path("docs/book")
ENTRY = re.compile(r"^(?P<start> *-? *)(?P<title>[^|]+) \| (?P<page>[^|]+) \| (?P<source>[^|]+)$")
LINK = re.compile(r"\[(?P<text>(?:`[^`]*`|[^][`])+)\](?:\((?P<target>[^)\s]+)\)|\[(?P<label>[^]]+)\])?")
DEFINITION = re.compile(r"^\[(?P<label>[^]]+)\]: (?P<target>\S+)$", re.MULTILINE)
FENCE = re.compile(r"(^ *```.*?^ *```$)", re.MULTILINE | re.DOTALL)


class Pages:
    """The pages in the order of the summary, with their sources."""

    def __init__(self) -> None:
        self.summary: list[str] = []
        self.page_of: dict[str, str] = {}
        for line in (BOOK / "chapters.txt").read_text().splitlines():
            entry = ENTRY.match(line)
            if entry:
                page = self.page_of[entry["source"]] = f"{entry['page']}.md"
                self.summary.append(f"{entry['start']}[{entry['title']}]({page})")
            elif line.startswith("#"):
                self.summary.append(line)

    def write(self, folder: Path) -> str:
        compiled = found = 0
        for source, page in self.page_of.items():
            file, _, section = source.partition("#")
            text = section_of(text_of(file), section, set(self.page_of), file)
            languages = rust_blocks(text, file)
            found += sum("ignore" in language for language in languages)
            compiled += len(languages)
            target = folder / "src" / page
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(self.with_links(text, file, page))
        (folder / "src/SUMMARY").with_suffix(".md").write_text("\n".join(["# Summary", *self.summary]) + "\n")
        return f"{compiled - found} blocks of Rust are compiled by doc tests, {found} are parts of examples"

    def with_links(self, text: str, file: str, page: str) -> str:
        """Makes links of the source lead to pages; code is left as it is."""
        definitions = {match["label"]: match["target"] for match in DEFINITION.finditer(text)}
        definitions = rustdoc_definitions(file) | definitions
        text = DEFINITION.sub("", text)

        def replaced(match: re.Match[str]) -> str:
            target = match["target"] or definitions.get(match["label"] or match["text"].strip())
            if target is None:
                return match[0]
            target = self.target_of(target, file, page)
            return f"[{match['text']}]({target})" if target else match["text"]

        parts = FENCE.split(text)
        return "".join(part if i % 2 else LINK.sub(replaced, part) for i, part in enumerate(parts))

    def target_of(self, target: str, file: str, page: str) -> str | None:
        """Returns the link to a page; `None` for what is not in the book."""
        if "://" in target:
            return target
        path, _, place = target.partition("#")
        source = file if not path else guide(path) or str(resolved(Path(file).parent / path))
        found = self.page_of.get(f"{source}#{place}")
        if found:
            return relative(found, page)
        found = self.page_of.get(source)
        if found is None:
            return None
        return relative(found, page) + (f"#{place}" if place else "")


def text_of(file: str) -> str:
    """Returns a Markdown file, or the documentation of a module with a title."""
    text = Path(file).read_text()
    if not file.endswith(".rs"):
        return text
    lines = [line[3:].removeprefix(" ") for line in text.splitlines() if line.startswith("//!")]
    title, *rest = "\n".join(lines).split("\n")
    # Headings of rustdoc begin with the first level, code without a language is Rust.
    parts = FENCE.split("\n".join(rest))
    parts = [re.sub(r"^#", "##", part, flags=re.MULTILINE) if i % 2 == 0 else part for i, part in enumerate(parts)]
    text = "".join(re.sub(r"\A```(?:(?=no_run)|\n)", as_rust, part) if i % 2 else part for i, part in enumerate(parts))
    return f"# {title.rstrip('.')}\n{text}\n"


def as_rust(fence: re.Match[str]) -> str:
    return "```rust\n" if fence[0].endswith("\n") else "```rust,"


def section_of(text: str, section: str, sources: set[str], file: str) -> str:
    """Returns a section with the title on the first level, or what no other page has."""
    parts = re.split(r"(?m)^(?=## )", text)
    of_title = {anchor(part.partition("\n")[0]): part for part in parts[1:]}
    if section:
        return of_title[section].removeprefix("#")
    return parts[0] + "".join(part for name, part in of_title.items() if f"{file}#{name}" not in sources)


def anchor(title: str) -> str:
    words = re.sub(r"[^\w\s-]", "", title.lstrip("#").strip().lower())
    return re.sub(r"\s", "-", words)


def rust_blocks(text: str, file: str) -> list[str]:
    """Returns the languages of the blocks of Rust, each of which is compiled somewhere."""
    languages = re.findall(r"(?m)^ *```(rust[^\n]*)$", text)
    if languages and file not in compiled_sources():
        raise SystemExit(f"{file}: {len(languages)} blocks of Rust are compiled by no doc test")
    if any("ignore" in language for language in languages) and file not in WITH_PARTS_OF_EXAMPLES:
        raise SystemExit(f"{file}: a block of Rust is ignored")
    return languages


def compiled_sources() -> set[str]:
    """Sources whose Rust is compiled: documentation of modules, and what it includes."""
    sources = {str(path) for path in Path("src/guides").glob("*.rs")}
    files = ["src/lib.rs", "src/guides/mod.rs"]
    files += [f"{package}/src/lib.rs" for package in ["nats", "signals", "webchannel"]]
    for file in map(Path, files):
        for included in re.findall(r'include_str!\("([^"]+)"\)', file.read_text()):
            sources.add(str(resolved(file.parent / included)))
    return sources


def rustdoc_definitions(file: str) -> dict[str, str]:
    """The definitions of links that src/guides/mod.rs adds to an included file."""
    before = Path("src/guides/mod.rs").read_text().partition(f'include_str!("../../{file}")')
    if not before[1]:
        return {}
    documentation = "\n".join(line[4:] for line in before[0].rpartition("\n\n")[2].splitlines())
    return {match["label"]: match["target"] for match in DEFINITION.finditer(documentation)}


def guide(target: str) -> str | None:
    """Returns the source of `crate::guides::NAME`."""
    name = target.removeprefix("crate::guides::")
    if name == target:
        return None
    page = Path(f"docs/{name.replace('_', '-')}.md")
    return str(page) if page.exists() else f"src/guides/{name}.rs"


def resolved(path: Path) -> Path:
    return path.resolve().relative_to(Path.cwd())


def relative(page: str, other: str) -> str:
    return "../" * other.count("/") + page


def main() -> None:
    folder = Path(sys.argv[1])
    shutil.rmtree(folder / "src", ignore_errors=True)
    pages = Pages()
    blocks = pages.write(folder)
    for file in ["book.toml", "book.css"]:
        shutil.copy(BOOK / file, folder)
    print(f"{len(pages.page_of)} pages; {blocks}")


WITH_PARTS_OF_EXAMPLES = {"docs/porting.md"}
"""Files whose ignored blocks a test finds in an example: tests/gateway.rs."""

if __name__ == "__main__":
    main()
