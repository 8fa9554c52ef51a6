"""A model in one `.safetensors` file, as model sites give it out; no network is needed.

Such a file has the key names of the model's original code and nothing but weights. diffusers'
conversions rename the keys; configurations and vocabularies come with this project (`configs/`).
Tensors are read part by part.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from diffusers.loaders.single_file_utils import (
    convert_ldm_unet_checkpoint,
    convert_ldm_vae_checkpoint,
    convert_open_clip_checkpoint,
    convert_sd3_transformer_checkpoint_to_diffusers,
)
from safetensors import safe_open

from turbo_ui import weights
from turbo_ui.backends import parts, text_encoders
from turbo_ui.backends.filling import State, clip, filled, tokenizer, unscaled, without_prefix
from turbo_ui.catalog import ModelSpec
from turbo_ui.errors import ModelUnavailable

CONFIGS = Path(__file__).parent / "configs"

SGM_CLIP = "conditioner.embedders.0.model."
LDM_CLIP = "cond_stage_model.model."
SDXL_CLIP_L = "conditioner.embedders.0.transformer."
SDXL_CLIP_G = "conditioner.embedders.1.model."
VAE = "first_stage_model."
VAES = (VAE, "vae.")
SD3_TEXT = "text_encoders."


def read_file(
    spec: ModelSpec,
    path: Path,
    dtype: torch.dtype,
    *,
    named: Sequence[Path] = (),
    skip: Sequence[str] = (),
    configs: Path = CONFIGS,
) -> dict[str, Any]:
    """The parts of a single file, in main memory, as `parts.read_folder` gives a folder's.

    Args:
        named: files and folders that hold the text encoders of a file without them.
        skip: optional parts that are left out.
        configs: the folder of configurations, one folder for each layout.

    Raises:
        ModelUnavailable: it is no such file, or something is missing in it; says what.
    """
    shapes, architecture = _header(spec, path)
    reader = _Reader(spec, path, tuple(shapes), configs / architecture, dtype)
    read = {"sd": _read_sd, "sdxl": _read_sdxl, "sd3": _read_sd3}[architecture]
    answer: dict[str, Any] = {}
    if architecture == "sd3":
        # first, as one of them may be missing, and the rest takes longest
        answer = text_encoders.read(
            spec, path, shapes, named, configs / architecture, dtype, skip=skip
        )
    with parts.reading(spec, path.name):
        return answer | read(reader)


def num_parameters(
    spec: ModelSpec, path: Path, *, named: Sequence[Path] = (), configs: Path = CONFIGS
) -> dict[str, int]:
    """How many parameters each network of a Stable Diffusion 3 has, and those of `holding.T5_WIDE`
    where T5 is there, told from headers alone; arguments and errors are those of `read_file`."""
    shapes, architecture = _header(spec, path)
    assert architecture == "sd3", "the others are as large as they are"
    own = {"transformer": 0, "vae": 0}
    for key, shape in shapes.items():
        if not key.startswith(SD3_TEXT):
            own["vae" if key.startswith(VAES) else "transformer"] += math.prod(shape)
    encoders = text_encoders.num_parameters(spec, path, shapes, named, configs / architecture)
    return own | encoders


def _header(spec: ModelSpec, path: Path) -> tuple[dict[str, tuple[int, ...]], weights.Architecture]:
    """The shapes of a file's tensors, and its layout; its numbers are such as can be read."""
    try:
        shapes = weights.shapes_of(path)
        weights.check_numbers(path, can_scale=True)
        return shapes, weights.architecture_of_shapes(path.name, shapes)
    except ModelUnavailable as error:
        raise ModelUnavailable(spec.id, error.reason, error.remedy) from None


class _Reader:
    """One file on its way into parts.

    Args:
        keys: the names of its tensors.
        configs: the folder of its layout's configurations.
    """

    def __init__(
        self,
        spec: ModelSpec,
        path: Path,
        keys: tuple[str, ...],
        configs: Path,
        dtype: torch.dtype,
    ) -> None:
        self.spec = spec
        self.keys = keys
        self.configs = configs
        self._path = path
        self._dtype = dtype

    def tensors(self, *prefixes: str) -> State:
        """The tensors whose names begin so; none is an empty dict."""
        with safe_open(self._path, framework="pt") as file:
            state = {key: file.get_tensor(key) for key in self.keys if key.startswith(prefixes)}
        return unscaled(state, self._dtype)

    def config(self, part: str) -> dict[str, Any]:
        return json.loads((self.configs / part / "config.json").read_text(encoding="utf-8"))

    def diffusers_part(self, part: str, config: dict[str, Any], state: State) -> Any:
        """A network of diffusers of this configuration, with these weights."""
        kind = parts.part_class(config["_class_name"])
        return filled(self.spec, part, lambda: kind.from_config(config), state, self._dtype)

    def text_encoder(self, part: str, convert: Callable[[Any], State]) -> Any:
        """A CLIP; `convert` gets the empty model and answers its weights."""
        return clip(self.spec, part, self.configs, convert, self._dtype)

    def scheduler(self) -> Any:
        text = (self.configs / "scheduler" / "scheduler_config.json").read_text(encoding="utf-8")
        config = json.loads(text)
        return parts.part_class(config["_class_name"]).from_config(config)

    def vae(self) -> Any:
        state = self.tensors(*VAES)
        if not state:
            remedy = "Get the whole checkpoint, not a pruned one."
            raise ModelUnavailable(self.spec.id, "the file holds no VAE", remedy)
        config = self.config("vae")
        return self.diffusers_part("vae", config, convert_ldm_vae_checkpoint(state, config))

    def unet(self) -> Any:
        config = self.config("unet")
        state = self.tensors(weights.UNET_PREFIX)
        return self.diffusers_part("unet", config, convert_ldm_unet_checkpoint(state, config))


def _read_sd(reader: _Reader) -> dict[str, Any]:
    state = {
        # newer training code names the same encoder differently
        key.replace(SGM_CLIP, LDM_CLIP, 1): tensor
        for key, tensor in reader.tensors(LDM_CLIP, SGM_CLIP).items()
    }

    def convert(model: Any) -> State:
        return convert_open_clip_checkpoint(model, state, prefix=LDM_CLIP)

    return {
        "scheduler": reader.scheduler(),
        "tokenizer": tokenizer(reader.configs / "tokenizer"),
        "text_encoder": reader.text_encoder("text_encoder", convert),
        "unet": reader.unet(),
        "vae": reader.vae(),
    }


def _read_sdxl(reader: _Reader) -> dict[str, Any]:
    small = reader.tensors(SDXL_CLIP_L)
    large = reader.tensors(SDXL_CLIP_G)

    def convert_large(model: Any) -> State:
        return convert_open_clip_checkpoint(model, large, prefix=SDXL_CLIP_G)

    return {
        "scheduler": reader.scheduler(),
        "tokenizer": tokenizer(reader.configs / "tokenizer"),
        "tokenizer_2": tokenizer(reader.configs / "tokenizer_2"),
        "text_encoder": reader.text_encoder(
            "text_encoder", lambda model: without_prefix(small, SDXL_CLIP_L)
        ),
        "text_encoder_2": reader.text_encoder("text_encoder_2", convert_large),
        "unet": reader.unet(),
        "vae": reader.vae(),
    }


def _read_sd3(reader: _Reader) -> dict[str, Any]:
    """All but the text encoders and their tokenizers."""
    keys = [key for key in reader.keys if not key.startswith((*VAES, SD3_TEXT))]
    state = reader.tensors(*keys)
    state = {key.removeprefix(weights.UNET_PREFIX): tensor for key, tensor in state.items()}
    config = reader.config("transformer") | _sd3_sizes(state)
    converted = convert_sd3_transformer_checkpoint_to_diffusers(state)
    return {
        "scheduler": reader.scheduler(),
        "transformer": reader.diffusers_part("transformer", config, converted),
        "vae": reader.vae(),
    }


def _sd3_sizes(state: State) -> dict[str, Any]:
    """What of a transformer's configuration its weights tell."""
    layers = {int(key.split(".")[1]) for key in state if key.startswith("joint_blocks.")}
    dual = sorted({int(key.split(".")[1]) for key in state if ".x_block.attn2." in key})
    norm = state.get("joint_blocks.0.x_block.attn.ln_q.weight")
    patch = state["x_embedder.proj.weight"]
    width = patch.shape[0]
    head_dim = 64 if norm is None else norm.shape[0]
    return {
        "num_layers": max(layers) + 1,
        "attention_head_dim": head_dim,
        "num_attention_heads": width // head_dim,
        "caption_projection_dim": width,
        "in_channels": patch.shape[1],
        "out_channels": patch.shape[1],
        "patch_size": patch.shape[2],
        "joint_attention_dim": state["context_embedder.weight"].shape[1],
        "pooled_projection_dim": state["y_embedder.mlp.0.weight"].shape[1],
        "pos_embed_max_size": round(state["pos_embed"].shape[1] ** 0.5),
        "qk_norm": None if norm is None else "rms_norm",
        "dual_attention_layers": dual,
    }
