"""What waits to be sent to one page: never a queue of pictures, never without bound."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Any

from turbo_ui.live.events import Published

MAX_WORDS = 256
"""Answers to a flood are dropped beyond this; who keeps to the protocol never comes near."""

LATEST_ONLY = frozenset({"models", "sessions", "superseded"})
"""Kinds that tell a state: a newer one replaces the one that waits."""

Header = dict[str, Any]


class Outbox:
    """Words in order, and one place for the newest picture. Used on the event loop only."""

    def __init__(self) -> None:
        self._words: deque[tuple[Header, bytes]] = deque()
        self._picture: Published | None = None
        self._has_something = asyncio.Event()
        self.num_dropped = 0

    @property
    def is_empty(self) -> bool:
        """Nothing waits to be sent."""
        return not self._words and self._picture is None

    def say(self, header: Header, payload: bytes = b"") -> None:
        """Queues a message that is no picture."""
        if header["kind"] in LATEST_ONLY:
            self._words = deque(word for word in self._words if word[0]["kind"] != header["kind"])
        elif len(self._words) >= MAX_WORDS:
            self.num_dropped += 1
            return
        self._words.append((header, payload))
        self._has_something.set()

    def show(self, picture: Published) -> Published | None:
        """Puts a picture in place of the one that waits, which is returned: it is never sent."""
        replaced, self._picture = self._picture, picture
        self._has_something.set()
        return replaced

    async def next(self) -> tuple[Header, bytes] | Published:
        """Waits for what is to be sent next; words go before the picture."""
        while True:
            if self._words:
                return self._words.popleft()
            if self._picture is not None:
                picture, self._picture = self._picture, None
                return picture
            self._has_something.clear()
            await self._has_something.wait()
