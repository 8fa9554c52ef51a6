"""What a page wishes for: the parameters it sent so far, each checked, merged into one request."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from turbo_ui.catalog import ModelSpec
from turbo_ui.errors import InvalidRequest
from turbo_ui.frames import FrameRequest, Sketch

NAMES = frozenset(
    {
        "model",
        "prompt",
        "strength",
        "seed",
        "num_inference_steps",
        "guidance_scale",
        "width",
        "height",
    }
)
"""The parameters that a page may send; others are ignored, as a newer page may know more."""


OWN = ("num_inference_steps", "width", "height")
"""What each model has its own of; a draft's are not its refine's."""


@dataclass
class Wishes:
    """The parameters of one page. A wrong one is refused and leaves all as they were."""

    max_prompt_chars: int
    params: dict[str, Any] = field(default_factory=dict)

    @property
    def model(self) -> str | None:
        """The model that the user chose; None leaves it to the server."""
        return self.params.get("model")

    def merge(self, changes: object) -> None:
        """Takes over what changed.

        Raises:
            InvalidRequest: names the field, its value and what is allowed.
        """
        if not isinstance(changes, Mapping):
            raise InvalidRequest("params", changes, "a JSON object")
        params = {**self.params, **{name: changes[name] for name in NAMES & changes.keys()}}
        prompt = params.get("prompt", "")
        if isinstance(prompt, str) and len(prompt) > self.max_prompt_chars:
            raise InvalidRequest("prompt", prompt, f"at most {self.max_prompt_chars} characters")
        FrameRequest(**_given(params))
        self.params = params

    def size_px(self, spec: ModelSpec) -> tuple[int, int]:
        """Width and height: as wished, held to what the model can draw."""
        width, height = spec.live_size
        return spec.nearest_size(
            self.params.get("width") or width, self.params.get("height") or height
        )

    def request(self, spec: ModelSpec, image: Sketch | None) -> FrameRequest:
        """The request for a model: another than the wished one while that one loads."""
        width, height = self.size_px(spec)
        params = {**_given(self.params), "width": width, "height": height}
        params.setdefault("num_inference_steps", spec.default_num_inference_steps)
        params.update(model=spec.id, revision=spec.revision)
        # what is white all over is no sketch: the request says so, and the page shows it whole
        is_sent = spec.takes_sketch and image is not None and not image.is_empty
        params.update(image=image if is_sent else None)
        return FrameRequest(**params)

    def refine(self, spec: ModelSpec, changes: object, image: Sketch | None) -> FrameRequest:
        """The same wishes for a model that refines: at its own size and steps, unless `changes`
        name others; nothing of it stays.

        Raises:
            InvalidRequest: names the field, its value and what is allowed.
        """
        own = Wishes(self.max_prompt_chars, {**self.params, **dict.fromkeys(OWN)})
        own.merge(changes)
        width, height = spec.default_size
        size = spec.nearest_size(own.params["width"] or width, own.params["height"] or height)
        own.merge(dict(zip(("width", "height"), size, strict=True)))
        return own.request(spec, image)


def _given(params: Mapping[str, Any]) -> dict[str, Any]:
    """Null means: as if it had not been sent."""
    return {name: value for name, value in params.items() if value is not None}
