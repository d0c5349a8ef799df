"""A person in front of a page of the examples."""

from urllib.parse import urlencode

import pages
from chromium import Browser

_HELPERS = """
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


class Person:
    """A person with a page open in a window of their own.

    `until` of the page waits until what it is given returns something, and returns that.
    """

    def __init__(self, browser: Browser, page: str, url: str, name: str) -> None:
        query = urlencode({"url": url, "name": name})
        self._page = browser.open_page(f"{pages.local(page)}?{query}")
        self._page.evaluate(_HELPERS)

    def say(self, text: str) -> None:
        """Types a message and presses Enter."""
        self._page.click("#message")
        self._page.type(text)
        self._page.press_enter()

    def close(self) -> None:
        """Closes the window."""
        self._page.close()
