"""Stand-ins for tests of what lies above the backends: a clock and a backend to command."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

import numpy as np

from turbo_ui.backends.base import LoadReport, ShouldStop, Spend, final_frames
from turbo_ui.catalog import ModelSpec
from turbo_ui.errors import TurboUIError
from turbo_ui.frames import Frame, FrameRequest, FrameTimings
from turbo_ui.live.events import Event
from turbo_ui.live.switchboard import Switchboard

E = TypeVar("E")

FAKE = ModelSpec(
    id="fake", title="Fake", family="unet_turbo", source="-", default_size_px=64, min_size_px=64
)


class FakeClock:
    """Seconds that pass only when told to."""

    def __init__(self, now: float = 100.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now

    def pass_ms(self, ms: float) -> None:
        self.now += ms / 1000


@dataclass
class FakeBackend:
    """A backend that does what the test says.

    Attributes:
        num_steps: denoising steps of each call; a preview comes after each but the last.
        step_ms: how far the clock goes for each step.
        on_step: called after each step with its number, so that a test can act in mid-frame.
        errors: raised, one a call, before anything else (so nothing is spent); None in the list
            lets that call pass.
        bad_prompt: a call with a request of this prompt fails.
        gate: where given, each call waits for it: a model that hangs.
        calls: the requests of each call.
        steps_run: how many steps have run in all.
    """

    spec: ModelSpec = FAKE
    max_batch: int = 4
    num_steps: int = 1
    step_ms: float = 10.0
    clock: FakeClock = field(default_factory=FakeClock)
    on_step: Callable[[int], None] | None = None
    errors: list[Exception | None] = field(default_factory=list)
    bad_prompt: str | None = None
    gate: threading.Event | None = None
    has_started: threading.Event = field(default_factory=threading.Event)
    calls: list[list[FrameRequest]] = field(default_factory=list)
    warm_ups: list[tuple[int, int]] = field(default_factory=list)
    steps_run: int = 0
    is_closed: bool = False

    device_text: str = "a test"

    def stream(
        self,
        requests: Sequence[FrameRequest],
        should_stop: ShouldStop | None = None,
        spend: Spend | None = None,
    ) -> Iterator[Frame]:
        self.calls.append(list(requests))
        self.has_started.set()
        if self.gate is not None:
            assert self.gate.wait(30), "the test never opened the gate"
        error = self.errors.pop(0) if self.errors else None
        if error is not None:
            raise error
        if spend is not None:
            spend()
        if any(request.prompt == self.bad_prompt for request in requests):
            raise RuntimeError("a bad prompt")
        for step in range(1, self.num_steps + 1):
            if step > 1 and should_stop is not None and should_stop():
                return
            self.clock.pass_ms(self.step_ms)
            self.steps_run += 1
            if self.on_step is not None:
                self.on_step(step)
            is_last = step == self.num_steps
            for index, request in enumerate(requests):
                yield Frame(
                    image=picture_of(request),
                    request=request,
                    timings=FrameTimings(denoise_ms=self.step_ms * step),
                    kind="frame" if is_last else "preview",
                    index=index,
                    step=step,
                    num_denoising_steps=self.num_steps,
                    path="test",
                    is_last=is_last,
                )

    def generate(self, requests: Sequence[FrameRequest]) -> list[Frame]:
        return final_frames(self.stream(requests))

    def warm_up(self, width: int, height: int) -> None:
        self.warm_ups.append((width, height))

    def close(self) -> None:
        self.is_closed = True


def picture_of(request: FrameRequest) -> np.ndarray:
    """A picture whose pixels tell the seed."""
    return np.full((request.height, request.width, 3), request.seed % 256, dtype=np.uint8)


def ready_switchboard(*backends: FakeBackend) -> Switchboard:
    """A switchboard on which all these are loaded, without a thread."""
    by_id = {backend.spec.id: backend for backend in backends}

    def load(spec: ModelSpec, report: LoadReport) -> FakeBackend:
        return by_id[spec.id]

    board = InlineSwitchboard([backend.spec for backend in backends], load)
    for backend in backends:
        board.request(backend.spec.id)
        board.load_next()
    return board


class InlineSwitchboard(Switchboard):
    """A switchboard that starts no thread: the test calls `load_next`.

    Attributes:
        waiting: the models that were asked for and whose load has not begun.
    """

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.waiting: list[str] = []

    def _begin(self, model_id: str) -> None:
        self.waiting.append(model_id)

    def load_next(self) -> None:
        """Loads what comes first of what was requested; returns when it is ready or failed."""
        first = max(map(self.spec, self.waiting), key=self._gate.rank)
        self.waiting.remove(first.id)
        self._load_one(self._gate.announce(first))


class Inbox:
    """A session's receiver that keeps what it was told."""

    def __init__(self) -> None:
        self.events: list[Event] = []

    def __call__(self, event: Event) -> None:
        self.events.append(event)

    def of(self, kind: type[E]) -> list[E]:
        return [event for event in self.events if isinstance(event, kind)]


class Unwell(TurboUIError):
    """An error of a test's own."""


def other(spec_id: str, **changed: Any) -> ModelSpec:
    """Another model like the fake one."""
    return replace(FAKE, id=spec_id, title=spec_id.title(), **changed)
