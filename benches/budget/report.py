"""The recorded counts, their limits, and what is printed."""

SLACK = {
    "instructions": lambda recorded: recorded * 1.05,
    "allocations": lambda recorded: recorded + 0.1,
    "system calls": lambda recorded: recorded + 0.1,
    "bytes": lambda recorded: recorded * 1.03,
}
PROFILES = ("release", "plain")
HEAD = """\
# What benches/budget/run has counted for one message, recipient or connection, in both profiles.
# Limits: instructions 5 % more, allocations and system calls 0.1 more, bytes 3 % more.
"""
SHOWN = 40


def read(path):
    """Returns {(scenario, measure): {profile: (recorded, limit)}}."""
    rows = {}
    if not path.exists():
        return rows
    for line in path.read_text(encoding="utf-8").splitlines():
        if not line or line.startswith(("#", "scenario")):
            continue
        scenario, measure, *numbers = line.split()
        pairs = zip(PROFILES, zip(numbers[::2], numbers[1::2]))
        rows[scenario, measure.replace("-", " ")] = {
            profile: tuple(map(float, pair)) for profile, pair in pairs if "-" not in pair}
    return rows


def write(path, rows):
    lines = [HEAD, row("scenario", "measure", "release", "limit", "plain", "limit")]
    for (scenario, measure), columns in rows.items():
        pairs = [columns.get(profile, (None, None)) for profile in PROFILES]
        numbers = [text(measure, number) for pair in pairs for number in pair]
        lines.append(row(scenario, measure.replace(" ", "-"), *numbers))
    path.write_text("".join(lines), encoding="utf-8")


def row(scenario, measure, *numbers):
    return f"{scenario:16}{measure:14}" + "".join(f"{number:>10}" for number in numbers) + "\n"


def record(rows, profile, counts):
    for scenario, measures in counts.items():
        for measure, number in measures.items():
            columns = rows.setdefault((scenario, measure), {})
            columns[profile] = (number, SLACK[measure](number))


def compare(rows, profile, counts):
    """Prints each count with its verdict; returns whether all are within their limits."""
    passed = True
    for scenario, measures in counts.items():
        for measure, number in measures.items():
            line = f"{profile:8}{scenario:16}{text(measure, number):>10} {measure}"
            recorded = rows.get((scenario, measure), {}).get(profile)
            if recorded is None:
                print(f"{line}: not recorded")
                continue
            before, limit = recorded
            is_within = number <= limit
            passed &= is_within
            print(f"{line}, recorded {text(measure, before)}, limit {text(measure, limit)}: "
                  f"{'ok' if is_within else 'TOO MANY'}")
    return passed


def text(measure, number):
    if number is None:
        return "-"
    return f"{number:.2f}" if measure in ("allocations", "system calls") else f"{number:.0f}"


def annotate(functions, file):
    print(f"{sum(functions.costs.values()):9.1f} instructions, of which the function itself has:")
    for name, cost in largest(functions.costs):
        print(f"{cost:9.1f}  in {functions.calls.get(name, 0):6.2f} calls  {name}")
    print(f"\n{functions.allocations:9.2f} allocations\n\nsystem calls:")
    for name, calls in largest(functions.system_calls):
        print(f"{calls:9.2f}  {name}")
    print(f"\ncallgrind_annotate --tree=both {file}")
    return 0


def largest(counts):
    shown = sorted(counts.items(), key=lambda item: -item[1])[:SHOWN]
    return [(name, count) for name, count in shown if count > 0]
