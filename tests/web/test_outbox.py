"""The outbox: words in order, only the newest picture, and never without bound."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from turbo_ui.frames import Frame, FrameRequest
from turbo_ui.live.events import Published
from turbo_ui.web.outbox import MAX_WORDS, Outbox


def finish(work: Coroutine[Any, Any, None]) -> None:
    """Runs a coroutine on its own thread: browser tests leave a loop running on this one."""
    with ThreadPoolExecutor(1) as pool:
        pool.submit(asyncio.run, work).result()


def published(request_id: int) -> Published:
    frame = Frame(image=np.zeros((64, 64, 3), np.uint8), request=FrameRequest())
    return Published(request_id=request_id, frame=frame)


async def drained(outbox: Outbox, count: int) -> list[object]:
    found = [await asyncio.wait_for(outbox.next(), 1) for _ in range(count)]
    return [each.request_id if isinstance(each, Published) else each[0]["kind"] for each in found]


def test_a_newer_picture_takes_the_place_of_one_that_waits() -> None:
    async def run() -> None:
        outbox = Outbox()
        assert outbox.show(published(1)) is None
        replaced = outbox.show(published(2))
        assert replaced is not None
        assert replaced.request_id == 1
        outbox.say({"kind": "taken"})
        assert await drained(outbox, 2) == ["taken", 2]

    finish(run())


def test_states_are_told_once_in_their_newest_form() -> None:
    async def run() -> None:
        outbox = Outbox()
        for number in range(5):
            outbox.say({"kind": "sessions", "num_sessions": number})
        outbox.say({"kind": "pong"})
        header, _ = await outbox.next()  # type: ignore[misc]
        assert header["num_sessions"] == 4
        assert await drained(outbox, 1) == ["pong"]

    finish(run())


def test_answers_to_a_flood_are_dropped_beyond_a_bound() -> None:
    async def run() -> None:
        outbox = Outbox()
        for _ in range(10_000):
            outbox.say({"kind": "error"})
        assert outbox.num_dropped == 10_000 - MAX_WORDS

    finish(run())
