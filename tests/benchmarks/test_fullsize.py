"""The models of the benchmarks are as large as the published ones: counted, not built."""

from __future__ import annotations

import pytest
import torch

from benchmarks import fullsize
from turbo_ui.weights import Architecture


@pytest.mark.parametrize(("architecture", "name"), list(fullsize.NUM_PARAMETERS))
def test_parameters_are_as_many_as_published(architecture: Architecture, name: str) -> None:
    with torch.device("meta"):
        network = fullsize.network(architecture, name)
    counted = sum(weights.numel() for weights in network.parameters())
    assert counted == fullsize.NUM_PARAMETERS[architecture, name]
