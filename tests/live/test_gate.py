"""Whose turn it is at the gate, and that it opens again whatever happens."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from tests.fakes import other
from turbo_ui.catalog import ModelSpec
from turbo_ui.live.gate import Closed, Gate

FIRST, SECOND, THIRD = other("first"), other("second"), other("third")
DOODLE = other("doodle", is_embedded=True)


def nobody(spec: ModelSpec) -> None:
    raise AssertionError(f"waits for {spec.id}")


class Visitors:
    """Loads on threads of their own, each until it is sent away.

    Attributes:
        entered: in the order in which they came behind the gate.
        told: for whom each waited, in the order in which it was told.
    """

    def __init__(self) -> None:
        self.gate = Gate()
        self.entered: list[str] = []
        self.told: dict[str, list[str]] = {}
        self.ended: list[str] = []
        self._changed = threading.Condition()
        self._leaving: dict[str, threading.Event] = {}
        self._threads: list[threading.Thread] = []

    def come(self, spec: ModelSpec, *, waits_for: ModelSpec | None = None) -> None:
        """A load comes to the gate; returns once it is behind it, or was told for whom it waits."""
        self._leaving[spec.id] = threading.Event()
        thread = threading.Thread(target=self._visit, args=(spec,), daemon=True)
        self._threads.append(thread)
        thread.start()
        if waits_for is None:
            self.wait_until(lambda: spec.id in self.entered)
        else:
            self.wait_until(lambda: self.told.get(spec.id, [""])[-1] == waits_for.id)

    def send_away(self, *specs: ModelSpec) -> None:
        for spec in specs:
            self.wait_until(lambda spec=spec: spec.id in self.entered)
            self._leaving[spec.id].set()

    def wait_until(self, is_so: Callable[[], bool]) -> None:
        with self._changed:
            assert self._changed.wait_for(is_so, 10)

    def join(self) -> None:
        for thread in self._threads:
            thread.join(10)
            assert not thread.is_alive()

    def _visit(self, spec: ModelSpec) -> None:
        with self.gate.announce(spec) as visit:
            try:
                visit.enter(lambda ahead: self._note(self.told.setdefault(spec.id, []), ahead.id))
            except Closed:
                self._note(self.ended, spec.id)
                return
            self._note(self.entered, spec.id)
            assert self._leaving[spec.id].wait(10)

    def _note(self, where: list[str], what: str) -> None:
        with self._changed:
            where.append(what)
            self._changed.notify_all()


def test_who_comes_alone_enters_at_once_and_may_enter_again() -> None:
    gate = Gate()
    for _ in range(2):
        with gate.announce(FIRST) as visit:
            visit.enter(nobody)
            visit.enter(nobody)


def test_one_is_inside_then_the_embedded_one_then_the_newest_wish() -> None:
    visitors = Visitors()
    for spec in (DOODLE, FIRST, SECOND, THIRD):
        visitors.gate.wish(spec.id)
    visitors.come(FIRST)
    for spec in (SECOND, DOODLE, THIRD):
        visitors.come(spec, waits_for=FIRST)
    assert visitors.entered == ["first"]
    visitors.gate.wish("second")
    visitors.send_away(FIRST, DOODLE, SECOND, THIRD)
    visitors.join()
    assert visitors.entered == ["first", "doodle", "second", "third"]


def test_who_waits_is_told_each_time_that_it_is_another_ones_turn() -> None:
    visitors = Visitors()
    for spec in (THIRD, SECOND, FIRST):
        visitors.gate.wish(spec.id)
    visitors.come(FIRST)
    visitors.come(SECOND, waits_for=FIRST)
    visitors.come(THIRD, waits_for=FIRST)
    visitors.send_away(FIRST)
    visitors.wait_until(lambda: visitors.told["third"][-1] == "second")
    visitors.send_away(SECOND, THIRD)
    visitors.join()
    assert visitors.told == {"second": ["first"], "third": ["first", "second"]}


def test_an_embedded_model_is_waited_for_before_it_has_come() -> None:
    visitors = Visitors()
    coming = visitors.gate.announce(DOODLE)
    visitors.come(FIRST, waits_for=DOODLE)
    coming.enter(nobody)
    assert visitors.entered == []
    coming.leave()
    coming.leave()
    visitors.send_away(FIRST)
    visitors.join()


def test_an_embedded_model_that_never_comes_is_waited_for_no_more() -> None:
    visitors = Visitors()
    coming = visitors.gate.announce(DOODLE)
    visitors.come(FIRST, waits_for=DOODLE)
    coming.leave()
    visitors.send_away(FIRST)
    visitors.join()


def test_who_has_a_download_is_not_waited_for() -> None:
    gate = Gate()
    gate.wish("second")
    gate.announce(SECOND)
    with gate.announce(FIRST) as visit:
        visit.enter(nobody)


@pytest.mark.parametrize("when", ["inside", "while it is told"])
def test_the_gate_opens_again_after_an_error(when: str) -> None:
    gate = Gate()

    def broken(spec: ModelSpec) -> None:
        raise OSError("no")

    def fail() -> None:
        with gate.announce(FIRST) as visit:
            if when == "inside":
                visit.enter(nobody)
                broken(FIRST)
            with gate.announce(SECOND) as ahead:
                ahead.enter(nobody)
                visit.enter(broken)

    with pytest.raises(OSError, match="no"):
        fail()
    with gate.announce(THIRD) as visit:
        visit.enter(nobody)


def test_the_end_sends_away_who_waits_and_lets_nobody_in() -> None:
    visitors = Visitors()
    visitors.come(FIRST)
    visitors.come(SECOND, waits_for=FIRST)
    visitors.gate.close()
    visitors.wait_until(lambda: visitors.ended == ["second"])
    visitors.send_away(FIRST)
    visitors.join()
    late = visitors.gate.announce(THIRD)
    with pytest.raises(Closed):
        late.enter(nobody)
    assert visitors.entered == ["first"]


def test_a_wish_wakes_who_waits_for_one_that_it_overtakes() -> None:
    """Else each of two waits for the other: one saw the older wish, the other one the newer."""
    visitors = Visitors()
    gate = visitors.gate
    is_slow, may_go_on = threading.Event(), threading.Event()
    for spec in (SECOND, THIRD):
        gate.wish(spec.id)

    def slow(ahead: ModelSpec) -> None:
        if ahead is FIRST:
            is_slow.set()
            assert may_go_on.wait(10)

    def visit_slowly() -> None:
        with gate.announce(THIRD) as visit:
            visit.enter(slow)

    visitors.come(FIRST)
    third = threading.Thread(target=visit_slowly, daemon=True)
    third.start()
    assert is_slow.wait(10)
    visitors.come(SECOND, waits_for=FIRST)
    visitors.send_away(FIRST)
    visitors.wait_until(lambda: visitors.told["second"][-1] == "third")
    gate.wish("second")
    may_go_on.set()
    visitors.send_away(SECOND)
    third.join(10)
    assert not third.is_alive()
    visitors.join()


def test_many_at_once_come_in_one_by_one() -> None:
    gate, specs = Gate(), [other(f"model-{number}") for number in range(20)]
    inside: list[str] = []
    seen: list[int] = []
    ended = threading.Barrier(len(specs) + 1)

    def visit(spec: ModelSpec) -> None:
        gate.wish(spec.id)
        with gate.announce(spec) as visit:
            visit.enter(lambda ahead: None)
            inside.append(spec.id)
            sorted(range(20_000))  # others run meanwhile
            seen.append(len(inside))
            inside.remove(spec.id)
        ended.wait(10)

    for spec in specs:
        threading.Thread(target=visit, args=(spec,), daemon=True).start()
    ended.wait(10)
    assert seen == [1] * len(specs)
