"""The parts of a model: which there are in each layout, of which classes, and reading one.

Each part is read by its own class: no pipeline is needed, whose import alone takes seconds.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

import torch
from diffusers.utils import logging as diffusers_logging
from safetensors import SafetensorError
from transformers.utils import logging as transformers_logging

from turbo_ui import weights
from turbo_ui.backends.compute import is_out_of_memory
from turbo_ui.backends.sampling import PREDICTION_TYPES
from turbo_ui.catalog import ModelSpec
from turbo_ui.errors import ModelUnavailable, OutOfMemory
from turbo_ui.weights import Architecture

HOMES = {
    "AutoencoderKL": "diffusers.models.autoencoders.autoencoder_kl",
    "AutoencoderTiny": "diffusers.models.autoencoders.autoencoder_tiny",
    "CLIPTextModel": "transformers",
    "CLIPTextModelWithProjection": "transformers",
    "CLIPTokenizer": "transformers",
    "EulerAncestralDiscreteScheduler": ("diffusers.schedulers.scheduling_euler_ancestral_discrete"),
    "EulerDiscreteScheduler": "diffusers.schedulers.scheduling_euler_discrete",
    "FlowMatchEulerDiscreteScheduler": (
        "diffusers.schedulers.scheduling_flow_match_euler_discrete"
    ),
    "SD3Transformer2DModel": "diffusers.models.transformers.transformer_sd3",
    "T5EncoderModel": "transformers",
    "T5Tokenizer": "transformers",
    "T5TokenizerFast": "transformers",
    "UNet2DConditionModel": "diffusers.models.unets.unet_2d_condition",
}
"""Where each known class lives; a folder may name these and no other."""

_VAES = ("AutoencoderKL", "AutoencoderTiny")
_EULER = ("EulerDiscreteScheduler", "EulerAncestralDiscreteScheduler")

LAYOUTS: dict[Architecture, dict[str, tuple[str, ...]]] = {
    "sd": {
        "scheduler": _EULER,
        "tokenizer": ("CLIPTokenizer",),
        "text_encoder": ("CLIPTextModel",),
        "unet": ("UNet2DConditionModel",),
        "vae": _VAES,
    },
    "sdxl": {
        "scheduler": _EULER,
        "tokenizer": ("CLIPTokenizer",),
        "tokenizer_2": ("CLIPTokenizer",),
        "text_encoder": ("CLIPTextModel",),
        "text_encoder_2": ("CLIPTextModelWithProjection",),
        "unet": ("UNet2DConditionModel",),
        "vae": _VAES,
    },
    "sd3": {
        "scheduler": ("FlowMatchEulerDiscreteScheduler",),
        "tokenizer": ("CLIPTokenizer",),
        "tokenizer_2": ("CLIPTokenizer",),
        "tokenizer_3": ("T5TokenizerFast", "T5Tokenizer"),
        "text_encoder": ("CLIPTextModelWithProjection",),
        "text_encoder_2": ("CLIPTextModelWithProjection",),
        "text_encoder_3": ("T5EncoderModel",),
        "transformer": ("SD3Transformer2DModel",),
        "vae": _VAES,
    },
}
"""The parts of each layout by folder, and the classes that each may have."""

OPTIONAL = ("tokenizer_3", "text_encoder_3")
"""T5 and its tokenizer: a Stable Diffusion 3 runs without."""

READ_ERRORS = (OSError, ValueError, KeyError, TypeError, RuntimeError, SafetensorError)


def part_class(name: str) -> Any:
    """A known class, by name; imported when it is first needed."""
    return getattr(import_module(HOMES[name]), name)


def has_weights(part: str) -> bool:
    """Whether a part is a network, rather than a tokenizer or a scheduler."""
    return not part.startswith(("tokenizer", "scheduler"))


def read_folder(
    spec: ModelSpec,
    folder: Path,
    dtype: torch.dtype,
    *,
    only: Collection[str] | None = None,
    skip: Collection[str] = (),
) -> dict[str, Any]:
    """The parts of a diffusers folder, in main memory.

    Args:
        only: of the layout's parts those that are wanted; None is all.
        skip: optional parts that are left out.

    Raises:
        ModelUnavailable: a part is missing, of another class or broken; says which and why.
    """
    named = _classes_there(spec, folder, only, skip)
    parts = {
        name: read_part(spec, part_class(class_name), folder / name, dtype)
        for name, class_name in named.items()
    }
    if "scheduler" in parts and "unet" in parts:
        _check_prediction_type(spec, parts["scheduler"])
    return parts


def num_parameters(
    spec: ModelSpec, folder: Path, *, only: Collection[str] | None = None
) -> dict[str, int]:
    """How many parameters each network of a diffusers folder has, told from headers alone.

    Raises:
        ModelUnavailable: as for `read_folder`.
    """
    return {
        name: sum(
            weights.num_parameters(weights.shapes_of(file))
            for file in weights.weight_files(folder / name)
        )
        for name in _classes_there(spec, folder, only, ())
        if has_weights(name)
    }


def read_part(spec: ModelSpec, kind: Any, folder: Path, dtype: torch.dtype) -> Any:
    """One part, by its own class, from its own folder; a network in `dtype`.

    Raises:
        ModelUnavailable: it is broken.
        OutOfMemory: the main memory does not suffice.
    """
    options: dict[str, Any] = {"local_files_only": True}
    is_network: bool = issubclass(kind, torch.nn.Module)
    if is_network:
        options |= {"dtype": dtype, "variant": _variant(folder), "use_safetensors": True}
    with reading(spec, folder.name):
        return kind.from_pretrained(str(folder), **options)


def check_classes(spec: ModelSpec, folder: Path) -> None:
    """Says whether a folder's index names parts that can be run, before their weights are there.

    Raises:
        ModelUnavailable: it is of no known layout, or a part is of another class or missing.
    """
    _classes_of(spec, folder, None, ())


def check_weights(spec: ModelSpec, part: Path) -> None:
    """Says what is wrong with a part's folder before anything is read.

    Raises:
        ModelUnavailable: no folder, or no safetensors file in it, or one that is cut short, or
            whose weights are kept in few bits.
    """
    if not part.is_dir():
        reason = f"its folder {part.name} is missing"
        raise ModelUnavailable(spec.id, reason, "Get the model again.")
    files = list(part.glob("*.safetensors"))
    for file in files:
        try:
            weights.check_numbers(file, can_scale=False)
        except ModelUnavailable as error:
            reason = f"its {part.name} cannot be loaded: {error.reason}"
            raise ModelUnavailable(spec.id, reason, error.remedy) from None
    if files:
        return
    pickles = [file for file in sorted(part.iterdir()) if file.suffix in weights.PICKLES]
    reason = f"{part.name} holds no safetensors file"
    if pickles:
        reason += f", only {pickles[0].name}, {weights.PICKLE_REASON}"
    raise ModelUnavailable(spec.id, reason, "Get the model as safetensors.")


@contextmanager
def reading(spec: ModelSpec, part: str) -> Iterator[None]:
    """Around reading a part: the libraries keep quiet, and what they raise is explained."""
    try:
        with quiet():
            yield
    except (*READ_ERRORS, MemoryError) as error:
        if is_out_of_memory(error):
            raise OutOfMemory(f"{spec.id}: no memory for its {part}: {error}") from error
        reason = f"its {part} cannot be loaded ({type(error).__name__}: {str(error)[:300]})"
        raise ModelUnavailable(spec.id, reason, "Get the model again.") from error


@contextmanager
def quiet() -> Iterator[None]:
    """No progress bars and no chatter of the libraries: the app tells what it does itself."""
    levels = diffusers_logging.get_verbosity(), transformers_logging.get_verbosity()
    for library in (diffusers_logging, transformers_logging):
        library.disable_progress_bar()
        library.set_verbosity_error()
    try:
        yield
    finally:
        diffusers_logging.set_verbosity(levels[0])
        transformers_logging.set_verbosity(levels[1])
        for library in (diffusers_logging, transformers_logging):
            library.enable_progress_bar()


def _classes_there(
    spec: ModelSpec, folder: Path, only: Collection[str] | None, skip: Collection[str]
) -> dict[str, str]:
    """The classes of the parts that are wanted; weights that are not all there raise."""
    named = _classes_of(spec, folder, only, skip)
    for name in filter(has_weights, named):
        check_weights(spec, folder / name)
    return named


def _classes_of(
    spec: ModelSpec, folder: Path, only: Collection[str] | None, skip: Collection[str]
) -> dict[str, str]:
    """The classes that the index names for the parts that are wanted."""
    try:
        index = weights.index_of(folder)
    except ModelUnavailable as error:
        raise ModelUnavailable(spec.id, error.reason, error.remedy) from None
    answer: dict[str, str] = {}
    for name, known in LAYOUTS[weights.PIPELINES[index["_class_name"]]].items():
        if name in skip or (only is not None and name not in only):
            continue
        class_name = _class_named(spec, index, name, known)
        if class_name is not None:
            answer[name] = class_name
    return answer


def _class_named(
    spec: ModelSpec, index: dict[str, Any], name: str, known: tuple[str, ...]
) -> str | None:
    """The class that a folder names for a part; None where it goes without an optional one."""
    named = index.get(name)
    class_name = named[1] if isinstance(named, list) and len(named) == 2 else None
    if class_name in known or (class_name is None and name in OPTIONAL):
        return class_name
    raise ModelUnavailable(
        spec.id, f"its {name} is {class_name}", f"Wanted is {' or '.join(known)}."
    )


def _check_prediction_type(spec: ModelSpec, scheduler: Any) -> None:
    prediction_type = scheduler.config.prediction_type
    if prediction_type not in PREDICTION_TYPES:
        reason = f"its scheduler's prediction_type is {prediction_type}"
        raise ModelUnavailable(spec.id, reason, f"Known are: {', '.join(PREDICTION_TYPES)}.")


def _variant(part: Path) -> str | None:
    """ "fp16" where the folder holds no other weights."""
    files = weights.weight_files(part)
    return "fp16" if files and ".fp16" in files[0].name else None
