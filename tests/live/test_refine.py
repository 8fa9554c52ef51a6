"""Draft and refine: the slow model's picture after a rest, on fakes and a clock to command."""

from __future__ import annotations

from typing import Any

import pytest

from tests.fakes import FakeBackend, other
from tests.live.test_engine import Loop, published
from turbo_ui.catalog import ModelSpec
from turbo_ui.live.events import Failed, ModelPhase, ModelState, Published, Superseded, Taken

SLOW = other("slow", default_size_px=128, default_num_inference_steps=4)
FAR = other("far", family="remote")


def loop_with(*specs: ModelSpec, **slow: Any) -> Loop:
    """A loop on the fake live model and others of four steps."""
    others = [FakeBackend(spec=spec, **{"num_steps": 4, **slow}) for spec in specs]
    return Loop(FakeBackend(max_batch=1), *others)


def forget(loop: Loop, model_id: str) -> None:
    """As if that model were still loading."""
    loop.engine.switchboard.loaded.take(model_id)


def remember(loop: Loop, backend: FakeBackend) -> None:
    loop.engine.switchboard.loaded.put(backend)


def fail(loop: Loop, model_id: str, text: str, state: ModelPhase = "failed") -> None:
    """The model's load fails, or it is evicted, as the switchboard tells it."""
    told = ModelState(model_id=model_id, state=state, text=text)
    loop.engine.switchboard.standings.set(told)


def test_the_refine_model_draws_the_same_request_at_its_own_size_and_steps() -> None:
    loop = loop_with(SLOW)
    inbox = loop.open("a")
    loop.submit("a", 1, prompt="a boat", seed=5)
    loop.drain()
    own = {"model": "slow", "width": 128, "height": 128, "num_inference_steps": 4}
    loop.submit("a", 2, kind="refine", prompt="a boat", seed=5, **own)
    loop.drain()
    draft, refined = (event for event in inbox.of(Published) if event.frame.is_last)
    assert (draft.frame.kind, refined.frame.kind) == ("frame", "refine")
    assert refined.frame.request.to_json() == {**draft.frame.request.to_json(), **own}
    kinds = [(event.frame.kind, event.frame.step) for event in inbox.of(Published)[1:]]
    assert kinds == [("preview", 1), ("preview", 2), ("preview", 3), ("refine", 4)]
    assert {event.kind for event in inbox.of(Published)[1:]} == {"refine"}


def test_a_refine_waits_for_its_own_model_and_no_other_draws_it() -> None:
    loop = loop_with(SLOW)
    inbox = loop.open("a")
    slow = loop.backends[1]
    forget(loop, "slow")
    loop.submit("a", 1, kind="refine", model="slow")
    assert loop.drain() == 0
    assert loop.backend.calls == []
    remember(loop, slow)
    loop.drain()
    assert published(inbox) == [1]
    assert [request.model for request in slow.calls[0]] == ["slow"]


def test_a_stroke_throws_out_a_refine_that_waits_for_its_model() -> None:
    loop = loop_with(SLOW)
    inbox = loop.open("a")
    forget(loop, "slow")
    loop.submit("a", 1, kind="refine", model="slow")
    loop.submit("a", 2)
    loop.drain()
    assert published(inbox) == [2]
    assert inbox.of(Superseded) == [Superseded(request_id=1, kind="refine")]


@pytest.mark.parametrize("state", ["failed", "evicted"])
def test_a_refine_whose_model_will_not_come_is_answered_with_the_reason(
    state: ModelPhase,
) -> None:
    loop = loop_with(SLOW)
    first, second = loop.open("a"), loop.open("b")
    forget(loop, "slow")
    loop.submit("a", 1, kind="refine", model="slow")
    fail(loop, "slow", "slow is not available: the disk is full.", state)
    loop.submit("b", 2, kind="refine", model="slow")  # it has failed before it is asked for
    for inbox, number in ((first, 1), (second, 2)):
        failed = inbox.of(Failed)
        assert [event.request_id for event in failed] == [number]
        assert failed[0].error.user_text == "slow is not available: the disk is full."
        assert failed[0].kind == "refine"
    loop.submit("a", 3)
    loop.drain()
    assert published(first) == [3], "the session draws on"


def test_a_failed_model_refuses_only_its_own_refines() -> None:
    loop = loop_with(SLOW, other("slower"))
    inbox = loop.open("a")
    forget(loop, "slow")
    loop.submit("a", 1, kind="refine", model="slow")
    fail(loop, "slower", "gone")
    assert inbox.of(Failed) == []


def test_a_newer_refine_stops_an_older_one_within_one_step() -> None:
    loop = loop_with(SLOW, other("slower"))
    inbox = loop.open("a")
    slow = loop.backends[1]

    def choose_another(step: int) -> None:
        if slow.steps_run == 2:
            loop.submit("a", 2, kind="refine", model="slower")

    slow.on_step = choose_another
    loop.submit("a", 1, kind="refine", model="slow")
    loop.drain()
    assert slow.steps_run == 2
    assert published(inbox) == [2]
    assert Superseded(request_id=1, kind="refine", was_running=True) in inbox.of(Superseded)


@pytest.mark.parametrize("at_step", [1, 2, 3])
def test_a_stroke_stops_a_refine_within_one_step_whenever_it_comes(at_step: int) -> None:
    loop = loop_with(SLOW)
    inbox = loop.open("a")
    slow = loop.backends[1]
    slow.on_step = lambda step: loop.submit("a", 2) if step == at_step else None
    loop.submit("a", 1, kind="refine", model="slow")
    loop.drain()
    assert slow.steps_run == at_step
    assert published(inbox) == [2]
    late = [event for event in inbox.of(Published) if event.kind == "refine"]
    assert len(late) == at_step - 1, "its last step's preview shows a board that is gone"


def test_sessions_on_different_models_take_turns() -> None:
    loop = loop_with(SLOW)
    inboxes = {name: loop.open(name) for name in "ab"}
    for number in range(1, 5):
        loop.submit("a", number)
        loop.submit("b", number, model="slow", width=128, height=128)
        loop.clock.pass_ms(1)
        loop.drain()
    for name, model in (("a", "fake"), ("b", "slow")):
        frames = [e.frame for e in inboxes[name].of(Published) if e.frame.is_last]
        assert [frame.request.model for frame in frames] == [model] * 4


def test_the_time_that_refines_take_gives_no_model_a_grace() -> None:
    loop = loop_with(SLOW, step_ms=2000.0)
    loop.open("a")
    loop.submit("a", 1, kind="refine", model="slow")
    loop.drain()
    loop.submit("a", 2, model="slow", width=128, height=128)
    assert loop.engine.step() is True


# ---- models that run on other machines


def test_a_remote_model_never_takes_the_devices_turn() -> None:
    loop = loop_with(FAR)
    inbox = loop.open("a")
    loop.submit("a", 1, kind="refine", model="far")
    assert loop.engine.step() is False
    assert loop.engine.remote_step() is True
    assert loop.engine.remote_step() is False
    assert published(inbox) == [1]
    loop.submit("a", 2)
    assert loop.engine.remote_step() is False
    assert loop.engine.step() is True


def test_frames_go_on_while_a_remote_picture_is_waited_for() -> None:
    loop = loop_with(FAR)
    waiting, drawing = loop.open("a"), loop.open("b")
    far = loop.backends[1]

    def others_draw(step: int) -> None:
        loop.submit("b", step)
        assert loop.engine.step() is True

    far.on_step = others_draw
    loop.submit("a", 9, kind="refine", model="far")
    loop.engine.remote_step()
    assert published(drawing) == [1, 2, 3, 4]
    assert published(waiting) == [9], "the others' strokes are none of its business"


def test_a_remote_picture_of_an_old_board_is_not_shown_though_its_stroke_is_drawn_already() -> None:
    loop = loop_with(FAR, num_steps=1)
    inbox = loop.open("a")

    def a_stroke_is_drawn_meanwhile(step: int) -> None:
        loop.submit("a", 2)
        assert loop.engine.step() is True

    loop.backends[1].on_step = a_stroke_is_drawn_meanwhile
    loop.submit("a", 1, kind="refine", model="far")
    loop.engine.remote_step()
    assert published(inbox) == [2]
    assert inbox.of(Superseded) == [Superseded(request_id=1, kind="refine", was_running=True)]


def test_a_picture_asked_of_a_remote_model_keeps_no_refine_of_the_device_waiting() -> None:
    loop = loop_with(SLOW, FAR)
    asking, refining = loop.open("a"), loop.open("b")
    loop.submit("a", 1, model="far")
    loop.submit("b", 2, kind="refine", model="slow")
    assert loop.engine.step() is True
    assert published(refining) == [2], "it ran to its end beside a request for elsewhere"
    assert asking.of(Taken) == []
    assert loop.engine.remote_step() is True
    assert published(asking) == [1]


def test_a_remote_model_never_stands_in_for_another() -> None:
    loop = loop_with(FAR, SLOW)
    inbox = loop.open("a")
    forget(loop, "fake")
    forget(loop, "slow")
    loop.submit("a", 1)
    assert loop.engine.step() is False
    assert loop.engine.remote_step() is False, "it costs money, and nobody asked for it"
    remember(loop, loop.backends[2])
    loop.drain()
    assert [event.frame.request.model for event in inbox.of(Published)][-1] == "slow"
    assert loop.backends[1].calls == []


def test_what_a_model_turns_out_to_be_is_told_once() -> None:
    loop = loop_with(FAR, num_steps=1)
    inbox = loop.open("a")
    far = loop.backends[1]

    def takes_no_sketch(step: int) -> None:
        far.device_text = "another server, which is sent the prompt only"

    far.on_step = takes_no_sketch
    for number in (1, 2):
        loop.submit("a", number, kind="refine", model="far")
        loop.engine.remote_step()
    assert published(inbox) == [1, 2]
    told = inbox.of(ModelState)
    assert [(state.model_id, state.state) for state in told] == [("far", "ready")]
    assert told[0].text == "Far is ready on another server, which is sent the prompt only."


def test_what_an_evicted_model_turned_out_to_be_is_not_told() -> None:
    loop = loop_with(SLOW, num_steps=1)
    inbox = loop.open("a")
    slow = loop.backends[1]

    def is_evicted(step: int) -> None:
        slow.device_text = "a test, VAE in bf16"
        forget(loop, "slow")

    slow.on_step = is_evicted
    loop.submit("a", 1, model="slow", width=128, height=128)
    loop.engine.step()
    assert published(inbox) == [1]
    assert inbox.of(ModelState) == []
