"""The gate before a model's weights are read: one load at a time is behind it.

Downloads run beside one another. But two models that were read at once would each count on the
memory that the other one takes, and each come as late as the second of two in turn. So a load
enters before it reads, and stays until its model is ready or has failed.
"""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable
from types import TracebackType

from turbo_ui.catalog import ModelSpec

Say = Callable[[ModelSpec], None]
"""Told whom a load waits for."""


class Closed(Exception):
    """Ends a load at the gate: everything ends."""


class Gate:
    """Says which load is next: an embedded model's, which the others wait for even before it has
    come to the gate, as it has nothing to download; then the one of the newest wish.

    All methods may be called from any thread. Nobody is called, nor another lock taken, while its
    own is held: so it may be asked under any other.
    """

    def __init__(self) -> None:
        self._has_changed = threading.Condition()
        self._count = itertools.count(1)
        self._wishes: dict[str, int] = {}
        self._visits: list[Visit] = []
        self._inside: Visit | None = None
        self._is_closed = False

    def wish(self, model_id: str) -> None:
        """From now on this model is the newest wish, whether its load has begun or not."""
        with self._has_changed:
            self._wishes[model_id] = next(self._count)
            # of two that wait each may have seen the other one ahead
            self._has_changed.notify_all()

    def rank(self, spec: ModelSpec) -> tuple[bool, int]:
        """Of several models the one that comes first has the highest."""
        with self._has_changed:
            return spec.is_embedded, self._wishes.get(spec.id, 0)

    def announce(self, spec: ModelSpec) -> Visit:
        """A load that begins. It has to be left, whatever becomes of it."""
        with self._has_changed:
            visit = Visit(self, spec)
            self._visits.append(visit)
            return visit

    def close(self) -> None:
        """Ends the loads that wait; no load enters any more. Who is behind the gate is not
        stopped."""
        with self._has_changed:
            self._is_closed = True
            self._has_changed.notify_all()

    def enter(self, visit: Visit, say: Say) -> None:
        """See `Visit.enter`."""
        told: ModelSpec | None = None
        with self._has_changed:
            visit.is_waiting = True
        try:
            # told without the lock: meanwhile it may have become another one's turn
            while (ahead := self._wait_while(visit, told)) is not None:
                told = ahead
                say(ahead)
        finally:
            with self._has_changed:
                visit.is_waiting = False

    def leave(self, visit: Visit) -> None:
        """See `Visit.leave`."""
        with self._has_changed:
            if visit in self._visits:
                self._visits.remove(visit)
            if self._inside is visit:
                self._inside = None
            self._has_changed.notify_all()

    def _wait_while(self, visit: Visit, told: ModelSpec | None) -> ModelSpec | None:
        """Waits as long as `told` is ahead. Answers who is ahead then; None where nobody is, and
        the visit is behind the gate."""
        with self._has_changed:
            while True:
                if self._is_closed:
                    raise Closed
                ahead = self._ahead_of(visit)
                if ahead is visit:
                    self._inside = visit
                    return None
                if ahead.spec is not told:
                    return ahead.spec
                self._has_changed.wait()

    def _ahead_of(self, visit: Visit) -> Visit:
        """Whose turn it is, of those that are inside, wait, or are waited for."""
        if self._inside is not None:
            return self._inside
        coming = [each for each in self._visits if each.is_waiting or each.spec.is_embedded]
        return max(coming, key=lambda each: self.rank(each.spec), default=visit)


class Visit:
    """One load on its way to the gate, behind it, and away: `with gate.announce(spec) as visit`.

    Attributes:
        is_waiting: it stands at the gate.
    """

    def __init__(self, gate: Gate, spec: ModelSpec) -> None:
        self.spec = spec
        self.is_waiting = False
        self._gate = gate

    def __enter__(self) -> Visit:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.leave()

    def enter(self, say: Say) -> None:
        """Returns once no other load is behind the gate, and this one is until it leaves; at once
        where it is already.

        Args:
            say: called while it waits, on this thread: at first, and when it is another one's turn.

        Raises:
            Closed: everything ends.
        """
        self._gate.enter(self, say)

    def leave(self) -> None:
        """Lets the next one in; may be called again."""
        self._gate.leave(self)
