"""Models are taken off the device so that others fit: never one that was chosen later."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Sequence

from turbo_ui.backends.base import Backend
from turbo_ui.catalog import ModelSpec
from turbo_ui.live.events import ModelPhase, ModelState
from turbo_ui.live.loaded import Loaded
from turbo_ui.live.standings import Standings

CHOOSE = "Choose it to load it again."


class PutOff(Exception):
    """Ends a load whose room would cost a model that was chosen after it."""


class Eviction:
    """Puts models away, and knows which of them was chosen last. From any thread.

    Args:
        lock: the switchboard's: looking who was chosen last and taking off are one under it, so
            that no wish falls between.
        standings: where it is written down and told.
        loaded: what may be taken off.
    """

    def __init__(self, lock: threading.RLock, standings: Standings, loaded: Loaded) -> None:
        self._lock = lock
        self._standings = standings
        self._loaded = loaded
        self._choices = itertools.count(1)
        self._chosen: dict[str, int] = {}

    def note_choice(self, model_id: str) -> None:
        """From now on the model is put away only for one that is chosen later. It counts as used,
        too, so that others go before it."""
        with self._lock:
            self._chosen[model_id] = next(self._choices)
        self._loaded.use(model_id)

    def make_room(self, spec: ModelSpec, gone: Sequence[ModelSpec]) -> None:
        """Puts models away for another one, and says so first; returns when they are closed.

        Raises:
            PutOff: one of them was chosen after it. Nothing went, and it may be asked for again.
        """
        if not gone:
            return
        with self._lock:
            newer = [each for each in gone if self._was_chosen_later(each, spec)]
            if newer:
                self._standings.remember(_put_off(spec, newer))
                raise PutOff
            text = f"was put away to make room for {spec.title}. {CHOOSE}"
            taken = [self._take_off(each, "evicted", f"{each.title} {text}") for each in gone]
        said = f"No room for {spec.title} beside {_titles(gone)}: making room first."
        self._standings.set(ModelState(model_id=spec.id, state="loading", text=said))
        for backend in filter(None, taken):
            self._put_away(backend, is_waiting=True)

    def evict(self, spec: ModelSpec, state: ModelPhase, text: str) -> None:
        """Takes a model off: no frame gets it any more, and it is closed once none runs on it."""
        backend = self._take_off(spec, state, text)
        if backend is not None:
            self._put_away(backend, is_waiting=False)

    def _was_chosen_later(self, one: ModelSpec, other: ModelSpec) -> bool:
        return self._chosen.get(one.id, 0) > self._chosen.get(other.id, 0)

    def _take_off(self, spec: ModelSpec, state: ModelPhase, text: str) -> Backend | None:
        """Its backend, which no frame gets any more; None where it is gone already."""
        with self._lock:
            backend = self._loaded.take(spec.id)
            if backend is not None:
                self._standings.remember(ModelState(model_id=spec.id, state=state, text=text))
            return backend

    def _put_away(self, backend: Backend, *, is_waiting: bool) -> None:
        """Tells that a model was taken off, and closes it."""
        self._standings.tell(self._standings.of(backend.spec.id))
        self._loaded.close_one(backend, is_waiting=is_waiting)


def _titles(specs: Sequence[ModelSpec]) -> str:
    return " and ".join(spec.title for spec in specs)


def _put_off(spec: ModelSpec, newer: Sequence[ModelSpec]) -> ModelState:
    """Not "absent": then a mere frame would ask for it again."""
    were = "was" if len(newer) == 1 else "were"
    text = f"There is no room for {spec.title} beside {_titles(newer)}, which {were} chosen later."
    return ModelState(model_id=spec.id, state="evicted", text=f"{text} {CHOOSE}")
