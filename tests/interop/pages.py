"""The web pages of the examples, as files and from a web server."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"

UNTIL = """
const until = (look) => new Promise((done) => {
  const check = () => {
    const seen = look();
    if (!seen) return;
    observer.disconnect();
    done(seen);
  };
  const observer = new MutationObserver(check);
  observer.observe(document, { attributes: true, childList: true, subtree: true });
  check();
});
"""
"""The function `until` for a page: it waits until `look` returns something, and returns that."""


class _QuietHandler(SimpleHTTPRequestHandler):
    def log_message(self, *_arguments: object) -> None:
        pass


def local(name: str) -> str:
    """Returns the address of a page as a local file, which has no origin."""
    return (EXAMPLES / name).as_uri()


@contextmanager
def serve() -> Iterator[str]:
    """Serves the pages on 127.0.0.1 until the end of the block; yields their origin."""
    handler = partial(_QuietHandler, directory=EXAMPLES)
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
