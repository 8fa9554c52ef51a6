"""The life cycle of models: what is told, who serves, what a failure leaves behind."""

from __future__ import annotations

import logging
import threading

import numpy as np
import pytest

from tests.fakes import FAKE, FakeBackend, InlineSwitchboard, other
from turbo_ui.backends.base import LoadReport
from turbo_ui.catalog import ModelSpec
from turbo_ui.errors import InvalidRequest, ModelUnavailable
from turbo_ui.frames import FrameRequest, Sketch
from turbo_ui.live.events import ModelState
from turbo_ui.live.switchboard import Switchboard, fitted

SLOW = other("slow", default_size_px=512)


def load(spec: ModelSpec, report: LoadReport) -> FakeBackend:
    report("downloading", "Downloading.", 0.5, 50, 100)
    report("loading", "Reading the files.")
    return FakeBackend(spec=spec)


def told(board: Switchboard) -> list[ModelState]:
    states: list[ModelState] = []
    board.subscribe(states.append)
    return states


def test_a_model_goes_through_its_states_and_is_warm_when_ready() -> None:
    board = InlineSwitchboard([FAKE], load)
    states = told(board)
    assert board.states()[0].state == "absent"
    board.request("fake")
    assert board.ready("fake") is None
    board.load_next()
    assert [state.state for state in states] == [
        "loading",
        "loading",
        "downloading",
        "loading",
        "warming",
        "ready",
    ]
    assert (states[2].progress, states[2].num_bytes, states[2].total_bytes) == (0.5, 50, 100)
    backend = board.ready("fake")
    assert isinstance(backend, FakeBackend)
    assert backend.warm_ups == [(64, 64)]
    assert board.states()[0].state == "ready"


def test_asking_twice_loads_once() -> None:
    loads: list[str] = []

    def counting(spec: ModelSpec, report: LoadReport) -> FakeBackend:
        loads.append(spec.id)
        return load(spec, report)

    board = InlineSwitchboard([FAKE], counting)
    board.request("fake")
    board.request("fake")
    board.load_next()
    board.request("fake")
    board.want("fake")
    assert loads == ["fake"]


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (ModelUnavailable("fake", "it is gated", "Accept its licence."), "Accept its licence."),
        (OSError("disk full"), "disk full"),
    ],
)
def test_a_failed_load_says_why_and_can_be_tried_again(error: Exception, text: str) -> None:
    errors = [error]

    def failing(spec: ModelSpec, report: LoadReport) -> FakeBackend:
        if errors:
            raise errors.pop()
        return load(spec, report)

    board = InlineSwitchboard([FAKE], failing)
    board.request("fake")
    logging.disable(logging.CRITICAL)
    try:
        board.load_next()
    finally:
        logging.disable(logging.NOTSET)
    assert board.states()[0].state == "failed"
    assert text in board.states()[0].text
    board.want("fake")
    assert board.states()[0].state == "failed", "frames do not try it again and again"
    board.request("fake")
    board.load_next()
    assert board.ready("fake") is not None


def test_a_failed_warm_up_is_a_failed_load() -> None:
    class Cold(FakeBackend):
        def warm_up(self, width: int, height: int) -> None:
            raise ModelUnavailable("fake", "it does not fit into the memory")

    board = InlineSwitchboard([FAKE], lambda spec, report: Cold())
    board.request("fake")
    board.load_next()
    assert board.states()[0].state == "failed"
    assert board.ready("fake") is None


def test_who_serves() -> None:
    board = InlineSwitchboard([FAKE, SLOW, other("third")], load)
    request = FrameRequest(model="slow", width=512, height=512)
    assert board.serve(request) is None
    board.request("fake")
    board.load_next()
    served = board.serve(request)
    assert served is not None
    assert served[0].spec.id == "fake"
    assert served[1].model == "fake"
    board.request("third")
    board.load_next()
    served = board.serve(request, last_model_id="third")
    assert served is not None
    assert served[0].spec.id == "third", "the one that drew this session's last picture"
    board.request("slow")
    board.load_next()
    served = board.serve(request, last_model_id="third")
    assert served is not None
    assert served[0].spec.id == "slow"
    assert served[1] is request


def test_a_model_that_stands_in_keeps_what_the_user_said() -> None:
    sketch = Sketch(np.zeros((512, 512, 3), np.uint8))
    request = FrameRequest(
        model="slow",
        revision="abc",
        prompt="a cat",
        image=sketch,
        strength=0.4,
        seed=5,
        num_inference_steps=4,
        guidance_scale=2.0,
        width=512,
        height=768,
        vae="tiny",
        dtype="fp16",
    )
    assert fitted(request, SLOW) is request
    assert fitted(request, FAKE) == FrameRequest(
        model="fake", prompt="a cat", image=sketch, strength=0.4, seed=5, width=64, height=64
    )


def test_an_unknown_model_is_named() -> None:
    board = InlineSwitchboard([FAKE], load)
    for ask in (board.request, board.want, board.spec):
        with pytest.raises(InvalidRequest, match="nothing"):
            ask("nothing")


def test_a_model_can_be_added() -> None:
    board = InlineSwitchboard([FAKE], load)
    board.add(SLOW)
    board.add(SLOW)
    assert [spec.id for spec in board.catalog] == ["fake", "slow"]
    board.request("slow")
    board.load_next()
    assert board.ready("slow") is not None


def test_loading_happens_behind_the_caller_one_model_after_the_other() -> None:
    gate, ready = threading.Event(), threading.Semaphore(0)
    running: list[str] = []

    def slow_load(spec: ModelSpec, report: LoadReport) -> FakeBackend:
        running.append(spec.id)
        assert gate.wait(10)
        return FakeBackend(spec=spec)

    board = Switchboard([FAKE, SLOW], slow_load)
    board.subscribe(lambda state: ready.release() if state.state == "ready" else None)
    board.request("slow")
    board.request("fake")
    assert board.ready("slow") is None
    gate.set()
    assert ready.acquire(timeout=10)
    assert ready.acquire(timeout=10)
    assert running == ["slow", "fake"]
    backend = board.ready("slow")
    assert isinstance(backend, FakeBackend)
    board.close()
    assert backend.is_closed
    assert board.ready("slow") is None


def test_a_subscriber_that_fails_or_leaves_harms_nobody() -> None:
    board = InlineSwitchboard([FAKE], load)

    def broken(state: ModelState) -> None:
        raise RuntimeError("no")

    left: list[ModelState] = []
    unsubscribe = board.subscribe(left.append)
    unsubscribe()
    unsubscribe()
    board.subscribe(broken)
    states = told(board)
    logging.disable(logging.CRITICAL)
    try:
        board.request("fake")
        board.load_next()
    finally:
        logging.disable(logging.NOTSET)
    assert states[-1].state == "ready"
    assert left == []
