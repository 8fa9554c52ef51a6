"""Several remote pictures at once: who waits for whom, on the engine's real threads.

Nothing here waits for time to pass; every wait is for an event, with a deadline.
"""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence

import pytest

from tests.fakes import FAKE, FakeBackend, FakeClock, Inbox, other, ready_switchboard
from turbo_ui.backends.base import ShouldStop, Spend
from turbo_ui.frames import Frame, FrameRequest
from turbo_ui.live.engine import MAX_REMOTE, Engine
from turbo_ui.live.events import Event, Published, Submission, SubmissionKind, Superseded, Taken

FAR = other("far", family="remote")
DEADLINE_S = 10.0
POLL_S = 0.002


class Far(FakeBackend):
    """Another machine: a picture comes once its seed is let go, and a stop ends the waiting."""

    def __init__(self, *let_go: int) -> None:
        super().__init__(spec=FAR)
        self.let_go = set(let_go)
        self.begun: list[int] = []
        self.num_running: defaultdict[str, int] = defaultdict(int)
        self.most_running: defaultdict[str, int] = defaultdict(int)

    def stream(
        self,
        requests: Sequence[FrameRequest],
        should_stop: ShouldStop | None = None,
        spend: Spend | None = None,
    ) -> Iterator[Frame]:
        (request,) = requests
        page = request.prompt
        self.begun.append(request.seed)
        self.num_running[page] += 1
        self.most_running[page] = max(self.most_running[page], self.num_running[page])
        try:
            while request.seed not in self.let_go:
                if should_stop is not None and should_stop():
                    return
                time.sleep(POLL_S)
            yield from super().stream(requests, should_stop, spend)
        finally:
            self.num_running[page] -= 1


class Pages:
    """An engine with that machine, and pages that ask it."""

    def __init__(self, far: Far) -> None:
        self.far = far
        self.engine = Engine(ready_switchboard(FakeBackend(spec=FAKE), far))
        self.inboxes: dict[str, Inbox] = {}
        self.changed = threading.Condition()

    def open(self, page: str) -> Inbox:
        inbox = self.inboxes[page] = Inbox()

        def publish(event: Event) -> None:
            inbox(event)
            with self.changed:
                self.changed.notify_all()

        self.engine.open_session(page, publish)
        return inbox

    def ask(
        self, page: str, seed: int, kind: SubmissionKind = "refine", model: str = "far"
    ) -> None:
        if page not in self.inboxes:
            self.open(page)
        request = FrameRequest(model=model, prompt=page, seed=seed, width=64, height=64)
        self.engine.submit(
            page,
            Submission(request_id=seed, request=request, received_at=time.monotonic(), kind=kind),
        )

    def until(self, page: str, kind: type[Event], request_id: int) -> None:
        """Waits until the page was told."""

        def is_told() -> bool:
            events = self.inboxes[page].of(kind)
            return any(getattr(event, "request_id", None) == request_id for event in events)

        with self.changed:
            assert self.changed.wait_for(is_told, DEADLINE_S), f"{page} was never told {kind}"


@pytest.fixture
def pages() -> Iterator[Pages]:
    made = Pages(Far())
    made.engine.start()
    yield made
    assert made.engine.stop(DEADLINE_S)


def test_a_remote_picture_that_hangs_keeps_no_other_page_waiting(pages: Pages) -> None:
    pages.ask("a", 1)
    pages.until("a", Taken, 1)
    pages.far.let_go.add(2)
    pages.ask("b", 2)
    pages.until("b", Published, 2)
    assert pages.inboxes["a"].of(Published) == []


def test_beyond_so_many_at_once_who_has_waited_longest_goes_next(pages: Pages) -> None:
    for seed in range(1, MAX_REMOTE + 1):
        pages.ask(f"page {seed}", seed)
        pages.until(f"page {seed}", Taken, seed)
    for seed in (100, 101):
        pages.ask(f"late {seed}", seed)
    assert sorted(pages.far.begun) == list(range(1, MAX_REMOTE + 1))
    for number, seed in enumerate((100, 101), start=1):
        pages.far.let_go.add(number)
        pages.until(f"late {seed}", Taken, seed)
    assert pages.far.begun[-2:] == [100, 101]


def test_the_newest_of_a_page_wins_and_only_one_of_it_runs(pages: Pages) -> None:
    for seed in range(1, 20):
        pages.ask("a", seed)
        if seed % 3:
            pages.until("a", Taken, seed)
    pages.far.let_go.update(range(1, 21))
    pages.ask("a", 20)
    pages.until("a", Published, 20)
    inbox = pages.inboxes["a"]
    assert [event.request_id for event in inbox.of(Published)] == [20]
    assert sorted(event.request_id for event in inbox.of(Superseded)) == list(range(1, 20))
    assert pages.far.most_running["a"] == 1


def test_pictures_of_one_page_come_in_the_order_in_which_they_were_asked(pages: Pages) -> None:
    """Requests that follow the hand are not stopped twice in a row; they must not overtake."""
    pages.ask("a", 1, "live")
    pages.until("a", Taken, 1)
    pages.ask("a", 2, "live")
    pages.until("a", Superseded, 1)
    pages.until("a", Taken, 2)
    pages.ask("a", 3, "live")
    pages.far.let_go.update((2, 3))
    pages.until("a", Published, 3)
    assert [event.request_id for event in pages.inboxes["a"].of(Published)] == [2, 3]
    assert pages.far.most_running["a"] == 1


def test_a_stop_ends_the_waiting_for_all_of_them() -> None:
    pages = Pages(Far())
    pages.engine.start()
    for seed in range(1, MAX_REMOTE + 1):
        pages.ask(f"page {seed}", seed)
        pages.until(f"page {seed}", Taken, seed)
    pages.ask("late", 100)
    threads = [each for each in threading.enumerate() if each.name.startswith("turbo-ui-remote")]
    assert pages.engine.stop(DEADLINE_S)
    for thread in threads:
        thread.join(DEADLINE_S)
        assert not thread.is_alive()
    assert 100 not in pages.far.begun, "nothing is begun that nobody will see"
    assert not any(inbox.of(Published) for inbox in pages.inboxes.values())


def test_who_rests_beside_a_picture_that_hangs_is_not_forgotten(pages: Pages) -> None:
    """A slow model waits for the hand to rest, and must be asked again when it does."""
    pages.far.step_ms = 2000.0
    pages.far.clock = FakeClock()
    pages.far.let_go.update((1, 3))
    pages.ask("resting", 1, "live")
    pages.until("resting", Published, 1)
    pages.ask("resting", 3, "live")  # in its grace from now on
    pages.ask("hanging", 2)
    pages.until("resting", Published, 3)


def test_a_refine_elsewhere_that_waited_for_its_draft_is_drawn(pages: Pages) -> None:
    pages.far.let_go.add(2)
    pages.ask("a", 1, "live", FAKE.id)
    pages.ask("a", 2)
    pages.until("a", Published, 2)
