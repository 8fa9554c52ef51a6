"""The models as a page sees them: which there are, how each stands, which one draws for it."""

from __future__ import annotations

from typing import Any

from turbo_ui.catalog import ModelSpec
from turbo_ui.live.events import ModelState
from turbo_ui.live.switchboard import Switchboard


class Roster:
    """Answers from the switchboard; `preferred` is what a page gets that has not chosen a model."""

    def __init__(self, switchboard: Switchboard, preferred: str | None = None) -> None:
        self.switchboard = switchboard
        self.preferred = preferred

    def ask_for(self, model_id: str) -> None:
        """Has a model loaded behind the running one.

        Raises:
            InvalidRequest: there is no such model.
        """
        self.switchboard.request(model_id)

    def serving(self, wished: str | None) -> ModelSpec:
        """The model that draws now for a page that wished for `wished`.

        Where none is ready yet it is the first of the catalog, for which the engine waits.
        """
        ready = self._ready()
        for model_id in (wished, self.preferred, *ready):
            if model_id in ready:
                return ready[model_id]
        return self.switchboard.catalog[0]

    def is_ready(self) -> bool:
        return bool(self._ready())

    def waiting_for(self) -> str:
        """What a server that is not ready waits for, in words."""
        states = [state for state in self.switchboard.states() if state.state != "absent"]
        texts = [f"{state.model_id}: {state.text or state.state}" for state in states]
        return "; ".join(texts) or "no model has been asked for"

    def to_json(self, wished: str | None) -> dict[str, Any]:
        """The part of `welcome` and `models` that tells about models."""
        states = {state.model_id: state for state in self.switchboard.states()}
        entries = [self._entry(spec, states[spec.id]) for spec in self.switchboard.catalog]
        active = self.serving(wished).id if self._ready() else None
        return {"models": entries, "active_model": active}

    def _ready(self) -> dict[str, ModelSpec]:
        specs = self.switchboard.catalog
        return {spec.id: spec for spec in specs if self.switchboard.ready(spec.id) is not None}

    def _entry(self, spec: ModelSpec, state: ModelState) -> dict[str, Any]:
        backend = self.switchboard.ready(spec.id)
        return {
            "id": spec.id,
            "title": spec.title,
            "state": state.state,
            "text": state.text,
            "progress": state.progress,
            "device": backend.device_text if backend is not None else None,
            "default_size_px": spec.default_size_px,
            "min_size_px": spec.min_size_px,
            "max_size_px": spec.max_size_px,
            "size_step_px": spec.size_step_px,
            "licence": spec.licence,
            "licence_url": spec.licence_url,
            "attribution": spec.attribution,
        }
