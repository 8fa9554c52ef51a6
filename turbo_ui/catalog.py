"""The models on offer: one table.

A model that is not in the table, a folder or a file of the user's own, gets a `ModelSpec` made for
it by `spec_for`; everything behind the catalog treats both alike.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from turbo_ui.errors import InvalidRequest

Family = Literal["unet_turbo", "sd3_turbo", "remote"]

ASSETS = Path(__file__).resolve().parent.parent / "assets"


@dataclass(frozen=True, kw_only=True)
class ModelSpec:
    """One model that can be asked for.

    Attributes:
        id: the name in requests, on the page and in the API.
        title: the name for people.
        family: which backend runs it.
        source: a hub id, a diffusers folder, or a `.safetensors` file.
        revision: of a hub repository; None is its newest.
        default_size_px: width and height that it draws best.
        min_size_px, max_size_px, size_step_px: the sizes it can draw.
        default_num_inference_steps: None is one step at the timestep that the strength names.
        default_strength: where the slider starts.
        licence, licence_url: of the weights.
        attribution: text that the licence wants shown; may be empty.
        memory_bytes: about what it takes on its device.
        is_gated: the hub gives it out only to people who accepted its licence.
        is_embedded: it comes with this project and needs no download.
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
    default_num_inference_steps: int | None = None
    default_strength: float = 0.6
    licence: str = "unknown"
    licence_url: str = ""
    attribution: str = ""
    memory_bytes: int = 0
    is_gated: bool = False
    is_embedded: bool = False
    tiny_vae: str | None = None

    @property
    def sizes_px(self) -> tuple[int, ...]:
        """The sides that a picture may have."""
        return tuple(range(self.min_size_px, self.max_size_px + 1, self.size_step_px))


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
    default_size_px=512,
    licence="Stability AI Community License",
    licence_url="https://huggingface.co/stabilityai/sd-turbo/blob/main/LICENSE.md",
    attribution="Powered by Stability AI",
    memory_bytes=3_000_000_000,
    tiny_vae="madebyollin/taesd",
)

CATALOG: tuple[ModelSpec, ...] = (DOODLE, SD_TURBO)
"""In the order in which the page lists them; the first is what the app starts on."""


def find(model: str, catalog: tuple[ModelSpec, ...] = CATALOG) -> ModelSpec | None:
    """The entry with this id, or None."""
    return next((spec for spec in catalog if spec.id == model), None)


def spec_for(model: str, catalog: tuple[ModelSpec, ...] = CATALOG) -> ModelSpec:
    """The entry with this id or hub id; else one made for a folder or a file.

    Raises:
        InvalidRequest: it is neither in the catalog nor something that is there.
    """
    for spec in catalog:
        if model in (spec.id, spec.source):
            return spec
    path = Path(model).expanduser()
    if path.exists():
        name = path.stem if path.is_file() else path.resolve().name
        return replace(
            SD_TURBO,
            id=name,
            title=name,
            source=str(path.resolve()),
            licence="unknown",
            licence_url="",
            attribution="",
            tiny_vae=None,
            memory_bytes=_bytes_of(path),
        )
    ids = ", ".join(spec.id for spec in catalog)
    raise InvalidRequest("model", model, f"{ids}, a diffusers folder, or a .safetensors file")


def _bytes_of(path: Path) -> int:
    files = path.rglob("*.safetensors") if path.is_dir() else [path]
    return sum(file.stat().st_size for file in files)
