"""Checks the links of a built book: `links.py FOLDER`. Those to other sites are not followed."""

import re
import sys
from html import unescape
from pathlib import Path
from urllib.parse import unquote

LINK = re.compile(r'<a\b[^>]*\bhref="([^"]*)"')
PLACE = re.compile(r'\bid="([^"]*)"')


def dead_links(page: Path, places: dict[Path, set[str]]) -> list[str]:
    dead = []
    for link in map(unescape, LINK.findall(page.read_text())):
        path, _, place = link.partition("#")
        if re.match(r"\w+:", link):
            continue
        target = (page.parent / unquote(path)).resolve() if path else page.resolve()
        if target not in places or (place and unquote(place) not in places[target]):
            dead.append(f"{page}: {link} leads nowhere")
    return dead


def main() -> int:
    pages = list(Path(sys.argv[1]).rglob("*.html"))
    if len(pages) < 10:
        raise SystemExit(f"{len(pages)} pages only")
    places = {page.resolve(): set(map(unescape, PLACE.findall(page.read_text()))) for page in pages}
    # 404.html is for any folder; print.html has all pages once more.
    checked = [page for page in pages if page.name not in {"404.html", "print.html"}]
    dead = [fault for page in checked for fault in dead_links(page, places)]
    print("\n".join(dead) or f"the links of {len(checked)} pages lead somewhere")
    return int(bool(dead))


if __name__ == "__main__":
    sys.exit(main())
