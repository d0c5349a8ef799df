"""Takes Qt's client in Chromium through the cases, and the page of the `dashboard` example.

`browser.py QWEBCHANNEL_JS URL DASHBOARD_URL [SCREENSHOT]`. The pages come from a server on 127.0.0.1.
"""

import json
import shutil
import sys
import tempfile
import threading
from collections.abc import Callable
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from chromium import Browser, Page, start_browser

HERE = Path(__file__).resolve().parent
DEADLINE = 20.0  # Seconds for each call of the browser.

# Name, script and the expected value.
CASES = (
    (
        "init",
        "[demo.topic, demo.version, demo.Level.High]",
        ["start", "1.0", 7],
    ),
    ("a call", "await demo.add(2, 3)", 5),
    ("a rejected call", "await demo.divide(1, 0).catch((reason) => `no: ${reason}`)", "no: undefined"),
    ("an async call", "await demo.square(12)", 144),
    (
        "a signal",
        "var said = next(demo.said); await demo.say('ann', 'hello'); await said",
        [{"from": "ann", "text": "hello"}],
    ),
    (
        "a write",
        "var changed = next(demo.topicChanged); demo.topic = 'grün'; [await changed, demo.topic]",
        [["grün"], "grün"],
    ),
    (
        "an object",
        "var item = await demo.makeItem('one'); [item.name, await demo.nameOf(item), item.self === item]",
        ["one", "one", True],
    ),
    (
        "the end of an object",
        "await item.deleteLater(); await demo.nothing(); Object.keys(item)",
        [],
    ),
)


class _QuietHandler(SimpleHTTPRequestHandler):
    def log_message(self, *_arguments: object) -> None:
        pass


def check(name: str, expected: object, action: Callable[[], object]) -> int:
    """Prints a line; returns 1 if something else came."""
    try:
        value = action()
    except Exception as error:  # Any: the other cases are run.
        value = repr(error)
    if value == expected:
        print(f"ok - browser: {name}")
        return 0
    print(f"not ok - browser: {name}: {json.dumps(value)}")
    return 1


def run_cases(page: Page, url: str) -> int:
    """Takes the client through the cases; returns how many failed."""
    page.evaluate(f"var {{ objects: {{ demo }} }} = await open({json.dumps(url)}); 0")
    return sum(
        check(name, expected, partial(page.evaluate, script)) for name, script, expected in CASES
    )


def run_dashboard(browser: Browser, address: str, url: str, screenshot: str | None) -> int:
    """Uses the dashboard as a person does, in two windows; returns how many cases failed."""
    one, two = (browser.open_page(f"{address}/dashboard.html?url={url}") for _ in range(2))
    for page in (one, two):
        page.look_like(1024, 720, "light")
        page.evaluate(HELPERS)
    connected = "await until(() => shown('status') === 'Connected') && shown('name')"
    failed = check("dashboard: both pages connect", ["Greenhouse 1"] * 2,
                   lambda: [page.evaluate(connected) for page in (one, two)])
    failed += check("dashboard: the values are live", True, partial(one.evaluate, """
        var before = shown("temperature");
        await until(() => shown("temperature") !== before);
    """))
    failed += check("dashboard: the slider of one page moves the other", "25.5", lambda: (
        one.evaluate("slide(25.5)"),
        two.evaluate("await until(() => shown('target') === '25.5') && slider.value"),
    )[1])
    failed += check("dashboard: a mode is one for both", "On", lambda: (
        one.click("#modes [value=On]"),
        two.evaluate("""
            await until(() => pressed()?.value === "On" && shown("heating").endsWith("on"))
                && pressed().value
        """),
    )[1])
    failed += check("dashboard: a call is answered", True, lambda: (
        one.click("#window"),
        one.evaluate("await until(() => shown('answer').startsWith('Down to'))"),
    )[1])
    failed += check("dashboard: the chart grows", True, partial(one.evaluate, """
        await until(() => document.querySelectorAll("#plot polyline").length === 2 && values.length > 5)
    """))
    if screenshot:
        take_screenshots(one, screenshot)
    return failed


def take_screenshots(page: Page, path: str) -> None:
    """Writes what the dashboard looks like, in both schemes and on a phone."""
    page.evaluate("await until(() => values.length > 60)")
    for name, width, height, scheme in (
        ("light", 1024, 720, "light"), ("dark", 1024, 720, "dark"), ("phone", 390, 844, "dark"),
    ):
        page.look_like(width, height, scheme)
        page.evaluate("draw()")
        Path(f"{path}-{name}.png").write_bytes(page.screenshot())


HELPERS = """
const shown = (id) => document.getElementById(id).textContent;
const slider = document.getElementById("slider");
const pressed = () => document.querySelector("#modes [aria-pressed=true]");
const slide = (value) => { slider.value = value; slider.dispatchEvent(new Event("input")); };
const until = async (condition) => {
  while (!condition()) await new Promise((done) => setTimeout(done, 10));
  return true;
};
"""


def main(client: str, url: str, dashboard_url: str, screenshot: str | None = None) -> int:
    """Returns how many cases failed."""
    with tempfile.TemporaryDirectory(prefix="slotwork-") as folder:
        for file in (Path(client), HERE / "page.html", HERE / "../../examples/dashboard.html"):
            shutil.copy(file, folder)
        handler = partial(_QuietHandler, directory=folder)
        with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
            threading.Thread(target=server.serve_forever, daemon=True).start()
            address = f"http://127.0.0.1:{server.server_port}"
            with start_browser(DEADLINE) as browser:
                failed = run_cases(browser.open_page(f"{address}/page.html"), url)
                failed += run_dashboard(browser, address, dashboard_url, screenshot)
            server.shutdown()
    return failed


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]) > 0)
