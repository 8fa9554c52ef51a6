"""Text encoders of a Stable Diffusion 3 in a single file: in the file itself, or in named ones.

The large checkpoints are given out without CLIP and T5; those come as files of their own
(`clip_l.safetensors`, `clip_g.safetensors`, `t5xxl_fp16.safetensors`) or in a diffusers folder. The
CLIPs have to be there. T5 may be left out. Its vocabulary comes with this project; a
`tokenizer.json` beside it, or named, is taken instead.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from safetensors import safe_open

from turbo_ui import weights
from turbo_ui.backends import parts
from turbo_ui.backends.filling import State, clip, filled, tokenizer, unscaled, without_prefix
from turbo_ui.backends.holding import T5_WIDE
from turbo_ui.catalog import ModelSpec
from turbo_ui.errors import ModelUnavailable

CLIP_MARK = "text_model.embeddings.position_embedding.weight"
T5_WORDS = "shared.weight"
T5_MARK = "encoder.block.0.layer.0.SelfAttention.q.weight"
T5_WIDE_MARK = ".wo.weight"
"""How the names end of what transformers and `filling` keep in fp32 where the rest is in fp16."""
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

    def state(self, dtype: torch.dtype) -> State:
        with safe_open(self.file, framework="pt") as file:
            state = {key: file.get_tensor(key) for key in self.shapes}
        return without_prefix(unscaled(state, dtype), self.prefix)


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
    """How many parameters each of them has, and those of `T5_WIDE` where T5 is there, told from
    headers alone; arguments and errors are those of `read`."""
    where = _find(spec, path, shapes, named, configs)
    if isinstance(where, Path):
        return num_parameters_of_folder(spec, where, only=IN_A_FOLDER)
    answer = {name: weights.num_parameters(found.shapes) for name, found in where.items()}
    if "text_encoder_3" in where:
        answer[T5_WIDE] = _num_wide(where["text_encoder_3"].shapes)
    return answer


def num_parameters_of_folder(
    spec: ModelSpec, folder: Path, *, only: Collection[str] | None = None
) -> dict[str, int]:
    """How many parameters each network of a diffusers folder has, and those of `T5_WIDE` where its
    index names a T5; arguments and errors are those of `parts.num_parameters`."""
    answer = parts.num_parameters(spec, folder, only=only)
    if "text_encoder_3" in answer:
        files = weights.weight_files(folder / "text_encoder_3")
        answer[T5_WIDE] = sum(_num_wide(weights.shapes_of(file)) for file in files)
    return answer


def t5_tokenizer() -> Any:
    """T5's tokenizer, from the vocabulary that comes with this project: 32,000 pieces and 100
    marks."""
    with TemporaryDirectory() as folder:
        # unpacked, so that it is read just as a file beside the weights is
        unpacked = gzip.decompress(T5_SHIPPED.read_bytes())
        (Path(folder) / T5_VOCABULARY).write_bytes(unpacked)
        return _t5_words(Path(folder))


def _num_wide(shapes: Shapes) -> int:
    wide = {key: shape for key, shape in shapes.items() if key.endswith(T5_WIDE_MARK)}
    return weights.num_parameters(wide)


def _find(
    spec: ModelSpec, path: Path, shapes: Shapes, named: Sequence[Path], configs: Path
) -> Path | dict[str, _Found]:
    """Where they are: in a diffusers folder, or each in a file; the CLIPs are among them."""
    for folder in named:
        if folder.is_dir() and (folder / "model_index.json").is_file():
            _check_family(spec, folder)
            return folder
    found = {
        name: _Found(path, prefix)
        for name, prefix in INSIDE.items()
        if any(key.startswith(prefix) for key in shapes)
    }
    found |= {name: _Found(file, "") for name, file in _named(spec, named, configs).items()}
    missing = [title for name, title in TITLES.items() if name not in found]
    if missing:
        reason = f"{path.name} holds no text encoders; missing are {' and '.join(missing)}"
        raise ModelUnavailable(spec.id, reason, REMEDY)
    return found


def _check_family(spec: ModelSpec, folder: Path) -> None:
    """A diffusers folder of another family has other text encoders, or others by these names."""
    try:
        architecture = weights.architecture_of(folder)
        if architecture == "sd3":
            return
        what = f"it is of the layout {architecture}"
    except ModelUnavailable as error:
        what = error.reason
    reason = f"{folder.name} holds no text encoders of Stable Diffusion 3: {what}"
    raise ModelUnavailable(spec.id, reason, REMEDY)


def _named(spec: ModelSpec, named: Sequence[Path], configs: Path) -> dict[str, Path]:
    """The file of each text encoder among what was named.

    What is none is passed over in a folder, where other models' files may lie, and refused where it
    was named itself. A file that was named itself goes before those of a folder.
    """
    for path in named:
        if not path.exists():
            raise ModelUnavailable(spec.id, f"the text encoder {path.name} is not there", REMEDY)
    folders = [path for path in named if path.is_dir()]
    alone = [path for path in named if not path.is_dir() and path.name != T5_VOCABULARY]
    chosen = _by_kind(spec, alone, configs)
    if None in chosen:
        raise _no_encoder(spec, chosen[None][0], configs)
    within = [file for folder in folders for file in sorted(folder.glob("*.safetensors"))]
    return _only_ones(spec, _by_kind(spec, within, configs) | chosen)


def _by_kind(spec: ModelSpec, files: Iterable[Path], configs: Path) -> dict[str | None, list[Path]]:
    """Files by the text encoder that they hold; None is no such."""
    answer: dict[str | None, list[Path]] = {}
    for file in dict.fromkeys(files):
        answer.setdefault(_kind(spec, file, configs), []).append(file)
    return answer


def _only_ones(spec: ModelSpec, found: Mapping[str | None, list[Path]]) -> dict[str, Path]:
    """The one file of each; which of several is meant, only the user knows."""
    answer: dict[str, Path] = {}
    for kind, files in found.items():
        if kind is None:
            continue
        if len(files) > 1:
            names = " and ".join(file.name for file in files)
            reason = f"{len(files)} files hold {TITLES.get(kind, 'T5')}: {names}"
            remedy = "Name the one that is meant: a file that is named itself goes before those of"
            raise ModelUnavailable(spec.id, reason, f"{remedy} a folder.")
        try:
            weights.check_numbers(files[0], can_scale=True)
        except ModelUnavailable as error:
            raise ModelUnavailable(spec.id, error.reason, error.remedy) from None
        answer[kind] = files[0]
    return answer


def _kind(spec: ModelSpec, file: Path, configs: Path) -> str | None:
    """Which text encoder a file holds, by its tensors' names and widths; None where it is none."""
    try:
        shapes = weights.shapes_of(file)
    except ModelUnavailable as error:
        raise ModelUnavailable(spec.id, error.reason, error.remedy) from None
    if T5_MARK in shapes:
        return "text_encoder_3"
    width = shapes.get(CLIP_MARK, (0, 0))[-1]
    return next((name for name, known in _widths(configs).items() if known == width), None)


def _no_encoder(spec: ModelSpec, file: Path, configs: Path) -> ModelUnavailable:
    reason = f"{file.name} is no text encoder of Stable Diffusion 3"
    widths = _widths(configs).items()
    allowed = ", ".join(f"{TITLES[name]} of width {known}" for name, known in widths)
    return ModelUnavailable(spec.id, reason, f"Known are {allowed}, and T5.")


def _widths(configs: Path) -> dict[str, int]:
    """Of the CLIPs."""
    return {name: _config(configs, name)["hidden_size"] for name in TITLES}


def _clips(
    spec: ModelSpec, found: Mapping[str, _Found], configs: Path, dtype: torch.dtype
) -> dict[str, Any]:
    answer: dict[str, Any] = {}
    for name in TITLES:
        state = found[name].state(dtype)
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
        state = found.state(dtype)
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
