"""How many pictures of a model that costs money each page, or caller, may have."""

from __future__ import annotations

import threading
from collections import OrderedDict
from functools import partial

from turbo_ui.backends.base import GiveBack
from turbo_ui.errors import LimitReached

MAX_ACCOUNTS = 10_000
"""So many are remembered; a page keeps its own when it is reloaded."""


class Budget:
    """Counts what was sent, not what came: a picture that fails may have to be paid, too.

    All methods may be called from any thread.

    Args:
        max_images: for one account, see `Session.account`.
    """

    def __init__(self, max_images: int) -> None:
        self.max_images = max_images
        self._lock = threading.Lock()
        self._num_sent: OrderedDict[str, int] = OrderedDict()

    def spend(self, account: str) -> GiveBack:
        """Counts one picture; what is returned takes it back, and is called once at most.

        Raises:
            LimitReached: the account has had all of its pictures.
        """
        with self._lock:
            num_sent = self._num_sent.pop(account, 0)
            has_had_all = num_sent >= self.max_images
            self._num_sent[account] = num_sent if has_had_all else num_sent + 1
            if len(self._num_sent) > MAX_ACCOUNTS:
                self._num_sent.popitem(last=False)
        if has_had_all:
            raise LimitReached(
                f"{self.max_images} remote pictures were asked for by {account}",
                f"A page, or an address that calls /generate, may ask for {self.max_images} remote "
                "pictures (TURBO_UI_MAX_REMOTE_IMAGES_PER_SESSION), and this one has. The models "
                "that run here go on.",
            )
        return partial(self._give_back, account)

    def _give_back(self, account: str) -> None:
        with self._lock:
            if self._num_sent.get(account, 0) > 0:
                self._num_sent[account] -= 1
