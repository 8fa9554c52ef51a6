"""Where each model stands, and who is told of it."""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import replace

from turbo_ui.live.events import ModelState

log = logging.getLogger(__name__)

Subscriber = Callable[[ModelState], None]


class Standings:
    """The newest state of each model. All methods may be called from any thread.

    Args:
        model_ids: in the order in which they are told.
        lock: the switchboard's, so that it can look and set in one go. Nobody is told while it is
            held: whoever is told may hold, or wait for, a lock of his own.
    """

    def __init__(self, model_ids: Iterable[str], lock: threading.RLock) -> None:
        self._lock = lock
        self._states: dict[str, ModelState] = {}
        self._hashes: dict[str, str] = {}
        self._subscribers: list[Subscriber] = []
        self._untold: deque[str] = deque()
        self._is_telling = False
        for model_id in model_ids:
            self.add(model_id)

    def add(self, model_id: str) -> None:
        """One more model, which is absent; one that is known stays as it is."""
        with self._lock:
            self._states.setdefault(model_id, ModelState(model_id=model_id, state="absent"))

    def all(self) -> list[ModelState]:
        with self._lock:
            return list(self._states.values())

    def of(self, model_id: str) -> ModelState:
        with self._lock:
            return self._states[model_id]

    def subscribe(self, callback: Subscriber) -> Callable[[], None]:
        """Calls back on each change, on whichever thread makes it, or one that is telling another
        just then; must not block. Returns a function that ends the subscription."""
        with self._lock:
            self._subscribers.append(callback)

        def unsubscribe() -> None:
            with self._lock:
                if callback in self._subscribers:
                    self._subscribers.remove(callback)

        return unsubscribe

    def set(self, state: ModelState) -> None:
        """Remembers a state and tells it."""
        self.tell(self.remember(state))

    def remember(self, state: ModelState) -> ModelState:
        """The state as it is to be told, later."""
        with self._lock:
            state = replace(state, file_hash=self._hashes.get(state.model_id))
            self._states[state.model_id] = state
            return state

    def tell(self, state: ModelState) -> None:
        """Tells a state that was remembered, or a newer one of its model.

        What a thread has to tell while another one is telling, or from within a callback, is told
        by that one afterwards: else the older state might be heard last.
        """
        with self._lock:
            self._untold.append(state.model_id)
            if self._is_telling:
                return
            self._is_telling = True
        while (newest := self._next_untold()) is not None:
            self._call_back(newest)

    def set_hash(self, model_id: str, file_hash: str) -> None:
        """What a single file's hash is: told now, and with every later state."""
        with self._lock:
            if self._hashes.get(model_id) == file_hash:
                return
            self._hashes[model_id] = file_hash
            state = self.remember(self._states[model_id])
        self.tell(state)

    def _next_untold(self) -> ModelState | None:
        with self._lock:
            self._is_telling = bool(self._untold)
            return self._states[self._untold.popleft()] if self._untold else None

    def _call_back(self, state: ModelState) -> None:
        with self._lock:
            subscribers = list(self._subscribers)
        for callback in subscribers:
            try:
                callback(state)
            except Exception:
                log.exception("a subscriber failed on %s", state)
