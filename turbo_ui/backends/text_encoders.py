"""Text encoders of a Stable Diffusion 3 in a single file: in the file itself, or in named ones.

The large checkpoints are given out without CLIP and T5; those come as files of their own
(`clip_l.safetensors`, `clip_g.safetensors`, `t5xxl_fp16.safetensors`) or in a diffusers folder. The
CLIPs have to be there. T5 may be left out. Its vocabulary comes with this project; a
`tokenizer.json` beside it, or named, is taken instead.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from safetensors import safe_open

from turbo_ui import weights
from turbo_ui.backends import parts
from turbo_ui.backends.filling import State, clip, filled, tokenizer, without_prefix
from turbo_ui.catalog import ModelSpec
from turbo_ui.errors import ModelUnavailable

CLIP_MARK = "text_model.embeddings.position_embedding.weight"
T5_WORDS = "shared.weight"
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
IN_A_FOLDER = tuple(name for name in parts.LAYOUTS["sd3"] if name.startswith(("text", "token")))
"""The parts that a diffusers folder has in place of such files."""
T5_VOCABULARY = "tokenizer.json"
T5_SHIPPED = Path(__file__).parent / "configs" / "t5" / f"{T5_VOCABULARY}.gz"
REMEDY = "Name files or folders with them in the setting text_encoders."

Shapes = Mapping[str, tuple[int, ...]]


@dataclass(frozen=True)
class _Found:
    """One text encoder: the file that it is in, and what its tensors' names begin with there."""

    file: Path
    prefix: str

    @property
    def shapes(self) -> Shapes:
        """Of its own tensors."""
        shapes = weights.shapes_of(self.file)
        return {key: shape for key, shape in shapes.items() if key.startswith(self.prefix)}

    def state(self) -> State:
        with safe_open(self.file, framework="pt") as file:
            state = {key: file.get_tensor(key) for key in self.shapes}
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
    where = _find(spec, path, shapes, named, configs)
    if isinstance(where, Path):
        return parts.read_folder(spec, where, dtype, only=IN_A_FOLDER, skip=skip)
    answer = _clips(spec, where, configs, dtype)
    if "text_encoder_3" in where and "text_encoder_3" not in skip:
        answer |= _t5(spec, where["text_encoder_3"], named, configs, dtype)
    return answer


def num_parameters(
    spec: ModelSpec, path: Path, shapes: Shapes, named: Sequence[Path], configs: Path
) -> dict[str, int]:
    """How many parameters each of them has, told from headers alone; arguments and errors are
    those of `read`."""
    where = _find(spec, path, shapes, named, configs)
    if isinstance(where, Path):
        return parts.num_parameters(spec, where, only=IN_A_FOLDER)
    return {name: weights.num_parameters(found.shapes) for name, found in where.items()}


def t5_tokenizer() -> Any:
    """T5's tokenizer, from the vocabulary that comes with this project: 32,000 pieces and 100
    marks."""
    with TemporaryDirectory() as folder:
        # unpacked, so that it is read just as a file beside the weights is
        unpacked = gzip.decompress(T5_SHIPPED.read_bytes())
        (Path(folder) / T5_VOCABULARY).write_bytes(unpacked)
        return _t5_words(Path(folder))


def _find(
    spec: ModelSpec, path: Path, shapes: Shapes, named: Sequence[Path], configs: Path
) -> Path | dict[str, _Found]:
    """Where they are: in a diffusers folder, or each in a file; the CLIPs are among them."""
    for folder in named:
        if folder.is_dir() and (folder / "model_index.json").is_file():
            return folder
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
    return found


def _files(spec: ModelSpec, named: Sequence[Path]) -> list[Path]:
    """The weights among what was named, those in folders included."""
    files: list[Path] = []
    for path in named:
        if path.is_dir():
            files += sorted(path.glob("*.safetensors"))
        elif path.name != T5_VOCABULARY:
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
        state = found[name].state()
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
    words = _t5_tokenizer(spec, found, named)
    with parts.reading(spec, "text_encoder_3"):
        state = found.state()
        state.setdefault("encoder.embed_tokens.weight", state[T5_WORDS])
    kind = parts.part_class("T5EncoderModel")
    folder = str(configs / "text_encoder_3")
    config = kind.config_class.from_pretrained(folder, local_files_only=True)
    with parts.reading(spec, "text_encoder_3"):
        model = filled(spec, "text_encoder_3", lambda: kind(config), state, dtype)
        model.set_input_embeddings(model.shared)  # one table under two names
    return {"text_encoder_3": model, "tokenizer_3": words}


def _t5_tokenizer(spec: ModelSpec, found: _Found, named: Sequence[Path]) -> Any:
    """The one beside the weights or among what was named, else this project's."""
    for place in (found.file, *named):
        folder = place if place.is_dir() else place.parent
        for within in (folder / "tokenizer_3", folder):
            if not (within / T5_VOCABULARY).is_file():
                continue
            try:
                with parts.reading(spec, "tokenizer_3"):
                    return _t5_words(within)
            except ModelUnavailable:
                reason = f"{T5_VOCABULARY} in {within.name} is not T5's, or is broken"
                remedy = "Take it out of there: T5's own comes with Turbo UI."
                raise ModelUnavailable(spec.id, reason, remedy) from None
    with parts.reading(spec, "tokenizer_3"):
        return t5_tokenizer()


def _t5_words(folder: Path) -> Any:
    kind = parts.part_class("T5TokenizerFast")
    return kind.from_pretrained(str(folder), local_files_only=True)


def _config(configs: Path, part: str) -> dict[str, Any]:
    return json.loads((configs / part / "config.json").read_text(encoding="utf-8"))
