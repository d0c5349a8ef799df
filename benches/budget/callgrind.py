"""Reads callgrind's file: the instructions of each function itself, and how often it is called."""

import re
from collections import Counter

NAME = re.compile(r"(c?fn)=\((\d+)\)(?: (.*))?")


def read(path):
    costs, calls, names = Counter(), Counter(), {}
    function = callee = None
    is_call = False
    with open(path, encoding="utf-8", errors="replace") as lines:
        for line in lines:
            if match := NAME.match(line):
                kind, number, name = match.groups()
                # A name is written once; a recursion has its depth behind it.
                name = names.setdefault(number, name)
                if kind == "fn":
                    function = name
                else:
                    callee = name
            elif line.startswith("calls="):
                calls[callee] += int(line[len("calls="):].split()[0])
                is_call = True
            elif line[0] in "0123456789+-*":
                # The line after `calls` is the cost of the call, which its function has already.
                if not is_call:
                    costs[function] += int(line.split()[1])
                is_call = False
    return costs, calls
