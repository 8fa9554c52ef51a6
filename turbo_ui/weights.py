"""What a folder or a file of weights holds, told from its index or its header alone.

A safetensors file begins with eight bytes of length and a JSON header that names each tensor, its
shape and its place. That is enough to tell families apart, and to see that a download broke off,
without reading gigabytes.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, NamedTuple, cast

from turbo_ui.errors import ModelUnavailable

Architecture = Literal["sd", "sdxl", "sd3"]
"""Layouts that can be run: SD-Turbo's, SDXL-Turbo's, Stable Diffusion 3's."""

PIPELINES: dict[str, Architecture] = {
    "StableDiffusionPipeline": "sd",
    "StableDiffusionImg2ImgPipeline": "sd",
    "StableDiffusionXLPipeline": "sdxl",
    "StableDiffusionXLImg2ImgPipeline": "sdxl",
    "StableDiffusion3Pipeline": "sd3",
    "StableDiffusion3Img2ImgPipeline": "sd3",
}
"""Which layout a diffusers folder has, by the class that its model_index.json names."""

PICKLES = (".ckpt", ".bin", ".pt", ".pth", ".pkl")
PICKLE_REASON = "a pickle, which can run code when it is opened"
MAX_HEADER_BYTES = 100_000_000
"""The format's own limit."""

UNET_PREFIX = "model.diffusion_model."

FP8 = ("F8_E4M3", "F8_E5M2")
FLOATS = (*FP8, "F16", "BF16", "F32", "F64")
"""Numbers that can be taken as they are."""

WEIGHT_SCALES = (".scale_weight", ".weight_scale")
"""What ComfyUI calls the one number that all of a layer's fp8 weights are to be multiplied with:
its older and its newer files."""
_SCALE = re.compile(r"\.(scale_weight|weight_scal|pre_quant_scale)\w*$")
"""Those, and what is known of other ways to keep weights in few bits."""


class Stored(NamedTuple):
    """A tensor as a file's header tells it; `dtype` in the format's words, such as "F16"."""

    shape: tuple[int, ...]
    dtype: str


def index_of(folder: Path) -> dict[str, Any]:
    """A diffusers folder's model_index.json: which class each part has.

    Raises:
        ModelUnavailable: there is none, or it names no class that can be run.
    """
    try:
        index = json.loads((folder / "model_index.json").read_text(encoding="utf-8"))
        class_name = index["_class_name"]
    except FileNotFoundError:
        reason = f"{folder.name} holds no model_index.json"
        remedy = "Give the folder of a diffusers model."
        raise ModelUnavailable(folder.name, reason, remedy) from None
    except (OSError, ValueError, KeyError, TypeError) as error:
        reason = f"its model_index.json cannot be read: {error}"
        raise ModelUnavailable(folder.name, reason) from None
    if class_name not in PIPELINES:
        known = ", ".join(PIPELINES)
        raise ModelUnavailable(folder.name, f"it is a {class_name}", f"Known are: {known}.")
    return index


def weight_files(part: Path) -> list[Path]:
    """Of a part's weights those that are read: the plain ones, else those in half precision."""
    files = sorted(part.glob("*.safetensors"))
    return [file for file in files if ".fp16" not in file.name] or files


def shapes_of(path: Path) -> dict[str, tuple[int, ...]]:
    """The shape of each tensor in a safetensors file, read from its header; raises as
    `stored_of` does."""
    return {name: tensor.shape for name, tensor in stored_of(path).items()}


def stored_of(path: Path) -> dict[str, Stored]:
    """Shape and number type of each tensor in a safetensors file, read from its header.

    Raises:
        ModelUnavailable: it is not there, is no safetensors file, or is not all there.
    """
    if path.suffix.lower() in PICKLES:
        reason = f"{path.name} is {PICKLE_REASON}"
        raise ModelUnavailable(path.name, reason, "Get the model as safetensors.")
    try:
        size_bytes = path.stat().st_size
        with path.open("rb") as file:
            length = int.from_bytes(file.read(8), "little")
            if not 2 <= length <= min(MAX_HEADER_BYTES, size_bytes - 8):
                raise ValueError("its header does not fit into it")
            header = json.loads(file.read(length))
        stored = {
            name: Stored(tuple(entry["shape"]), str(entry["dtype"]))
            for name, entry in _tensors(header)
        }
        ends = [entry["data_offsets"][1] for _, entry in _tensors(header)]
    except FileNotFoundError:
        raise ModelUnavailable(path.name, "the file is not there", "Check the path.") from None
    except (OSError, ValueError, KeyError, TypeError, IndexError, AttributeError) as error:
        reason = f"{path.name} cannot be read as safetensors ({error})"
        raise ModelUnavailable(path.name, reason, "Get the file again.") from None
    wanted_bytes = 8 + length + max(ends, default=0)
    if size_bytes < wanted_bytes:
        reason = f"{path.name} is cut short: {size_bytes:,} of {wanted_bytes:,} bytes are there"
        raise ModelUnavailable(path.name, reason, "Get the file again.")
    return stored


def check_numbers(path: Path, *, can_scale: bool) -> None:
    """Says whether a file's weights are numbers, or stand for numbers in a way that is not known.

    Args:
        can_scale: the reader multiplies fp8 weights with one scale a layer (`WEIGHT_SCALES`).

    Raises:
        ModelUnavailable: as for `stored_of`, or they are kept in few bits in another way.
    """
    tensors = stored_of(path)
    for name, tensor in tensors.items():
        if _SCALE.search(name) and not (can_scale and _is_plain_scale(tensors, name)):
            how = f"with scales of a kind that is not known here ({name})"
        elif name.endswith(".weight") and tensor.dtype not in FLOATS:
            how = f"as whole numbers or codes ({name} is {tensor.dtype})"
        else:
            continue
        reason = f"{path.name} holds weights in few bits, {how}"
        raise ModelUnavailable(path.name, reason, "Get the file in fp16, or in fp8 without scales.")


def _is_plain_scale(tensors: Mapping[str, Stored], name: str) -> bool:
    """One number for a whole fp8 weight that is there."""
    layer, _, last = name.rpartition(".")
    weight = tensors.get(f"{layer}.weight")
    is_one = math.prod(tensors[name].shape) == 1 and tensors[name].dtype in FLOATS
    return is_one and f".{last}" in WEIGHT_SCALES and weight is not None and weight.dtype in FP8


def num_parameters(shapes: Mapping[str, tuple[int, ...]]) -> int:
    """How many numbers tensors of these shapes hold together."""
    return sum(math.prod(shape) for shape in shapes.values())


def architecture_of(path: Path) -> Architecture:
    """The layout of a diffusers folder or of a single file.

    Raises:
        ModelUnavailable: it cannot be read, or is none of the known layouts.
    """
    if path.is_dir():
        return PIPELINES[index_of(path)["_class_name"]]
    return architecture_of_shapes(path.name, shapes_of(path))


def architecture_of_shapes(name: str, shapes: Mapping[str, tuple[int, ...]]) -> Architecture:
    """The layout of a single file in the original key layout, by its tensors' names.

    Raises:
        ModelUnavailable: none of the known layouts; says what it looks like.
    """
    if any(".joint_blocks." in f".{key}" for key in shapes):
        return "sd3"
    if not any(key.startswith(UNET_PREFIX + "input_blocks.") for key in shapes):
        raise ModelUnavailable(name, f"it is {_other(shapes)}", _WANTED)
    if any(key.startswith("conditioner.embedders.1.") for key in shapes):
        return "sdxl"
    if any(key.startswith(("cond_stage_model.model.", _SD_SGM)) for key in shapes):
        return "sd"
    raise ModelUnavailable(name, f"it is {_other(shapes)}", _WANTED)


_SD_SGM = "conditioner.embedders.0.model.transformer."
_WANTED = "Known single files are SD-Turbo's, SDXL-Turbo's and Stable Diffusion 3.5's."


def _other(shapes: Mapping[str, tuple[int, ...]]) -> str:
    """What a file is that cannot be run, as far as its names tell."""
    marks = {
        "cond_stage_model.transformer.": "of the Stable Diffusion 1 family",
        "double_blocks.": "of the Flux family",
        UNET_PREFIX + "double_blocks.": "of the Flux family",
        "lora_": "a LoRA, an addition to a model and no model",
        "down_blocks.": "one part of a diffusers model, not a whole one",
        "text_model.": "a text encoder, not a whole model",
        UNET_PREFIX + "input_blocks.": "a UNet without its text encoder",
    }
    for prefix, text in marks.items():
        if any(key.startswith(prefix) for key in shapes):
            return text
    return "of an unknown layout"


def _tensors(header: object) -> list[tuple[str, dict[str, Any]]]:
    if not isinstance(header, dict):
        raise ValueError("its header is no JSON object")
    entries = cast("dict[str, dict[str, Any]]", header)
    return [(name, entry) for name, entry in entries.items() if name != "__metadata__"]
