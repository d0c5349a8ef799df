"""Compares a report of Autobahn|Testsuite with the expected outcome of each case.

Usage: compare.py REPORT/index.json EXPECTED. The expected outcome is OK for every case, and what
the file says for those it names.
"""

import json
import sys
from pathlib import Path


def main(report_path: str, expected_path: str) -> int:
    (cases,) = json.loads(Path(report_path).read_text()).values()
    expected = json.loads(Path(expected_path).read_text())
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
