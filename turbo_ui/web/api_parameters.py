"""The parameters of the OpenAI-compatible API, each one used or refused; none is dropped.

A JSON body brings them with their types, a form as text; both end up as a `Wanted`.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from turbo_ui.catalog import ModelSpec
from turbo_ui.errors import InvalidRequest
from turbo_ui.frames import MAX_SEED, FrameRequest, Sketch
from turbo_ui.web.api_errors import ApiError, unsupported

MAX_N = 10
SIZE = re.compile(r"([1-9]\d{0,4})x([1-9]\d{0,4})", re.ASCII)

ONE_VALUE: Mapping[str, tuple[tuple[Any, ...], str]] = {
    "response_format": (("b64_json",), "pictures are not kept here, so that there is no URL"),
    "background": (("auto", "opaque"), "no model here draws transparent pictures"),
    "quality": (("auto", "standard"), "num_inference_steps says how much work is done"),
    "moderation": (("auto", "low"), "there is no filter here"),
    "stream": ((False,), "the picture comes in one piece; /live streams"),
    "partial_images": ((0,), "the picture comes in one piece; /live streams"),
}
"""Parameters of which only what happens anyway can be asked for, and why."""
REFUSED: Mapping[str, str] = {
    "mask": "A mask is not supported: the sketch as a whole is drawn over.",
    "style": "There are no styles; the prompt names one.",
    "input_fidelity": "Use strength: how far the picture may leave the sketch.",
}
IGNORED = frozenset({"user", "safety_identifier"})
"""They tell who asks, which does not affect a picture; they are kept nowhere."""
USED = frozenset(
    {"model", "prompt", "n", "size", "seed", "num_inference_steps", "output_format"}
    | {"output_compression"}
)
ONLY_WITH_A_SKETCH = frozenset({"strength"})


@dataclass(frozen=True)
class Wanted:
    """What one call asks for; all that depends on the model is checked by `request`.

    Attributes:
        size: None is the model's own.
        seed: of the first picture; the next one has the next seed.
        jpeg_quality: None is a PNG.
    """

    prompt: str
    model: str | None
    n: int
    size: str | None
    seed: int
    strength: float | None
    num_inference_steps: int | None
    jpeg_quality: int | None

    def request(self, spec: ModelSpec, sketch: Sketch | None, number: int) -> FrameRequest:
        """The request for picture `number` of `n`, counted from 0.

        Raises:
            InvalidRequest: the model cannot draw that.
        """
        width, height = self.size_px(spec)
        steps = self.num_inference_steps
        return FrameRequest(
            model=spec.id,
            revision=spec.revision,
            prompt=self.prompt,
            image=sketch,
            strength=spec.default_strength if self.strength is None else self.strength,
            seed=(self.seed + number) % (MAX_SEED + 1),
            num_inference_steps=spec.default_num_inference_steps if steps is None else steps,
            width=width,
            height=height,
        )

    def size_px(self, spec: ModelSpec) -> tuple[int, int]:
        """Width and height.

        Raises:
            InvalidRequest: the model does not draw that size.
        """
        if self.size is None:
            return spec.default_size
        found = SIZE.fullmatch(self.size)
        width, height = (int(found[1]), int(found[2])) if found else (0, 0)
        if not spec.draws(width, height):
            raise InvalidRequest("size", self.size, f"auto or {_sizes_text(spec)}")
        return width, height


def read(values: Mapping[str, Any], *, is_edit: bool, max_prompt_chars: int) -> Wanted:
    """The parameters of a JSON body or, as texts, of a form; null is as if not sent.

    Raises:
        ApiError: a parameter that is unknown, missing, or asks for what is not done here.
        InvalidRequest: a wrong value.
    """
    given = {name: value for name, value in values.items() if value is not None}
    _refuse_what_is_not_done(given, is_edit)
    prompt = given.get("prompt")
    if prompt is None:
        raise ApiError(
            400, "Missing required parameter: 'prompt'.", "missing_required_parameter", "prompt"
        )
    if not isinstance(prompt, str) or len(prompt) > max_prompt_chars:
        raise InvalidRequest("prompt", prompt, f"a text of at most {max_prompt_chars} characters")
    seed = _number("seed", given, int)
    wanted = Wanted(
        prompt=prompt,
        model=_text("model", given),
        n=_whole_within("n", given, 1, MAX_N) or 1,
        size=None if given.get("size") == "auto" else _text("size", given),
        seed=secrets.randbelow(MAX_SEED + 1) if seed is None else seed,
        strength=_number("strength", given, float),
        num_inference_steps=_number("num_inference_steps", given, int),
        jpeg_quality=_jpeg_quality(given),
    )
    # what no model changes is checked before a picture is unpacked
    FrameRequest(
        prompt=prompt,
        seed=wanted.seed,
        strength=0.5 if wanted.strength is None else wanted.strength,
        num_inference_steps=wanted.num_inference_steps,
    )
    return wanted


def _refuse_what_is_not_done(given: Mapping[str, Any], is_edit: bool) -> None:
    for name, value in given.items():
        if name in REFUSED:
            raise unsupported(name, REFUSED[name])
        if name in ONE_VALUE:
            allowed, reason = ONE_VALUE[name]
            if not any(value == one or _as_text(value) == _as_text(one) for one in allowed):
                texts = " or ".join(_as_text(one) for one in allowed)
                raise unsupported(name, f"{name} can only be {texts}: {reason}.")
        elif name in ONLY_WITH_A_SKETCH and not is_edit:
            raise unsupported(name, f"{name} needs a sketch: POST /v1/images/edits takes one.")
        elif name not in USED | IGNORED | ONLY_WITH_A_SKETCH:
            shown = name[:60]
            raise ApiError(400, f"Unknown parameter: '{shown}'.", "unknown_parameter", shown)


def _jpeg_quality(given: Mapping[str, Any]) -> int | None:
    kind = given.get("output_format", "png")
    compression = _whole_within("output_compression", given, 0, 100)
    if kind not in ("png", "jpeg"):
        raise InvalidRequest("output_format", kind, "png or jpeg")
    if kind == "png":
        if compression not in (None, 100):
            raise unsupported("output_compression", "A PNG has one quality; ask for jpeg.")
        return None
    return min(95, max(1, 90 if compression is None else compression))


def _number(name: str, given: Mapping[str, Any], kind: Callable[[Any], Any]) -> Any:
    """A form's text as a number; what is none is left for the check to name."""
    value = given.get(name)
    if isinstance(value, str) and len(value) <= 20:
        try:
            return kind(value)
        except ValueError:
            return value
    return value


def _whole_within(name: str, given: Mapping[str, Any], low: int, high: int) -> int | None:
    value = _number(name, given, int)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise InvalidRequest(name, value, f"a whole number from {low} to {high}")
    return value


def _text(name: str, given: Mapping[str, Any]) -> str | None:
    value = given.get(name)
    if value is not None and not isinstance(value, str):
        raise InvalidRequest(name, value, "a text")
    return value


def _as_text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool | int) else str(value)


def _sizes_text(spec: ModelSpec) -> str:
    if spec.only_sizes_px:
        return " or ".join(f"{width}x{height}" for width, height in spec.only_sizes_px)
    low, high = spec.min_size_px, spec.max_size_px
    if low == high:
        return f"{low}x{low}"
    return f"WIDTHxHEIGHT with sides from {low} to {high} in steps of {spec.size_step_px}"
