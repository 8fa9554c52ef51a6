"""The engine on its real thread: it wakes, it stops, and a hanging model harms nobody else.

Nothing here waits for time to pass; every wait is for an event, with a deadline.
"""

from __future__ import annotations

import threading
import time
from dataclasses import replace

import pytest

from tests.fakes import FAKE, FakeBackend, Inbox, other, ready_switchboard
from turbo_ui.frames import FrameRequest
from turbo_ui.live.engine import Engine
from turbo_ui.live.events import Event, Published, Submission, Superseded
from turbo_ui.live.room import Room
from turbo_ui.live.switchboard import Switchboard
from turbo_ui.live.worker import Worker

DEADLINE_S = 10.0


def submission(number: int) -> Submission:
    request = FrameRequest(model="fake", width=64, height=64, seed=number)
    return Submission(request_id=number, request=request, received_at=time.monotonic())


class WaitingInbox(Inbox):
    """Lets the test wait for a picture."""

    def __init__(self) -> None:
        super().__init__()
        self.has_picture = threading.Semaphore(0)

    def __call__(self, event: Event) -> None:
        super().__call__(event)
        if isinstance(event, Published):
            self.has_picture.release()


def test_the_thread_wakes_for_each_stroke_and_ends_when_asked() -> None:
    engine = Engine(ready_switchboard(FakeBackend()))
    inbox = WaitingInbox()
    engine.open_session("a", inbox)
    engine.start()
    assert engine.is_running
    for number in range(20):
        engine.submit("a", submission(number))
        assert inbox.has_picture.acquire(timeout=DEADLINE_S)
    assert engine.stop(DEADLINE_S)
    assert not engine.is_running


def test_a_hanging_frame_blocks_no_submitter_and_the_newest_follows_it() -> None:
    gate = threading.Event()
    backend = FakeBackend(gate=gate)
    engine = Engine(ready_switchboard(backend))
    inbox = WaitingInbox()
    engine.open_session("a", inbox)
    engine.start()
    engine.submit("a", submission(1))
    assert backend.has_started.wait(DEADLINE_S)
    for number in range(2, 50):
        engine.submit("a", submission(number))
    assert len(inbox.of(Superseded)) == 47
    running_ms = engine.stats()["running_ms"]
    assert running_ms is not None
    assert running_ms >= 0
    assert engine.stop(timeout_s=0.05) is False, "it says that the frame did not end"
    gate.set()


def test_after_a_hang_the_newest_is_drawn() -> None:
    gate = threading.Event()
    backend = FakeBackend(gate=gate)
    engine = Engine(ready_switchboard(backend))
    inbox = WaitingInbox()
    engine.open_session("a", inbox)
    engine.start()
    engine.submit("a", submission(1))
    assert backend.has_started.wait(DEADLINE_S)
    for number in range(2, 9):
        engine.submit("a", submission(number))
    gate.set()
    assert inbox.has_picture.acquire(timeout=DEADLINE_S)
    assert inbox.has_picture.acquire(timeout=DEADLINE_S)
    assert [event.request_id for event in inbox.of(Published)] == [1, 8]
    assert engine.stop(DEADLINE_S)


def test_stop_lets_the_frame_in_flight_finish() -> None:
    gate = threading.Event()
    backend = FakeBackend(gate=gate)
    engine = Engine(ready_switchboard(backend))
    inbox = WaitingInbox()
    engine.open_session("a", inbox)
    engine.start()
    engine.submit("a", submission(1))
    assert backend.has_started.wait(DEADLINE_S)
    threading.Timer(0.05, gate.set).start()
    assert engine.stop(DEADLINE_S)
    assert [event.request_id for event in inbox.of(Published)] == [1]


def test_a_step_that_raises_is_logged_and_does_not_end_the_thread(
    caplog: pytest.LogCaptureFixture,
) -> None:
    done = threading.Event()
    steps = iter([RuntimeError("a fault"), None])

    def step() -> bool:
        fault = next(steps, None)
        if fault is not None:
            raise fault
        done.set()
        return False

    worker = Worker(step, lambda: None)
    worker.start()
    assert done.wait(DEADLINE_S)
    assert worker.stop(DEADLINE_S)
    logged = [record.exc_info[1] for record in caplog.records if record.exc_info]
    assert [str(fault) for fault in logged] == ["a fault"]


def test_many_sessions_at_once_get_their_own_pictures() -> None:
    engine = Engine(ready_switchboard(FakeBackend(max_batch=4)))
    inboxes = [WaitingInbox() for _ in range(8)]
    for number, inbox in enumerate(inboxes):
        engine.open_session(str(number), inbox)
    engine.start()

    def draw(number: int) -> None:
        for _ in range(30):
            engine.submit(str(number), submission(number))
            assert inboxes[number].has_picture.acquire(timeout=DEADLINE_S)

    threads = [threading.Thread(target=draw, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(DEADLINE_S)
    assert engine.stop(DEADLINE_S)
    for number, inbox in enumerate(inboxes):
        pictures = inbox.of(Published)
        assert len(pictures) == 30
        assert {int(event.frame.image[0, 0, 0]) for event in pictures} == {number}
    assert engine.stats()["frames"] == 240


def test_an_errand_waits_for_the_frame_in_flight_and_runs_before_the_next() -> None:
    """How an evicted model is closed: never while a frame runs on it."""
    gate = threading.Event()
    backend = FakeBackend(gate=gate)
    engine = Engine(ready_switchboard(backend))
    inbox = Inbox()
    engine.open_session("s", inbox)
    engine.start()
    engine.submit("s", submission(1))
    assert backend.has_started.wait(10)
    is_done = threading.Event()
    seen: list[int] = []

    def errand() -> None:
        seen.append(len(inbox.of(Published)))
        is_done.set()

    engine.switchboard.loaded.between_frames(errand)
    assert not is_done.is_set()
    gate.set()
    assert is_done.wait(10)
    assert seen == [1], "after the frame's picture"
    assert engine.stop()
    engine.switchboard.loaded.between_frames(is_done.clear)
    assert not is_done.is_set(), "with no thread to wait for, an errand runs at once"


def test_a_model_is_evicted_while_its_frames_run_and_another_draws_on() -> None:
    gate = threading.Event()
    first = FakeBackend(spec=other("first", memory_bytes=4), gate=gate)
    board = Switchboard(
        [replace(FAKE, is_embedded=True), first.spec, other("second", memory_bytes=4)],
        lambda spec, report: first if spec.id == "first" else FakeBackend(spec=spec),
        lambda: Room(max_bytes=6),
    )
    engine = Engine(board)
    ready = threading.Semaphore(0)
    evicted, published = threading.Event(), threading.Semaphore(0)
    board.subscribe(lambda state: ready.release() if state.state == "ready" else None)
    board.subscribe(lambda state: evicted.set() if state.state == "evicted" else None)
    names: list[str] = []

    def publish(event: Event) -> None:
        if isinstance(event, Published):
            names.append(event.frame.request.model)
            published.release()

    for name in ("fake", "first"):
        board.request(name)
        assert ready.acquire(timeout=10)
    engine.open_session("s", publish)
    engine.start()
    wanted = replace(submission(1), request=FrameRequest(model="first", width=64, height=64))
    engine.submit("s", wanted)
    assert first.has_started.wait(10)
    board.request("second")
    assert evicted.wait(10)
    assert not first.is_closed, "a frame runs on it"
    gate.set()
    assert published.acquire(timeout=10)
    assert ready.acquire(timeout=10)
    assert first.is_closed
    engine.submit("s", replace(wanted, request_id=2))
    assert published.acquire(timeout=10)
    assert names == ["first", "fake"]
    assert engine.stop()
    board.close()
