"""The app on a stand-in model that needs no weights: for tests of the page and the lane.

`python -m tests.browser.standin --port 0` runs it. The stand-in is a plain function of the request,
so that the same request gives the same picture, and it takes as long as it is told.
"""

from __future__ import annotations

import argparse
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from turbo_ui import imaging
from turbo_ui.backends.base import final_frames
from turbo_ui.catalog import DOODLE, ModelSpec
from turbo_ui.errors import BackendFailure, ModelUnavailable
from turbo_ui.frames import Frame, FrameRequest, FrameTimings, Pixels
from turbo_ui.live.engine import Engine
from turbo_ui.live.switchboard import Switchboard
from turbo_ui.settings import Settings
from turbo_ui.web.server import Server

FAIL_PROMPT = "fail on this"
"""A prompt on which the stand-in fails, as a model may."""


class StandIn:
    """Tints the sketch by prompt and seed; `strength` mixes the two."""

    max_batch = 1
    device_text = "stand-in"

    def __init__(self, spec: ModelSpec, frame_ms: float) -> None:
        self.spec = spec
        self.frame_ms = frame_ms

    def stream(
        self, requests: Sequence[FrameRequest], should_stop: Callable[[], bool] | None = None
    ) -> Iterator[Frame]:
        for request in requests:
            begun = time.perf_counter()
            if request.prompt == FAIL_PROMPT:
                raise BackendFailure("told to fail")
            image = picture_of(request)
            rest = self.frame_ms / 1000 - (time.perf_counter() - begun)
            time.sleep(max(0.0, rest))
            spent = (time.perf_counter() - begun) * 1000
            yield Frame(
                image=image,
                request=request,
                timings=FrameTimings(denoise_ms=spent),
                path="stand-in",
            )

    def generate(self, requests: Sequence[FrameRequest]) -> list[Frame]:
        return final_frames(self.stream(requests))

    def warm_up(self, width: int, height: int) -> None:
        pass

    def close(self) -> None:
        pass


def picture_of(request: FrameRequest) -> Pixels:
    """A tint that the prompt and the seed decide, over which the sketch shows by 1 − strength."""
    seeds = [request.seed, *request.prompt.encode()]
    tint = np.random.default_rng(seeds).integers(40, 216, 3)
    across = np.linspace(0.6, 1.0, request.width)[None, :, None]
    ground = np.broadcast_to(across * tint, (request.height, request.width, 3))
    if request.sketch is not None:
        share = 1.0 - request.strength / 2
        # a sketch of the size that the former model took is fitted, as every backend does
        pixels = imaging.fit(request.sketch.pixels, request.width, request.height)
        ground = ground * (1 - share) + pixels.astype(float) * share
    return np.clip(ground, 0, 255).astype(np.uint8)


def load(spec: ModelSpec, frame_ms: float, load_s: float) -> StandIn:
    """What the switchboard calls; the second model of the stand-in catalog cannot be had."""
    if spec.id == "absent":
        raise ModelUnavailable(spec.id, "it is only there to fail", "Choose the other one.")
    time.sleep(load_s)
    return StandIn(spec, frame_ms)


def catalog() -> tuple[ModelSpec, ...]:
    """Doodle's entry, a larger one, and one that never loads."""
    from dataclasses import replace

    large = replace(DOODLE, id="large", title="Large", default_size_px=512, max_size_px=512)
    absent = replace(DOODLE, id="absent", title="Absent")
    return (DOODLE, large, absent)


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--frame-ms", type=float, default=10.0)
    parser.add_argument("--load-s", type=float, default=0.0)
    known, rest = parser.parse_known_args(argv)
    options: dict[str, Any] = {}
    for name, value in zip(rest[::2], rest[1::2], strict=True):
        options[name.lstrip("-").replace("-", "_")] = value
    settings = Settings(**options)

    switchboard = Switchboard(
        catalog(), lambda spec, report: load(spec, known.frame_ms, known.load_s)
    )
    engine = Engine(switchboard)
    engine.start()
    server = Server(engine, switchboard, settings)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: server.ask_to_stop())
    print(server.start(), flush=True)
    switchboard.request(DOODLE.id)
    server.wait()
    server.stop()
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
