"""Models in one file, in the original key layout: loaded without a network, the same pictures."""

from __future__ import annotations

import json
import shutil
import socket
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, NoReturn

import pytest
import torch
from accelerate import init_empty_weights
from safetensors.torch import load_file

from tests import checkpoints, checkpoints_ldm, checkpoints_sd3
from tests.backends.conftest import MakeCheckpoint
from turbo_ui.backends import single_file, sources, text_encoders
from turbo_ui.backends.clip_vocabulary import clip_tokenizer
from turbo_ui.backends.holding import T5_WIDE, PartCounts
from turbo_ui.backends.parts import part_class, read_folder
from turbo_ui.backends.single_file import CONFIGS, read_file
from turbo_ui.catalog import ModelSpec
from turbo_ui.errors import ModelUnavailable

SPEC = checkpoints.spec(Path("-"))
NUM_T5_ROWS = 32_128
"""Of T5's table of tokens: its vocabulary, and some that are never looked up."""


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: Any, **options: Any) -> NoReturn:
        raise AssertionError("a single file asked for the network")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)


@pytest.fixture(scope="session")
def sd3_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return checkpoints_sd3.make(tmp_path_factory.mktemp("sd3"), dual_attention_layers=(0,))


def same_parts(spec: ModelSpec, folder: Path, found: dict[str, Any]) -> None:
    """Every network has the folder's weights, every tokenizer and scheduler its settings."""
    expected = read_folder(spec, folder, torch.float32)
    assert found.keys() == expected.keys()
    for name, part in expected.items():
        if isinstance(part, torch.nn.Module):
            state = found[name].state_dict()
            for key, tensor in part.state_dict().items():
                torch.testing.assert_close(state[key], tensor, rtol=0, atol=0, msg=f"{name} {key}")
            buffers = dict(found[name].named_buffers())
            for key, tensor in part.named_buffers():
                assert torch.equal(buffers[key], tensor), f"{name} {key}"
            assert not found[name].training
        elif name.startswith("tokenizer"):
            words = "abc d0"
            assert found[name](words)["input_ids"] == part(words)["input_ids"]
            assert found[name].pad_token == part.pad_token
        else:
            assert found[name].config == part.config


@pytest.mark.parametrize("prefix", [checkpoints_ldm.LDM_CLIP, checkpoints_ldm.SGM_CLIP])
def test_sd_turbo_in_one_file_has_the_folders_weights(
    checkpoint: MakeCheckpoint, tmp_path: Path, prefix: str
) -> None:
    folder = checkpoint(vae_kind="kl")
    path = checkpoints_ldm.sd_file(folder, tmp_path / "sd_turbo.safetensors", prefix)
    configs = checkpoints_ldm.configs_of(folder, tmp_path / "configs", "sd")
    same_parts(SPEC, folder, read_file(SPEC, path, torch.float32, configs=configs))


def test_sdxl_turbo_in_one_file_has_the_folders_weights(
    sdxl_checkpoint: MakeCheckpoint, tmp_path: Path
) -> None:
    folder = sdxl_checkpoint()
    path = checkpoints_ldm.sdxl_file(folder, tmp_path / "sdxl_turbo.safetensors")
    configs = checkpoints_ldm.configs_of(folder, tmp_path / "configs", "sdxl")
    same_parts(SPEC, folder, read_file(SPEC, path, torch.float32, configs=configs))


def with_identity(folder: Path, target: Path) -> Path:
    """The folder with an identity for CLIP-L's projection, which a file of its own lacks."""
    shutil.copytree(folder, target)
    path = target / "text_encoder" / "model.safetensors"
    state = load_file(path)
    state["text_projection.weight"] = torch.eye(len(state["text_projection.weight"]))
    checkpoints_ldm.save(path, state)
    return target


@pytest.mark.parametrize("prefix", [checkpoints_ldm.UNET, ""])
def test_sd3_in_one_file_takes_its_text_encoders_from_named_files(
    sd3_folder: Path, tmp_path: Path, prefix: str
) -> None:
    path = checkpoints_ldm.sd3_file(sd3_folder, tmp_path / "sd3.safetensors", prefix)
    encoders = tmp_path / "encoders"
    encoders.mkdir()
    files = checkpoints_ldm.text_encoder_files(sd3_folder, encoders)
    configs = checkpoints_ldm.configs_of(sd3_folder, tmp_path / "configs", "sd3")
    expected = with_identity(sd3_folder, tmp_path / "expected")
    spec = checkpoints_sd3.spec(sd3_folder)
    for named in (files, [encoders]):
        same_parts(
            spec, expected, read_file(spec, path, torch.float32, named=named, configs=configs)
        )
    without = read_file(
        spec, path, torch.float32, named=files, skip=("text_encoder_3",), configs=configs
    )
    assert "text_encoder_3" not in without


def test_sd3_in_one_file_takes_its_text_encoders_from_a_diffusers_folder(
    sd3_folder: Path, tmp_path: Path
) -> None:
    path = checkpoints_ldm.sd3_file(sd3_folder, tmp_path / "sd3.safetensors")
    configs = checkpoints_ldm.configs_of(sd3_folder, tmp_path / "configs", "sd3")
    found = read_file(SPEC, path, torch.float32, named=[sd3_folder], configs=configs)
    same_parts(SPEC, sd3_folder, found)


def test_parts_from_files_have_the_number_types_that_they_have_from_a_folder_in_fp16(
    sd3_folder: Path, tmp_path: Path
) -> None:
    path, named, configs = sd3_without(sd3_folder, tmp_path)
    found = read_file(SPEC, path, torch.float16, named=named, configs=configs)
    expected = read_folder(SPEC, sd3_folder, torch.float16)
    for name in ("text_encoder", "text_encoder_2", "text_encoder_3", "transformer", "vae"):
        types = {key: tensor.dtype for key, tensor in expected[name].state_dict().items()}
        assert {k: t.dtype for k, t in found[name].state_dict().items()} == types, name
    wide = [
        key
        for key, tensor in found["text_encoder_3"].state_dict().items()
        if tensor.dtype == torch.float32
    ]
    assert wide, "T5 overflows in fp16, and keeps some layers out of it"


def test_sd3_in_one_file_with_its_text_encoders_inside(sd3_folder: Path, tmp_path: Path) -> None:
    path = checkpoints_ldm.sd3_file(sd3_folder, tmp_path / "sd3.safetensors")
    inside = {
        "text_encoders.clip_l.transformer.": "text_encoder",
        "text_encoders.clip_g.transformer.": "text_encoder_2",
    }
    state = load_file(path)
    for prefix, part in inside.items():
        encoder = checkpoints_ldm.state_of(sd3_folder, part)
        state |= checkpoints_ldm.prefixed(encoder, prefix)
    checkpoints_ldm.save(path, state)
    configs = checkpoints_ldm.configs_of(sd3_folder, tmp_path / "configs", "sd3")
    found = read_file(SPEC, path, torch.float32, configs=configs)
    expected = checkpoints_ldm.state_of(sd3_folder, "text_encoder_2")
    assert torch.equal(
        found["text_encoder_2"].state_dict()["text_projection.weight"],
        expected["text_projection.weight"],
    )
    assert "text_encoder_3" not in found, "T5 may be left out"
    scaled = fp8(path, "text_encoders.")
    in_fp8, meant = (
        read_file(SPEC, file, torch.float32, configs=configs)["text_encoder_2"].state_dict()
        for file in (scaled, tmp_path / "meant.safetensors")
    )
    assert all(torch.equal(in_fp8[key], tensor) for key, tensor in meant.items())


def sd3_without(
    sd3_folder: Path, tmp_path: Path, *gone: str, rename: str = ""
) -> tuple[Path, list[Path], Path]:
    path = checkpoints_ldm.sd3_file(sd3_folder, tmp_path / "sd3.safetensors")
    encoders = tmp_path / "encoders"
    encoders.mkdir()
    checkpoints_ldm.text_encoder_files(sd3_folder, encoders)
    for name in gone:
        (encoders / name).unlink()
    configs = checkpoints_ldm.configs_of(sd3_folder, tmp_path / "configs", "sd3")
    return path, sorted(encoders.glob("*.safetensors")), configs


@pytest.mark.parametrize(
    ("gone", "said"),
    [
        (("clip_l.safetensors",), ["missing are CLIP-L"]),
        (
            ("clip_l.safetensors", "clip_g.safetensors", "t5xxl.safetensors"),
            ["CLIP-L (clip_l.safetensors) and CLIP-G (clip_g.safetensors)", "text_encoders"],
        ),
    ],
)
def test_sd3_says_exactly_which_text_encoder_is_missing(
    sd3_folder: Path, tmp_path: Path, gone: tuple[str, ...], said: list[str]
) -> None:
    path, named, configs = sd3_without(sd3_folder, tmp_path, *gone)
    with pytest.raises(ModelUnavailable) as caught:
        read_file(SPEC, path, torch.float32, named=named, configs=configs)
    for text in said:
        assert text in caught.value.user_text


def test_another_vocabulary_is_not_taken_for_t5s(sd3_folder: Path, tmp_path: Path) -> None:
    """CLIP's has a file of the same name."""
    path, named, configs = sd3_without(sd3_folder, tmp_path)
    clip_tokenizer().save_pretrained(tmp_path / "encoders")
    with pytest.raises(ModelUnavailable, match="in encoders is not T5's, or is broken") as caught:
        read_file(SPEC, path, torch.float32, named=named, configs=configs)
    assert "Take it out of there: T5's own comes with Turbo UI." in caught.value.user_text


def test_a_t5_without_a_tokenizer_file_has_the_shipped_vocabulary(
    sd3_folder: Path, tmp_path: Path
) -> None:
    path, named, configs = sd3_without(sd3_folder, tmp_path, "tokenizer.json")
    state = checkpoints_sd3.t5(NUM_T5_ROWS).state_dict()
    state.pop("encoder.embed_tokens.weight")
    checkpoints_ldm.save(tmp_path / "encoders" / "t5xxl.safetensors", state)
    config = configs / "sd3" / "text_encoder_3" / "config.json"
    sizes = json.loads(config.read_text(encoding="utf-8")) | {"vocab_size": NUM_T5_ROWS}
    config.write_text(json.dumps(sizes), encoding="utf-8")
    found = read_file(SPEC, path, torch.float32, named=named, configs=configs)
    ids = found["tokenizer_3"]("a photo of a cat", return_tensors="pt").input_ids
    assert ids.tolist() == [[3, 9, 1202, 13, 3, 9, 1712, 1]]
    assert found["text_encoder_3"](ids)[0].shape == (1, 8, checkpoints_sd3.T5_WIDTH)


@pytest.mark.parametrize("what", ["folder", "files", "named folder"])
def test_sd3_is_counted_without_being_read(
    sd3_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    path, named, configs = sd3_without(sd3_folder, tmp_path)
    parts = checkpoints_sd3.parts(sd3_folder)
    monkeypatch.setattr("safetensors.safe_open", None)
    monkeypatch.setattr(text_encoders, "safe_open", None)
    if what == "folder":
        found = sources.num_parameters(SPEC, sd3_folder)
    else:
        named = named if what == "files" else [sd3_folder]
        found = single_file.num_parameters(SPEC, path, named=named, configs=configs)
    for name, part in parts.items():
        if isinstance(part, torch.nn.Module) and name != "tiny_vae":
            stored = {tensor.data_ptr(): tensor.numel() for tensor in part.state_dict().values()}
            # CLIP-L's projection is not in a file of its own
            config: Any = part.config
            gone = config.hidden_size**2 if (name, what) == ("text_encoder", "files") else 0
            assert found.pop(name) == sum(stored.values()) - gone, name
    wide = [
        tensor.numel()
        for name, tensor in parts["text_encoder_3"].named_parameters()
        if "wo" in name.split(".")
    ]
    assert found == {T5_WIDE: sum(wide)}
    assert sum(wide) > 0


@pytest.mark.parametrize("what", ["folder", "files", "named folder"])
def test_what_of_t5_is_counted_as_wide_is_what_fp16_keeps_in_fp32(
    sd3_folder: Path, tmp_path: Path, what: str
) -> None:
    path, named, configs = sd3_without(sd3_folder, tmp_path)
    if what == "folder":
        read = read_folder(SPEC, sd3_folder, torch.float16)
        known = sources.num_parameters(SPEC, sd3_folder)
    else:
        named = named if what == "files" else [sd3_folder]
        read = read_file(SPEC, path, torch.float16, named=named, configs=configs)
        known = single_file.num_parameters(SPEC, path, named=named, configs=configs)
    networks = [part for part in read.values() if isinstance(part, torch.nn.Module)]
    wide = [
        tensor.numel()
        for network in networks
        for tensor in network.parameters()
        if tensor.dtype == torch.float32
    ]
    assert known[T5_WIDE] == sum(wide) > 0


@pytest.mark.parametrize("what", ["folder", "files", "named folder"])
def test_a_model_without_t5_keeps_nothing_wide(sd3_folder: Path, tmp_path: Path, what: str) -> None:
    """Though its weights may lie beside the others: the index tells."""
    path, named, configs = sd3_without(sd3_folder, tmp_path)
    folder = tmp_path / "no_t5"
    shutil.copytree(sd3_folder, folder)
    index = json.loads((folder / "model_index.json").read_text(encoding="utf-8"))
    index |= {"text_encoder_3": [None, None], "tokenizer_3": [None, None]}
    (folder / "model_index.json").write_text(json.dumps(index), encoding="utf-8")
    if what == "folder":
        found = sources.num_parameters(SPEC, folder)
    else:
        named = named[:2] if what == "files" else [folder]
        found = single_file.num_parameters(SPEC, path, named=named, configs=configs)
    assert found.keys() == {"transformer", "vae", "text_encoder", "text_encoder_2"}
    assert PartCounts.of(found).t5_wide == 0


def fp8(path: Path, like: str, names: tuple[str, str] = ("scale_weight", "scale_input")) -> Path:
    """A copy in which weights whose names begin with `like` are in fp8 with scales, as ComfyUI
    keeps them; and beside it, as `meant.safetensors`, one with the numbers that are meant."""
    stored, meant = load_file(path), load_file(path)
    for key, tensor in list(stored.items()):
        if not (key.startswith(like) and key.endswith(".weight") and tensor.ndim == 2):
            continue
        scale = tensor.abs().max() / 448
        stored[key] = (tensor / scale).to(torch.float8_e4m3fn)
        meant[key] = stored[key].float() * scale
        layer = key.removesuffix("weight")
        stored |= {layer + names[0]: scale, layer + names[1]: torch.tensor(0.5)}
    stored[f"{checkpoints_ldm.UNET if like else ''}scaled_fp8"] = torch.zeros(
        2, dtype=torch.float8_e4m3fn
    )
    checkpoints_ldm.save(path.parent / "meant.safetensors", meant)
    return checkpoints_ldm.save(path.parent / "scaled.safetensors", stored)


@pytest.mark.parametrize(
    "names", [("scale_weight", "scale_input"), ("weight_scale", "input_scale")], ids=["old", "new"]
)
def test_an_fp8_transformer_is_multiplied_by_its_scales(
    sd3_folder: Path, tmp_path: Path, names: tuple[str, str]
) -> None:
    path, named, configs = sd3_without(sd3_folder, tmp_path)
    scaled = fp8(path, "model.diffusion_model.joint_blocks.", names)
    found, expected = (
        read_file(SPEC, file, torch.float32, named=named, configs=configs)["transformer"]
        for file in (scaled, tmp_path / "meant.safetensors")
    )
    for key, tensor in expected.state_dict().items():
        assert torch.equal(found.state_dict()[key], tensor), key


def test_an_fp8_unet_is_multiplied_by_its_scales(
    checkpoint: MakeCheckpoint, tmp_path: Path
) -> None:
    folder = checkpoint(vae_kind="kl")
    configs = checkpoints_ldm.configs_of(folder, tmp_path / "configs", "sd")
    path = checkpoints_ldm.sd_file(folder, tmp_path / "sd_turbo.safetensors")
    scaled = fp8(path, "model.diffusion_model.")
    found, expected = (
        read_file(SPEC, file, torch.float32, configs=configs)["unet"]
        for file in (scaled, tmp_path / "meant.safetensors")
    )
    for key, tensor in expected.state_dict().items():
        assert torch.equal(found.state_dict()[key], tensor), key


@pytest.mark.parametrize(
    ("file", "part"), [("clip_l", "text_encoder"), ("t5xxl", "text_encoder_3")]
)
def test_an_fp8_text_encoder_is_multiplied_by_its_scales(
    sd3_folder: Path, tmp_path: Path, file: str, part: str
) -> None:
    path, named, configs = sd3_without(sd3_folder, tmp_path)
    plain = tmp_path / "encoders" / f"{file}.safetensors"
    scaled = fp8(Path(shutil.copy(plain, tmp_path)), "")
    named.remove(plain)
    found, expected = (
        read_file(SPEC, path, torch.float32, named=[*named, each], configs=configs)[part]
        for each in (scaled, tmp_path / "meant.safetensors")
    )
    for key, tensor in expected.state_dict().items():
        assert torch.equal(found.state_dict()[key], tensor), key


def test_fp8_without_scales_is_taken_as_it_is(sd3_folder: Path, tmp_path: Path) -> None:
    path, named, configs = sd3_without(sd3_folder, tmp_path)
    rounded = {key: tensor.to(torch.float8_e4m3fn) for key, tensor in load_file(path).items()}
    checkpoints_ldm.save(path, rounded)
    widened = {key: tensor.float() for key, tensor in rounded.items()}
    wide = checkpoints_ldm.save(tmp_path / "wide.safetensors", widened)
    found, expected = (
        read_file(SPEC, file, torch.float32, named=named, configs=configs) for file in (path, wide)
    )
    for part in ("transformer", "vae"):
        for key, tensor in expected[part].state_dict().items():
            assert torch.equal(found[part].state_dict()[key], tensor), key


ASKING = [partial(read_file, dtype=torch.float32), single_file.num_parameters]
LAYER = "joint_blocks.0.x_block.attn.proj"


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"weight_scale": torch.ones(64, 1)}, f"scales.*{LAYER}.weight_scale"),
        ({"weight_scale_2": torch.ones(())}, f"scales.*{LAYER}.weight_scale_2"),
        ({"weight": torch.ones(64, 64, dtype=torch.int8)}, f"whole numbers.*{LAYER}.weight"),
    ],
    ids=["by rows", "in blocks", "int8"],
)
@pytest.mark.parametrize("ask", ASKING)
def test_weights_in_few_bits_of_another_kind_are_refused(
    sd3_folder: Path,
    tmp_path: Path,
    more: dict[str, torch.Tensor],
    said: str,
    ask: Callable[..., Any],
) -> None:
    path, named, configs = sd3_without(sd3_folder, tmp_path)
    key = f"model.diffusion_model.{LAYER}"
    state = load_file(path)
    state[f"{key}.weight"] = state[f"{key}.weight"].to(torch.float8_e4m3fn)
    checkpoints_ldm.save(path, state | {f"{key}.{name}": each for name, each in more.items()})
    with pytest.raises(ModelUnavailable, match=said) as caught:
        ask(SPEC, path, named=named, configs=configs)
    assert caught.value.model == SPEC.id
    assert "Get the file in fp16" in caught.value.remedy


def test_a_text_encoder_in_few_bits_of_another_kind_is_refused(
    sd3_folder: Path, tmp_path: Path
) -> None:
    path, named, configs = sd3_without(sd3_folder, tmp_path)
    file = tmp_path / "encoders" / "t5xxl.safetensors"
    key = f"{text_encoders.T5_MARK}_scale"
    checkpoints_ldm.save(file, load_file(file) | {key: torch.ones(())})
    with pytest.raises(ModelUnavailable, match=r"t5xxl\.safetensors.*scales") as caught:
        read_file(SPEC, path, torch.float32, named=named, configs=configs)
    assert caught.value.model == SPEC.id


def test_two_files_of_one_text_encoder_in_a_folder_are_both_named(
    sd3_folder: Path, tmp_path: Path
) -> None:
    path, named, configs = sd3_without(sd3_folder, tmp_path)
    folder = tmp_path / "encoders"
    rounded = {
        key: tensor.to(torch.float8_e4m3fn)
        for key, tensor in load_file(folder / "t5xxl.safetensors").items()
    }
    checkpoints_ldm.save(folder / "t5xxl_fp8.safetensors", rounded)
    both = "2 files hold T5: t5xxl.safetensors and t5xxl_fp8.safetensors"
    for several in ([folder], sorted(folder.glob("*.safetensors"))):
        with pytest.raises(ModelUnavailable, match=both) as caught:
            read_file(SPEC, path, torch.float32, named=several, configs=configs)
    assert "a file that is named itself goes before those of a folder" in caught.value.remedy
    meant = [folder / "t5xxl.safetensors", folder]
    found, expected = (
        read_file(SPEC, path, torch.float32, named=each, configs=configs)["text_encoder_3"]
        for each in (meant, named)
    )
    assert torch.equal(found.shared.weight, expected.shared.weight)


def test_what_is_no_text_encoder_is_passed_over_in_a_folder(
    sd3_folder: Path, tmp_path: Path
) -> None:
    path, named, configs = sd3_without(sd3_folder, tmp_path)
    folder = tmp_path / "encoders"
    checkpoints_ldm.save(folder / "a_lora.safetensors", {"lora_te.weight": torch.zeros(1)})
    found = read_file(SPEC, path, torch.float32, named=[folder], configs=configs)
    assert "text_encoder_3" in found
    alone = [*named, folder / "a_lora.safetensors"]
    with pytest.raises(ModelUnavailable, match=r"a_lora\.safetensors is no text encoder"):
        read_file(SPEC, path, torch.float32, named=alone, configs=configs)
    (folder / "cut.safetensors").write_bytes(b"PK")
    with pytest.raises(ModelUnavailable, match=r"cut\.safetensors cannot be read"):
        read_file(SPEC, path, torch.float32, named=[folder], configs=configs)


@pytest.mark.parametrize(
    ("pipeline", "said"),
    [
        ("StableDiffusionXLPipeline", "other holds no text encoders of Stable Diffusion 3"),
        ("FluxPipeline", "other holds no text encoders .* it is a FluxPipeline"),
    ],
)
@pytest.mark.parametrize("ask", ASKING)
def test_text_encoders_of_a_folder_of_another_family_are_refused(
    sd3_folder: Path, tmp_path: Path, pipeline: str, said: str, ask: Callable[..., Any]
) -> None:
    path, _, configs = sd3_without(sd3_folder, tmp_path)
    other = tmp_path / "other"
    other.mkdir()
    (other / "model_index.json").write_text(json.dumps({"_class_name": pipeline}))
    with pytest.raises(ModelUnavailable, match=said) as caught:
        ask(SPEC, path, named=[other], configs=configs)
    assert caught.value.model == SPEC.id


def test_a_named_text_encoder_that_is_none(sd3_folder: Path, tmp_path: Path) -> None:
    path, _, configs = sd3_without(sd3_folder, tmp_path)
    with pytest.raises(ModelUnavailable, match="no text encoder of Stable Diffusion 3"):
        read_file(SPEC, path, torch.float32, named=[path], configs=configs)
    with pytest.raises(ModelUnavailable, match=r"gone\.safetensors is not there"):
        read_file(SPEC, path, torch.float32, named=[tmp_path / "gone.safetensors"], configs=configs)


def test_a_pruned_file_says_what_it_lacks(checkpoint: MakeCheckpoint, tmp_path: Path) -> None:
    folder = checkpoint(vae_kind="kl")
    configs = checkpoints_ldm.configs_of(folder, tmp_path / "configs", "sd")
    path = checkpoints_ldm.sd_file(folder, tmp_path / "sd_turbo.safetensors")
    whole = load_file(path)
    for gone, said in {
        checkpoints_ldm.VAE: "the file holds no VAE",
        checkpoints_ldm.UNET + "out.2.": "its unet lacks 2 of",
    }.items():
        kept = {key: tensor for key, tensor in whole.items() if not key.startswith(gone)}
        checkpoints_ldm.save(path, kept)
        with pytest.raises(ModelUnavailable, match=said):
            read_file(SPEC, path, torch.float32, configs=configs)


def test_a_model_of_another_size_says_which_shape_is_wrong(
    checkpoint: MakeCheckpoint, tmp_path: Path
) -> None:
    path = checkpoints_ldm.sd_file(checkpoint(vae_kind="kl"), tmp_path / "sd_turbo.safetensors")
    with pytest.raises(ModelUnavailable) as caught:
        read_file(SPEC, path, torch.float32)
    assert "text_encoder" in caught.value.reason


@pytest.mark.parametrize("architecture", ["sd", "sdxl", "sd3"])
def test_the_shipped_configurations_are_the_known_sizes(architecture: str) -> None:
    """Built without memory, their parameters counted."""
    expected = {
        "sd": {"unet": 865_910_724, "text_encoder": 340_387_840, "vae": 83_653_863},
        "sdxl": {
            "unet": 2_567_463_684,
            "text_encoder": 123_060_480,
            "text_encoder_2": 694_659_840,
            "vae": 83_653_863,
        },
        "sd3": {"transformer": 8_056_627_520, "text_encoder_3": 4_762_310_656},
    }
    for part, number in expected[architecture].items():
        folder = CONFIGS / architecture / part
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        kind = part_class((config.get("architectures") or [config["_class_name"]])[0])
        with init_empty_weights():
            if hasattr(kind, "from_config"):
                model = kind.from_config(config)
            else:
                model = kind(kind.config_class.from_pretrained(str(folder)))
        if part == "text_encoder_3":
            model.set_input_embeddings(model.shared)
        assert sum(p.numel() for p in model.parameters()) == number, part


def test_the_shipped_vocabulary_is_clips() -> None:
    words = clip_tokenizer("!")
    ids = words("A photo of a  cat", padding="max_length", max_length=9)["input_ids"]
    assert ids == [49406, 320, 1125, 539, 320, 2368, 49407, 0, 0]
    assert len(words) == 49_408
    assert words.model_max_length == 77
    assert clip_tokenizer().pad_token_id == 49407


def test_the_shipped_vocabulary_is_t5s() -> None:
    words = text_encoders.t5_tokenizer()
    house = "translate English to German: The house is wonderful."
    expected = {
        house: [13959, 1566, 12, 2968, 10, 37, 629, 19, 1627, 5, 1],
        "Ein Haus über dem Fluß": [890, 4598, 510, 340, 5766, 6712, 1],
        "ﬁ ①": [361, 209, 1],  # taken apart as Unicode says
        "猫": [3, 2, 1],
        "": [1],
    }
    assert {text: words(text)["input_ids"] for text in expected} == expected
    padded = words(house, padding="max_length", max_length=6, truncation=True)["input_ids"]
    assert padded == [13959, 1566, 12, 2968, 10, 1]
    assert (words.pad_token_id, words.eos_token_id, words.unk_token_id) == (0, 1, 2)
    assert words.convert_tokens_to_ids(["<extra_id_99>", "<extra_id_0>"]) == [32_000, 32_099]
    assert len(words) == 32_100 <= NUM_T5_ROWS
    config = (CONFIGS / "sd3" / "text_encoder_3" / "config.json").read_text(encoding="utf-8")
    assert json.loads(config)["vocab_size"] == NUM_T5_ROWS
