"""What was computed once and may be asked for again: the most recently used, and no more of them
than a bound."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Kept(Generic[K, V]):
    """The most recently used values, with counts of how often they were of use."""

    def __init__(self, max_kept: int) -> None:
        self._values: OrderedDict[K, V] = OrderedDict()
        self._max_kept = max_kept
        self.num_hits = 0
        self.num_misses = 0

    def __len__(self) -> int:
        return len(self._values)

    def get(self, key: K, make: Callable[[], V]) -> V:
        """The value kept under the key, else made now and kept."""
        if key in self._values:
            self.num_hits += 1
            self._values.move_to_end(key)
            return self._values[key]
        self.num_misses += 1
        value = self._values[key] = make()
        while len(self._values) > self._max_kept:
            self._values.popitem(last=False)
        return value

    def clear(self) -> None:
        self._values.clear()
