"""What was computed once and may be asked for again: the most recently used and what is still
wanted, and no more of it than a bound."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


def _one(value: object) -> int:
    return 1


def _no(key: object) -> bool:
    return False


class Kept(Generic[K, V]):
    """The most recently used values, with counts of how often they were of use.

    Args:
        bound: the sizes of all that is kept add up to no more; a value that is larger by itself is
            not kept.
        size_of: the size of a value; by default each counts as one.
        is_wanted: whether somebody still has what the key stands for; such values go last. By
            default none is.

    Attributes:
        size: of all that is kept.
    """

    def __init__(
        self,
        bound: int,
        size_of: Callable[[V], int] = _one,
        is_wanted: Callable[[K], bool] = _no,
    ) -> None:
        self._values: OrderedDict[K, V] = OrderedDict()
        self._bound = bound
        self._size_of = size_of
        self._is_wanted = is_wanted
        self.size = 0
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
        self.size += self._size_of(value)
        while self.size > self._bound:
            self.size -= self._size_of(self._values.pop(self._least_wanted()))
        return value

    def _least_wanted(self) -> K:
        """The least recently used of those that nobody wants, else of all."""
        unwanted = (key for key in self._values if not self._is_wanted(key))
        return next(unwanted, next(iter(self._values)))

    def clear(self) -> None:
        self._values.clear()
        self.size = 0
