"""Tiny checkpoints, made once for a test run."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch

from tests import checkpoints

MakeCheckpoint = Callable[..., Path]


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> MakeCheckpoint:
    """`checkpoint(prediction_type=…, vae_kind=…, …)` is the folder of such a model."""

    @cache
    def made(**options: Any) -> Path:
        return checkpoints.make(tmp_path_factory.mktemp("checkpoint"), **options)

    return made


@pytest.fixture(scope="session")
def sdxl_checkpoint(tmp_path_factory: pytest.TempPathFactory) -> MakeCheckpoint:
    """`sdxl_checkpoint(vae_kind=…, variant=…)` is the folder of such a model."""

    @cache
    def made(**options: Any) -> Path:
        return checkpoints.make_sdxl(tmp_path_factory.mktemp("sdxl"), **options)

    return made


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> Iterator[None]:
    """Models this small only lose by waiting for a second thread."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
