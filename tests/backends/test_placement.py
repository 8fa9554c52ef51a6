"""Plans in practice: parts that take turns on a device, parts in fewer bits.

The device of these tests is torch's "meta": numbers that are there have no values, so that what has
come back is seen to be whole.
"""

from __future__ import annotations

import importlib.util
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import psutil
import pytest
import torch
from accelerate import init_empty_weights

from tests import checkpoints_sd3
from tests.backends.parity import difference, drawing
from turbo_ui.backends import compute, placement, quantization
from turbo_ui.backends.holding import T5_WIDE, Offload, PartCounts
from turbo_ui.backends.memory import GB, WHOLE, MemoryPlan
from turbo_ui.backends.placement import Placement, Waiting
from turbo_ui.backends.sd3_turbo import Sd3Turbo
from turbo_ui.errors import InvalidRequest, ModelUnavailable
from turbo_ui.frames import Frame, FrameRequest

CPU = compute.choose("cpu")
AWAY = replace(CPU, device=torch.device("meta"))

needs_torchao = pytest.mark.skipif(
    importlib.util.find_spec("torchao") is None,
    reason="torchao is not installed (an extra: pip install torchao)",
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return checkpoints_sd3.make(tmp_path_factory.mktemp("sd3"))


@pytest.fixture
def parts(folder: Path) -> dict[str, Any]:
    """Fresh ones for each test: quantizing changes them."""
    return checkpoints_sd3.parts(folder)


def request(**fields: Any) -> FrameRequest:
    return FrameRequest(
        model="tiny-sd3", **{"width": 64, "height": 64, "prompt": "a cat", **fields}
    )


def run(folder: Path, parts: dict[str, Any], plan: MemoryPlan, **fields: Any) -> Frame:
    running = Sd3Turbo(checkpoints_sd3.spec(folder), parts, CPU, plan=plan)
    (frame,) = running.generate([request(image=drawing(), strength=0.7, **fields)])
    return frame


@cache
def whole(folder: Path) -> Frame:
    return run(folder, checkpoints_sd3.parts(folder), WHOLE)


def here(parts: dict[str, Any]) -> set[str]:
    """Which parts are on the device."""
    return {
        name
        for name, part in parts.items()
        if isinstance(part, torch.nn.Module)
        and {tensor.device.type for tensor in (*part.parameters(), *part.buffers())} == {"meta"}
    }


PICTURE = {"transformer", "tiny_vae", "vae"}


@pytest.mark.parametrize(
    ("offload", "brought", "expected"),
    [
        ("text_encoders", ["text_encoder"], {"text_encoder"}),
        ("text_encoders", ["text_encoder", "text_encoder_3"], {"text_encoder_3"}),
        ("text_encoders", ["text_encoder_3", "transformer"], PICTURE),
        ("text_encoders", ["transformer", "vae"], PICTURE),
        ("text_encoders", ["vae", "text_encoder_2"], {"text_encoder_2"}),
        ("model", ["transformer"], {"transformer", "tiny_vae"}),
        ("model", ["transformer", "tiny_vae"], {"transformer", "tiny_vae"}),
        ("model", ["transformer", "vae"], {"vae"}),
        ("model", ["vae", "text_encoder_3"], {"text_encoder_3"}),
    ],
)
def test_parts_take_turns(
    parts: dict[str, Any], offload: Offload, brought: list[str], expected: set[str]
) -> None:
    turns = Placement(parts, MemoryPlan(offload=offload), AWAY)
    assert here(parts) == set()
    for name in brought:
        turns.bring(name)
        assert name in here(parts)
    assert here(parts) == expected


def test_bringing_what_is_there_moves_nothing(parts: dict[str, Any]) -> None:
    turns = Placement(parts, MemoryPlan(offload="text_encoders"), AWAY)
    turns.bring("transformer")
    moved = turns.num_moves
    for name in ("vae", "tiny_vae", "transformer"):
        turns.bring(name)
    assert turns.num_moves == moved == 3


def test_what_left_is_as_it_was(parts: dict[str, Any]) -> None:
    part = parts["text_encoder_3"]
    before = {name: tensor.clone() for name, tensor in part.state_dict().items()}
    turns = Placement(parts, MemoryPlan(offload="model"), AWAY)
    turns.bring("text_encoder_3")
    assert part.shared.weight is part.encoder.embed_tokens.weight, "what is shared stays one"
    turns.bring("vae")
    after = part.state_dict()
    assert after.keys() == before.keys()
    assert all(torch.equal(after[name], before[name]) for name in before)
    assert part.shared.weight is part.encoder.embed_tokens.weight


def test_a_move_that_fails_half_way_is_undone(
    parts: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    turns = Placement(parts, MemoryPlan(offload="model"), AWAY)
    turns.bring("vae")
    copy = placement._copy  # pyright: ignore[reportPrivateUsage]
    num_copied = 0

    def full(tensor: torch.Tensor, device: torch.device) -> torch.Tensor:
        nonlocal num_copied
        num_copied += 1
        if num_copied > 10:
            raise torch.OutOfMemoryError("full")
        return copy(tensor, device)

    with monkeypatch.context() as patch:
        patch.setattr(placement, "_copy", full)
        with pytest.raises(torch.OutOfMemoryError):
            turns.bring("transformer")
    kinds = {tensor.device.type for tensor in parts["transformer"].parameters()}
    assert kinds == {"cpu"}
    turns.bring("transformer")
    assert here(parts) == {"transformer", "tiny_vae"}


def test_a_number_type_that_was_changed_on_the_device_stays(parts: dict[str, Any]) -> None:
    """A VAE that overflows in fp16 is put into a wider type while it runs."""
    vae = parts["vae"].half()
    waiting = Waiting(vae)
    device = torch.device("cpu")
    for _ in range(2):
        waiting.enter(device)
        vae.float()
        waiting.leave()
        assert {tensor.dtype for tensor in vae.parameters()} == {torch.float32}


@pytest.mark.parametrize("offload", ["text_encoders", "model"])
def test_taking_turns_changes_no_picture(
    folder: Path, parts: dict[str, Any], offload: Offload
) -> None:
    frame = run(folder, parts, MemoryPlan(offload=offload))
    assert difference(frame.image, whole(folder).image) == 0
    assert "offloaded" in frame.path


@pytest.mark.parametrize(("offload", "num_moves"), [("text_encoders", 0), ("model", 6)])
def test_a_known_prompt_moves_no_text_encoder(
    folder: Path, parts: dict[str, Any], offload: Offload, num_moves: int
) -> None:
    plan = MemoryPlan(offload=offload)
    running = Sd3Turbo(checkpoints_sd3.spec(folder), parts, CPU, plan=plan)
    running.generate([request()])
    before = running.placement.num_moves
    for seed in (1, 2):
        running.generate([request(seed=seed)])
    assert running.placement.num_moves - before == num_moves


@needs_torchao
@pytest.mark.parametrize(
    ("plan", "tolerance"),
    [
        (MemoryPlan(t5="int8"), 6),
        (MemoryPlan(t5="nf4"), 40),
        (MemoryPlan(transformer="int8"), 6),
        (MemoryPlan(transformer="fp8"), 12),
        (MemoryPlan(t5="fp8", transformer="fp8", offload="model"), 12),
        (MemoryPlan(t5="int8", transformer="int8", offload="text_encoders"), 6),
        (MemoryPlan(t5="int8", transformer="int8", offload="model"), 6),
    ],
    ids=lambda value: value.path if isinstance(value, MemoryPlan) else "",
)
def test_fewer_bits_give_nearly_the_same_picture(
    folder: Path, parts: dict[str, Any], plan: MemoryPlan, tolerance: int
) -> None:
    frame = run(folder, parts, plan)
    assert plan.path in frame.path
    apart = difference(frame.image, whole(folder).image)
    assert apart <= tolerance
    assert (frame.image != whole(folder).image).any(), "it is not the same weights"


@needs_torchao
@pytest.mark.parametrize(("bits", "share"), [("int8", 0.3), ("fp8", 0.3), ("nf4", 0.2)])
def test_fewer_bits_take_less_memory(
    parts: dict[str, Any], bits: quantization.Bits, share: float
) -> None:
    layer = parts["text_encoder_3"].encoder.block[0].layer[1].DenseReluDense.wo
    before = layer.weight.numel() * 4  # bytes in fp32
    quantization.quantize(parts["text_encoder_3"], bits, torch.device("cpu"))
    weight: Any = layer.weight
    names, _ = weight.__tensor_flatten__()
    after = sum(getattr(weight, name).nbytes for name in names)
    assert after < share * before


@needs_torchao
@pytest.mark.parametrize(("bits", "is_finite"), [("int8", False), ("fp8", True)])
def test_in_fp16_the_sums_of_int8_overflow_and_those_of_fp8_do_not(
    bits: quantization.Bits, is_finite: bool
) -> None:
    """Why which 8 bits are taken hangs on the number type. The result itself is far from 65504."""
    torch.manual_seed(0)
    layers = torch.nn.Sequential(torch.nn.Linear(2432, 64, bias=False))
    numbers = 16 * torch.randn(8, 2432)
    expected = layers(numbers)
    quantization.quantize(layers.half(), bits, torch.device("cpu"))
    found = layers(numbers.half())
    assert expected.abs().max() < 100
    assert bool(torch.isfinite(found).all()) == is_finite
    if is_finite:
        assert (found - expected).norm() < 0.05 * expected.norm()


def test_on_apples_gpu_no_bits_can_be_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quantization, "is_available", lambda: True)
    apple = replace(CPU, device=torch.device("mps"))
    for asked in ("auto", "none"):
        quantization.check(asked, apple)
    for asked in ("int8", "fp8"):
        with pytest.raises(InvalidRequest, match="allowed: auto, none") as caught:
            quantization.check(asked, apple)
        assert caught.value.field == "quantization"


@pytest.mark.parametrize(("dtype", "bits"), [("fp32", "int8"), ("bf16", "int8"), ("fp16", "fp8")])
def test_which_8_bits_hangs_on_the_number_type(dtype: str, bits: str) -> None:
    here = placement.room(compute.choose("cpu", dtype))
    assert (here.eight_bits, here.quantization) == (bits, "auto")


@needs_torchao
def test_embeddings_and_what_stands_outside_the_blocks_stay(parts: dict[str, Any]) -> None:
    network = parts["transformer"]
    outside = {
        name: tensor
        for name, tensor in network.named_parameters()
        if not name.startswith("transformer_blocks.")
    }
    quantization.quantize(network, "int8", torch.device("cpu"))
    for name, tensor in outside.items():
        assert network.get_parameter(name) is tensor
    inside = network.transformer_blocks[0].attn.to_q.weight
    assert type(inside) is not torch.nn.Parameter


def test_parts_come_whole_while_another_model_is_made_without_weights(
    parts: dict[str, Any],
) -> None:
    """On a loading thread; what accelerate changes for it, it changes for all."""
    network = parts["vae"]
    waiting = Waiting(network)
    kept = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    with init_empty_weights():
        waiting.enter(torch.device("cpu"))
    assert all(torch.equal(network.state_dict()[name], tensor) for name, tensor in kept.items())
    with init_empty_weights():
        waiting.leave()
    assert all(torch.equal(network.state_dict()[name], tensor) for name, tensor in kept.items())


# --- what there is


def numbers(parts: dict[str, Any]) -> dict[str, int]:
    """The parameters of loaded networks."""
    networks = {name: part for name, part in parts.items() if isinstance(part, torch.nn.Module)}
    return {
        name: sum(tensor.numel() for tensor in network.parameters())
        for name, network in networks.items()
    }


def counted(parts: dict[str, Any]) -> PartCounts:
    return PartCounts.of(numbers(parts))


def test_parts_are_counted(parts: dict[str, Any]) -> None:
    known = numbers(parts)
    counts = PartCounts.of(known)
    assert counts.transformer == known["transformer"]
    assert counts.clips == known["text_encoder"] + known["text_encoder_2"]
    assert counts.t5 == known["text_encoder_3"] > 0
    assert counts.vae == known["vae"]
    assert PartCounts.of({**known, T5_WIDE: 5}).t5_wide == 5
    del known["text_encoder_3"]
    assert PartCounts.of(known).t5 == 0


def test_a_model_says_what_it_takes_as_its_plan_holds_it(
    folder: Path, parts: dict[str, Any]
) -> None:
    """Else others would be put away for memory that it leaves free."""
    spec = checkpoints_sd3.spec(folder)
    assert Sd3Turbo(spec, parts, CPU).spec == spec
    plan = placement.fit(spec.id, counted(parts), CPU)
    full = Sd3Turbo(spec, parts, CPU, plan=plan)
    assert full.spec == replace(spec, memory_bytes=plan.device_bytes // 2), "as in the catalog"
    half = Sd3Turbo(spec, parts, replace(CPU, dtype=torch.float16), plan=plan)
    assert half.spec.memory_bytes == plan.device_bytes


def test_main_memory_is_a_cpus_room(parts: dict[str, Any]) -> None:
    room = placement.room(CPU, max_bytes=3 * GB)
    assert (room.kind, room.itemsize, room.max_bytes) == ("cpu", 4, 3 * GB)
    assert room.total_bytes == psutil.virtual_memory().total
    assert 0 < room.free_bytes <= room.total_bytes
    assert room.usable_bytes <= 3 * GB
    assert room.can_quantize == (importlib.util.find_spec("torchao") is not None)
    assert room.taken_bytes == 0
    plan = placement.fit("tiny-sd3", counted(parts), CPU)
    assert plan == replace(WHOLE, device_bytes=plan.device_bytes)


def test_a_limit_that_no_plan_keeps_is_told(parts: dict[str, Any]) -> None:
    with pytest.raises(ModelUnavailable, match="tiny-sd3 is not available: it needs"):
        placement.fit("tiny-sd3", counted(parts), CPU, max_bytes=1000)


def test_the_plan_that_changes_nothing_is_not_named(folder: Path) -> None:
    assert whole(folder).path == "cpu fp32 full VAE eager batch 1"
