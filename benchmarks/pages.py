"""The two pages under measurement, driven with a real pointer in a real Chromium.

Both clocks are the page's own: from the time stamp that the browser gives a pointer event to the
moment after the display frame that shows the picture.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from playwright.async_api import FloatRect, Locator, Page
from playwright.async_api import TimeoutError as PlaywrightTimeout

from benchmarks.workloads import HZ, Stroke
from harness.drawer import AT_REST, STARTED

OPEN_WITHIN_MS = 90_000
REST_WITHIN_MS = 60_000

LIVE_RECORD = """() => {
  const { meter } = window.turboUI;
  if (!window.benchmark) {
    const add = meter.add.bind(meter);
    meter.add = (record) => { window.benchmark.records.push(record); add(record); };
  }
  const { superseded, bytes } = window.turboUI.stats();
  window.benchmark = { records: [], superseded, bytes };
}"""

LIVE_COLLECT = """() => {
  const { records, superseded, bytes } = window.benchmark;
  const now = window.turboUI.stats();
  return {
    records: records.slice(),
    superseded: now.superseded - superseded,
    bytes_sent: now.bytes.sent - bytes.sent,
    bytes_received: now.bytes.received - bytes.received,
    size_px: window.turboUI.painted.request.width,
    lane: now.lane,
  };
}"""

LIVE_STATE = """() => {
  const { session: { loop }, picture } = window.turboUI;
  const { frames, lane, connected } = window.turboUI.stats();
  const { waiting, running, dirtyAt, nextId } = loop;
  return { waiting, running, dirtyAt, nextId, shownId: picture.shownId, frames, lane, connected };
}"""

PLAIN_RECORD = """
window.benchmark = { penUpAt: 0, paintedAt: 0 };
addEventListener("pointerup", (event) => { window.benchmark.penUpAt = event.timeStamp; }, true);
// an image's load event is never seen by the window, but by the document
document.addEventListener("load", ({ target }) => {
  if (!target.closest?.("#picture") || target.tagName !== "IMG") return;
  requestAnimationFrame(() => {
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = () => { window.benchmark.paintedAt = performance.now(); };
    port2.postMessage(null);
  });
}, true);
"""

PLAIN_SHEET = 0.75
"""The sheet lies in the middle of a wider canvas; this share of its height is paper for sure."""


@dataclass(frozen=True)
class Drawn:
    """What the pen did: how many points it gave in how long."""

    num_points: int
    seconds: float

    @property
    def hz(self) -> float:
        return self.num_points / self.seconds


class Pen:
    """Moves the pointer over a board at `HZ`, whether or not the page keeps up."""

    def __init__(self, page: Page, box: FloatRect) -> None:
        self.page = page
        self.box = box

    async def draw(self, strokes: Sequence[Stroke]) -> Drawn:
        """Draws the strokes after each other; each point at its time on the clock."""
        clock = asyncio.get_running_loop().time
        begun, num_points = clock(), 0
        for stroke in strokes:
            await self._move(*stroke.points[0])
            await self.page.mouse.down()
            stroke_begun = clock()
            moves: list[asyncio.Task[None]] = []
            for index, point in enumerate(stroke.points[1:], 1):
                await asyncio.sleep(max(0.0, stroke_begun + index / HZ - clock()))
                # not awaited: a page that is slow must not slow the hand down
                moves.append(asyncio.create_task(self._move(*point)))
            await asyncio.gather(*moves)
            await self.page.mouse.up()
            num_points += len(stroke.points)
        return Drawn(num_points, clock() - begun)

    async def _move(self, x: float, y: float) -> None:
        await self.page.mouse.move(
            self.box["x"] + x * self.box["width"], self.box["y"] + y * self.box["height"]
        )


class LivePage:
    """The app's page."""

    def __init__(self, page: Page) -> None:
        self.page = page

    async def open(self, url: str) -> Pen:
        """Opens it and waits until it rests on its first picture."""
        await self.page.goto(url)
        await self.page.wait_for_function(STARTED, timeout=OPEN_WITHIN_MS)
        await self.rest()
        return Pen(self.page, await _box_of(self.page.locator(".board-host")))

    async def rest(self) -> None:
        """Waits until the newest input is on the picture.

        Raises:
            RuntimeError: it does not come; says what the page is waiting for.
        """
        try:
            await self.page.wait_for_function(AT_REST, timeout=REST_WITHIN_MS)
        except PlaywrightTimeout:
            state = await self.page.evaluate(LIVE_STATE)
            spent = f"{REST_WITHIN_MS / 1000:g} s"
            raise RuntimeError(f"the picture did not follow within {spent}: {state}") from None

    async def record(self) -> None:
        """From now on frames count."""
        await self.page.evaluate(LIVE_RECORD)

    async def collect(self) -> dict[str, Any]:
        """The frames painted since `record`, and what the page counted."""
        return await self.page.evaluate(LIVE_COLLECT)


class PlainPage:
    """The baseline's page."""

    def __init__(self, page: Page) -> None:
        self.page = page

    async def open(self, url: str) -> Pen:
        """Opens it and waits until the sketchpad can be drawn on."""
        await self.page.add_init_script(PLAIN_RECORD)
        await self.page.goto(url)
        canvas = self.page.locator("#board canvas").first
        await canvas.wait_for(timeout=OPEN_WITHIN_MS)
        await self.page.locator("#board button[aria-label*=rush]").first.click(timeout=15_000)
        await self.page.wait_for_timeout(1000)  # it sizes itself once more after it shows
        around = await _box_of(canvas)
        side = PLAIN_SHEET * around["height"]
        left = around["x"] + (around["width"] - side) / 2
        top = around["y"] + (around["height"] - side) / 2
        return Pen(self.page, {"x": left, "y": top, "width": side, "height": side})

    async def answer_ms(self, within_s: float) -> float | None:
        """From the last pen-up to the picture that followed it; None where none came in time."""
        deadline = asyncio.get_running_loop().time() + within_s
        while asyncio.get_running_loop().time() < deadline:
            found = await self.page.evaluate("window.benchmark")
            if found["paintedAt"] > found["penUpAt"] > 0:
                return found["paintedAt"] - found["penUpAt"]
            await asyncio.sleep(0.05)
        return None


async def _box_of(place: Locator) -> FloatRect:
    box = await place.bounding_box()
    if box is None:
        raise RuntimeError("the page shows no board to draw on")
    return box
