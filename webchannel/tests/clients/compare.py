"""Compares our channel with Qt's: `compare.py URL FILE`, the file with the output of qt_channel.py.

Each difference has to be one of those that are wanted, in exactly this form.
"""

import json
import sys
from pathlib import Path
from typing import Any

from websockets.sync.client import ClientConnection, connect

import steps

REJECTION = [["rejection"]]


def exchange(socket: ClientConnection, message: steps.Message) -> list[steps.Message]:
    """Sends a message; returns what comes until nothing comes any more."""
    socket.send(json.dumps(message))
    answers = []
    try:
        while True:
            answers.append(json.loads(socket.recv(timeout=steps.QUIET)))
    except TimeoutError:
        return answers


def without_qt_members(value: Any) -> Any:
    """Removes what Qt has published beside the members of the class, and its signatures."""
    if isinstance(value, dict) and "methods" in value:
        value = dict(value)
        for kind in ("signals", "methods"):
            names = {name for name in value[kind] if "(" not in name}
            value[kind] = sorted(names - {"objectNameChanged"})
        value["properties"] = {
            # A constant's notify is an empty list, which is a signal called `undefined` in the page.
            name: [None if notify == [] else notify, content]
            for name, (notify, content) in value["properties"].items()
            if name != "objectName"
        }
        return value
    if isinstance(value, dict):
        return {key: without_qt_members(content) for key, content in value.items()}
    return [without_qt_members(content) for content in value] if isinstance(value, list) else value


# What comes from Qt, and from us. The reasons are in docs/porting.md.
WANTED: dict[str, tuple[list[Any], list[Any]]] = {
    "too few arguments": ([["answer", []]], REJECTION),
    "an unknown method": ([["answer", []]], REJECTION),
    "an unknown object": ([], REJECTION),
    "a refused write": ([], [["update", ["chat", {}, {"topic": "new"}]]]),
    "a write of a constant": ([], [["update", ["chat", {}, {"version": "1.0"}]]]),
    "a registered object's end": (
        [["answer", None], ["signal", "chat", "destroyed", []]],
        REJECTION,
    ),
}


def main(url: str, file: str) -> int:
    """Prints a line for each step; returns how many failed."""
    # The channel prints the debug message of the last step, too.
    qt = json.loads(Path(file).read_text().splitlines()[-1])
    with connect(f"{url}/qt", compression=None) as socket:
        ours = steps.Page(lambda message: exchange(socket, message)).run()
    failed = 0
    for step, answers in ours.items():
        pair = (without_qt_members(qt[step]), answers)
        expected = WANTED.get(step)
        is_good = pair == expected if expected else pair[0] == pair[1]
        failed += not is_good
        kind = "as wanted" if expected else "same"
        print(f"ok - qt: {step}: {kind}" if is_good else f"not ok - qt: {step}: {json.dumps(pair)}")
    return failed


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]) > 0)
