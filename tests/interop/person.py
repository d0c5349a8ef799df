"""A person in front of a page of the examples."""

from urllib.parse import urlencode

import pages
from chromium import Browser


class Person:
    """A person with a page open in a window of their own."""

    def __init__(self, browser: Browser, page: str, url: str, name: str) -> None:
        query = urlencode({"url": url, "name": name})
        self._page = browser.open_page(f"{pages.local(page)}?{query}")
        self._page.evaluate(pages.UNTIL)

    def say(self, text: str) -> None:
        """Types a message and presses Enter."""
        self._page.click("#message")
        self._page.type(text)
        self._page.press_enter()

    def close(self) -> None:
        """Closes the window."""
        self._page.close()
