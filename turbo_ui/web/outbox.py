"""What waits to be sent to one page: never a queue of pictures, never without bound."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Any

from turbo_ui.live.events import Published, SubmissionKind

MAX_WORDS = 256
"""Answers to a flood are dropped beyond this; who keeps to the protocol never comes near."""

LATEST_ONLY = frozenset({"models", "sessions", "superseded"})
"""Kinds that tell a state: a newer one replaces the one that waits."""

Header = dict[str, Any]


class Outbox:
    """Words in order, and a place for the newest picture of each kind. Used on the event loop only.

    A refine does not throw out the draft that it refines: both are waited for. A newer live picture
    throws out a refine, which shows the board as it was.
    """

    def __init__(self) -> None:
        self._words: deque[tuple[Header, bytes]] = deque()
        self._pictures: dict[SubmissionKind, Published] = {}
        self._has_something = asyncio.Event()
        self.num_dropped = 0

    @property
    def is_empty(self) -> bool:
        """Nothing waits to be sent."""
        return not self._words and not self._pictures

    def say(self, header: Header, payload: bytes = b"") -> None:
        """Queues a message that is no picture."""
        if header["kind"] in LATEST_ONLY:
            self._words = deque(word for word in self._words if word[0]["kind"] != header["kind"])
        elif len(self._words) >= MAX_WORDS:
            self.num_dropped += 1
            return
        self._words.append((header, payload))
        self._has_something.set()

    def show(self, picture: Published) -> list[Published]:
        """Puts a picture in place of what waits and is older than it, which is returned: that is
        never sent."""
        gone = ("live", "refine") if picture.kind == "live" else ("refine",)
        replaced = [self._pictures.pop(kind) for kind in gone if kind in self._pictures]
        self._pictures[picture.kind] = picture
        self._has_something.set()
        return replaced

    async def next(self) -> tuple[Header, bytes] | Published:
        """Waits for what is to be sent next; words go before pictures, the draft before its
        refine."""
        while True:
            if self._words:
                return self._words.popleft()
            if self._pictures:
                # a live one that waits beside a refine is the older one
                return self._pictures.pop("live" if "live" in self._pictures else "refine")
            self._has_something.clear()
            await self._has_something.wait()


def frame_header(event: Published, num_replaced: int) -> Header:
    """What is said beside a picture, but for the time that its encoding takes.

    Args:
        num_replaced: how many of the page's requests were replaced so far.
    """
    frame = event.frame
    kind = "refine" if event.kind == "refine" and frame.is_last else frame.kind
    return {
        "kind": kind,
        "request_id": event.request_id,
        "step": frame.step,
        "num_denoising_steps": frame.num_denoising_steps,
        "is_last": frame.is_last,
        "path": frame.path,
        "digest": frame.digest,
        "timings": frame.timings.to_json(),
        "superseded": num_replaced,
        "request": frame.request.to_json(),
    }
