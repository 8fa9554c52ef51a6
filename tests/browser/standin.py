"""The app on a stand-in model that needs no weights: for tests of the page and the lane.

`python -m tests.browser.standin --port 0` runs it. The stand-in is a plain function of the request,
so that the same request gives the same picture, and it takes as long as it is told.
"""

from __future__ import annotations

import argparse
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from turbo_ui import imaging
from turbo_ui.backends.base import LoadReport, final_frames
from turbo_ui.catalog import DOODLE, ModelSpec
from turbo_ui.errors import BackendFailure, ModelUnavailable
from turbo_ui.frames import Frame, FrameRequest, FrameTimings, Pixels
from turbo_ui.live.engine import Engine
from turbo_ui.live.room import Room
from turbo_ui.live.switchboard import Switchboard
from turbo_ui.settings import Settings
from turbo_ui.web.server import Server

FAIL_PROMPT = "fail on this"
"""A prompt on which the stand-in fails, as a model may."""
LARGE_BYTES = 4_000_000_000
"""What each model but doodle is said to take."""


class StandIn:
    """Tints the sketch by prompt and seed; `strength` mixes the two.

    With `num_inference_steps` it takes as many steps, each as long as a frame, and previews.
    """

    max_batch = 1
    device_text = "stand-in"

    def __init__(self, spec: ModelSpec, frame_ms: float) -> None:
        self.spec = spec
        self.frame_ms = frame_ms

    def _find_out(self) -> None:
        """A server elsewhere may take no sketch, which shows when it is first sent one."""
        if self.spec.id == "unsure":
            self.spec = replace(self.spec, takes_sketch=False)
            self.device_text = "stand-in, which is not sent the board"

    def stream(
        self, requests: Sequence[FrameRequest], should_stop: Callable[[], bool] | None = None
    ) -> Iterator[Frame]:
        for wanted in requests:
            self._find_out()
            request = wanted if self.spec.takes_sketch else replace(wanted, image=None)
            begun = time.perf_counter()
            if request.prompt == FAIL_PROMPT:
                raise BackendFailure("told to fail")
            num_steps = request.num_inference_steps or 1
            for step in range(1, num_steps + 1):
                if step > 1 and should_stop is not None and should_stop():
                    return
                image = picture_of(request, step / num_steps)
                until = begun + step * self.frame_ms / 1000
                time.sleep(max(0.0, until - time.perf_counter()))
                spent = (time.perf_counter() - begun) * 1000
                yield Frame(
                    image=image,
                    request=request,
                    timings=FrameTimings(denoise_ms=spent),
                    kind="frame" if step == num_steps else "preview",
                    step=step,
                    num_denoising_steps=num_steps,
                    path="stand-in",
                    is_last=step == num_steps,
                )

    def generate(self, requests: Sequence[FrameRequest]) -> list[Frame]:
        return final_frames(self.stream(requests))

    def warm_up(self, width: int, height: int) -> None:
        pass

    def close(self) -> None:
        pass


def picture_of(request: FrameRequest, share_done: float = 1.0) -> Pixels:
    """A tint that the prompt and the seed decide, over which the sketch shows by 1 − strength.

    A preview is paler, by what is not done yet; each model has a hue of its own.
    """
    seeds = [request.seed, *request.prompt.encode(), *request.model.encode()]
    tint = np.random.default_rng(seeds).integers(40, 216, 3)
    across = np.linspace(0.6, 1.0, request.width)[None, :, None]
    ground = np.broadcast_to(across * tint, (request.height, request.width, 3))
    if request.sketch is not None:
        share = 1.0 - request.strength / 2
        # a sketch of the size that the former model took is fitted, as every backend does
        pixels = imaging.fit(request.sketch.pixels, request.width, request.height)
        ground = ground * (1 - share) + pixels.astype(float) * share
    ground = 255 - (255 - ground) * share_done
    return np.clip(ground, 0, 255).astype(np.uint8)


@dataclass
class Loader:
    """What the switchboard calls: as quick as told, and failing as each model's entry says."""

    frame_ms: float
    step_ms: float
    load_s: float
    tried: set[str] = field(default_factory=set)

    def __call__(self, spec: ModelSpec, report: LoadReport) -> StandIn:
        if spec.id == "absent":
            raise ModelUnavailable(spec.id, "it is only there to fail", "Choose the other one.")
        if spec.id == "shaky":
            self._download(spec, report)
        time.sleep(self.load_s)
        return StandIn(spec, self.step_ms if spec.default_num_inference_steps else self.frame_ms)

    def _download(self, spec: ModelSpec, report: LoadReport) -> None:
        """Two gigabytes in pieces; the first time the connection breaks."""
        is_first = spec.id not in self.tried
        self.tried.add(spec.id)
        for part in range(1, 11):
            done = part * 200_000_000
            report("downloading", f"Downloading {spec.title}.", part / 10, done, 2_000_000_000)
            time.sleep(max(0.03, self.load_s / 5))
            if is_first and part == 4:
                raise ModelUnavailable(spec.id, "the download broke off", "Try again.")


def catalog() -> tuple[ModelSpec, ...]:
    """Doodle's entry; a larger model, one that refines, one whose download breaks off once, three
    that run elsewhere, two of which draw two sizes only, and one, not known yet, that never
    loads."""
    large = replace(
        DOODLE,
        id="large",
        title="Large",
        is_embedded=False,
        memory_bytes=LARGE_BYTES,
        words_url="",
        default_size_px=512,
        max_size_px=1024,
    )
    licence = {
        "licence": "Stand-in Community License",
        "licence_url": "https://example.org/licence",
        "attribution": "Powered by a stand-in",
    }
    fine = replace(large, id="fine", title="Fine", default_num_inference_steps=4, **licence)
    shaky = replace(
        large,
        id="shaky",
        title="Shaky",
        is_gated=True,
        how_to_get="Log in on https://example.org/shaky, accept its licence, and set HF_TOKEN.",
        **licence,
    )
    far = replace(
        fine, id="far", title="Far away", family="remote", memory_bytes=0, takes_sketch=False
    )
    wide = replace(
        far,
        id="wide",
        title="Wide",
        takes_sketch=True,
        default_size_px=495,
        min_size_px=384,
        max_size_px=640,
        only_sizes_px=((640, 384), (384, 640)),
    )
    unsure = replace(wide, id="unsure", title="Unsure")
    absent = replace(DOODLE, id="absent", title="Absent", is_provisional=True)
    return (DOODLE, large, fine, shaky, far, wide, unsure, absent)


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--frame-ms", type=float, default=10.0)
    parser.add_argument("--step-ms", type=float, default=60.0)
    parser.add_argument("--load-s", type=float, default=0.0)
    parser.add_argument("--num-fitting", type=int, default=10, help="models beside doodle")
    known, rest = parser.parse_known_args(argv)
    options: dict[str, Any] = {}
    for name, value in zip(rest[::2], rest[1::2], strict=True):
        options[name.lstrip("-").replace("-", "_")] = value
    settings = Settings(**options)

    loader = Loader(known.frame_ms, known.step_ms, known.load_s)
    room = Room(DOODLE.memory_bytes + known.num_fitting * LARGE_BYTES)
    switchboard = Switchboard(catalog(), loader, lambda: room)
    engine = Engine(switchboard)
    engine.start()
    server = Server(engine, switchboard, settings, None, settings.refine_model)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: server.ask_to_stop())
    print(server.start(), flush=True)
    switchboard.request(DOODLE.id)
    server.wait()
    server.stop()
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
