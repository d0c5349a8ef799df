"""Takes Node's `ws` through the cases: `node_client.py ECHO_URL [COMMAND_URL [COMPRESSION]]`.

The package `ws` is looked for in the folder `NODE_PATH`.
"""

import base64
import json
import os
import select
import subprocess
import sys
from pathlib import Path

import commands
import peer
from cases import Close, Payload

SCRIPT = Path(__file__).with_name("node_client.cjs")


class NodePeer(peer.Peer):
    """A client of the package `ws`, in a process of Node that runs its commands."""

    name = "node"

    def __init__(self, node: subprocess.Popen) -> None:
        self._node = node

    def open(self, opening: peer.Opening) -> None:
        answer = self._open(opening)
        if "status" in answer:
            raise ConnectionError(f"HTTP {answer['status']}")

    def refusal(self, opening: peer.Opening) -> int:
        return self._open(opening).get("status", 101)

    def subprotocol(self) -> str:
        return self._call("subprotocol")

    def extensions(self) -> str:
        return self._call("extensions")

    def traffic(self) -> tuple[int, int]:
        return tuple(self._call("traffic"))

    def send(self, payload: Payload) -> None:
        self.send_fragmented(payload, 0)

    def send_fragmented(self, payload: Payload, size: int) -> None:
        content = payload.encode() if isinstance(payload, str) else payload
        self._call("send", _base64(content), isinstance(payload, bytes), size or len(content))

    def receive(self) -> Payload:
        content, binary = self._call("receive")
        data = base64.b64decode(content)
        return data if binary else data.decode()

    def ping(self, payload: bytes) -> bytes:
        return base64.b64decode(self._call("ping", _base64(payload)))

    def close(self, code: int, reason: str) -> Close:
        return tuple(self._call("close", code, reason))

    def ending(self) -> Close:
        return tuple(self._call("ending"))

    def _open(self, opening: peer.Opening) -> dict[str, int]:
        origin = {"origin": opening.origin} if opening.origin else {}
        options = {"headers": dict(opening.headers), **origin}
        return self._call("open", opening.url, opening.subprotocols, options)

    def _call(self, action: str, *arguments: object) -> object:
        self._node.stdin.write(json.dumps([action, *arguments]) + "\n")
        self._node.stdin.flush()
        # One line for each call, so nothing waits in the reader's own buffer.
        if not select.select([self._node.stdout], [], [], peer.DEADLINE)[0]:
            raise TimeoutError(f"no end of {action}")
        answer = json.loads(self._node.stdout.readline())
        if "error" in answer:
            raise RuntimeError(answer["error"])
        return answer.get("value")


def _base64(content: bytes) -> str:
    return base64.b64encode(content).decode()


if __name__ == "__main__":
    with subprocess.Popen(
        [os.environ.get("NODE", "node"), SCRIPT],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        failures = commands.run_all(NodePeer(process), *sys.argv[1:])
        process.stdin.close()
    sys.exit(failures > 0)
