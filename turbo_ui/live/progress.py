"""What a model's loading tells on the way, as states of that model."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from turbo_ui.backends.base import Backend, LoadPhase, LoadReport
from turbo_ui.catalog import ModelSpec
from turbo_ui.live.events import ModelState


class Load(Protocol):
    """Loads one model, telling on the way where it stands; raises `ModelUnavailable`.

    Its first report of "loading" says that the files are here and that the weights are read next:
    that is when room is made for them, not before a download of twenty minutes. Several loads may
    run at once up to there, and from there on one: that report returns when it is this one's turn.
    """

    def __call__(self, spec: ModelSpec, report: LoadReport) -> Backend: ...


@dataclass
class Progress:
    """A load's report: each is a new state. Before the first weights are read, room is made.

    Attributes:
        tell: is given the states.
        evict: waits for the model's turn and makes room for it, which needs so many bytes (as
            `LoadReport` tells them); may raise what ends the load.
        learn: is given what the model turned out to be, where that was not known.
    """

    spec: ModelSpec
    tell: Callable[[ModelState], None]
    evict: Callable[[ModelSpec, Sequence[int] | None], None]
    learn: Callable[[ModelSpec], None] = lambda spec: None
    has_room: bool = False

    def __call__(
        self,
        state: LoadPhase,
        text: str = "",
        progress: float | None = None,
        num_bytes: int | None = None,
        total_bytes: int | None = None,
        bytes_per_s: float | None = None,
        needs_bytes: Sequence[int] | None = None,
        spec: ModelSpec | None = None,
    ) -> None:
        if spec is not None and spec != self.spec:
            self.spec = spec
            self.learn(spec)
        if state == "loading":
            self.make_room(needs_bytes)
        self.tell(
            ModelState(
                model_id=self.spec.id,
                state=state,
                text=text,
                progress=progress,
                num_bytes=num_bytes,
                total_bytes=total_bytes,
                bytes_per_s=bytes_per_s,
            )
        )

    def make_room(self, needs_bytes: Sequence[int] | None = None) -> None:
        """Has room made once."""
        if not self.has_room:
            self.evict(self.spec, needs_bytes)
            self.has_room = True
