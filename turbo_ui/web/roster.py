"""The models as a page sees them: which there are, how each stands, which one draws for it."""

from __future__ import annotations

from typing import Any

from turbo_ui.catalog import ModelSpec
from turbo_ui.errors import TurboUIError
from turbo_ui.live.engine import NOT_COMING
from turbo_ui.live.events import ModelState
from turbo_ui.live.switchboard import Switchboard
from turbo_ui.live.turns import is_remote


class Roster:
    """Answers from the switchboard.

    Args:
        preferred: what draws for a page that has not chosen a model; None is the first ready one.
        refining: what refines for a page that has not chosen that; None is nothing.
    """

    def __init__(
        self, switchboard: Switchboard, preferred: str | None = None, refining: str | None = None
    ) -> None:
        self.switchboard = switchboard
        self.preferred = preferred
        self.refining = refining

    def ask_for(self, model_id: str) -> None:
        """Has a model loaded behind the running one, as somebody wishes for it.

        Raises:
            InvalidRequest: there is no such model.
        """
        self.switchboard.choose(model_id)

    def serving(self, wished: str | None) -> ModelSpec:
        """The model that draws now for a page that wished for `wished`.

        Where none is ready yet it is the first of the catalog, for which the engine waits.
        """
        ready = self._ready()
        if wished in ready:
            return ready[wished]
        # one that costs money per picture is never somebody's choice by default
        following = {id: spec for id, spec in ready.items() if not is_remote(spec)}
        for model_id in (self.preferred, *following):
            if model_id in following:
                return following[model_id]
        return self.switchboard.catalog[0]

    def spec(self, model_id: str) -> ModelSpec:
        """The model with this id, as its backend knows it where it is loaded.

        Raises:
            InvalidRequest: there is none.
        """
        backend = self.switchboard.ready(model_id)
        return self.switchboard.spec(model_id) if backend is None else backend.spec

    def known(self, model_id: str) -> ModelSpec:
        """As `spec`, for a request of the model's own size and steps: not a guess at what they are.

        Raises:
            InvalidRequest: there is no such model.
            TurboUIError: what it draws is not known before it is loaded, which begins now where
                nobody asked for it before.
        """
        spec = self.spec(model_id)
        if spec.is_provisional:
            self.switchboard.want(model_id)
            state = self.switchboard.standings.of(model_id)
            text = f"What {spec.title} draws is known once it is loaded: wait until it is ready."
            raise TurboUIError((state.state in NOT_COMING and state.text) or text)
        return spec

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
        # what comes with the app is small, what is elsewhere takes nothing here
        is_large = spec.memory_bytes > 0 and not (spec.is_embedded or spec.is_provisional)
        return {
            "id": spec.id,
            "title": spec.title,
            "state": state.state,
            "text": state.text,
            "progress": state.progress,
            "num_bytes": state.num_bytes,
            "total_bytes": state.total_bytes,
            "bytes_per_s": state.bytes_per_s,
            "file_hash": state.file_hash,
            "device": backend.device_text if backend is not None else None,
            "is_provisional": spec.is_provisional,
            "is_remote": is_remote(spec),
            # a remote one may turn out to have no way in for the board
            "takes_sketch": (spec if backend is None else backend.spec).takes_sketch,
            "default_size_px": spec.default_size_px,
            "live_size_px": spec.live_side_px,
            "min_size_px": spec.min_size_px,
            "max_size_px": spec.max_size_px,
            "size_step_px": spec.size_step_px,
            "only_sizes_px": spec.only_sizes_px or None,
            "weights_bytes": spec.weights_bytes if is_large else None,
            "memory_bytes": spec.memory_bytes if is_large else None,
            "words_url": spec.words_url,
            "licence": spec.licence,
            "licence_url": spec.licence_url,
            "attribution": spec.attribution,
            "how_to_get": spec.how_to_get,
        }
