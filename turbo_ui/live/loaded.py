"""The backends that are on the device, the least recently used first, and putting them away; how
often each ran out of memory."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable

from turbo_ui.backends.base import Backend
from turbo_ui.catalog import ModelSpec

CLOSE_POLL_S = 0.2

Errand = Callable[[], None]


class Loaded:
    """Warm backends by model. All methods may be called from any thread.

    Attributes:
        between_frames: runs an errand when no frame is on the device, and returns at once. Whoever
            runs the frames sets it; until then an errand is run where it comes up.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._backends: dict[str, Backend] = {}
        self._used: dict[str, int] = {}
        self._uses = itertools.count()
        self._num_out_of_memory: dict[str, int] = {}
        self._ran_out_in_this_turn: set[str] = set()
        self._is_closed = threading.Event()
        self.between_frames: Callable[[Errand], None] = lambda errand: errand()

    def __len__(self) -> int:
        return len(self._backends)

    def get(self, model_id: str) -> Backend | None:
        with self._lock:
            return self._backends.get(model_id)

    def use(self, model_id: str) -> Backend | None:
        """Like `get`, for drawing: the model becomes the most recently used."""
        with self._lock:
            backend = self._backends.get(model_id)
            if backend is not None:
                self._used[model_id] = next(self._uses)
            return backend

    def put(self, backend: Backend) -> bool:
        """Takes a backend in; False where `close` came first: then the caller has to close it."""
        model_id = backend.spec.id
        with self._lock:
            if self._is_closed.is_set():
                return False
            self._backends[model_id] = backend
            self._used[model_id] = next(self._uses)
            self._num_out_of_memory.pop(model_id, None)
            return True

    def note_out_of_memory(self, model_id: str) -> int:
        """A frame of this model ran out of memory. Returns how many have since a turn of it went
        well, or since it was loaded."""
        with self._lock:
            self._ran_out_in_this_turn.add(model_id)
            number = self._num_out_of_memory.get(model_id, 0) + 1
            self._num_out_of_memory[model_id] = number
            return number

    def note_turn(self, model_id: str) -> None:
        """A turn of this model ended: well, unless a frame of it ran out of memory."""
        with self._lock:
            if model_id in self._ran_out_in_this_turn:
                self._ran_out_in_this_turn.remove(model_id)
            else:
                self._num_out_of_memory.pop(model_id, None)

    def specs(self) -> list[ModelSpec]:
        """The models, the least recently used first."""
        with self._lock:
            order = sorted(self._backends, key=self._used.__getitem__)
            return [self._backends[model_id].spec for model_id in order]

    def take(self, model_id: str) -> Backend | None:
        """Takes a backend off: from now on no frame gets it."""
        with self._lock:
            return self._backends.pop(model_id, None)

    def close_one(self, backend: Backend, *, is_waiting: bool) -> None:
        """Closes a backend that was taken off, once no frame runs on it.

        Args:
            is_waiting: returns only when its memory is given back, or everything is closed.
        """
        is_done = threading.Event()

        def close() -> None:
            try:
                backend.close()
            finally:
                is_done.set()

        self.between_frames(close)
        while is_waiting and not is_done.wait(CLOSE_POLL_S) and not self._is_closed.is_set():
            pass

    def close(self) -> None:
        """Closes all. None may be in use any more."""
        with self._lock:
            self._is_closed.set()
            backends = list(self._backends.values())
            self._backends.clear()
        for backend in backends:
            backend.close()
