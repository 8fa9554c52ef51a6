"""Sessions that share a real backend: what it keeps of one never shows in a picture of another."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests import checkpoints, checkpoints_sd3
from tests.backends.conftest import MakeCheckpoint
from tests.backends.parity import TOLERANCE, difference, drawing
from tests.browser.lane_client import jpeg
from tests.fakes import FakeClock, Inbox, InlineSwitchboard
from turbo_ui.backends import latents
from turbo_ui.backends.loading import load_spec
from turbo_ui.catalog import ModelSpec
from turbo_ui.frames import Frame, FrameRequest, Pixels
from turbo_ui.live.engine import Engine
from turbo_ui.live.events import Published, Submission
from turbo_ui.settings import Settings
from turbo_ui.web.roster import Roster
from turbo_ui.web.session import PageSession
from turbo_ui.web.wire import Message


@pytest.fixture(params=["sd", "sdxl", "sd3"])
def spec(
    request: pytest.FixtureRequest,
    checkpoint: MakeCheckpoint,
    sdxl_checkpoint: MakeCheckpoint,
    tmp_path: Path,
) -> ModelSpec:
    """A tiny model of each family."""
    if request.param == "sd3":
        return checkpoints_sd3.spec(checkpoints_sd3.make(tmp_path))
    make = checkpoint if request.param == "sd" else sdxl_checkpoint
    return checkpoints.spec(make(vae_kind="kl"))


class Studio:
    """An engine on one real backend, and the pages that draw on it."""

    def __init__(self, spec: ModelSpec, *names: str) -> None:
        self.spec, self.clock = spec, FakeClock()
        board = InlineSwitchboard([spec], partial(load_spec, device="cpu"))
        board.request(spec.id)
        board.load_next()
        self.engine = Engine(board, clock=self.clock)
        self.inboxes = {name: Inbox() for name in names}
        for name, inbox in self.inboxes.items():
            self.engine.open_session(name, inbox)

    def stroke(self, name: str, sketch: Pixels) -> None:
        """The same but for the sketch, whoever draws it."""
        request = FrameRequest(
            model=self.spec.id, prompt="a cat", image=sketch, seed=4, width=64, height=64
        )
        self.engine.submit(name, Submission(request_id=0, request=request, received_at=0))

    def draw(self) -> None:
        """Until no stroke waits; hands rest for so long that a slow machine changes nothing."""
        self.clock.pass_ms(10_000)
        while self.engine.step():
            pass

    def frames(self, name: str) -> list[Frame]:
        told = self.inboxes[name].of(Published)
        return [event.frame for event in told if event.frame.is_last]

    def pictures(self, name: str) -> list[Pixels]:
        return [frame.image for frame in self.frames(name)]


def sketches_of(name: str) -> list[Pixels]:
    """Two, and the first once more; those of two sessions differ in one block."""
    sketches = [drawing(1), drawing(2), drawing(1)]
    if name == "yours":
        for sketch in sketches:
            sketch[:8, :8] = 255 - sketch[:8, :8]
    return sketches


def drawn_alone(spec: ModelSpec, name: str) -> list[Pixels]:
    """What a session gets of a backend of its own."""
    studio = Studio(spec, name)
    for sketch in sketches_of(name):
        studio.stroke(name, sketch)
        studio.draw()
    return studio.pictures(name)


def test_sessions_that_draw_by_turns_get_the_pictures_that_each_gets_alone(spec: ModelSpec) -> None:
    studio = Studio(spec, "mine", "yours")
    for sketches in zip(sketches_of("mine"), sketches_of("yours"), strict=True):
        for name, sketch in zip(studio.inboxes, sketches, strict=True):
            studio.stroke(name, sketch)
            studio.draw()
    for name in studio.inboxes:
        together, alone = studio.pictures(name), drawn_alone(spec, name)
        assert [np.array_equal(*pair) for pair in zip(together, alone, strict=True)] == [True] * 3
    for mine, yours in zip(studio.pictures("mine"), studio.pictures("yours"), strict=True):
        assert not np.array_equal(mine, yours)


def test_sessions_that_share_a_batch_get_the_pictures_that_each_gets_alone(spec: ModelSpec) -> None:
    studio = Studio(spec, "mine", "yours")
    backend: Any = studio.engine.switchboard.ready(spec.id)
    backend.max_batch = 4
    for sketches in zip(sketches_of("mine"), sketches_of("yours"), strict=True):
        for name, sketch in zip(studio.inboxes, sketches, strict=True):
            studio.stroke(name, sketch)
        studio.draw()
    alone = {name: drawn_alone(spec, name) for name in studio.inboxes}
    for mine, yours in (("mine", "yours"), ("yours", "mine")):
        frames = studio.frames(mine)
        assert all("batch 2" in frame.path for frame in frames)
        for frame, own, foreign in zip(frames, alone[mine], alone[yours], strict=True):
            assert difference(frame.image, own) <= TOLERANCE
            assert difference(frame.image, own) < difference(frame.image, foreign)


ONE = 2 * 4 * 8 * 8 * 4
"""Bytes of the latents of a sketch of 64 × 64."""


def a_board(spec: ModelSpec) -> InlineSwitchboard:
    """One on which this model is ready."""
    board = InlineSwitchboard([spec], partial(load_spec, device="cpu"))
    board.request(spec.id)
    board.load_next()
    return board


def kept_by(board: InlineSwitchboard) -> Any:
    """The latents that its one model keeps."""
    backend: Any = board.ready(board.catalog[0].id)
    return backend.latents.kept


class Page:
    """One page as the server knows it, whose strokes are drawn at once."""

    def __init__(self, name: str, engine: Engine, codec: ThreadPoolExecutor) -> None:
        settings = Settings()
        self.session = PageSession(name, engine, Roster(engine.switchboard), settings, codec)
        engine.open_session(name, self.session.publish)
        self.number = 0

    async def draw(self, picture: bytes = b"", **params: Any) -> None:
        """Without a picture: what was drawn last."""
        await self._say({"kind": "frame", "params": params}, picture)

    async def refine(self, picture: bytes = b"", **params: Any) -> None:
        """With the model that draws; without a picture: what was drawn last."""
        model = self.session.roster.serving(None).id
        await self._say({"kind": "refine", "model": model, "params": params}, picture)

    async def _say(self, header: dict[str, Any], picture: bytes) -> None:
        self.number += 1
        self.session.receive(Message({**header, "request_id": self.number}, picture))
        await self.session._submit(await self.session.drafts.next())
        while self.session.engine.step():
            pass
        await asyncio.sleep(0)  # the picture crosses to this loop
        while not self.session.outbox.is_empty:
            await self.session.next_message()
        assert self.session.last_frame is not None
        assert self.session.last_frame[0] == self.number


def test_a_resting_pages_newest_sketch_is_encoded_once_however_much_another_draws(
    checkpoint: MakeCheckpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(latents, "MAX_KEPT_BYTES", 3 * ONE)
    board = a_board(checkpoints.spec(checkpoint(vae_kind="kl")))
    kept = kept_by(board)
    misses, hits = kept.num_misses, kept.num_hits  # of the warm-up

    async def run() -> None:
        engine = Engine(board)
        with ThreadPoolExecutor(1) as codec:
            resting, busy = (Page(name, engine, codec) for name in ("resting", "busy"))
            await resting.draw(jpeg((9, 9, 9)), width=64, height=64)
            await resting.draw(jpeg((0, 0, 0)))
            for shade in range(20, 200, 20):
                await busy.draw(jpeg((shade, 0, 0)), width=64, height=64)
            assert (kept.num_misses - misses, kept.num_hits - hits) == (11, 0)
            assert kept.size == 3 * ONE
            await resting.draw(prompt="a cat", seed=3)
            assert (kept.num_misses - misses, kept.num_hits - hits) == (11, 1)

    asyncio.run(run())


def test_a_refines_sketch_is_encoded_once_though_the_draft_is_drawn_again(
    checkpoint: MakeCheckpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A change of the words alone: the draft, and then the refine, at its own size."""
    monkeypatch.setattr(latents, "MAX_KEPT_BYTES", 5 * ONE)
    board = a_board(checkpoints.spec(checkpoint(vae_kind="kl")))
    kept = kept_by(board)
    wide = {"width": 128, "height": 64}

    async def run() -> None:
        engine = Engine(board)
        with ThreadPoolExecutor(1) as codec:
            resting, busy = (Page(name, engine, codec) for name in ("resting", "busy"))
            await resting.draw(jpeg((9, 9, 9)), width=64, height=64)
            await resting.refine(jpeg((9, 9, 9)), **wide)
            await resting.draw(prompt="a cat")
            for shade in range(20, 200, 20):
                await busy.draw(jpeg((shade, 0, 0)), width=64, height=64)
            before = kept.num_misses
            await resting.draw(prompt="a dog")
            await resting.refine(jpeg((9, 9, 9)), **wide)
            assert kept.num_misses == before

    asyncio.run(run())
