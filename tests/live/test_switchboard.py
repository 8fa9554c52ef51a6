"""The life cycle of models: what is told, who serves, what a failure leaves behind."""

from __future__ import annotations

import logging
import threading
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace

import numpy as np
import pytest

from tests.fakes import FAKE, FakeBackend, InlineSwitchboard, other
from turbo_ui.backends.base import LoadReport
from turbo_ui.catalog import ModelSpec
from turbo_ui.errors import InvalidRequest, ModelUnavailable, OutOfMemory
from turbo_ui.frames import FrameRequest, Sketch
from turbo_ui.live.events import ModelState
from turbo_ui.live.eviction import PutOff
from turbo_ui.live.fitting import fitted
from turbo_ui.live.room import Room
from turbo_ui.live.switchboard import Switchboard

SLOW = other("slow", default_size_px=512)


def load(spec: ModelSpec, report: LoadReport) -> FakeBackend:
    report("downloading", "Downloading.", 0.5, 50, 100)
    report("loading", "Reading the files.")
    return FakeBackend(spec=spec)


@contextmanager
def quiet_log() -> Iterator[None]:
    logging.disable(logging.CRITICAL)
    try:
        yield
    finally:
        logging.disable(logging.NOTSET)


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
        "downloading",
        "loading",
        "warming",
        "ready",
    ]
    assert (states[1].progress, states[1].num_bytes, states[1].total_bytes) == (0.5, 50, 100)
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


def test_who_costs_money_serves_only_those_who_ask_for_it() -> None:
    far = other("far", family="remote")
    board = InlineSwitchboard([FAKE, far, SLOW], load)
    board.request("far")
    board.load_next()
    request = FrameRequest(model="fake", width=64, height=64)
    assert board.serve(request) is None
    assert board.serve(request, last_model_id="far") is None
    board.request("slow")
    board.load_next()
    served = board.serve(request, last_model_id="far")
    assert served is not None
    assert served[0].spec.id == "slow", "the next one in the catalog that runs here"
    asked = board.serve(FrameRequest(model="far", width=64, height=64))
    assert asked is not None
    assert asked[0].spec.id == "far"


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


def test_what_loading_finds_out_about_a_model_counts_from_then_on() -> None:
    """Its sides where it is warmed up and told, its weight where room is made for it."""
    found = replace(SLOW, revision="abc", live_size_px=128, memory_bytes=5_000_000_000)

    def finding_out(spec: ModelSpec, report: LoadReport) -> FakeBackend:
        if spec is SLOW:
            report("downloading", "It is another one.", spec=found)
        report("loading", "Reading it.")
        return FakeBackend(spec=found)

    room = Room(6_000_000_000)
    board = InlineSwitchboard([FAKE, SLOW], finding_out, lambda: room)
    told: list[int] = []
    board.subscribe(lambda state: told.append(board.spec("slow").live_side_px))
    board.request("slow")
    board.load_next()
    backend = board.ready("slow")
    assert isinstance(backend, FakeBackend)
    assert backend.warm_ups == [(128, 128)]
    assert board.spec("slow") is found
    assert told[0] == SLOW.live_side_px
    assert set(told[-2:]) == {128}
    room = Room(4_000_000_000)
    board = InlineSwitchboard([FAKE, SLOW], finding_out, lambda: room)
    board.request("slow")
    board.load_next()
    assert "needs 5.0 GB" in board.standings.of("slow").text


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


# --- room


GB = 1_000_000_000
DOODLE = other("doodle", is_embedded=True, memory_bytes=GB // 10)
FIRST, SECOND, THIRD = (other(name, memory_bytes=4 * GB) for name in ("first", "second", "third"))


class Garage:
    """A switchboard with room for `max_gb`, and all that it loaded, by model.

    Attributes:
        while_downloading, while_reading, while_giving_up: what is chosen while a model is on its
            way, in order: by model, each for one load.
        errors: by model, what its next loads fail with.
    """

    def __init__(self, max_gb: float, *specs: ModelSpec) -> None:
        self.made: dict[str, list[FakeBackend]] = {}
        self.errors: dict[str, list[Exception]] = {}
        self.while_downloading: dict[str, list[str]] = {}
        self.while_reading: dict[str, list[str]] = {}
        self.while_giving_up: dict[str, list[str]] = {}
        self.ready_at_download: list[str] = []
        room = Room(int(max_gb * GB))
        self.board = InlineSwitchboard(list(specs), self.load, lambda: room)
        self.told = told(self.board)

    def load(self, spec: ModelSpec, report: LoadReport) -> FakeBackend:
        report("downloading", "Downloading.")
        self.ready_at_download = [spec.id for spec in self.board.loaded.specs()]
        self.choose_all(self.while_downloading.pop(spec.id, []))
        try:
            report("loading", "Reading the files.")
        except PutOff:
            self.choose_all(self.while_giving_up.pop(spec.id, []))
            raise
        self.choose_all(self.while_reading.pop(spec.id, []))
        errors = self.errors.get(spec.id, [])
        if errors:
            raise errors.pop(0)
        backend = FakeBackend(spec=spec)
        self.made.setdefault(spec.id, []).append(backend)
        return backend

    def choose(self, model_id: str) -> str:
        self.board.choose(model_id)
        self.board.load_next()
        return self.state(model_id).state

    def choose_all(self, model_ids: list[str]) -> None:
        for model_id in model_ids:
            self.board.choose(model_id)

    def load_all(self) -> None:
        """Until nothing waits."""
        while self.board.waiting:
            self.board.load_next()

    def state(self, model_id: str) -> ModelState:
        return next(state for state in self.board.states() if state.model_id == model_id)

    def draw(self, model_id: str) -> str:
        served = self.board.serve(FrameRequest(model=model_id, width=64, height=64))
        assert served is not None
        return served[0].spec.id

    def ready(self) -> list[str]:
        return [state.model_id for state in self.board.states() if state.state == "ready"]


def test_with_room_for_both_the_old_model_serves_until_the_new_one_is_ready() -> None:
    garage = Garage(10, DOODLE, FIRST, SECOND)
    for name in ("doodle", "first", "second"):
        assert garage.choose(name) == "ready"
    assert garage.ready() == ["doodle", "first", "second"]


def test_without_room_it_is_said_first_and_the_old_model_goes_before_the_new_one_is_read() -> None:
    garage = Garage(6, DOODLE, FIRST, SECOND)
    garage.choose("doodle")
    garage.choose("first")
    (old,) = garage.made["first"]
    told_before = len(garage.told)
    assert garage.choose("second") == "ready"
    assert garage.ready_at_download == ["doodle", "first"], "not before the download"
    texts = [(state.model_id, state.text) for state in garage.told[told_before:]]
    said = texts.index(("second", "No room for Second beside First: making room first."))
    put_away = "First was put away to make room for Second. Choose it to load it again."
    gone = texts.index(("first", put_away))
    assert said < gone < texts.index(("second", "Reading the files."))
    assert old.is_closed
    assert garage.draw("first") == "doodle", "the embedded one stands in"
    assert garage.ready() == ["doodle", "second"]


def test_the_least_recently_used_goes() -> None:
    garage = Garage(9, DOODLE, FIRST, SECOND, THIRD)
    for name in ("doodle", "first", "second"):
        garage.choose(name)
    garage.draw("first")
    garage.choose("third")
    assert garage.ready() == ["doodle", "first", "third"]


def test_a_model_that_was_evicted_comes_back_when_chosen_and_not_by_a_mere_frame() -> None:
    garage = Garage(6, DOODLE, FIRST, SECOND)
    for name in ("doodle", "first", "second"):
        garage.choose(name)
    for _ in range(10):
        garage.board.want("first")
        garage.board.want("second")
    assert garage.state("first").state == "evicted", "two pages do not throw each other out"
    assert garage.choose("first") == "ready"
    assert garage.state("second").state == "evicted"
    assert len(garage.made["first"]) == 2


def test_a_model_that_does_not_fit_leaves_everything_as_it_was() -> None:
    huge = other("huge", memory_bytes=100 * GB)
    garage = Garage(6, DOODLE, FIRST, huge)
    for name in ("doodle", "first"):
        garage.choose(name)
    assert garage.choose("huge") == "failed"
    assert "needs 100.0 GB" in garage.state("huge").text
    assert garage.ready() == ["doodle", "first"]


def one_at_a_time() -> Garage:
    """Room for one model beside the embedded one; the first is there."""
    garage = Garage(6, DOODLE, FIRST, SECOND, THIRD)
    for name in ("doodle", "first"):
        garage.choose(name)
    return garage


def test_back_to_the_old_model_before_it_had_to_go_puts_the_new_one_off() -> None:
    garage = one_at_a_time()
    garage.while_downloading["second"] = ["first"]
    assert garage.choose("second") == "evicted"
    assert garage.draw("first") == "first", "no frame was drawn by another model"
    assert [len(made) for made in garage.made.values()] == [1, 1], "nor was it read for nothing"
    text = garage.state("second").text
    assert text.startswith("There is no room for Second beside First, which was chosen later.")
    assert garage.told[-1] == garage.state("second")
    garage.board.want("second")
    garage.load_all()
    assert garage.state("second").state == "evicted", "a mere frame does not ask for it again"
    assert garage.choose("second") == "ready", "the next wish is the newest"
    assert garage.ready() == ["doodle", "second"]


def test_back_to_the_old_model_after_it_had_to_go_brings_it_back() -> None:
    garage = one_at_a_time()
    garage.while_reading["second"] = ["first"]
    assert garage.choose("second") == "ready"
    garage.load_all()
    assert garage.ready() == ["doodle", "first"]
    assert garage.state("second").state == "evicted"


@pytest.mark.parametrize("newest", ["first", "second"])
@pytest.mark.parametrize("when", ["before it", "while_downloading", "while_reading"])
def test_back_and_forth_ten_times_ends_on_the_newest_wish(when: str, newest: str) -> None:
    garage = one_at_a_time()
    other = "second" if newest == "first" else "first"
    wishes = [other, newest] * 10
    if when == "before it":
        garage.choose_all(["second", *wishes])
    else:
        getattr(garage, when)["second"] = wishes
        garage.board.choose("second")
    garage.load_all()
    assert garage.ready() == ["doodle", newest]
    assert garage.state(other).state == "evicted"
    num_loads = sum(len(made) for made in garage.made.values())
    assert num_loads <= 4, "wishes are not queued up"


def test_an_older_wish_that_waited_does_not_put_the_newest_away() -> None:
    garage = one_at_a_time()
    garage.choose_all(["second", "third"])
    garage.load_all()
    assert garage.ready() == ["doodle", "third"]
    assert "beside Third, which was chosen later" in garage.state("second").text


@pytest.mark.parametrize("when", ["while_downloading", "while_reading"])
def test_a_load_that_fails_amid_the_wishes_leaves_the_newest_one_working(when: str) -> None:
    garage = one_at_a_time()
    garage.errors["second"] = [ModelUnavailable("second", "its file is broken")]
    getattr(garage, when)["second"] = ["first", "second", "first"]
    with quiet_log():
        garage.choose("second")
        garage.load_all()
    assert garage.ready() == ["doodle", "first"]
    # broken or not was not found out where the load was put off
    garage.errors.clear()
    assert garage.choose("second") == "ready"
    assert garage.ready() == ["doodle", "second"]


def test_a_load_that_runs_out_of_memory_does_not_put_a_newer_wish_away() -> None:
    garage = Garage(100, DOODLE, FIRST, SECOND)
    for name in ("doodle", "first"):
        garage.choose(name)
    garage.while_reading["second"] = ["first"]
    garage.errors["second"] = [OutOfMemory("the estimate was wrong")]
    assert garage.choose("second") == "evicted"
    assert garage.ready() == ["doodle", "first"]


def test_a_wish_in_the_moment_in_which_its_model_is_put_away_is_not_lost() -> None:
    garage = one_at_a_time()

    def change_of_mind(state: ModelState) -> None:
        if state.text.startswith("No room for Second"):
            garage.board.choose("first")

    garage.board.subscribe(change_of_mind)
    garage.choose("second")
    garage.load_all()
    assert garage.ready() == ["doodle", "first"]


def test_a_wish_in_the_moment_in_which_its_load_is_put_off_is_not_lost() -> None:
    garage = one_at_a_time()
    garage.while_downloading["second"] = ["first"]
    garage.while_giving_up["second"] = ["second"]
    garage.choose("second")
    garage.load_all()
    assert garage.ready() == ["doodle", "second"]


def test_a_model_chosen_again_stays_and_one_that_nobody_draws_with_goes() -> None:
    garage = Garage(9, DOODLE, FIRST, SECOND, THIRD)
    for name in ("doodle", "first", "second"):
        garage.choose(name)
    garage.while_downloading["third"] = ["first"]
    assert garage.choose("third") == "ready"
    assert garage.ready() == ["doodle", "first", "third"]


def test_a_model_that_the_app_loads_by_itself_goes_for_an_older_wish() -> None:
    garage = one_at_a_time()
    garage.board.choose("second")
    garage.board.request("third")
    garage.load_all()
    assert garage.ready() == ["doodle", "second"]


def test_the_only_model_that_works_is_not_evicted_for_one_that_may_not() -> None:
    garage = Garage(6, FIRST, SECOND)
    garage.choose("first")
    assert garage.choose("second") == "failed"
    assert "beside First" in garage.state("second").text
    assert garage.draw("second") == "first"


def test_a_load_that_runs_out_of_memory_makes_room_and_tries_once_more() -> None:
    garage = Garage(100, DOODLE, FIRST, SECOND)
    for name in ("doodle", "first"):
        garage.choose(name)
    garage.errors["second"] = [OutOfMemory("the estimate was wrong")]
    assert garage.choose("second") == "ready"
    assert garage.ready() == ["doodle", "second"]
    garage.errors["first"] = [OutOfMemory("no"), OutOfMemory("no")]
    with quiet_log():
        assert garage.choose("first") == "failed"
    assert "ran out of memory" in garage.state("first").text
    assert garage.draw("first") == "doodle", "the app goes on with a model that works"


def test_half_a_model_that_ran_out_of_memory_is_gone_before_the_next_try() -> None:
    class Weights:
        """Stands for gigabytes."""

    halves: list[weakref.ref[Weights]] = []

    def load_at_second_try(spec: ModelSpec, report: LoadReport) -> FakeBackend:
        weights = Weights()
        if spec.id == "second":
            assert not any(half() for half in halves)
            halves.append(weakref.ref(weights))
            if len(halves) == 1:
                raise OutOfMemory("no")
        return FakeBackend(spec=spec)

    board = InlineSwitchboard([DOODLE, FIRST, SECOND], load_at_second_try)
    for name in ("doodle", "first", "second"):
        board.request(name)
        board.load_next()
    assert len(halves) == 2
    assert board.ready("second") is not None


def test_a_model_whose_warm_up_fails_gives_its_memory_back() -> None:
    class Cold(FakeBackend):
        def warm_up(self, width: int, height: int) -> None:
            raise OutOfMemory("no")

    cold = Cold()
    board = InlineSwitchboard([FAKE], lambda spec, report: cold)
    board.request("fake")
    with quiet_log():
        board.load_next()
    assert cold.is_closed
    assert board.states()[0].state == "failed"


def test_frames_that_run_out_of_memory_make_room_and_in_the_end_take_the_model_off() -> None:
    garage = Garage(100, DOODLE, FIRST, SECOND)
    for name in ("doodle", "first", "second"):
        garage.choose(name)
    garage.board.ran_out_of_memory("second")
    assert garage.ready() == ["doodle", "second"]
    assert "as Second ran out of memory" in garage.state("first").text
    garage.board.ran_out_of_memory("second")
    assert garage.ready() == ["doodle", "second"], "a smaller picture may still fit"
    garage.board.ran_out_of_memory("second")
    assert garage.ready() == ["doodle"]
    assert garage.state("second").state == "failed"
    assert "3 times" in garage.state("second").text
    for _ in range(5):
        garage.board.ran_out_of_memory("doodle")
    assert garage.ready() == ["doodle"], "never the only one that works"
    assert garage.choose("second") == "ready", "and it can be tried again"


def test_what_is_evicted_is_closed_between_two_frames() -> None:
    garage = Garage(6, DOODLE, FIRST, SECOND)
    for name in ("doodle", "first"):
        garage.choose(name)
    (old,) = garage.made["first"]
    order: list[str] = []

    def at_the_end_of_the_frame(errand: Callable[[], None]) -> None:
        assert garage.board.ready("first") is None, "no new frame gets it"
        assert not old.is_closed
        order.append("frame ends")
        errand()

    garage.board.loaded.between_frames = at_the_end_of_the_frame
    garage.choose("second")
    assert order == ["frame ends"]
    assert old.is_closed


def test_the_newest_wish_is_loaded_first_and_the_embedded_model_before_all() -> None:
    garage = Garage(100, FIRST, SECOND, THIRD, DOODLE)
    for name in ("first", "second", "doodle", "third", "first"):
        garage.board.request(name)
    for _ in range(4):
        garage.board.load_next()
    ready = [state.model_id for state in garage.told if state.state == "ready"]
    assert ready == ["doodle", "first", "third", "second"]


def test_switching_ten_times_a_second_loads_each_model_once() -> None:
    garage = Garage(100, DOODLE, FIRST, SECOND)
    garage.choose("doodle")
    for _ in range(10):
        for name in ("first", "second"):
            garage.board.request(name)
            assert garage.draw(name) == "doodle"
    garage.board.load_next()
    garage.board.load_next()
    for _ in range(10):
        for name in ("first", "second"):
            garage.board.request(name)
            assert garage.draw(name) == name
    assert [len(made) for made in garage.made.values()] == [1, 1, 1]


def test_subscribers_are_told_outside_of_the_lock() -> None:
    """One that waits for a lock whose holder asks the switchboard would stop both for good."""
    board = InlineSwitchboard([FAKE, SLOW], load)
    was_answered: list[bool] = []

    def ask_from_another_thread(state: ModelState) -> None:
        thread = threading.Thread(target=board.states, daemon=True)
        thread.start()
        thread.join(5)
        was_answered.append(not thread.is_alive())

    board.subscribe(ask_from_another_thread)
    board.request("fake")
    board.load_next()
    assert was_answered == [True] * 5


def test_a_files_hash_is_shown_and_a_known_one_names_the_model() -> None:
    board = InlineSwitchboard([FAKE, SLOW], load)
    states = told(board)
    board.tell_hash("fake", "0123456789")
    board.tell_hash("slow", "FB64610BF8")
    assert [state.file_hash for state in states] == ["0123456789", "FB64610BF8"]
    board.request("fake")
    assert board.states()[0].file_hash == "0123456789", "it stays through all states"
    assert board.spec("fake") == FAKE
    named = board.spec("slow")
    assert "Stable Diffusion 3.5 Large Turbo" in named.title
    assert named.attribution == "Powered by Stability AI"
    assert (named.id, named.source) == (SLOW.id, SLOW.source)


# --- at the same moment


def put_away_just_before_ready_is_noted(board: Switchboard, model_id: str) -> threading.Thread:
    """A model is put away by another thread, at the latest moment before its next "ready" is
    written down; one that has to wait for a lock does so."""
    remember = board.standings.remember
    eviction = threading.Thread(target=lambda: board.ran_out_of_memory("first"), daemon=True)

    def interrupted(state: ModelState) -> ModelState:
        if (state.model_id, state.state) == (model_id, "ready") and eviction.ident is None:
            eviction.start()
            eviction.join(0.2)
        return remember(state)

    board.standings.remember = interrupted
    return eviction


@pytest.mark.parametrize("told", ["ready", "hash", "text"])
def test_a_model_put_away_in_the_moment_in_which_it_is_told_can_be_loaded_again(told: str) -> None:
    garage = Garage(100, DOODLE, FIRST, SECOND)
    for name in ("doodle", "first"):
        garage.choose(name)
    if told == "ready":
        eviction = put_away_just_before_ready_is_noted(garage.board, "second")
        garage.choose("second")
    else:
        garage.choose("second")
        (backend,) = garage.made["second"]
        eviction = put_away_just_before_ready_is_noted(garage.board, "second")
        if told == "hash":
            garage.board.tell_hash("second", "0123456789")
        else:
            backend.device_text = "another device"
            garage.board.look_again(backend)
    eviction.join(10)
    assert garage.board.ready("second") is None
    assert garage.state("second").state == "evicted"
    assert garage.choose("second") == "ready"
    assert len(garage.made["second"]) == 2


def test_a_model_that_is_told_to_be_ready_but_is_not_there_is_loaded_when_chosen() -> None:
    garage = Garage(100, DOODLE, FIRST)
    garage.choose("first")
    garage.board.loaded.take("first")
    garage.board.choose("first")
    garage.load_all()
    assert garage.board.ready("first") is not None


def test_a_backend_that_comes_after_the_end_is_closed_and_never_told_to_be_ready() -> None:
    garage = Garage(100, FIRST)
    garage.board.request("first")
    warm_up = FakeBackend.warm_up
    late: list[FakeBackend] = []

    def end(self: FakeBackend, width: int, height: int) -> None:
        warm_up(self, width, height)
        late.append(self)
        garage.board.close()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(FakeBackend, "warm_up", end)
        garage.board.load_next()
    assert late[0].is_closed
    assert garage.ready() == []


def test_what_is_told_last_is_where_a_model_stands() -> None:
    """The app knows a file's hash by heart and tells it as soon as its model is ready: those who
    are told after it would else hear of the hash first and of a model without one last."""
    board = InlineSwitchboard([FAKE], load)

    def tell_the_hash(state: ModelState) -> None:
        if state.state == "ready" and state.file_hash is None:
            board.tell_hash("fake", "0123456789")

    board.subscribe(tell_the_hash)
    states = told(board)
    board.request("fake")
    board.load_next()
    assert states[-1] == board.states()[0]
    assert states[-1].file_hash == "0123456789"


def test_a_model_put_away_while_it_is_told_to_be_ready_is_told_so_last() -> None:
    garage = Garage(100, DOODLE, FIRST, SECOND)
    for name in ("doodle", "first"):
        garage.choose(name)
    evictions: list[threading.Thread] = []

    def put_away(state: ModelState) -> None:
        if (state.model_id, state.state) == ("second", "ready") and not evictions:
            thread = threading.Thread(target=garage.board.ran_out_of_memory, args=("first",))
            evictions.append(thread)
            thread.start()
            thread.join(10)

    garage.board.subscribe(put_away)
    last = told(garage.board)
    garage.choose("second")
    assert last[-1] == garage.state("second")
    assert garage.state("second").state == "evicted"
