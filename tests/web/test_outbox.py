"""The outbox: words in order, only the newest picture, and never without bound."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from turbo_ui.frames import Frame, FrameRequest
from turbo_ui.live.events import Published, SubmissionKind
from turbo_ui.web.outbox import MAX_WORDS, Outbox


def finish(work: Coroutine[Any, Any, None]) -> None:
    """Runs a coroutine on its own thread: browser tests leave a loop running on this one."""
    with ThreadPoolExecutor(1) as pool:
        pool.submit(asyncio.run, work).result()


def published(request_id: int, kind: SubmissionKind = "live", *, is_last: bool = True) -> Published:
    frame = Frame(image=np.zeros((64, 64, 3), np.uint8), request=FrameRequest(), is_last=is_last)
    return Published(request_id=request_id, frame=frame, kind=kind)


async def drained(outbox: Outbox, count: int) -> list[object]:
    found = [await asyncio.wait_for(outbox.next(), 1) for _ in range(count)]
    return [each.request_id if isinstance(each, Published) else each[0]["kind"] for each in found]


def test_a_newer_picture_takes_the_place_of_one_that_waits() -> None:
    async def run() -> None:
        outbox = Outbox()
        assert outbox.show(published(1)) == []
        assert [each.request_id for each in outbox.show(published(2))] == [1]
        outbox.say({"kind": "taken"})
        assert await drained(outbox, 2) == ["taken", 2]
        assert outbox.is_empty

    finish(run())


def test_a_refine_leaves_the_draft_its_place_and_a_newer_draft_throws_both_out() -> None:
    async def run() -> None:
        outbox = Outbox()
        assert outbox.show(published(1)) == []
        assert outbox.show(published(2, "refine", is_last=False)) == []
        replaced = outbox.show(published(2, "refine"))
        assert [(each.request_id, each.frame.is_last) for each in replaced] == [(2, False)]
        assert await drained(outbox, 2) == [1, 2]
        outbox.show(published(3))
        outbox.show(published(4, "refine"))
        assert [each.request_id for each in outbox.show(published(5))] == [3, 4]
        assert await drained(outbox, 1) == [5]
        assert outbox.is_empty

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
