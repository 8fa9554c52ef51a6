"""Networks made without weights and then given theirs, with a word on each that is missing."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from accelerate import init_empty_weights

from turbo_ui import weights
from turbo_ui.backends import parts
from turbo_ui.backends.clip_vocabulary import clip_tokenizer
from turbo_ui.catalog import ModelSpec
from turbo_ui.errors import ModelUnavailable

State = dict[str, torch.Tensor]


def filled(
    spec: ModelSpec, part: str, make: Callable[[], Any], state: State, dtype: torch.dtype
) -> Any:
    """A network made without weights, and given these; what it does not know is passed over.

    Raises:
        ModelUnavailable: weights are missing or of another shape; names the first.
    """
    with init_empty_weights(include_buffers=False):
        model = make()
    wanted = model.state_dict()
    missing = sorted(wanted.keys() - state.keys())
    if missing:
        reason = f"its {part} lacks {len(missing)} of {len(wanted)} tensors, such as {missing[0]}"
        raise ModelUnavailable(spec.id, reason, "Get the whole checkpoint of a known family.")
    for name, tensor in wanted.items():
        if tensor.shape != state[name].shape:
            found, known = tuple(state[name].shape), tuple(tensor.shape)
            reason = f"{name} of its {part} has the shape {found} and not {known}"
            raise ModelUnavailable(spec.id, reason, "It is a model of another size or family.")
    given = {name: state[name].to(_dtype_of(name, model, dtype)) for name in wanted}
    model.load_state_dict(given, assign=True)
    return model.eval()


def _dtype_of(name: str, model: Any, dtype: torch.dtype) -> torch.dtype:
    """As `from_pretrained` has it: what overflows in fp16, such as a layer of T5, stays in fp32."""
    kept = getattr(model, "_keep_in_fp32_modules", None) or ()
    is_kept = dtype == torch.float16 and not set(kept).isdisjoint(name.split("."))
    return torch.float32 if is_kept else dtype


def clip(
    spec: ModelSpec, part: str, configs: Path, convert: Callable[[Any], State], dtype: torch.dtype
) -> Any:
    """A CLIP text encoder by `configs/PART/config.json`; `convert` maps the empty model to
    weights."""
    text = (configs / part / "config.json").read_text(encoding="utf-8")
    kind = parts.part_class(json.loads(text)["architectures"][0])
    config = kind.config_class.from_pretrained(str(configs / part), local_files_only=True)
    with init_empty_weights(include_buffers=False):
        empty = kind(config)
    state = convert(empty)
    if not hasattr(empty, "text_model"):
        state = without_prefix(state, "text_model.") | state
    return filled(spec, part, lambda: kind(config), state, dtype)


def tokenizer(folder: Path) -> Any:
    """CLIP's: the folder's own where it holds a vocabulary, else the one of this project."""
    if any((folder / name).is_file() for name in ("tokenizer.json", "vocab.json")):
        return parts.part_class("CLIPTokenizer").from_pretrained(str(folder), local_files_only=True)
    config = json.loads((folder / "tokenizer_config.json").read_text(encoding="utf-8"))
    return clip_tokenizer(config["pad_token"], config["model_max_length"])


def unscaled(state: State, dtype: torch.dtype) -> State:
    """The same dictionary, its fp8 weights multiplied with the scales beside them, in `dtype`.

    What else is said of them tells how to compute in fp8, and is passed over by `filled`.
    """
    for key in [key for key in state if key.endswith(weights.WEIGHT_SCALES)]:
        scale = state.pop(key).float().reshape(())
        weight = f"{key.rpartition('.')[0]}.weight"
        state[weight] = (state[weight].float() * scale).to(dtype)
    return state


def without_prefix(state: State, prefix: str) -> State:
    """The tensors whose names begin so, named without it."""
    return {
        key.removeprefix(prefix): tensor for key, tensor in state.items() if key.startswith(prefix)
    }
