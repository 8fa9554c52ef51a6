"""Loads that are under way at the same time, on threads of their own: what waits for what."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest

from tests.fakes import FakeBackend, other
from turbo_ui.backends.base import LoadReport
from turbo_ui.catalog import ModelSpec
from turbo_ui.errors import ModelUnavailable, OutOfMemory
from turbo_ui.live.events import ModelState
from turbo_ui.live.eviction import PutOff
from turbo_ui.live.loaders import Loaders
from turbo_ui.live.room import Room
from turbo_ui.live.switchboard import Switchboard

GB = 1_000_000_000
DOODLE = other("doodle", is_embedded=True, memory_bytes=GB // 10)
FIRST, SECOND, THIRD = (other(name, memory_bytes=4 * GB) for name in ("first", "second", "third"))


class Site:
    """A switchboard that loads on threads; what is held goes on when the test says so.

    Attributes:
        downloads, reads, warm_ups: by model, events that its loads wait for; set unless held.
        order: the models in the order in which they were read.
        errors: by model, what its next reads fail with.
        errors_in_warm_up: by model, what its warm-ups fail with.
        silent: models whose loads tell nothing.
    """

    def __init__(self, max_gb: float = 100) -> None:
        specs = (DOODLE, FIRST, SECOND, THIRD)
        self.downloads, self.reads, self.warm_ups = (
            {spec.id: threading.Event() for spec in specs} for _ in range(3)
        )
        for events in (self.downloads, self.reads, self.warm_ups):
            for event in events.values():
                event.set()
        self.order: list[str] = []
        self.made: list[FakeBackend] = []
        self.errors: dict[str, list[Exception]] = {}
        self.errors_in_warm_up: dict[str, Exception] = {}
        self.silent: tuple[str, ...] = ()
        self.told: list[ModelState] = []
        self._alone = threading.Lock()
        self._changed = threading.Condition()
        room = Room(int(max_gb * GB))
        self.board = Switchboard(specs, self._load, lambda: room)
        self.board.subscribe(self._note)

    def _load(self, spec: ModelSpec, report: LoadReport) -> FakeBackend:
        if spec.id not in self.silent:
            report("downloading", "Downloading.")
            assert self.downloads[spec.id].wait(10)
            report("loading", "Reading the files.")
            self._read(spec)
        backend = Slow(spec=spec, site=self)
        self.made.append(backend)
        return backend

    def _read(self, spec: ModelSpec) -> None:
        with self.alone():
            self.order.append(spec.id)
            assert self.reads[spec.id].wait(10)
            errors = self.errors.get(spec.id, [])
            if errors:
                raise errors.pop(0)

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Fails where another model is read or warmed up at the same time."""
        assert self._alone.acquire(blocking=False)
        try:
            yield
        finally:
            self._alone.release()

    def _note(self, state: ModelState) -> None:
        with self._changed:
            self.told.append(state)
            self._changed.notify_all()

    def state(self, spec: ModelSpec) -> ModelState:
        return self.board.standings.of(spec.id)

    def wait_until(self, is_so: Callable[[], bool]) -> None:
        with self._changed:
            assert self._changed.wait_for(is_so, 10), self.told[-5:]

    def wait_for(self, spec: ModelSpec, state: str, text: str = "") -> None:
        def is_so() -> bool:
            now = self.state(spec)
            return now.state == state and text in now.text

        self.wait_until(is_so)

    def choose(self, spec: ModelSpec, state: str, text: str = "") -> None:
        """Chooses a model; returns when it stands there."""
        self.board.choose(spec.id)
        self.wait_for(spec, state, text)

    def ready(self) -> list[str]:
        """In the order in which they became so."""
        return [state.model_id for state in self.told if state.state == "ready"]


class Slow(FakeBackend):
    """Its warm-up waits for the test, too."""

    def __init__(self, spec: ModelSpec, site: Site) -> None:
        super().__init__(spec=spec)
        self._site = site

    def warm_up(self, width: int, height: int) -> None:
        with self._site.alone():
            assert self._site.warm_ups[self.spec.id].wait(10)
            if self.spec.id in self._site.errors_in_warm_up:
                raise self._site.errors_in_warm_up[self.spec.id]
        super().warm_up(width, height)


@pytest.fixture
def site() -> Site:
    return Site()


READING = "Reading the files."


def waits_for(spec: ModelSpec) -> str:
    return f"Waiting until {spec.title} is loaded."


def test_a_model_that_is_here_is_ready_before_one_that_is_still_downloaded(site: Site) -> None:
    site.downloads["first"].clear()
    site.choose(FIRST, "downloading")
    site.choose(SECOND, "ready")
    assert site.state(FIRST).state == "downloading"
    site.downloads["first"].set()
    site.wait_for(FIRST, "ready")
    assert site.ready() == ["second", "first"]
    site.board.close()
    assert all(backend.is_closed for backend in site.made)


def test_weights_are_read_one_model_after_the_other_the_newest_wish_first(site: Site) -> None:
    site.reads["first"].clear()
    site.choose(FIRST, "loading", READING)
    for spec in (SECOND, THIRD, DOODLE):
        site.choose(spec, "loading", waits_for(FIRST))
    site.reads["first"].set()
    for spec in (FIRST, SECOND, THIRD, DOODLE):
        site.wait_for(spec, "ready")
    assert site.order == ["first", "doodle", "third", "second"]
    site.board.close()


def test_a_model_wanted_again_while_it_comes_or_waits_moves_up(site: Site) -> None:
    site.reads["first"].clear()
    site.downloads["third"].clear()
    site.choose(FIRST, "loading", READING)
    site.choose(THIRD, "downloading")
    site.choose(SECOND, "loading", waits_for(FIRST))
    site.board.request("third")
    site.downloads["third"].set()
    site.wait_for(THIRD, "loading", waits_for(FIRST))
    site.reads["first"].set()
    site.wait_for(SECOND, "ready")
    assert site.order == ["first", "third", "second"]
    assert len(site.made) == 3, "nor is it loaded twice"
    site.board.close()


def test_who_waits_says_for_which_model_now(site: Site) -> None:
    for name in ("first", "second", "third"):
        site.reads[name].clear()
    site.choose(FIRST, "loading", READING)
    site.choose(THIRD, "loading", waits_for(FIRST))
    site.choose(SECOND, "loading", waits_for(FIRST))
    site.reads["first"].set()
    site.wait_for(SECOND, "loading", READING)
    site.wait_for(THIRD, "loading", waits_for(SECOND))
    site.reads["second"].set()
    site.wait_for(THIRD, "loading", READING)
    site.reads["third"].set()
    site.wait_for(THIRD, "ready")
    site.board.close()


def test_the_embedded_model_is_read_first_even_where_it_comes_later(site: Site) -> None:
    site.downloads["doodle"].clear()
    site.board.request("doodle")
    site.choose(FIRST, "loading", waits_for(DOODLE))
    site.downloads["doodle"].set()
    site.wait_for(FIRST, "ready")
    assert site.order == ["doodle", "first"]
    site.board.close()


def test_a_download_that_ends_after_a_newer_wish_gives_up_where_there_is_no_room_beside() -> None:
    site = Site(max_gb=6)
    site.board.request("doodle")
    site.wait_for(DOODLE, "ready")
    site.downloads["first"].clear()
    site.choose(FIRST, "downloading")
    site.choose(SECOND, "ready")
    site.downloads["first"].set()
    site.wait_for(FIRST, "evicted", "no room for First beside Second, which was chosen later")
    assert site.order == ["doodle", "second"], "nor is it read in vain"
    site.choose(FIRST, "ready")
    assert site.state(SECOND).state == "evicted"
    site.board.close()


def test_a_newer_wish_that_comes_later_takes_the_place_of_an_older_one() -> None:
    site = Site(max_gb=6)
    site.board.request("doodle")
    site.wait_for(DOODLE, "ready")
    site.downloads["second"].clear()
    site.board.choose("first")
    site.choose(SECOND, "downloading")
    site.wait_for(FIRST, "ready")
    site.downloads["second"].set()
    site.wait_for(SECOND, "ready")
    assert site.state(FIRST).state == "evicted"
    site.board.close()


def test_a_load_that_tells_nothing_waits_before_its_warm_up(site: Site) -> None:
    site.silent = ("second",)
    site.reads["first"].clear()
    site.choose(FIRST, "loading", READING)
    site.choose(SECOND, "loading", waits_for(FIRST))
    (waiting,) = site.made
    assert waiting.warm_ups == []
    site.warm_ups["second"].clear()
    site.reads["first"].set()
    site.wait_for(SECOND, "warming")
    site.choose(THIRD, "loading", waits_for(SECOND))
    site.warm_ups["second"].set()
    site.wait_for(THIRD, "ready")
    assert waiting.warm_ups == [(64, 64)]
    site.board.close()


@pytest.mark.parametrize("error", [ModelUnavailable("first", "it is broken"), RuntimeError("no")])
def test_a_load_that_fails_lets_the_next_one_in_and_may_be_tried_again(error: Exception) -> None:
    site = Site()
    site.errors["first"] = [error]
    site.reads["first"].clear()
    site.choose(FIRST, "loading", READING)
    site.choose(SECOND, "loading", waits_for(FIRST))
    logging.disable(logging.CRITICAL)
    try:
        site.reads["first"].set()
        site.wait_for(SECOND, "ready")
        site.wait_for(FIRST, "failed")
    finally:
        logging.disable(logging.NOTSET)
    site.choose(FIRST, "ready")
    site.board.close()


def test_a_model_asked_for_in_the_moment_in_which_it_fails_does_not_wait_for_itself() -> None:
    site = Site()
    site.errors["first"] = [ModelUnavailable("first", "it is broken")]
    site.board.subscribe(
        lambda state: site.board.request("first") if state.state == "failed" else None
    )
    logging.disable(logging.CRITICAL)
    try:
        site.choose(FIRST, "ready")
    finally:
        logging.disable(logging.NOTSET)
    assert not [state for state in site.told if waits_for(FIRST) in state.text]
    site.board.close()


def test_a_model_asked_for_in_the_moment_in_which_it_is_put_off_does_not_wait_for_itself() -> None:
    site = Site(max_gb=6)
    is_waiting = threading.Event()
    load = site._load

    def asking_again(spec: ModelSpec, report: LoadReport) -> FakeBackend:
        try:
            return load(spec, report)
        except PutOff:
            site.board.choose("first")
            assert is_waiting.wait(10)
            raise

    site.board = Switchboard((DOODLE, FIRST, SECOND), asking_again, lambda: Room(6 * GB))
    site.board.subscribe(site._note)
    site.board.subscribe(
        lambda state: is_waiting.set() if state.text == "Waiting to load." else None
    )
    site.choose(DOODLE, "ready")
    site.downloads["first"].clear()
    site.choose(FIRST, "downloading")
    site.choose(SECOND, "ready")
    site.downloads["first"].set()
    site.wait_for(FIRST, "ready")
    assert site.ready() == ["doodle", "second", "first"]
    site.board.close()


def test_a_warm_up_that_fails_lets_the_next_one_in(site: Site) -> None:
    site.warm_ups["first"].clear()
    site.errors_in_warm_up["first"] = ModelUnavailable("first", "it does not fit")
    site.choose(FIRST, "warming")
    site.choose(SECOND, "loading", waits_for(FIRST))
    logging.disable(logging.CRITICAL)
    try:
        site.warm_ups["first"].set()
        site.wait_for(SECOND, "ready")
        site.wait_for(FIRST, "failed", "it does not fit")
    finally:
        logging.disable(logging.NOTSET)
    assert [backend.is_closed for backend in site.made] == [True, False]
    site.board.close()


def test_the_second_try_after_too_little_memory_is_the_same_turn(site: Site) -> None:
    """Else what is put away for it would be another one's."""
    for spec in (DOODLE, THIRD):
        site.choose(spec, "ready")
    site.errors["first"] = [OutOfMemory("the estimate was wrong")]
    site.reads["first"].clear()
    site.choose(FIRST, "loading", READING)
    site.choose(SECOND, "loading", waits_for(FIRST))
    site.reads["first"].set()
    site.wait_for(SECOND, "ready")
    assert site.order == ["doodle", "third", "first", "first", "second"]
    assert site.state(THIRD).state == "evicted"
    site.board.close()


def test_memory_that_runs_out_before_the_gate_is_made_room_for_behind_it(site: Site) -> None:
    site.board.close()
    errors: list[Exception] = [MemoryError()]
    reading, may_read = threading.Event(), threading.Event()
    told: list[str] = []

    def load(spec: ModelSpec, report: LoadReport) -> FakeBackend:
        if spec is SECOND and errors:
            raise errors.pop()
        report("loading", READING)
        if spec is FIRST:
            reading.set()
            assert may_read.wait(10)
        return FakeBackend(spec=spec)

    board = Switchboard((DOODLE, FIRST, SECOND, THIRD), load)
    changed = threading.Condition()

    def note(state: ModelState) -> None:
        with changed:
            told.append(f"{state.model_id}: {state.text}")
            changed.notify_all()

    board.subscribe(note)

    def wait_for(text: str) -> None:
        with changed:
            assert changed.wait_for(lambda: text in told, 10), told

    for name in ("doodle", "third"):
        board.choose(name)
        wait_for(f"{name}: {name.title()} is ready on a test.")
    board.choose("first")
    assert reading.wait(10)
    board.choose("second")
    wait_for(f"second: {waits_for(FIRST)}")
    assert board.ready("third") is not None, "nothing goes while it waits"
    may_read.set()
    wait_for("second: Second is ready on a test.")
    assert board.ready("third") is None
    board.close()


def test_a_remote_model_reads_nothing_and_does_not_wait(site: Site) -> None:
    remote = replace(other("remote"), family="remote")
    site.board.add(remote)
    for events in (site.downloads, site.reads, site.warm_ups):
        events["remote"] = threading.Event()
        events["remote"].set()
    site.silent = ("remote",)
    site.warm_ups["first"].clear()
    site.board.choose("first")
    site.wait_for(FIRST, "warming")
    board, made = site.board, len(site.made)
    site._alone = threading.Lock()  # it may be warmed up beside the other one
    board.choose("remote")
    site.wait_for(remote, "ready")
    assert site.state(FIRST).state == "warming"
    assert len(site.made) == made + 1
    site.board.close(timeout_s=0)
    site.warm_ups["first"].set()
    site.board.close()


# --- the end


def num_threads() -> int:
    return sum(thread.name == "turbo-ui-loader" for thread in threading.enumerate())


def test_the_end_comes_during_a_download_and_while_others_wait_and_read(site: Site) -> None:
    site.downloads["first"].clear()
    site.reads["second"].clear()
    site.choose(FIRST, "downloading")
    site.choose(SECOND, "loading", READING)
    site.choose(THIRD, "loading", waits_for(SECOND))
    site.board.close(timeout_s=0)
    site.downloads["first"].set()
    site.reads["second"].set()
    site.board.close()
    assert num_threads() == 0
    assert site.order == ["second"]
    assert site.ready() == []
    assert [backend.is_closed for backend in site.made] == [True]
    site.board.choose("first")
    assert num_threads() == 0, "nothing begins after it"


def test_a_load_that_tells_nothing_and_waits_at_the_end_leaves_no_backend(site: Site) -> None:
    site.silent = ("second",)
    site.reads["first"].clear()
    site.choose(FIRST, "loading", READING)
    site.choose(SECOND, "loading", waits_for(FIRST))
    site.board.close(timeout_s=0)
    site.reads["first"].set()
    site.board.close()
    assert [backend.is_closed for backend in site.made] == [True, True]
    assert [backend.warm_ups for backend in site.made if backend.spec is SECOND] == [[]]
    assert site.ready() == []


def test_no_second_try_after_the_end(site: Site) -> None:
    for spec in (DOODLE, THIRD):
        site.choose(spec, "ready")
    site.errors["first"] = [OutOfMemory("no")]
    site.reads["first"].clear()
    site.choose(FIRST, "loading", READING)
    logging.disable(logging.CRITICAL)
    try:
        site.board.close(timeout_s=0)
        site.reads["first"].set()
        site.board.close()
    finally:
        logging.disable(logging.NOTSET)
    assert site.order == ["doodle", "third", "first"]


def test_whoever_is_told_may_end_everything(site: Site) -> None:
    """On a loading thread, which cannot wait for its own end."""
    ended = threading.Event()

    def end(state: ModelState) -> None:
        if state.state == "warming":
            site.board.close()
            ended.set()

    site.board.subscribe(end)
    site.board.request("first")
    assert ended.wait(10)
    site.board.close()
    assert site.ready() == []
    assert [backend.is_closed for backend in site.made] == [True]


# --- the threads


def test_where_no_thread_can_be_had_the_model_says_so_and_nobody_waits_for_it(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    def none(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", none)
        site.board.request("doodle")
    assert site.state(DOODLE).state == "failed"
    site.choose(FIRST, "ready")
    site.board.close()


def test_threads_are_waited_for_together_and_only_so_long() -> None:
    loaders, may_end = Loaders(), threading.Event()
    for _ in range(3):
        assert loaders.start(lambda: may_end.wait(10))
    loaders.close(0.01)
    assert num_threads() == 3
    may_end.set()
    loaders.close(10)
    assert num_threads() == 0
    assert not loaders.start(lambda: None)
