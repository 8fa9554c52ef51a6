"""The choice of device and number type, and the clock of stages."""

from __future__ import annotations

import pytest
import torch

from turbo_ui.backends import compute
from turbo_ui.errors import InvalidRequest


def test_a_cpu_computes_in_fp32_and_says_why() -> None:
    chosen = compute.choose("cpu")
    assert (chosen.device.type, chosen.dtype, chosen.dtype_name) == ("cpu", torch.float32, "fp32")
    assert chosen.text == "CPU, fp32 (as asked)"
    assert chosen.channels_last
    assert chosen.max_batch == 1


def test_a_number_type_of_ones_own() -> None:
    assert compute.choose("cpu", "bf16").dtype == torch.bfloat16
    assert compute.choose("cpu", "auto").dtype == torch.float32


def test_auto_finds_what_is_here() -> None:
    chosen = compute.choose("auto")
    expected = "cuda" if torch.cuda.is_available() else chosen.device.type
    assert chosen.device.type == expected
    assert compute.choose(None).device == chosen.device


@pytest.mark.parametrize(
    ("device", "dtype", "field"),
    [
        ("tpu", None, "device"),
        ("cuda:99", None, "device"),
        ("meta", None, "device"),
        ("cpu", "fp8", "dtype"),
    ],
)
def test_what_is_not_here_is_named(device: str, dtype: str | None, field: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        compute.choose(device, dtype)
    assert caught.value.field == field


def test_stages_add_up() -> None:
    clock = compute.StageClock(torch.device("cpu"))
    for _ in range(2):
        with clock.stage("denoise_ms"):
            torch.ones(10).sum()
    first = clock.ms()["denoise_ms"]
    with clock.stage("denoise_ms"):
        torch.ones(10).sum()
    assert 0 < first < clock.ms()["denoise_ms"]
    assert set(clock.ms()) == {"denoise_ms"}
