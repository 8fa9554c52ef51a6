"""A person at the page: draws, types, and looks at the picture. Polls with a deadline."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Any, Self

from playwright.sync_api import Locator, Page

WITHIN_S = 60.0

STARTED = "window.turboUI && window.turboUI.stats().frames > 0"
"""Whether the page shows a picture, asked in the page."""
AT_REST = """() => {
  const { session: { loop }, picture } = window.turboUI;
  return !loop.isBusy && loop.dirtyAt === null && picture.shownId === loop.nextId - 1;
}"""
"""Whether the newest input is on the picture, asked in the page."""


class Drawer:
    """One page of the app; everything that the page complains about is in `complaints`."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.complaints: list[str] = []
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("console", self._on_console)

    def _on_console(self, message: Any) -> None:
        # a server that is away is part of some tests, and the browser reports it by itself
        if (
            message.type == "error"
            and "ERR_" not in message.text
            and "WebSocket" not in message.text
        ):
            self.complaints.append(message.text)

    def open(self, url: str) -> Self:
        self.page.goto(url)
        self.wait_for(STARTED, within_s=120)
        return self

    def reload(self) -> None:
        self.page.reload()
        self.wait_for(STARTED)

    def stats(self) -> dict[str, Any]:
        return self.page.evaluate("window.turboUI.stats()")

    def picture(self) -> str:
        """The picture's pixels, as text that can be compared."""
        return self.page.evaluate("document.querySelector('#picture canvas').toDataURL()")

    def board(self) -> dict[str, Any]:
        return self.page.evaluate("window.turboUI.board.document.toData()")

    def num_objects(self) -> int:
        return len(self.board()["shown"])

    def request(self) -> dict[str, Any]:
        """The request of the picture that is shown."""
        return self.page.evaluate("window.turboUI.painted.request")

    def wait_for(self, expression: str, within_s: float = WITHIN_S) -> None:
        self.page.wait_for_function(expression, timeout=within_s * 1000)

    def wait_until(self, condition: Callable[[], bool], within_s: float = WITHIN_S) -> None:
        deadline = time.monotonic() + within_s
        while not condition():
            assert time.monotonic() < deadline, f"did not come true; the page says {self.stats()}"
            self.page.wait_for_timeout(20)

    def wait_for_rest(self) -> None:
        """Until the newest input is on the picture."""
        self.wait_for(AT_REST)

    def point(self, x: float, y: float) -> tuple[float, float]:
        """Where on the page a point of the board is; x and y from 0 to 1."""
        box = self.page.locator(".board-host").bounding_box()
        assert box is not None
        return box["x"] + x * box["width"], box["y"] + y * box["height"]

    def pen_down(self, x: float, y: float) -> None:
        self.page.mouse.move(*self.point(x, y))
        self.page.mouse.down()

    def move(self, x: float, y: float) -> None:
        self.page.mouse.move(*self.point(x, y), steps=4)

    def pen_up(self) -> None:
        self.page.mouse.up()

    def stroke(self, y: float = 0.5, x: float = 0.2) -> None:
        """One wavy stroke."""
        self.pen_down(x, y)
        for step in range(1, 6):
            self.move(x + 0.1 * step, y + 0.05 * math.sin(step))
        self.pen_up()

    def choose(self, box: str, title: str) -> None:
        """Picks an entry of a dropdown by the words that it shows."""
        self.page.locator(f"{box} input").click()
        self.page.get_by_role("option", name=title, exact=True).click()

    def prompt(self) -> Locator:
        return self.page.locator("#prompt textarea")

    def tool(self, name: str) -> Locator:
        return self.page.locator(f"#board [data-do={name}], #board [data-tool={name}]")


OpenPage = Callable[..., Drawer]
"""Opens the app in a new profile; takes another address and the browser context's options."""
