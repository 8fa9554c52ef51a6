"""On Apple's GPU, as far as that can be told without one: what is chosen there, and that nothing is
asked of it that it cannot do."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.overrides import TorchFunctionMode

from tests import checkpoints, checkpoints_sd3
from tests.backends.conftest import MakeCheckpoint
from tests.backends.parity import TOLERANCE, difference, drawing
from turbo_ui.backends import compute, loading, placement
from turbo_ui.backends.sd3_turbo import dtype_name_for
from turbo_ui.catalog import ModelSpec
from turbo_ui.errors import InvalidRequest
from turbo_ui.frames import FrameRequest

CPU = torch.device("cpu")
OF_CUDA = ("Event", "empty_cache", "get_device_name", "is_bf16_supported", "mem_get_info",
           "memory_allocated", "memory_reserved", "synchronize")  # fmt: skip


class AppleGpu(TorchFunctionMode):
    """A stand-in: what is sent to "mps" stays where it is. It refuses what the real one refuses:
    numbers of 8 bytes, and a generator of the CPU for numbers that are drawn there.

    Attributes:
        is_drawing: refuses numbers of 8 bytes wherever they come up, as what they are computed from
            may have been sent there before.
        num_sent: how many tensors were.
    """

    def __init__(self) -> None:
        super().__init__()
        self.is_drawing = False
        self.num_sent = 0

    def __torch_function__(
        self, func: Any, types: Any, args: Sequence[Any] = (), kwargs: Any = None
    ) -> Any:
        named: dict[str, Any] = kwargs or {}
        if func is torch.device:
            return func(*args, **named)
        is_sent = any(is_mps(value) for value in (*args, *named.values()))
        generator = named.get("generator")
        if is_sent and generator is not None:
            assert generator.device.type == "mps", "the generator is the CPU's"
        result = func(
            *(CPU if is_mps(value) else value for value in args),
            **{name: CPU if is_mps(value) else value for name, value in named.items()},
        )
        if isinstance(result, torch.Tensor):
            self.num_sent += is_sent
            # a copy of a scheduler as it was read lies in main memory
            is_on_its_way = is_sent or (self.is_drawing and func is not torch.Tensor.__deepcopy__)
            assert not (is_on_its_way and result.dtype == torch.float64), f"float64 by {func}"
        return result


def is_mps(value: object) -> bool:
    return value == "mps" or (isinstance(value, torch.device) and value.type == "mps")


def quiet(*args: Any, **kwargs: Any) -> None:
    """A load report that nobody reads."""


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """This machine passes for one with Apple's GPU; what was called of `torch.mps`."""
    made: list[str] = []

    def fail(*_: object, **__: object) -> None:
        raise AssertionError("a call that is CUDA's")

    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    for name in ("synchronize", "empty_cache"):
        monkeypatch.setattr(torch.mps, name, lambda name=name: made.append(name))
    for name in OF_CUDA:
        monkeypatch.setattr(torch.cuda, name, fail)
    return made


@pytest.mark.parametrize(("asked", "why"), [("auto", "Apple's GPU"), ("mps", "as asked")])
def test_what_is_chosen(calls: list[str], asked: str, why: str) -> None:
    chosen = compute.choose(asked)
    assert chosen.device == torch.device("mps")
    assert (chosen.dtype, chosen.wide_dtype) == (torch.float16, torch.float32)
    assert chosen.memory_format == torch.contiguous_format
    assert chosen.max_batch == compute.GPU_MAX_BATCH
    assert chosen.text == f"Apple GPU, fp16 ({why})"
    assert compute.choose(asked, "bf16").dtype == torch.bfloat16
    assert dtype_name_for(chosen.device) == "bf16"


def test_cuda_comes_first(calls: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda _: "a GPU")
    assert compute.choose().device.type == "cuda"


def test_without_one_it_is_not_chosen(calls: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    assert compute.choose().device.type == "cpu"
    with pytest.raises(InvalidRequest, match="no Apple GPU is here"):
        compute.choose("mps")


def test_its_memory_is_main_memory(calls: list[str]) -> None:
    room = placement.room(compute.choose("mps"))
    assert (room.kind, room.itemsize, room.taken_bytes) == ("mps", 2, 0)
    assert room.free_bytes == room.host_free_bytes


@pytest.fixture(params=["sd", "sd tiny", "sdxl", "sd3"])
def spec(
    request: pytest.FixtureRequest,
    checkpoint: MakeCheckpoint,
    sdxl_checkpoint: MakeCheckpoint,
    tmp_path: Path,
) -> ModelSpec:
    if request.param == "sd3":
        return checkpoints_sd3.spec(checkpoints_sd3.make(tmp_path))
    if request.param == "sdxl":
        return checkpoints.spec(sdxl_checkpoint(vae_kind="kl"))
    return checkpoints.spec(checkpoint(vae_kind="kl" if request.param == "sd" else "tiny"))


WANTED: tuple[dict[str, Any], ...] = (
    {},
    {"image": drawing()},
    {"image": drawing(), "num_inference_steps": 3},
    {"num_inference_steps": 2, "guidance_scale": 2.0},
)


@pytest.mark.parametrize("dtype", ["auto", "fp32"])
def test_a_model_draws_and_asks_for_nothing_that_is_not_there(
    calls: list[str], spec: ModelSpec, dtype: str
) -> None:
    """In full numbers, in which the order of sums does not show, the picture is the CPU's."""
    by_cpu = loading.load_spec(spec, quiet, device="cpu")
    with AppleGpu() as gpu:
        running = loading.load_spec(spec, quiet, device="mps", dtype=dtype)
        running.warm_up(64, 64)
    for fields in WANTED:
        wanted = FrameRequest(model=spec.id, prompt="a cat", width=64, height=64, **fields)
        with gpu:
            gpu.is_drawing = True
            *_, frame = running.stream([wanted])
            gpu.is_drawing = False
        assert frame.path.startswith("mps ")
        if dtype == "fp32":
            assert difference(frame.image, by_cpu.generate([wanted])[0].image) <= TOLERANCE
    assert gpu.num_sent > 0
    assert "synchronize" in calls, "else a stage would end before it is done"
    assert "empty_cache" not in calls, "each frame would pay for it"
    running.close()
    assert calls[-1] == "empty_cache", "the next model has to find the room"
