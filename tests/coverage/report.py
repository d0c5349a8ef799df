"""Prints the coverage of an LCOV file: `report.py FILE table`, or `report.py FILE lines [PATH...]`."""

import re
import sys
from itertools import groupby
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
SIGNALS = "signals/src"
# The folders with rows of their own, and the goal of each, in percent; without one there is none.
GOALS = {
    SIGNALS: 95,
    "src": 95,
    "src/event_loop": None,
    "src/net": None,
    "src/net/tls": None,
    "src/protocol": 98,
    "src/protocol/handshake": 98,
    "src/runtime": None,
    "src/server": None,
    "src/session": None,
    "src/socket": None,
    "src/testing": None,
    "src/types": None,
}
# Files below this are listed, in percent.
LISTED_BELOW = 90
# Code of tests in the source folders.
TESTS = re.compile(r"/tests/|/tests\.rs$|/testing/fuzzing/|_fuzzing\.rs$")
UNIT_TESTS = re.compile(r"^#\[cfg\((?:all\()?test\b.*\)\]\nmod \w+ \{", re.MULTILINE)


def main():
    measured = read(Path(sys.argv[1]))
    if sys.argv[2] == "table":
        return table(measured)
    paths = [path.rstrip("/") for path in sys.argv[3:]] or [SIGNALS, "src"]
    lines(measured, paths)
    return 0


def read(path):
    """Returns the number of calls of each line of each file, without those of tests."""
    files, counts, end = {}, None, 0
    for line in path.read_text(encoding="utf-8").splitlines():
        if line.startswith("SF:"):
            name = Path(line[3:])
            file = str(name.relative_to(ROOT)) if name.is_relative_to(ROOT) else ""
            counts = files.setdefault(file, {}) if is_measured(file) else None
            end = end_of_code(name) if counts is not None else 0
        elif line.startswith("DA:") and counts is not None:
            number, count = map(int, line[3:].split(",")[:2])
            if number < end:
                counts[number] = counts.get(number, 0) + count
    return files


def is_measured(file):
    return not TESTS.search(file) and (is_in(file, "src") or is_in(file, SIGNALS))


def is_in(file, path):
    return file == path or file.startswith(path + "/")


def end_of_code(path):
    """Returns the number of the line where unit tests begin; they are the last of a file."""
    text = path.read_text(encoding="utf-8")
    tests = UNIT_TESTS.search(text)
    return text.count("\n", 0, tests.start()) + 1 if tests else sys.maxsize


def table(measured):
    status = 0
    for folder, goal in GOALS.items():
        files = [counts for file, counts in measured.items() if is_in(file, folder)]
        of_all, reached = len_of(files), reached_of(files)
        share = 100 * reached / max(of_all, 1)
        missed = goal is not None and share < goal
        status |= missed
        note = f" of {goal} %" + (", MISSED" if missed else "") if goal else ""
        print(f"{folder:24} {reached:6} of {of_all:6} lines  {share:6.2f} %{note}")
    shares = [(100 * reached_of([counts]) / len(counts), file)
              for file, counts in measured.items() if counts]
    for share, file in sorted(shares):
        if share < LISTED_BELOW:
            print(f"  {share:6.2f} %  {file}")
    return int(status)


def len_of(files):
    return sum(map(len, files))


def reached_of(files):
    return sum(sum(1 for count in counts.values() if count) for counts in files)


def lines(measured, paths):
    for file, counts in sorted(measured.items()):
        if any(is_in(file, path) for path in paths):
            text = (ROOT / file).read_text(encoding="utf-8").splitlines()
            for first, last in ranges(counts):
                place = f"{file}:{first}" + (f"-{last}" if last != first else "")
                print(f"{place}  {text[first - 1].strip()}")


def ranges(counts):
    """Returns the first and last line of each row of lines that were not reached.

    Lines without code, such as comments, do not end a row.
    """
    for reached, row in groupby(sorted(counts.items()), key=lambda entry: entry[1] > 0):
        if not reached:
            numbers = [number for number, _ in row]
            yield numbers[0], numbers[-1]


if __name__ == "__main__":
    sys.exit(main())
