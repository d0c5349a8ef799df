"""Compares reports of Autobahn|Testsuite with the expected outcome of each case.

Usage: compare.py EXPECTED SELECTION REPORT/index.json... The expected outcome is OK for every case,
and what the selection says in the file for those it names.
"""

import json
import sys
from pathlib import Path


def main(expected_path: str, selection: str, *report_paths: str) -> int:
    cases: dict[str, dict[str, str]] = {}
    for path in report_paths:
        (report,) = json.loads(Path(path).read_text()).values()
        cases |= report
    expected = json.loads(Path(expected_path).read_text())[selection]
    others: dict[str, str] = expected["others"]

    failed = 0
    for name, case in cases.items():
        wanted = others.get(name, "OK")
        seen = {case["behavior"], case["behaviorClose"]}
        if seen != {wanted}:
            failed += 1
            print(f"not ok - Autobahn {name}: expected {wanted}, saw {sorted(seen)}")
    missing = expected["cases"] - len(cases)
    if missing:
        print(f"not ok - Autobahn: {len(cases)} cases were run, not {expected['cases']}")

    print(f"{len(cases) - failed} passed, {failed} failed")
    return 1 if failed or missing else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
