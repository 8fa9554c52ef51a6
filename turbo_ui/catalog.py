"""The models on offer: one table.

A model that is not in the table gets a `ModelSpec` made for it by `own_models.spec_for`; everything
behind the catalog treats both alike.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from turbo_ui import sizes, weights
from turbo_ui.errors import InvalidRequest

Family = Literal["unet_turbo", "sd3_turbo", "remote"]

ITEMSIZE = 2
"""Bytes of a number, for which the sizes in memory here are."""

WORK_SHARE = 0.16
"""What working with a model takes, as a share of its weights: SD-Turbo's 1.29 thousand million
parameters are told as 3 GB, SDXL-Turbo's 3.47 as 8 GB."""

ASSETS = Path(__file__).resolve().parent.parent / "assets"


@dataclass(frozen=True, kw_only=True)
class ModelSpec:
    """One model that can be asked for.

    Attributes:
        id: the name in requests, on the page and in the API.
        title: the name for people.
        family: which backend runs it.
        source: a hub id, or the absolute path of a diffusers folder or a `.safetensors` file; of a
            remote one what its server calls it.
        revision: of a hub repository; None is its newest.
        default_size_px: width and height that it draws best.
        min_size_px, max_size_px, size_step_px: the sizes it can draw.
        only_sizes_px: width and height of the only pictures that it draws, its own first; empty
            where any two of those sides will do.
        live_size_px: the side while the hand moves; None is `default_size_px`. See `live_side_px`.
        default_num_inference_steps: None is one step at the timestep that the strength names.
        default_strength: where the slider starts.
        licence, licence_url: of the weights; an address without a host is on the app's own server.
        attribution: text that the licence wants shown; may be empty.
        how_to_get: what a person has to do before it can be had, in sentences; may be empty.
        memory_bytes: about what it takes on a GPU, with all of its parts there in numbers of two
            bytes, and working with them.
        words_url: address of a list of the words that it was taught, on the app's own server; empty
            where it knows what people say of anything.
        is_gated: the hub gives it out only to people who accepted its licence.
        is_embedded: it comes with this project and needs no download.
        is_provisional: what it is, and how large, its repository has not told yet: it passes for a
            model of the table until it is loaded.
        is_live: quick enough on a GPU to follow the hand; the others suit a refine.
        takes_sketch: it can start from a sketch; False draws from the prompt alone.
        tiny_vae: hub id or absolute path of the small stand-in VAE; None where there is none.
        tiny_vae_revision: of its hub repository; None is its newest.
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
    only_sizes_px: tuple[sizes.Size, ...] = ()
    live_size_px: int | None = None
    default_num_inference_steps: int | None = None
    default_strength: float = 0.6
    licence: str = "unknown"
    licence_url: str = ""
    attribution: str = ""
    how_to_get: str = ""
    memory_bytes: int = 0
    words_url: str = ""
    is_gated: bool = False
    is_embedded: bool = False
    is_provisional: bool = False
    is_live: bool = True
    takes_sketch: bool = True
    tiny_vae: str | None = None
    tiny_vae_revision: str | None = None

    @property
    def weights_bytes(self) -> int:
        """About what its weights take in numbers of two bytes; 0 where `memory_bytes` is not
        known."""
        return round(self.memory_bytes / (1 + WORK_SHARE))

    @property
    def sizes_px(self) -> tuple[int, ...]:
        """The sides that a picture may have."""
        if self.only_sizes_px:
            return tuple(sorted({side for size in self.only_sizes_px for side in size}))
        return tuple(range(self.min_size_px, self.max_size_px + 1, self.size_step_px))

    @property
    def live_side_px(self) -> int:
        """The side of a square while the hand moves."""
        return self.live_size_px or self.default_size_px

    @property
    def default_size(self) -> sizes.Size:
        """Width and height that it draws best."""
        side = self.default_size_px
        return self.only_sizes_px[0] if self.only_sizes_px else (side, side)

    @property
    def live_size(self) -> sizes.Size:
        """Width and height while the hand moves."""
        side = self.live_side_px
        return self.only_sizes_px[0] if self.only_sizes_px else (side, side)

    def draws(self, width: int, height: int) -> bool:
        """Whether a picture may have this width and height."""
        if self.only_sizes_px:
            return (width, height) in self.only_sizes_px
        return width in self.sizes_px and height in self.sizes_px

    def nearest_size(self, width: int, height: int) -> sizes.Size:
        """The width and height nearest to these that it can draw."""
        if self.only_sizes_px:
            return sizes.nearest(self.only_sizes_px, width, height)
        low, high, step = self.min_size_px, self.max_size_px, self.size_step_px
        return (
            sizes.nearest_side(low, high, step, width),
            sizes.nearest_side(low, high, step, height),
        )


DOODLE = ModelSpec(
    id="doodle",
    title="Doodle",
    family="unet_turbo",
    source=str(ASSETS / "doodle"),
    default_size_px=256,
    min_size_px=256,
    max_size_px=256,
    licence="MIT",
    licence_url="turbo-ui/doodle/NOTICE.md",
    memory_bytes=150_000_000,
    words_url="turbo-ui/doodle/words.json",
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
    tiny_vae_revision="614f76814bbe30edbe2e627ace1c2234c81a2c0e",
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
    tiny_vae_revision="b20258aaef75ef61e659c1e0f14f251cf0ad153e",
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
    tiny_vae_revision="d58dcaccd2b36fcb7a6b9e93c1cc507acab5a778",
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


def expanded(field: str, value: str, allowed: str = "a path that is there") -> Path:
    """A path whose `~` is the home of its user.

    Raises:
        InvalidRequest: there is no such user; names the field, the value and what is allowed.
    """
    try:
        return Path(value).expanduser()
    except RuntimeError:
        raise InvalidRequest(field, value, allowed) from None


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
