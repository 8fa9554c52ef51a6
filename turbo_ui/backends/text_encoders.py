"""Text encoders of a Stable Diffusion 3 in a single file: in the file itself, or in named ones.

The large checkpoints are given out without CLIP and T5; those come as files of their own
(`clip_l.safetensors`, `clip_g.safetensors`, `t5xxl_fp16.safetensors`) or in a diffusers folder. The
CLIPs have to be there. T5 may be left out, and takes its vocabulary along: a `tokenizer.json` or
`spiece.model` beside it or named, too.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open

from turbo_ui import weights
from turbo_ui.backends import parts
from turbo_ui.backends.filling import State, clip, filled, tokenizer, without_prefix
from turbo_ui.catalog import ModelSpec
from turbo_ui.errors import ModelUnavailable

CLIP_MARK = "text_model.embeddings.position_embedding.weight"
T5_MARK = "encoder.block.0.layer.0.SelfAttention.q.weight"
INSIDE = {
    "text_encoder": "text_encoders.clip_l.transformer.",
    "text_encoder_2": "text_encoders.clip_g.transformer.",
    "text_encoder_3": "text_encoders.t5xxl.transformer.",
}
"""Where a checkpoint that holds its text encoders keeps them."""

TITLES = {
    "text_encoder": "CLIP-L (clip_l.safetensors)",
    "text_encoder_2": "CLIP-G (clip_g.safetensors)",
}
T5_TOKENIZERS = ("tokenizer.json", "spiece.model")
REMEDY = "Name files or folders with them in the setting text_encoders."

Shapes = Mapping[str, tuple[int, ...]]


@dataclass(frozen=True)
class _Found:
    """One text encoder: the file that it is in, and what its tensors' names begin with there."""

    file: Path
    prefix: str

    def state(self, shapes: Shapes) -> State:
        with safe_open(self.file, framework="pt") as file:
            state = {key: file.get_tensor(key) for key in shapes if key.startswith(self.prefix)}
        return without_prefix(state, self.prefix)


def read(
    spec: ModelSpec,
    path: Path,
    shapes: Shapes,
    named: Sequence[Path],
    configs: Path,
    dtype: torch.dtype,
    *,
    skip: Sequence[str] = (),
) -> dict[str, Any]:
    """The text encoders and tokenizers for the checkpoint at `path`, in main memory.

    Args:
        shapes: of the checkpoint's own tensors.
        named: files and folders to look into.
        configs: the folder of the layout's configurations.
        skip: optional parts that are left out.

    Raises:
        ModelUnavailable: one is missing; names all that are, and how to give them.
    """
    for folder in named:
        if folder.is_dir() and (folder / "model_index.json").is_file():
            wanted = [name for name in parts.LAYOUTS["sd3"] if name.startswith(("text", "token"))]
            return parts.read_folder(spec, folder, dtype, only=wanted, skip=skip)
    found = {
        name: _Found(path, prefix)
        for name, prefix in INSIDE.items()
        if any(key.startswith(prefix) for key in shapes)
    }
    for file in _files(spec, named):
        found[_kind(spec, file, configs)] = _Found(file, "")
    missing = [title for name, title in TITLES.items() if name not in found]
    if missing:
        reason = f"{path.name} holds no text encoders; missing are {' and '.join(missing)}"
        raise ModelUnavailable(spec.id, reason, REMEDY)
    answer = _clips(spec, found, configs, dtype)
    if "text_encoder_3" in found and "text_encoder_3" not in skip:
        answer |= _t5(spec, found["text_encoder_3"], named, configs, dtype)
    return answer


def _files(spec: ModelSpec, named: Sequence[Path]) -> list[Path]:
    """The weights among what was named, those in folders included."""
    files: list[Path] = []
    for path in named:
        if path.is_dir():
            files += sorted(path.glob("*.safetensors"))
        elif path.name not in T5_TOKENIZERS:
            files.append(path)
        if not path.exists():
            raise ModelUnavailable(spec.id, f"the text encoder {path.name} is not there", REMEDY)
    return files


def _kind(spec: ModelSpec, file: Path, configs: Path) -> str:
    """Which text encoder a file holds, by its tensors' names and widths."""
    try:
        shapes = weights.shapes_of(file)
    except ModelUnavailable as error:
        raise ModelUnavailable(spec.id, error.reason, error.remedy) from None
    if T5_MARK in shapes:
        return "text_encoder_3"
    width = shapes.get(CLIP_MARK, (0, 0))[-1]
    widths = {name: _config(configs, name)["hidden_size"] for name in TITLES}
    for name, known in widths.items():
        if width == known:
            return name
    reason = f"{file.name} is no text encoder of Stable Diffusion 3"
    allowed = ", ".join(f"{TITLES[name]} of width {known}" for name, known in widths.items())
    raise ModelUnavailable(spec.id, reason, f"Known are {allowed}, and T5.")


def _clips(
    spec: ModelSpec, found: Mapping[str, _Found], configs: Path, dtype: torch.dtype
) -> dict[str, Any]:
    answer: dict[str, Any] = {}
    for name in TITLES:
        state = found[name].state(weights.shapes_of(found[name].file))
        if name == "text_encoder" and "text_projection.weight" not in state:
            # this model was trained on CLIP-L's pooled vector before its projection
            width = state[CLIP_MARK].shape[-1]
            state["text_projection.weight"] = torch.eye(width, dtype=state[CLIP_MARK].dtype)
        with parts.reading(spec, name):
            answer[name] = clip(spec, name, configs, lambda _, state=state: state, dtype)
        words = name.replace("text_encoder", "tokenizer")
        answer[words] = tokenizer(configs / words)
    return answer


def _t5(
    spec: ModelSpec, found: _Found, named: Sequence[Path], configs: Path, dtype: torch.dtype
) -> dict[str, Any]:
    words = _t5_tokenizer(spec, [found.file.parent, *named])
    state = found.state(weights.shapes_of(found.file))
    state.setdefault("encoder.embed_tokens.weight", state["shared.weight"])
    kind = parts.part_class("T5EncoderModel")
    folder = str(configs / "text_encoder_3")
    config = kind.config_class.from_pretrained(folder, local_files_only=True)
    with parts.reading(spec, "text_encoder_3"):
        model = filled(spec, "text_encoder_3", lambda: kind(config), state, dtype)
        model.set_input_embeddings(model.shared)  # one table under two names
    return {"text_encoder_3": model, "tokenizer_3": words}


def _t5_tokenizer(spec: ModelSpec, places: Sequence[Path]) -> Any:
    for place in places:
        folder = place if place.is_dir() else place.parent
        for within in (folder / "tokenizer_3", folder):
            if any((within / name).is_file() for name in T5_TOKENIZERS):
                with parts.reading(spec, "tokenizer_3"):
                    return parts.part_class("T5TokenizerFast").from_pretrained(
                        str(within), local_files_only=True
                    )
    reason = f"T5 has no vocabulary beside it: {' or '.join(T5_TOKENIZERS)} is missing"
    raise ModelUnavailable(spec.id, reason, "Put it there, name it too, or leave T5 out.")


def _config(configs: Path, part: str) -> dict[str, Any]:
    return json.loads((configs / part / "config.json").read_text(encoding="utf-8"))
