"""What every backend does, whichever family of models it runs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Literal, Protocol, runtime_checkable

from turbo_ui.catalog import ModelSpec
from turbo_ui.frames import Frame, FrameRequest

ShouldStop = Callable[[], bool]
"""Asked between denoising steps; True ends the stream there."""

GiveBack = Callable[[], None]
Spend = Callable[[], GiveBack]
"""Counts one picture that may have to be paid, before it is sent, or raises LimitReached. What
it returns takes that back, from any thread: for a picture that could not be sent after all."""

LoadPhase = Literal["downloading", "loading"]


class LoadReport(Protocol):
    """Told where a model's loading stands: a phase, a text for people, and where known how far.

    `progress` goes from 0 to 1; `num_bytes` of `total_bytes` have come, at `bytes_per_s`.
    `needs_bytes` of the device, told before its weights are read, are what it can be loaded with:
    first that with which it draws as well as with more, then less and less, down to the least. None
    is what the catalog says. `spec` is what a model turned out to be that was not known before.
    """

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
    ) -> None: ...


def silent(*args: object, **named: object) -> None:
    """A `LoadReport` that nobody reads."""


@runtime_checkable
class Backend(Protocol):
    """One loaded model on one device.

    Only one thread at a time may call it: the engine's worker. A backend checks neither turns nor
    sessions; it turns requests into frames.
    """

    @property
    def spec(self) -> ModelSpec:
        """The model it runs."""
        ...

    @property
    def max_batch(self) -> int:
        """The most requests that one call may hold."""
        ...

    @property
    def device_text(self) -> str:
        """The device and number type and why, for people: "CPU, fp32 (no GPU found)"."""
        ...

    def stream(
        self, requests: Sequence[FrameRequest], should_stop: ShouldStop | None = None
    ) -> Iterator[Frame]:
        """Runs requests that share a batch key.

        A sketch of another size than its request is fitted (`imaging.fit`). Each frame's `index` is
        its request's place in the call.

        Yields previews step by step, then exactly one final frame for each request in their order.
        Where `should_stop` said True between two steps, the stream ends early and the final frames
        do not come.

        Raises:
            InvalidRequest: a request that this model cannot run, such as one of 0 steps.
            BackendFailure: the model failed; the backend can still be used.
        """
        ...

    def generate(self, requests: Sequence[FrameRequest]) -> list[Frame]:
        """The final frames of `stream`, one for each request, in their order."""
        ...

    def warm_up(self, width: int, height: int) -> None:
        """Runs what a first frame of this size would have to wait for."""
        ...

    def close(self) -> None:
        """Gives the memory back; the backend is not used again."""
        ...


class PaidBackend(Backend, Protocol):
    """A backend whose pictures another machine draws, and may want paid.

    Several threads may call `stream` at once, unlike other backends'.
    """

    def stream(
        self,
        requests: Sequence[FrameRequest],
        should_stop: ShouldStop | None = None,
        spend: Spend | None = None,
    ) -> Iterator[Frame]:
        """As `Backend.stream`. Each try that is sent is counted by `spend`, and nothing else is.

        Raises:
            LimitReached: by `spend`; nothing was sent.
        """
        ...


def final_frames(frames: Iterator[Frame]) -> list[Frame]:
    """Drains a stream and keeps what is not a preview."""
    return [frame for frame in frames if frame.is_last]
