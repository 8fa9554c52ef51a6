"""SD-Turbo's backend keeps what every backend promises; `test_sd3_turbo` asks the same of SD3's."""

from __future__ import annotations

import pytest

from tests import checkpoints
from tests.backends.conftest import MakeCheckpoint
from tests.backends.contract import BackendContract
from turbo_ui.backends import compute, sources
from turbo_ui.backends.base import Backend
from turbo_ui.backends.unet_turbo import UnetTurbo
from turbo_ui.frames import FrameRequest


class TestUnetTurbo(BackendContract):
    @pytest.fixture
    def backend(self, checkpoint: MakeCheckpoint) -> Backend:
        folder = checkpoint(vae_kind="kl")
        spec, chosen = checkpoints.spec(folder), compute.choose("cpu")
        parts = sources.read(spec, folder, chosen.dtype)
        return UnetTurbo(spec, parts, chosen, max_batch=4)

    @pytest.fixture
    def wanted(self) -> FrameRequest:
        return FrameRequest(model="tiny-turbo", width=64, height=64, prompt="a cat", seed=1)
