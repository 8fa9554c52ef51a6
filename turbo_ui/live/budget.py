"""How many pictures of a model that costs money each page, or caller, may have."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from turbo_ui.backends.base import GiveBack
from turbo_ui.errors import LimitReached

MAX_ACCOUNTS = 10_000
"""So many are remembered; a page keeps its own when it is reloaded."""
DAY_S = 24 * 3600.0


@dataclass(frozen=True)
class Address:
    """Where pages are: a page may call itself anew as often as it likes, its address may not.

    Attributes:
        host: the network address that they share.
        max_pages: together they have as many pictures a day as so many pages.
    """

    host: str
    max_pages: int


class Budget:
    """Counts what was sent, not what came: a picture that fails may have to be paid, too.

    All methods may be called from any thread.

    Args:
        max_images: for one account, see `Session.account`.
        clock: seconds that never go back.
    """

    def __init__(self, max_images: int, clock: Callable[[], float] = time.monotonic) -> None:
        self.max_images = max_images
        self._clock = clock
        self._lock = threading.Lock()
        self._num_sent: OrderedDict[str, int] = OrderedDict()

    def spend(self, account: str, address: Address | None = None) -> GiveBack:
        """Counts one picture; what is returned takes it back, and is called once at most.

        Args:
            address: counts for it, too, where one is given.

        Raises:
            LimitReached: the account, or the address on this day, has had all of its pictures;
                then nothing is counted.
        """
        accounts = [account]
        with self._lock:
            if address is not None:
                limit = self.max_images * address.max_pages
                # first: a page that is refused for its address is not even remembered
                accounts.insert(0, f"pages of {address.host} on day {self._clock() // DAY_S:.0f}")
                if self._has_had(accounts[0], limit):
                    raise _address_is_full(address, limit)
            if self._has_had(account, self.max_images):
                raise _account_is_full(account, self.max_images)
            for name in accounts:
                self._num_sent[name] = self._num_sent.pop(name, 0) + 1
            while len(self._num_sent) > MAX_ACCOUNTS:
                self._num_sent.popitem(last=False)
        return partial(self._give_back, accounts)

    def _has_had(self, account: str, limit: int) -> bool:
        """Whether it has had so many; who asks is remembered longer."""
        if account in self._num_sent:
            self._num_sent.move_to_end(account)
        return self._num_sent.get(account, 0) >= limit

    def _give_back(self, accounts: list[str]) -> None:
        with self._lock:
            for account in accounts:
                if self._num_sent.get(account, 0) > 0:
                    self._num_sent[account] -= 1


def _account_is_full(account: str, limit: int) -> LimitReached:
    return LimitReached(
        f"{limit} remote pictures were asked for by {account}",
        f"A page, or an address that calls /generate, may ask for {limit} remote pictures "
        "(TURBO_UI_MAX_REMOTE_IMAGES_PER_SESSION), and this one has. The models that run here go "
        "on.",
    )


def _address_is_full(address: Address, limit: int) -> LimitReached:
    return LimitReached(
        f"{limit} remote pictures were asked for by the pages of {address.host} on one day",
        f"All pages of one network address may ask for {limit} remote pictures a day "
        "(TURBO_UI_MAX_REMOTE_IMAGES_PER_SESSION times TURBO_UI_MAX_CONNECTIONS_PER_ADDRESS), and "
        "yours have. The models that run here go on.",
    )
