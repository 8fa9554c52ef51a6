"""A backend that only sleeps: what is measured around it is the app and not a model.

`python -m benchmarks.standin --port 7860 --frame-ms 10` runs the app on it.
"""

from __future__ import annotations

import argparse
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

import numpy as np

from turbo_ui.backends.base import final_frames
from turbo_ui.catalog import DOODLE, ModelSpec
from turbo_ui.frames import Frame, FrameRequest, FrameTimings
from turbo_ui.live.engine import Engine
from turbo_ui.live.switchboard import Switchboard
from turbo_ui.settings import Settings
from turbo_ui.web.server import Server

SIZE_PX = 512
"""What the models are drawn at that need a benchmark."""

SPEC = replace(
    DOODLE,
    id="stand-in",
    title="Stand-in",
    source="stand-in",
    default_size_px=SIZE_PX,
    max_size_px=SIZE_PX,
    memory_bytes=0,
)


class Sleeper:
    """Takes `frame_ms` for a frame and gives the sketch back, dark where it was light."""

    max_batch = 1
    device_text = "stand-in"

    def __init__(self, frame_ms: float, spec: ModelSpec = SPEC) -> None:
        self.spec = spec
        self.frame_ms = frame_ms

    def stream(
        self, requests: Sequence[FrameRequest], should_stop: Callable[[], bool] | None = None
    ) -> Iterator[Frame]:
        for index, request in enumerate(requests):
            begun = time.perf_counter()
            time.sleep(self.frame_ms / 1000)
            if request.sketch is None:
                image = np.full((request.height, request.width, 3), 128, np.uint8)
            else:
                image = np.bitwise_not(request.sketch.pixels)
            spent_ms = (time.perf_counter() - begun) * 1000
            timings = FrameTimings(denoise_ms=spent_ms)
            yield Frame(image=image, request=request, timings=timings, index=index, path="stand-in")

    def generate(self, requests: Sequence[FrameRequest]) -> list[Frame]:
        return final_frames(self.stream(requests))

    def warm_up(self, width: int, height: int) -> None:
        pass

    def close(self) -> None:
        pass


def arguments(argv: Sequence[str] | None, what: str) -> argparse.Namespace:
    """`--port` and `--frame-ms`, the same for both ways that are compared."""
    parser = argparse.ArgumentParser(description=what)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--frame-ms", type=float, required=True)
    known = parser.parse_args(argv)
    if known.frame_ms < 0:
        parser.error(f"--frame-ms is {known.frame_ms:g}; it must be 0 or more")
    return known


def main(argv: Sequence[str] | None = None) -> int:
    known = arguments(argv, "Run the app on a backend that only sleeps.")
    switchboard = Switchboard((SPEC,), lambda spec, report: Sleeper(known.frame_ms, spec))
    engine = Engine(switchboard)
    server = Server(engine, switchboard, Settings(port=known.port))
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: server.ask_to_stop())
    engine.start()
    switchboard.request(SPEC.id)
    try:
        print(server.start(), flush=True)
        server.wait()
    finally:
        server.stop()
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
