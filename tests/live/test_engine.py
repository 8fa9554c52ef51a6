"""The engine, step by step, with a scriptable backend and a clock that the test moves."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import pytest

from tests.fakes import FakeBackend, FakeClock, Inbox, Unwell, other, ready_switchboard
from turbo_ui.errors import BackendFailure, InvalidRequest, OutOfMemory, SessionClosed
from turbo_ui.frames import FrameRequest
from turbo_ui.live.engine import Engine
from turbo_ui.live.events import (
    Event,
    Failed,
    ModelState,
    Published,
    SessionsChanged,
    Submission,
    SubmissionKind,
    Superseded,
    Taken,
)


class Loop:
    """An engine on fakes, with the words that the tests need."""

    def __init__(self, *backends: FakeBackend, **engine: Any) -> None:
        self.clock = FakeClock()
        self.backends: Sequence[FakeBackend] = backends or (FakeBackend(),)
        for backend in self.backends:
            backend.clock = self.clock
        self.backend = self.backends[0]
        self.engine = Engine(ready_switchboard(*self.backends), clock=self.clock, **engine)

    def open(self, name: str) -> Inbox:
        inbox = Inbox()
        self.engine.open_session(name, inbox)
        inbox.events.clear()
        return inbox

    def submit(
        self, name: str, request_id: int, kind: SubmissionKind = "live", **request: Any
    ) -> None:
        fields = {"model": "fake", "width": 64, "height": 64, "seed": request_id, **request}
        submission = Submission(
            request_id=request_id,
            request=FrameRequest(**fields),
            received_at=self.clock(),
            decode_ms=2.0,
            kind=kind,
        )
        self.engine.submit(name, submission)

    def drain(self) -> int:
        """Steps until nothing is left to do."""
        num = 0
        while self.engine.step():
            num += 1
            assert num < 1000, "the engine never comes to rest"
        return num


def published(inbox: Inbox) -> list[int]:
    return [event.request_id for event in inbox.of(Published) if event.frame.is_last]


def test_one_stroke_one_picture() -> None:
    loop = Loop()
    inbox = loop.open("a")
    loop.submit("a", 7)
    loop.clock.pass_ms(30)
    assert loop.engine.step() is True
    assert loop.engine.step() is False
    taken, picture = inbox.events
    assert taken == Taken(request_id=7)
    assert isinstance(picture, Published)
    assert picture.request_id == 7
    assert picture.frame.image[0, 0, 0] == 7
    assert picture.queue_wait_ms == pytest.approx(30)
    assert picture.frame.timings.queue_wait_ms == pytest.approx(30)
    assert picture.frame.timings.decode_ms == 2.0
    assert picture.frame.timings.inference_ms == 10.0


def test_newest_wins() -> None:
    loop = Loop()
    inbox = loop.open("a")
    for number in (1, 2, 3):
        loop.submit("a", number)
    assert loop.drain() == 1
    assert published(inbox) == [3]
    assert [event.request_id for event in inbox.of(Superseded)] == [1, 2]
    assert not any(event.was_running for event in inbox.of(Superseded))
    assert inbox.of(Published)[0].superseded == 2
    assert loop.engine.stats("a")["superseded"] == 2


def test_at_most_one_runs_and_one_waits() -> None:
    loop = Loop()
    inbox = loop.open("a")

    def strokes_in_mid_frame(step: int) -> None:
        first = loop.backend.calls[-1][0].seed
        if first < 5:
            for number in range(first + 1, 5 + 1):
                loop.submit("a", number)

    loop.backend.on_step = strokes_in_mid_frame
    loop.submit("a", 1)
    assert loop.drain() == 2
    assert published(inbox) == [1, 5]


def test_longest_waiting_goes_first_and_a_busy_hand_keeps_its_turn() -> None:
    loop = Loop(FakeBackend(max_batch=1))
    order: list[str] = []
    for name in ("a", "b", "c"):
        loop.engine.open_session(
            name, lambda event, name=name: order.append(name) if isinstance(event, Taken) else None
        )
    for name in ("b", "c", "a"):
        loop.submit(name, 1)
        loop.clock.pass_ms(5)
    loop.submit("b", 2)  # a newer stroke of b: b still came first
    loop.drain()
    assert order == ["b", "c", "a"]


def test_nobody_starves_beside_a_hand_that_never_rests() -> None:
    loop = Loop(FakeBackend(max_batch=1))
    turns: list[str] = []
    for name in ("busy", "calm"):
        loop.engine.open_session(
            name, lambda event, name=name: turns.append(name) if isinstance(event, Taken) else None
        )
    loop.backend.on_step = lambda step: loop.submit("busy", 9)
    loop.submit("busy", 1)
    for number in range(20):
        loop.clock.pass_ms(1)
        loop.submit("calm", number)
        loop.engine.step()
        loop.engine.step()
    assert turns.count("calm") >= 19


def test_requests_that_fit_share_a_batch() -> None:
    loop = Loop(FakeBackend(max_batch=3))
    inboxes = {name: loop.open(name) for name in "abcde"}
    for number, name in enumerate("abcde"):
        loop.submit(name, number + 1, prompt=f"prompt {name}", strength=0.3 + number / 10)
        loop.clock.pass_ms(1)
    loop.submit("b", 20, width=128)  # another size cannot share
    loop.drain()
    seeds = [[request.seed for request in call] for call in loop.backend.calls]
    assert seeds == [[1, 3, 4], [20], [5]]
    for number, name in enumerate("abcde"):
        expected = 20 if name == "b" else number + 1
        picture = inboxes[name].of(Published)[0]
        assert picture.request_id == expected
        assert int(picture.frame.image[0, 0, 0]) == expected, "nobody sees another's picture"


def test_the_engine_bounds_the_batch_too() -> None:
    loop = Loop(FakeBackend(max_batch=8), max_batch=2)
    for name in "abc":
        loop.open(name)
        loop.submit(name, 1)
    loop.drain()
    assert [len(call) for call in loop.backend.calls] == [2, 1]


def test_equal_requests_of_two_sessions_stay_apart() -> None:
    loop = Loop()
    first, second = loop.open("a"), loop.open("b")
    request = FrameRequest(model="fake", width=64, height=64, seed=3)
    for name, number in (("a", 1), ("b", 2)):
        loop.engine.submit(
            name, Submission(request_id=number, request=request, received_at=loop.clock())
        )
    assert loop.drain() == 1
    assert published(first) == [1]
    assert published(second) == [2]


def test_a_failing_frame_keeps_the_loop() -> None:
    loop = Loop(FakeBackend(errors=[RuntimeError("boom"), None, Unwell("no", "It is unwell.")]))
    inbox = loop.open("a")
    for number in (1, 2, 3, 4):
        loop.submit("a", number)
        loop.engine.step()
    assert published(inbox) == [2, 4]
    first, second = inbox.of(Failed)
    assert (first.request_id, second.request_id) == (1, 3)
    assert isinstance(first.error, BackendFailure)
    assert "boom" in str(first.error)
    assert "boom" not in first.error.user_text
    assert second.error.user_text == "It is unwell."
    assert loop.engine.stats()["failed"] == 2


def test_one_bad_request_does_not_take_its_batch_down() -> None:
    loop = Loop(FakeBackend(bad_prompt="bad"))
    inboxes = {name: loop.open(name) for name in "abc"}
    for name, prompt in (("a", "good"), ("b", "bad"), ("c", "good")):
        loop.submit(name, 1, prompt=prompt)
    loop.drain()
    assert published(inboxes["a"]) == [1]
    assert published(inboxes["c"]) == [1]
    assert published(inboxes["b"]) == []
    assert len(inboxes["b"].of(Failed)) == 1
    assert len(inboxes["a"].of(Taken)) == 1, "told once, though it ran again"


def test_previews_come_in_order_before_the_picture() -> None:
    loop = Loop(FakeBackend(num_steps=4))
    inbox = loop.open("a")
    loop.submit("a", 1)
    loop.drain()
    frames = [event.frame for event in inbox.of(Published)]
    assert [frame.step for frame in frames] == [1, 2, 3, 4]
    assert [frame.kind for frame in frames] == ["preview"] * 3 + ["frame"]
    assert loop.engine.stats("a")["frames"] == 1
    assert loop.engine.stats("a")["previews"] == 3


def test_a_live_frame_is_stopped_for_a_newer_one() -> None:
    loop = Loop(FakeBackend(num_steps=4))
    inbox = loop.open("a")
    loop.backend.on_step = lambda step: loop.submit("a", 2) if loop.backend.steps_run == 1 else None
    loop.submit("a", 1)
    loop.drain()
    assert published(inbox) == [2]
    assert inbox.of(Superseded) == [Superseded(request_id=1, was_running=True)]
    assert loop.backend.steps_run == 1 + 4
    assert loop.engine.stats("a")["stopped"] == 1


def test_a_live_frame_is_never_stopped_twice_in_a_row() -> None:
    loop = Loop(FakeBackend(num_steps=4))
    inbox = loop.open("a")
    next_id = iter(range(2, 1000))

    def a_hand_that_never_rests(step: int) -> None:
        if loop.backend.steps_run < 60:
            loop.submit("a", next(next_id))

    loop.backend.on_step = a_hand_that_never_rests
    loop.submit("a", 1)
    loop.drain()
    outcomes = [event.request_id in published(inbox) for event in inbox.of(Taken)]
    assert outcomes[:6] == [False, True, False, True, False, True]
    for first, second in itertools.pairwise(outcomes):
        assert first or second


def test_a_shared_batch_is_stopped_only_when_all_want_it() -> None:
    loop = Loop(FakeBackend(num_steps=3))
    first, second = loop.open("a"), loop.open("b")
    loop.backend.on_step = lambda step: loop.submit("a", 3) if loop.backend.steps_run == 1 else None
    loop.submit("a", 1)
    loop.submit("b", 2)
    loop.drain()
    assert published(first) == [1, 3]
    assert published(second) == [2]


def test_a_refine_is_stopped_within_one_step_by_a_stroke() -> None:
    loop = Loop(FakeBackend(num_steps=4))
    inbox = loop.open("a")
    loop.backend.on_step = lambda step: loop.submit("a", 2) if loop.backend.steps_run == 2 else None
    loop.submit("a", 1, kind="refine")
    loop.drain()
    assert loop.backend.steps_run == 2 + 4
    assert published(inbox) == [2]
    assert Superseded(request_id=1, kind="refine", was_running=True) in inbox.of(Superseded)
    after = inbox.events[inbox.events.index(Taken(request_id=2)) :]
    assert not [e for e in after if isinstance(e, Published) and e.kind == "refine"]


def test_a_refine_may_be_stopped_any_number_of_times() -> None:
    loop = Loop(FakeBackend(num_steps=2))
    loop.open("a")
    for number in range(1, 20, 2):
        loop.backend.on_step = None
        loop.submit("a", number, kind="refine")
        loop.backend.on_step = lambda step, n=number: (
            loop.submit("a", n + 1) if loop.backend.calls[-1][0].seed == n else None
        )
        loop.drain()
    assert loop.engine.stats("a")["stopped"] == 10


def test_a_refine_yields_to_others_and_comes_back() -> None:
    loop = Loop(FakeBackend(num_steps=3))
    refined, drawing = loop.open("a"), loop.open("b")
    loop.backend.on_step = lambda step: loop.submit("b", 2) if loop.backend.steps_run == 1 else None
    loop.submit("a", 1, kind="refine")
    loop.drain()
    assert published(drawing) == [2]
    assert published(refined) == [1]
    assert refined.of(Published)[-1].frame.kind == "refine"
    assert refined.of(Superseded) == []


def test_a_finished_refine_of_an_old_board_is_not_shown() -> None:
    loop = Loop(FakeBackend(num_steps=1))  # one step: it cannot be stopped between steps
    inbox = loop.open("a")
    loop.backend.on_step = lambda step: loop.submit("a", 2) if loop.backend.steps_run == 1 else None
    loop.submit("a", 1, kind="refine")
    loop.drain()
    assert published(inbox) == [2]
    assert [event.request_id for event in inbox.of(Superseded)] == [1]


def test_live_frames_go_before_refines() -> None:
    loop = Loop(FakeBackend(max_batch=1))
    loop.open("a")
    loop.open("b")
    loop.submit("a", 1, kind="refine")
    loop.clock.pass_ms(500)
    loop.submit("b", 2)
    loop.drain()
    assert [call[0].seed for call in loop.backend.calls] == [2, 1]


def test_a_refine_never_makes_a_live_frame_count_as_stopped() -> None:
    loop = Loop(FakeBackend(num_steps=3))
    inbox = loop.open("a")
    loop.submit("a", 1, kind="refine")
    strokes = {1: 2, 2: 3}  # after the first and the second step run, a stroke

    def stroke(step: int) -> None:
        number = strokes.pop(loop.backend.steps_run, None)
        if number is not None:
            loop.submit("a", number)

    loop.backend.on_step = stroke
    loop.drain()
    assert published(inbox) == [3], "the refine, then the live frame were stopped: both may be"


def test_a_closed_session_is_forgotten() -> None:
    loop = Loop()
    inbox = loop.open("a")
    loop.submit("a", 1)
    loop.engine.close_session("a")
    assert loop.drain() == 0
    assert inbox.events == []
    assert loop.engine.stats()["num_sessions"] == 0
    with pytest.raises(SessionClosed):
        loop.submit("a", 2)
    with pytest.raises(SessionClosed):
        loop.engine.stats("a")
    loop.engine.close_session("a")  # once more harms nobody


def test_what_runs_for_a_session_that_goes_is_dropped() -> None:
    loop = Loop(FakeBackend(num_steps=4))
    inbox = loop.open("a")
    loop.backend.on_step = lambda step: loop.engine.close_session("a")
    loop.submit("a", 1)
    loop.drain()
    assert loop.backend.steps_run == 1, "it runs no further step"
    assert inbox.of(Published) == []


def test_a_tab_that_comes_back_under_its_id_never_gets_the_old_picture() -> None:
    loop = Loop()
    old, new = loop.open("a"), Inbox()
    loop.backend.on_step = lambda step: loop.engine.open_session("a", new) and None
    loop.submit("a", 1)
    loop.drain()
    assert old.of(Published) == []
    assert new.of(Published) == []


def test_a_receiver_that_fails_harms_only_itself() -> None:
    loop = Loop()

    def broken(event: Event) -> None:
        raise ConnectionError("nobody reads")

    loop.engine.open_session("broken", broken)
    inbox = loop.open("fine")
    loop.submit("broken", 1)
    loop.submit("fine", 2)
    loop.drain()
    assert published(inbox) == [2]


def test_all_are_told_how_many_share_the_device() -> None:
    loop = Loop()
    first = Inbox()
    loop.engine.open_session("a", first)
    loop.open("b")
    loop.engine.close_session("b")
    assert [event.num_sessions for event in first.of(SessionsChanged)] == [1, 2, 1]


def test_a_listener_hears_everything_with_the_session() -> None:
    heard: list[tuple[str, str]] = []
    loop = Loop(listener=lambda name, event: heard.append((name, type(event).__name__)))
    loop.open("a")
    loop.submit("a", 1)
    loop.drain()
    assert heard == [("a", "SessionsChanged"), ("a", "Taken"), ("a", "Published")]


@pytest.mark.parametrize("kind", ["live", "refine"])
def test_a_request_looks_at_nobody_elses_mailbox(kind: SubmissionKind) -> None:
    """However many sessions there are, and also where a model has failed."""

    class Foreign:
        def __getattr__(self, name: str) -> Any:
            pytest.fail(f"{name} was asked for")

    loop = Loop(FakeBackend(), FakeBackend(spec=other("far", family="remote")))
    loop.open("a")
    loop.engine.switchboard.standings.set(ModelState(model_id="far", state="failed"))
    neighbour = loop.engine.open_session("b", Inbox())
    neighbour.mailbox = Foreign()  # type: ignore[assignment]
    loop.submit("a", 1, kind)


def test_an_unknown_model_is_refused() -> None:
    loop = Loop()
    loop.open("a")
    with pytest.raises(InvalidRequest) as caught:
        loop.submit("a", 1, model="nothing")
    assert caught.value.field == "model"
    assert "fake" in caught.value.allowed


def test_a_slow_model_waits_for_the_hand_to_rest() -> None:
    loop = Loop(FakeBackend(step_ms=2000))
    inbox = loop.open("a")
    loop.submit("a", 1)
    loop.drain()  # nothing is known of the model yet: at once
    loop.submit("a", 2)
    assert loop.engine.step() is False
    loop.clock.pass_ms(200)
    loop.submit("a", 3)
    loop.clock.pass_ms(249)
    assert loop.engine.step() is False
    loop.clock.pass_ms(1)
    assert loop.engine.step() is True
    assert published(inbox) == [1, 3]


def test_a_hand_that_never_rests_gets_a_slow_frame_after_three_seconds() -> None:
    loop = Loop(FakeBackend(step_ms=2000))
    loop.open("a")
    loop.submit("a", 1)
    loop.drain()
    started = loop.clock()
    number = 2
    while not loop.engine.step():
        loop.submit("a", number)
        number += 1
        loop.clock.pass_ms(100)
    assert loop.clock() - started == pytest.approx(3.0 + 2.0, abs=0.2)


def test_a_refine_is_not_begun_while_a_hand_is_in_its_grace() -> None:
    loop = Loop(FakeBackend(step_ms=2000, num_steps=2))
    loop.open("a")
    loop.submit("a", 1)
    loop.drain()
    loop.submit("a", 2)
    loop.open("b")
    loop.submit("b", 3, kind="refine")
    assert loop.engine.step() is False
    loop.clock.pass_ms(300)
    assert loop.drain() == 2


def test_another_model_serves_until_the_chosen_one_is_ready() -> None:
    slow = FakeBackend(spec=other("slow", default_size_px=128))
    loop = Loop(FakeBackend(), slow)
    board = loop.engine.switchboard
    board.loaded.take("slow")
    inbox = loop.open("a")
    loop.submit("a", 1, model="slow", width=512, height=512, num_inference_steps=4)
    loop.drain()
    shown = inbox.of(Published)[0].frame.request
    assert (shown.model, shown.width, shown.num_inference_steps) == ("fake", 64, None)
    board.loaded.put(slow)
    loop.submit("a", 2, model="slow", width=128, height=128)
    loop.drain()
    assert inbox.of(Published)[1].frame.request.model == "slow"


def test_a_backend_that_gives_no_picture_is_a_failure() -> None:
    class Mute(FakeBackend):
        def stream(self, requests: Any, should_stop: Any = None) -> Any:
            return iter(())

    loop = Loop(Mute())
    inbox = loop.open("a")
    loop.submit("a", 1)
    loop.drain()
    assert "without a picture" in str(inbox.of(Failed)[0].error)


def test_stats_of_a_session_and_of_all() -> None:
    loop = Loop()
    loop.open("a")
    loop.open("b")
    for number in range(5):
        loop.submit("a", number)
        loop.drain()
    assert loop.engine.stats("a")["frames"] == 5
    assert loop.engine.stats("b")["frames"] == 0
    both = loop.engine.stats()
    assert both["frames"] == 5
    assert both["num_sessions"] == 2
    assert both["inference_ms"]["p50"] == 10.0
    assert both["fps"] == pytest.approx(100.0)
    assert both["running_ms"] is None


def test_a_frame_that_runs_out_of_memory_is_told_and_a_model_that_works_goes_on() -> None:
    small = FakeBackend(spec=other("small", is_embedded=True))
    large = FakeBackend(spec=other("large", memory_bytes=10))
    loop = Loop(small, large)
    inbox = loop.open("s")
    for request_id in range(1, 4):
        large.errors.append(OutOfMemory("no"))
        loop.submit("s", request_id, model="large")
        loop.engine.step()
    (*_, failed) = inbox.of(Failed)
    assert "ran out of memory" in failed.error.user_text
    states = {state.model_id: state for state in loop.engine.switchboard.states()}
    assert states["large"].state == "failed"
    assert large.is_closed
    loop.submit("s", 4, model="large")
    loop.engine.step()
    assert inbox.of(Published)[-1].frame.request.model == "small"


def test_a_frame_out_of_memory_now_and_then_takes_no_model_off() -> None:
    """A picture that is too large, with good ones before and after: the model still works."""
    large = FakeBackend(spec=other("large", memory_bytes=10))
    loop = Loop(FakeBackend(spec=other("small", is_embedded=True)), large)
    inbox = loop.open("s")
    large.errors += [OutOfMemory("no"), OutOfMemory("no"), None] * 4
    for request_id in range(12):
        loop.submit("s", request_id, model="large")
        loop.drain()
    assert len(inbox.of(Failed)) == 8
    assert published(inbox) == [2, 5, 8, 11]
    assert not large.is_closed
    assert loop.engine.switchboard.ready("large") is large
