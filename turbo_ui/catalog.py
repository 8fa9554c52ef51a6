"""The models on offer: one table.

A model that is not in the table, a folder or a file of the user's own, gets a `ModelSpec` made for
it by `spec_for`; everything behind the catalog treats both alike.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from turbo_ui import weights
from turbo_ui.errors import InvalidRequest, ModelUnavailable

Family = Literal["unet_turbo", "sd3_turbo", "remote"]

ITEMSIZE = 2
"""Bytes of a number, for which the sizes in memory here are."""

WORK_SHARE = 0.16
"""What working with a model takes, as a share of its weights: SD-Turbo's 1.29 thousand million
parameters are told as 3 GB, SDXL-Turbo's 3.47 as 8 GB."""

NETWORKS = ("text_encoder", "text_encoder_2", "text_encoder_3", "transformer", "unet", "vae")
"""The parts of a diffusers folder that take memory."""

UNREAD = "model_ema."
"""What a single file keeps beside the weights that are drawn with: their averages."""

ASSETS = Path(__file__).resolve().parent.parent / "assets"


@dataclass(frozen=True, kw_only=True)
class ModelSpec:
    """One model that can be asked for.

    Attributes:
        id: the name in requests, on the page and in the API.
        title: the name for people.
        family: which backend runs it.
        source: a hub id, a diffusers folder, or a `.safetensors` file; a base URL of a remote one.
        revision: of a hub repository; None is its newest.
        default_size_px: width and height that it draws best.
        min_size_px, max_size_px, size_step_px: the sizes it can draw.
        live_size_px: the side while the hand moves; None is `default_size_px`. See `live_side_px`.
        default_num_inference_steps: None is one step at the timestep that the strength names.
        default_strength: where the slider starts.
        licence, licence_url: of the weights.
        attribution: text that the licence wants shown; may be empty.
        how_to_get: what a person has to do before it can be had, in sentences; may be empty.
        memory_bytes: about what it takes on a GPU, with all of its parts there in numbers of two
            bytes, and working with them.
        is_gated: the hub gives it out only to people who accepted its licence.
        is_embedded: it comes with this project and needs no download.
        is_live: quick enough on a GPU to follow the hand; the others suit a refine.
        takes_sketch: it can start from a sketch; False draws from the prompt alone.
        tiny_vae: hub id or folder of the small stand-in VAE; None where there is none.
    """

    id: str
    title: str
    family: Family
    source: str
    revision: str | None = None
    default_size_px: int = 512
    min_size_px: int = 256
    max_size_px: int = 1024
    size_step_px: int = 64
    live_size_px: int | None = None
    default_num_inference_steps: int | None = None
    default_strength: float = 0.6
    licence: str = "unknown"
    licence_url: str = ""
    attribution: str = ""
    how_to_get: str = ""
    memory_bytes: int = 0
    is_gated: bool = False
    is_embedded: bool = False
    is_live: bool = True
    takes_sketch: bool = True
    tiny_vae: str | None = None

    @property
    def sizes_px(self) -> tuple[int, ...]:
        """The sides that a picture may have."""
        return tuple(range(self.min_size_px, self.max_size_px + 1, self.size_step_px))

    @property
    def live_side_px(self) -> int:
        """Width and height while the hand moves."""
        return self.live_size_px or self.default_size_px


DOODLE = ModelSpec(
    id="doodle",
    title="Doodle",
    family="unet_turbo",
    source=str(ASSETS / "doodle"),
    default_size_px=256,
    min_size_px=256,
    max_size_px=256,
    licence="MIT",
    memory_bytes=150_000_000,
    is_embedded=True,
)

SD_TURBO = ModelSpec(
    id="sd-turbo",
    title="SD-Turbo",
    family="unet_turbo",
    source="stabilityai/sd-turbo",
    revision="b261bac6fd2cf515557d5d0707481eafa0485ec2",
    default_size_px=512,
    licence="Stability AI Community License",
    licence_url="https://huggingface.co/stabilityai/sd-turbo/blob/main/LICENSE.md",
    attribution="Powered by Stability AI",
    memory_bytes=3_000_000_000,
    tiny_vae="madebyollin/taesd",
)

SDXL_TURBO = ModelSpec(
    id="sdxl-turbo",
    title="SDXL-Turbo",
    family="unet_turbo",
    source="stabilityai/sdxl-turbo",
    revision="71153311d3dbb46851df1931d3ca6e939de83304",
    default_size_px=512,
    licence="Stability AI Non-Commercial Research Community License",
    licence_url="https://huggingface.co/stabilityai/sdxl-turbo/blob/main/LICENSE.md",
    attribution="Powered by Stability AI",
    memory_bytes=8_000_000_000,
    tiny_vae="madebyollin/taesdxl",
)

STABLE_DIFFUSION_3_5_LARGE_TURBO = ModelSpec(
    id="stable-diffusion-3.5-large-turbo",
    title="Stable Diffusion 3.5 Large Turbo",
    family="sd3_turbo",
    source="stabilityai/stable-diffusion-3.5-large-turbo",
    revision="ec07796fc06b096cc56de9762974a28f4c632eda",
    default_size_px=1024,
    min_size_px=512,
    max_size_px=1024,
    live_size_px=768,
    default_num_inference_steps=4,
    licence="Stability AI Community License",
    licence_url="https://huggingface.co/stabilityai/stable-diffusion-3.5-large-turbo/blob/main/LICENSE.md",
    attribution="Powered by Stability AI",
    how_to_get=(
        "Log in on https://huggingface.co/stabilityai/stable-diffusion-3.5-large-turbo, accept its "
        "licence there, make a read token in your account's settings, and start the app with "
        "HF_TOKEN set to it."
    ),
    memory_bytes=30_000_000_000,
    is_gated=True,
    is_live=False,
    tiny_vae="madebyollin/taesd3",
)

CATALOG: tuple[ModelSpec, ...] = (DOODLE, SD_TURBO, SDXL_TURBO, STABLE_DIFFUSION_3_5_LARGE_TURBO)
"""In the order in which the page lists them; the first is what the app starts on."""

BY_ARCHITECTURE: dict[weights.Architecture, ModelSpec] = {
    "sd": SD_TURBO,
    "sdxl": SDXL_TURBO,
    "sd3": STABLE_DIFFUSION_3_5_LARGE_TURBO,
}
"""Which entry a model of one's own is like."""


KNOWN_FILES = {"FB64610BF8": "stable-diffusion-3.5-large-turbo"}
"""Single files that are known, by the first 10 hex digits of their SHA-256, and which model each
is."""


def find(model: str, catalog: tuple[ModelSpec, ...] = CATALOG) -> ModelSpec | None:
    """The entry with this id, or None."""
    return next((spec for spec in catalog if spec.id == model), None)


def spec_for(model: str, catalog: tuple[ModelSpec, ...] = CATALOG) -> ModelSpec:
    """The entry with this id or hub id; else one made for a folder or a file, by what it holds.

    Something that is there but cannot be run gets an entry, too: loading it says what is wrong.

    Raises:
        InvalidRequest: it is neither in the catalog nor something that is there.
    """
    for spec in catalog:
        if model in (spec.id, spec.source):
            return spec
    ids = ", ".join(spec.id for spec in catalog)
    allowed = f"{ids}, a diffusers folder, or a .safetensors file"
    path = expanded("model", model, allowed)
    if not os.path.exists(path):  # `Path.exists` raises on a name that is too long
        raise InvalidRequest("model", model, allowed)
    source = str(path.resolve())
    known = next((spec for spec in catalog if spec.source == source), None)
    return known or _spec_of_ones_own(path, source, catalog)


def expanded(field: str, value: str, allowed: str = "a path that is there") -> Path:
    """A path whose `~` is the home of its user.

    Raises:
        InvalidRequest: there is no such user; names the field, the value and what is allowed.
    """
    try:
        return Path(value).expanduser()
    except RuntimeError:
        raise InvalidRequest(field, value, allowed) from None


def _spec_of_ones_own(path: Path, source: str, catalog: tuple[ModelSpec, ...]) -> ModelSpec:
    try:
        alike = BY_ARCHITECTURE[weights.architecture_of(path)]
    except ModelUnavailable:
        alike = SD_TURBO
    name = path.stem if path.is_file() else path.resolve().name
    return replace(
        alike,
        id=_free_id(name, catalog),
        title=name,
        source=source,
        revision=None,
        licence="unknown",
        licence_url="",
        attribution="",
        how_to_get="",
        is_gated=False,
        memory_bytes=_memory_bytes(path) or alike.memory_bytes,
    )


def recognised(
    spec: ModelSpec, file_hash: str, catalog: tuple[ModelSpec, ...] = CATALOG
) -> ModelSpec:
    """The entry with the title and the licence of the model that a file's hash names; unchanged
    where the hash is not known."""
    known = find(KNOWN_FILES.get(file_hash, ""), catalog)
    if known is None:
        return spec
    return replace(
        spec,
        title=f"{known.title} ({spec.id})",
        licence=known.licence,
        licence_url=known.licence_url,
        attribution=known.attribution,
    )


def _free_id(name: str, catalog: tuple[ModelSpec, ...]) -> str:
    """A folder named like an entry is another model: it must not pass for that one."""
    taken = {spec.id for spec in catalog}
    return next(
        candidate
        for candidate in (name, *(f"{name}-{number}" for number in range(2, len(taken) + 3)))
        if candidate not in taken
    )


def _memory_bytes(path: Path) -> int:
    """What a model of one's own takes, in whatever type its numbers are on the disk; 0 where it
    holds none."""
    files = _files_read_of(path) if path.is_dir() else [path]
    num_parameters = sum(_num_parameters(file) for file in files)
    return int(num_parameters * ITEMSIZE * (1 + WORK_SHARE))


def _files_read_of(folder: Path) -> list[Path]:
    """The weights of each network. What else a clone of a hub repository holds, such as the same
    model as a single file, is not read."""
    return [file for part in _networks_of(folder) for file in weights.weight_files(folder / part)]


def _networks_of(folder: Path) -> list[str]:
    """The parts that its index names; where there is none to go by, all that there may be."""
    try:
        index = weights.index_of(folder)
    except ModelUnavailable:
        return list(NETWORKS)
    return [part for part in NETWORKS if index.get(part) not in (None, [None, None])]


def _num_parameters(file: Path) -> int:
    """Of what is read of a file; where it cannot be read, by its size."""
    try:
        shapes = weights.shapes_of(file)
    except ModelUnavailable:
        return file.stat().st_size // ITEMSIZE
    read = {name: shape for name, shape in shapes.items() if not name.startswith(UNREAD)}
    return weights.num_parameters(read)
