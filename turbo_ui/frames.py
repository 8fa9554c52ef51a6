"""One frame: the request that holds everything which affects its picture, and the picture.

A `FrameRequest` is frozen and checked when it is made: equal requests give the same picture, and
no other part of the project has to check one again. A sketch is compared by its digest.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from functools import cached_property
from typing import Any, Literal, cast

import numpy as np
import numpy.typing as npt

from turbo_ui import checks
from turbo_ui.errors import InvalidRequest

Pixels = npt.NDArray[np.uint8]
"""`(H, W, 3) uint8 RGB 0–255`."""

FrameKind = Literal["frame", "preview", "refine"]

SIZE_STEP_PX = 8
MIN_SIZE_PX = 64
MAX_SIZE_PX = 2048
MAX_SKETCH_PX = 4096
MAX_PROMPT_CHARS = 2000
MAX_INFERENCE_STEPS = 50
MAX_GUIDANCE_SCALE = 30.0
MAX_SEED = 2**32 - 1
MAX_NAME_CHARS = 1024
PAPER_TOLERANCE = 8
"""A pixel within this of white is paper: JPEG ripples are not drawing."""


class Sketch:
    """The board flattened at model size, with a digest by which it is compared.

    Args:
        pixels: `(H, W, 3) uint8 RGB 0–255`; copied, so that nobody can change it later.
        digest: of the pixels, where the caller has it already; else computed when it is first asked
            for: most sketches of a moving pen are replaced before that.

    Raises:
        InvalidRequest: not such an array, or larger than `MAX_SKETCH_PX` a side.
    """

    __slots__ = ("__weakref__", "_digest", "_is_empty", "pixels")

    def __init__(self, pixels: Pixels, digest: str | None = None) -> None:
        _check_pixels(pixels)
        kept: Pixels = np.array(pixels, dtype=np.uint8, order="C", copy=True)
        kept.setflags(write=False)
        self.pixels = kept
        self._digest = digest
        self._is_empty: bool | None = None

    @property
    def width(self) -> int:
        return int(self.pixels.shape[1])

    @property
    def height(self) -> int:
        return int(self.pixels.shape[0])

    @property
    def digest(self) -> str:
        """Of the pixels; equal digests are equal sketches."""
        if self._digest is None:
            self._digest = _digest(self.pixels)
        return self._digest

    @property
    def is_empty(self) -> bool:
        """Nothing is drawn: every pixel is within `PAPER_TOLERANCE` of white paper.

        A page whose paper has another colour knows best whether it is empty, and sends no sketch.
        """
        if self._is_empty is None:
            self._is_empty = int(self.pixels.min()) >= 255 - PAPER_TOLERANCE
        return self._is_empty

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sketch) and other.digest == self.digest

    def __hash__(self) -> int:
        return hash(self.digest)

    def __repr__(self) -> str:
        return f"Sketch({self.width}×{self.height}, {self.digest[:10]})"


@dataclass(frozen=True, kw_only=True)
class FrameRequest:
    """Everything that affects a picture.

    Attributes:
        model: id in the catalog, or what `turbo_ui.load` was given.
        revision: of the model's weights; None is the catalog's own.
        prompt: at most `MAX_PROMPT_CHARS` characters; empty is allowed.
        image: the sketch; an `(H, W, 3) uint8 RGB` array becomes a `Sketch`. None, or a sketch on
            which nothing is drawn, is text-to-image.
        strength: in (0, 1]; how far the picture may leave the sketch.
        seed: 0 to `MAX_SEED`.
        num_inference_steps: None is exactly one step at the timestep that the strength names; a
            number is diffusers' own rule for the family.
        guidance_scale: 0 for turbo models.
        width, height: of the picture in pixels, multiples of `SIZE_STEP_PX`.
        vae: "full", or "tiny" for the model's small stand-in VAE; None is the backend's choice.
        dtype: "fp32", "fp16" or "bf16"; None is the backend's choice for its device.

    Raises:
        InvalidRequest: names the field, its value and what is allowed.
    """

    model: str = "doodle"
    revision: str | None = None
    prompt: str = ""
    image: Sketch | Pixels | None = None
    strength: float = 0.6
    seed: int = 0
    num_inference_steps: int | None = None
    guidance_scale: float = 0.0
    width: int = 256
    height: int = 256
    vae: Literal["full", "tiny"] | None = None
    dtype: Literal["fp32", "fp16", "bf16"] | None = None

    def __post_init__(self) -> None:
        set_field = object.__setattr__  # the dataclass is frozen; this is its constructor
        checks.text("model", self.model, MAX_NAME_CHARS, 1)
        if self.revision is not None:
            checks.text("revision", self.revision, MAX_NAME_CHARS, 1)
        checks.text("prompt", self.prompt, MAX_PROMPT_CHARS)
        set_field(self, "image", _sketch(self.image))
        strength = checks.number("strength", self.strength, 0, 1, is_low_allowed=False)
        set_field(self, "strength", strength)
        set_field(self, "seed", checks.integer("seed", self.seed, 0, MAX_SEED))
        if self.num_inference_steps is not None:
            name, steps = "num_inference_steps", self.num_inference_steps
            set_field(self, name, checks.integer(name, steps, 1, MAX_INFERENCE_STEPS))
        guidance = checks.number("guidance_scale", self.guidance_scale, 0, MAX_GUIDANCE_SCALE)
        set_field(self, "guidance_scale", guidance)
        for name in ("width", "height"):
            side = checks.integer(name, getattr(self, name), MIN_SIZE_PX, MAX_SIZE_PX, SIZE_STEP_PX)
            set_field(self, name, side)
        checks.one_of("vae", self.vae, (None, "full", "tiny"))
        checks.one_of("dtype", self.dtype, (None, "fp32", "fp16", "bf16"))

    @property
    def sketch(self) -> Sketch | None:
        """`image`, which the constructor made a `Sketch` whatever it was given."""
        return cast("Sketch | None", self.image)

    @property
    def is_text_to_image(self) -> bool:
        """True where no sketch, or an empty one, is given: the prompt alone decides."""
        return self.sketch is None or self.sketch.is_empty

    def batch_key(self) -> tuple[object, ...]:
        """Requests with equal keys can be run in one batch of the same model.

        Prompts, seeds, strengths and sketches may differ within a batch of one-step requests: they
        only change numbers. With `num_inference_steps` given, the number of steps really run must
        agree, which the strength decides; so must text-to-image or image-to-image.
        """
        shared = (
            self.model,
            self.revision,
            self.width,
            self.height,
            self.guidance_scale,
            self.vae,
            self.dtype,
            self.num_inference_steps,
        )
        if self.num_inference_steps is None:
            return shared
        strength = 1.0 if self.is_text_to_image else self.strength
        return (*shared, self.is_text_to_image, strength)

    def to_json(self) -> dict[str, Any]:
        """All fields, fit for `json.dumps`; of the sketch only its digest."""
        answer: dict[str, Any] = {item.name: getattr(self, item.name) for item in fields(self)}
        answer["image"] = None if self.sketch is None else self.sketch.digest
        return answer

    @classmethod
    def from_json(cls, data: Mapping[str, Any], image: Sketch | None = None) -> FrameRequest:
        """What `to_json` gave, back; the sketch comes beside it.

        Raises:
            InvalidRequest: an unknown or missing field, a wrong value, or a sketch that is not the
                one whose digest the data names.
        """
        if not isinstance(data, Mapping):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise InvalidRequest("request", data, "a JSON object")
        known = {item.name for item in fields(cls)}
        unknown = sorted(str(name) for name in data if name not in known)
        if unknown:
            raise InvalidRequest("request", unknown[0], "the fields " + ", ".join(sorted(known)))
        digest = data.get("image")
        if digest is not None and (image is None or image.digest != digest):
            found = None if image is None else image.digest
            raise InvalidRequest("image", found, f"the sketch with the digest {digest}")
        values: dict[str, Any] = {**data, "image": image}
        return cls(**values)


@dataclass(frozen=True, kw_only=True)
class FrameTimings:
    """Where the server's time for one frame went, each in ms.

    A stage that did not run, such as a cached prompt's, is 0. In a batch each frame carries the
    batch's times: that is how long its own stage took.
    """

    decode_ms: float = 0.0
    queue_wait_ms: float = 0.0
    text_encode_ms: float = 0.0
    vae_encode_ms: float = 0.0
    denoise_ms: float = 0.0
    vae_decode_ms: float = 0.0
    encode_ms: float = 0.0

    @property
    def inference_ms(self) -> float:
        """The backend's part: text encoder, VAE and denoising."""
        return self.text_encode_ms + self.vae_encode_ms + self.denoise_ms + self.vae_decode_ms

    @property
    def total_ms(self) -> float:
        return self.inference_ms + self.decode_ms + self.queue_wait_ms + self.encode_ms

    def to_json(self) -> dict[str, float]:
        return {item.name: float(getattr(self, item.name)) for item in fields(self)}


@dataclass(frozen=True, kw_only=True)
class Frame:
    """One picture and how it came to be.

    Attributes:
        image: `(H, W, 3) uint8 RGB 0–255`.
        request: what it answers.
        kind: "preview" is the predicted clean picture between two steps; "refine" a slow model's
            picture.
        index: the place of its request in the call that made it: two sessions may ask for the same.
        step: how many denoising steps have run, from 1.
        num_denoising_steps: how many run in all.
        path: how it was computed ("cpu fp32 eager batch 1"), as the same pixels come only from the
            same path.
        is_last: no further picture of this request follows.
    """

    image: Pixels
    request: FrameRequest
    timings: FrameTimings = field(default_factory=FrameTimings)
    kind: FrameKind = "frame"
    index: int = 0
    step: int = 1
    num_denoising_steps: int = 1
    path: str = ""
    is_last: bool = True

    @cached_property
    def digest(self) -> str:
        """Of the pixels; equal digests are equal pictures."""
        return _digest(self.image)

    def with_timings(self, **changed_ms: float) -> Frame:
        """The same frame with some of its timings replaced."""
        return replace(self, timings=replace(self.timings, **changed_ms))


def _digest(pixels: Pixels) -> str:
    # SHA-256, which processors do themselves, takes half of blake2b's time; 16 bytes of it leave no
    # accidental collisions
    hashed = hashlib.sha256(np.asarray(pixels.shape, dtype="<u4").tobytes())
    hashed.update(np.ascontiguousarray(pixels).data)
    return hashed.hexdigest()[:32]


def _check_pixels(value: Any) -> None:
    allowed = f"an (H, W, 3) uint8 RGB array, 1 to {MAX_SKETCH_PX} pixels a side"
    if not isinstance(value, np.ndarray):
        raise InvalidRequest("image", type(value).__name__, allowed)
    array = cast("npt.NDArray[Any]", value)
    is_picture = array.dtype == np.uint8 and array.ndim == 3 and array.shape[2] == 3
    if not is_picture or not all(1 <= side <= MAX_SKETCH_PX for side in array.shape[:2]):
        raise InvalidRequest("image", f"{array.dtype} array of shape {array.shape}", allowed)


def _sketch(value: Any) -> Sketch | None:
    return value if value is None or isinstance(value, Sketch) else Sketch(value)
