"""How many pictures of a model that costs money each session may have."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Generator
from contextlib import contextmanager

from turbo_ui.errors import InvalidRequest, LimitReached

MAX_SESSIONS = 10_000
"""So many sessions are remembered; a page keeps its session when it is reloaded."""


class Budget:
    """Counts what was sent, not what came: a picture that fails may have to be paid, too.

    Args:
        max_images: for one session.
    """

    def __init__(self, max_images: int) -> None:
        self.max_images = max_images
        self._lock = threading.Lock()
        self._num_asked: OrderedDict[str, int] = OrderedDict()

    @contextmanager
    def spending(self, session_id: str) -> Generator[None]:
        """Counts the picture that is asked for inside; not one that is refused before it is sent,
        for which a backend raises InvalidRequest or LimitReached.

        Raises:
            LimitReached: the session has had all of its pictures.
        """
        self.spend(session_id)
        try:
            yield
        except (InvalidRequest, LimitReached):
            self._give_back(session_id)
            raise

    def spend(self, session_id: str) -> None:
        """Counts one picture.

        Raises:
            LimitReached: the session has had all of its pictures.
        """
        with self._lock:
            num_asked = self._num_asked.pop(session_id, 0)
            self._num_asked[session_id] = min(num_asked + 1, self.max_images)
            if len(self._num_asked) > MAX_SESSIONS:
                self._num_asked.popitem(last=False)
        if num_asked >= self.max_images:
            raise LimitReached(
                f"{self.max_images} remote pictures were asked for in session {session_id}",
                f"A page may ask for {self.max_images} remote pictures "
                "(TURBO_UI_MAX_REMOTE_IMAGES_PER_SESSION), and this one has. The models that run "
                "here go on.",
            )

    def _give_back(self, session_id: str) -> None:
        with self._lock:
            if session_id in self._num_asked:
                self._num_asked[session_id] -= 1
