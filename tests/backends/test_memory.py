"""Which memory plan a large model gets, as a table; nothing here asks a device."""

from __future__ import annotations

import json
import re
import tomllib
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
from diffusers.models.transformers.transformer_sd3 import SD3Transformer2DModel
from transformers import CLIPTextConfig, CLIPTextModelWithProjection, T5Config, T5EncoderModel

import turbo_ui
from turbo_ui.backends import memory
from turbo_ui.backends.holding import CANDIDATES, Candidate, Offload, PartCounts, TextEncoderBits
from turbo_ui.backends.memory import GB, MemoryPlan, Room
from turbo_ui.errors import ModelUnavailable

SD35_LARGE = PartCounts()
SD35_WITHOUT_T5 = PartCounts(t5=0)


def room(device_gb: float, host_gb: float = 64, *, torchao: bool, kind: str = "cuda") -> Room:
    return Room(
        kind=kind,  # pyright: ignore[reportArgumentType]
        free_bytes=int(device_gb * GB),
        total_bytes=int(device_gb * GB),
        host_free_bytes=int(host_gb * GB),
        can_quantize=torchao,
    )


def names(plan: MemoryPlan) -> tuple[str, str, str]:
    return plan.t5, plan.transformer, plan.offload


ROOT = Path(turbo_ui.__file__).parent.parent
CONFIGS = ROOT / "turbo_ui" / "backends" / "configs" / "sd3"


def test_the_defaults_are_sd35_large_turbos() -> None:
    """Built in full size from the configurations that come along, without any weights."""

    def config(part: str) -> dict[str, Any]:
        return json.loads((CONFIGS / part / "config.json").read_text(encoding="utf-8"))

    def count(network: torch.nn.Module) -> int:
        return sum(tensor.numel() for tensor in network.parameters())

    with torch.device("meta"):
        clips = [
            CLIPTextModelWithProjection(CLIPTextConfig(**config(part)))
            for part in ("text_encoder", "text_encoder_2")
        ]
        transformer: Any = SD3Transformer2DModel.from_config(config("transformer"))
        vae: Any = AutoencoderKL.from_config(config("vae"))
        t5 = T5EncoderModel(T5Config(**config("text_encoder_3")))
    assert PartCounts() == PartCounts(
        transformer=count(transformer),
        clips=sum(count(clip) for clip in clips),
        t5=count(t5),
        t5_wide=sum(
            tensor.numel() for name, tensor in t5.named_parameters() if "wo" in name.split(".")
        ),
        vae=count(vae),
    )


WITH_TORCHAO = [
    # GB of the device, T5, transformer, offload
    (141, "full", "full", "none"),
    (80, "full", "full", "none"),
    (40, "full", "full", "none"),
    (32, "int8", "full", "none"),
    (28, "nf4", "full", "none"),
    (24, "int8", "int8", "none"),
    (20, "nf4", "int8", "none"),
    (16, "int8", "int8", "text_encoders"),
    (12, "int8", "int8", "model"),
]

WITHOUT_TORCHAO = [
    (80, "full", "full", "none"),
    (32, "full", "full", "text_encoders"),
    (24, "full", "full", "text_encoders"),
    (20, "full", "full", "model"),
]


@pytest.mark.parametrize(("device_gb", "t5", "transformer", "offload"), WITH_TORCHAO)
def test_with_torchao(device_gb: float, t5: str, transformer: str, offload: str) -> None:
    plan = memory.choose("sd35", SD35_LARGE, room(device_gb, torchao=True))
    assert names(plan) == (t5, transformer, offload)
    assert plan.device_bytes <= 0.9 * device_gb * GB


@pytest.mark.parametrize(("device_gb", "t5", "transformer", "offload"), WITHOUT_TORCHAO)
def test_without_torchao(device_gb: float, t5: str, transformer: str, offload: str) -> None:
    plan = memory.choose("sd35", SD35_LARGE, room(device_gb, torchao=False))
    assert names(plan) == (t5, transformer, offload)
    assert plan.device_bytes <= 0.9 * device_gb * GB


@pytest.mark.parametrize(
    ("device_gb", "host_gb", "torchao", "expected"),
    [
        (24, 8, False, ("dropped", "full", "none")),  # nowhere to wait
        (16, 8, True, ("dropped", "int8", "none")),
        (20, 20, False, ("dropped", "full", "model")),
    ],
)
def test_where_main_memory_is_small_t5_is_left_out(
    device_gb: float, host_gb: float, torchao: bool, expected: tuple[str, str, str]
) -> None:
    plan = memory.choose("sd35", SD35_LARGE, room(device_gb, host_gb, torchao=torchao))
    assert names(plan) == expected


def test_a_model_without_t5_has_none_to_place() -> None:
    plan = memory.choose("sd35", SD35_WITHOUT_T5, room(80, torchao=True))
    assert names(plan) == ("dropped", "full", "none")
    assert "no T5 at hand" in plan.text
    assert "GB" not in plan.text, "it is not for want of memory"


@pytest.mark.parametrize("kind", ["cpu", "mps"])
def test_nothing_is_offloaded_to_the_memory_it_is_in(kind: str) -> None:
    for gigabytes in range(10, 80, 2):
        for torchao in (True, False):
            here = room(gigabytes, gigabytes, torchao=torchao, kind=kind)
            try:
                plan = memory.choose("sd35", SD35_LARGE, here)
            except ModelUnavailable:
                continue
            assert plan.offload == "none"
            assert kind == "cpu" or plan.transformer == "full"


def test_a_larger_number_type_takes_more() -> None:
    here = room(80, torchao=False, kind="cpu")
    half = memory.choose("sd35", SD35_LARGE, here)
    full = memory.choose("sd35", SD35_LARGE, replace(here, itemsize=4))
    assert full.device_bytes == pytest.approx(2 * half.device_bytes)


WIDE_BYTES = 2 * PartCounts().t5_wide
"""What T5's layers that stay in fp32 take beyond fp16: 2.0 GB."""


@pytest.mark.parametrize(
    ("t5", "offload", "device_more", "host_more"),
    [
        ("full", "none", WIDE_BYTES, 0),
        ("full", "text_encoders", 0, WIDE_BYTES),
        ("full", "model", 0, WIDE_BYTES),
        ("int8", "none", 0, 0),
        ("fp8", "none", 0, 0),
        ("nf4", "none", 0, 0),
        ("dropped", "none", 0, 0),
    ],
)
def test_in_fp16_a_t5_in_full_takes_more_as_a_part_of_it_stays_in_fp32(
    t5: TextEncoderBits, offload: Offload, device_more: int, host_more: int
) -> None:
    held = Candidate(t5, "full", offload)
    for more, measure in ((device_more, held.device_bytes), (host_more, held.host_bytes)):
        found = measure(SD35_LARGE, 2, 4) - measure(SD35_LARGE, 2, 2)
        assert found == pytest.approx(more, abs=1)


def test_where_t5_takes_turns_in_fp16_its_own_turn_is_what_grows() -> None:
    """In a model whose T5 is the largest part."""
    counts = replace(SD35_LARGE, transformer=10**9, t5=5 * 10**9)
    held = Candidate("full", "full", "text_encoders")
    assert held.device_bytes(counts, 2, 2) == 10 * GB
    assert held.device_bytes(counts, 2, 4) == 10 * GB + WIDE_BYTES


def test_a_plan_for_fp16_knows_of_what_stays_in_fp32() -> None:
    """31 GB hold all in full in bf16, and not in fp16."""
    here = replace(room(80, torchao=True), max_bytes=31 * GB)
    assert names(memory.choose("sd35", SD35_LARGE, here)) == ("full", "full", "none")
    fp16 = replace(here, keeps_wide=True)
    plan = memory.choose("sd35", SD35_LARGE, fp16)
    assert names(plan) == ("int8", "full", "none")
    assert "all in full wants 32.5 GB, 31.0 GB can be had" in plan.text
    enough = memory.choose("sd35", SD35_LARGE, replace(fp16, max_bytes=33 * GB))
    assert names(enough) == ("full", "full", "none")
    assert enough.device_bytes / GB == pytest.approx(32.5, abs=0.05)


def test_without_t5_nothing_stays_in_fp32() -> None:
    assert SD35_WITHOUT_T5.t5_wide == 0
    assert PartCounts(t5=0, t5_wide=5).t5_wide == 0
    here = replace(room(80, torchao=True), max_bytes=20 * GB)
    fp16 = replace(here, keeps_wide=True)
    plans = [memory.choose("sd35", SD35_WITHOUT_T5, each) for each in (here, fp16)]
    assert "all in full wants 20.9 GB" in plans[0].text
    assert plans[1].text == plans[0].text


def test_in_fp32_all_layers_are_alike() -> None:
    assert replace(room(80, torchao=True), itemsize=4).itemsizes == (4, 4)


def test_what_others_use_is_not_there() -> None:
    here = replace(room(80, torchao=True), free_bytes=20 * GB)
    assert names(memory.choose("sd35", SD35_LARGE, here)) == ("int8", "int8", "none")


def test_a_limit_of_the_user_is_kept() -> None:
    here = replace(room(80, torchao=True), max_bytes=20 * GB)
    plan = memory.choose("sd35", SD35_LARGE, here)
    assert plan.device_bytes <= 20 * GB
    assert "20.0 GB can be had" in plan.text
    raised = replace(room(32, torchao=True), max_bytes=31 * GB)
    assert names(memory.choose("sd35", SD35_LARGE, raised)) == ("full", "full", "none")


def test_the_limit_is_for_all_models_together() -> None:
    here = replace(room(80, torchao=True), max_bytes=31 * GB)
    beside = replace(here, taken_bytes=3 * GB)
    assert names(memory.choose("sd35", SD35_LARGE, here)) == ("full", "full", "none")
    plan = memory.choose("sd35", SD35_LARGE, beside)
    assert plan.device_bytes + beside.taken_bytes <= 31 * GB
    assert names(plan) == ("int8", "full", "none")
    with pytest.raises(ModelUnavailable, match=r"0\.0 GB can be had"):
        memory.choose("sd35", SD35_LARGE, replace(here, taken_bytes=40 * GB))


PLACES = [
    # kind, bytes of a number, GB of main memory
    ("cuda", 2, 64),
    ("cuda", 2, 8),
    ("cpu", 4, 64),
    ("mps", 2, 64),
]


@pytest.mark.parametrize("torchao", [True, False])
@pytest.mark.parametrize(("kind", "itemsize", "host_gb"), PLACES)
def test_what_it_needs_is_where_another_plan_is_chosen(
    kind: str, itemsize: int, host_gb: float, torchao: bool
) -> None:
    here = replace(room(80, host_gb, torchao=torchao, kind=kind), itemsize=itemsize)
    needs = memory.needs_bytes(SD35_LARGE, here)
    assert list(needs) == sorted(set(needs), reverse=True)
    for needed in needs:
        fits = replace(here, max_bytes=needed)
        assert memory.choose("sd35", SD35_LARGE, fits).device_bytes == needed
    with pytest.raises(ModelUnavailable):
        memory.choose("sd35", SD35_LARGE, replace(here, max_bytes=needs[-1] - 1))


@pytest.mark.parametrize("torchao", [True, False])
@pytest.mark.parametrize(("kind", "itemsize", "host_gb"), PLACES)
def test_the_most_that_others_are_put_away_for_loses_no_detail_and_less_would(
    kind: str, itemsize: int, host_gb: float, torchao: bool
) -> None:
    """T5 is there and the parts take no turns in every frame."""
    here = replace(room(80, host_gb, torchao=torchao, kind=kind), itemsize=itemsize)
    enough = memory.needs_bytes(SD35_LARGE, here)[0]
    plan = memory.choose("sd35", SD35_LARGE, replace(here, max_bytes=enough))
    assert plan.t5 != "dropped"
    assert plan.offload != "model"
    try:
        plan = memory.choose("sd35", SD35_LARGE, replace(here, max_bytes=enough - 1))
    except ModelUnavailable:
        return
    assert plan.t5 == "dropped" or plan.offload == "model"


@pytest.mark.parametrize(
    ("kind", "itemsize", "torchao", "enough_gb", "least_gb"),
    [
        ("cuda", 2, True, 11.6, 10.1),
        ("cuda", 2, False, 19.3, 17.7),
        ("cpu", 4, True, 21.1, 18.1),
        ("cpu", 4, False, 60.9, 41.9),
        ("mps", 2, False, 30.5, 20.9),
    ],
)
def test_what_it_needs_on_each_kind_of_device(
    kind: str, itemsize: int, torchao: bool, enough_gb: float, least_gb: float
) -> None:
    """On a CPU it is not twice a GPU's: half of the parts may be in 8 bits there, too."""
    here = replace(room(80, torchao=torchao, kind=kind), itemsize=itemsize)
    needs = memory.needs_bytes(SD35_LARGE, here)
    assert (round(needs[0] / GB, 1), round(needs[-1] / GB, 1)) == (enough_gb, least_gb)


def test_a_model_that_never_had_t5_loses_none() -> None:
    needs = memory.needs_bytes(SD35_WITHOUT_T5, room(80, torchao=False, kind="cpu"))
    plan = memory.choose("sd35", SD35_WITHOUT_T5, room(80, torchao=False, kind="cpu"))
    assert needs == (plan.device_bytes,)


# --- which 8 bits


@pytest.mark.parametrize(
    ("quantization", "eight_bits", "device_gb", "expected"),
    [
        ("auto", "fp8", 80, ("full", "full", "none")),
        ("auto", "fp8", 32, ("fp8", "full", "none")),
        ("auto", "fp8", 24, ("fp8", "fp8", "none")),
        ("auto", "fp8", 12, ("fp8", "fp8", "model")),
        ("none", "int8", 80, ("full", "full", "none")),
        ("none", "int8", 32, ("full", "full", "text_encoders")),
        ("none", "int8", 20, ("full", "full", "model")),
        ("int8", "int8", 80, ("full", "int8", "none")),
        ("int8", "int8", 20, ("nf4", "int8", "none")),
        ("fp8", "int8", 80, ("full", "fp8", "none")),
        ("fp8", "int8", 20, ("nf4", "fp8", "none")),
        ("fp8", "int8", 16, ("int8", "fp8", "text_encoders")),
        ("fp8", "fp8", 16, ("fp8", "fp8", "text_encoders")),
    ],
)
def test_which_bits_are_chosen(
    quantization: Any, eight_bits: Any, device_gb: float, expected: tuple[str, str, str]
) -> None:
    here = replace(room(device_gb, torchao=True), quantization=quantization, eight_bits=eight_bits)
    plan = memory.choose("sd35", SD35_LARGE, here)
    assert names(plan) == expected
    assert ("as asked" in plan.text) == (quantization in ("int8", "fp8"))
    for bits in ("int8", "fp8", "nf4"):
        assert (bits in plan.text) == (bits in plan.path) == (bits in expected)


def test_a_limit_that_only_fewer_bits_would_keep_says_so() -> None:
    here = replace(room(16, torchao=True), quantization="none")
    with pytest.raises(ModelUnavailable, match=r"17\.7 GB of memory at the least") as caught:
        memory.choose("sd35", SD35_LARGE, here)
    assert caught.value.remedy == "Choose a smaller model, or leave quantization at auto."


def test_the_torchao_that_is_named_is_the_extra() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    assert project["optional-dependencies"]["torchao"] == [memory.TORCHAO]


@pytest.mark.parametrize(
    ("kind", "itemsize", "torchao", "said"),
    [
        ("cuda", 2, True, "{} GB with CUDA and torchao"),
        ("cuda", 2, False, "{} GB without torchao"),
        ("cpu", 4, True, "on a CPU {} GB with torchao"),
        ("cpu", 4, False, "and {} GB without"),
    ],
)
def test_the_readme_says_what_the_smallest_plan_needs(
    kind: str, itemsize: int, torchao: bool, said: str
) -> None:
    nothing = replace(room(0, torchao=torchao, kind=kind), itemsize=itemsize)
    with pytest.raises(ModelUnavailable) as caught:
        memory.choose("sd35", SD35_LARGE, nothing)
    (needed,) = re.findall(r"needs ([0-9.]+) GB", str(caught.value))
    assert said.format(needed) in " ".join((ROOT / "README.md").read_text("utf-8").split())


def test_more_memory_never_gives_a_worse_plan() -> None:
    def place(gigabytes: float, torchao: bool) -> int:
        try:
            plan = memory.choose("sd35", SD35_LARGE, room(gigabytes, torchao=torchao))
        except ModelUnavailable:
            return len(CANDIDATES)
        known = [(each.t5, each.transformer, each.offload) for each in CANDIDATES]
        return known.index(names(plan))  # pyright: ignore[reportArgumentType]

    for torchao in (True, False):
        places = [place(gigabytes, torchao) for gigabytes in range(6, 60)]
        assert places == sorted(places, reverse=True)
        assert places[-1] == 0


@pytest.mark.parametrize(
    ("device_gb", "torchao", "said"),
    [
        (80, True, ""),
        (32, True, "T5 in 8-bit int8 (all in full wants 30.5 GB, 28.8 GB can be had)"),
        (28, True, "T5 in 4-bit nf4 (all in full wants 30.5 GB, 25.2 GB can be had)"),
        (24, True, "transformer in 8-bit int8, T5 in 8-bit int8 ("),
        (24, False, "text encoders wait in main memory: a new prompt takes seconds longer ("),
        (20, False, "the parts take turns on the device: each frame takes seconds longer ("),
    ],
)
def test_a_plan_says_what_it_does_and_why(device_gb: float, torchao: bool, said: str) -> None:
    plan = memory.choose("sd35", SD35_LARGE, room(device_gb, torchao=torchao))
    assert plan.text.startswith(said)
    assert bool(plan.text) == bool(said)


def test_what_cannot_fit_says_how_much_is_missing() -> None:
    with pytest.raises(ModelUnavailable) as caught:
        memory.choose("sd35", SD35_LARGE, room(8, torchao=False))
    assert caught.value.model == "sd35"
    assert "it needs 17.7 GB of memory at the least, and 7.2 GB can be had" in str(caught.value)
    assert caught.value.remedy.startswith("Choose a smaller model. With torchao installed")
    assert 'pip install "torchao>=0.18"' in caught.value.remedy
    with pytest.raises(ModelUnavailable) as caught:
        memory.choose("sd35", SD35_LARGE, room(8, torchao=True))
    assert "torchao" not in caught.value.remedy


@pytest.mark.parametrize(
    ("changed", "remedy"),
    [
        ({}, "Choose a smaller model."),
        ({"free_bytes": 6 * GB}, "Close what else uses the device, or choose a smaller model."),
        ({"max_bytes": 5 * GB}, "Choose a smaller model, or raise max_device_memory_bytes."),
    ],
)
def test_what_can_be_done_about_too_little_memory(changed: dict[str, int], remedy: str) -> None:
    here = replace(room(8, torchao=True), **changed)
    with pytest.raises(ModelUnavailable) as caught:
        memory.choose("sd35", SD35_LARGE, here)
    assert caught.value.remedy == remedy


@pytest.mark.parametrize(
    ("plan", "path"),
    [
        (memory.WHOLE, ""),
        (MemoryPlan(t5="dropped"), "no T5"),
        (MemoryPlan(t5="nf4", transformer="int8"), "transformer int8, T5 nf4"),
        (MemoryPlan(t5="fp8", transformer="fp8"), "transformer fp8, T5 fp8"),
        (MemoryPlan(offload="text_encoders"), "text encoders offloaded"),
        (MemoryPlan(offload="model"), "offloaded"),
    ],
)
def test_a_frames_path_names_what_its_plan_changed(plan: MemoryPlan, path: str) -> None:
    assert plan.path == path
