"""Which models are loaded, loading, ready: their life cycle, and who serves meanwhile.

Each load has a thread of its own, so that a running model goes on and downloads run beside one
another; weights are read and warmed up one model after the other (`gate`).
A model becomes `ready` only after its warm-up: the first frame is as fast as the others. What the
device has no room for is evicted, the least recently used first, and closed between two frames.
The newest wish wins: a load gives up where it would cost a model that was chosen after it.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from functools import partial

from turbo_ui import catalog
from turbo_ui.backends.base import Backend
from turbo_ui.catalog import ModelSpec
from turbo_ui.errors import InvalidRequest, ModelUnavailable, OutOfMemory, TurboUIError
from turbo_ui.frames import FrameRequest
from turbo_ui.live.events import ModelPhase, ModelState
from turbo_ui.live.eviction import CHOOSE, Eviction, PutOff
from turbo_ui.live.fitting import fitted
from turbo_ui.live.gate import Closed, Gate, Visit
from turbo_ui.live.loaded import Loaded
from turbo_ui.live.loaders import Loaders
from turbo_ui.live.progress import Load, Progress
from turbo_ui.live.room import Room, may_go
from turbo_ui.live.standings import Standings, Subscriber
from turbo_ui.live.turns import is_remote

log = logging.getLogger(__name__)

BUSY: tuple[ModelPhase, ...] = ("downloading", "loading", "warming")
MAX_OUT_OF_MEMORY = 3
"""So many frames of a model, and no turn between them that went well, may run out of memory before
it is taken off."""


class Switchboard:
    """The models on offer and where each stands. All methods may be called from any thread.

    Args:
        catalog: what is on offer; the first is the one that serves while another is on its way.
        load: makes a backend of a spec; called on a thread of its own for each model.
        room: asked before each load how much memory there is; None is no limit.

    Attributes:
        standings: where each model stands.
        loaded: the backends that are warm.
    """

    def __init__(
        self,
        catalog: Sequence[ModelSpec],
        load: Load,
        room: Callable[[], Room] | None = None,
    ) -> None:
        if not catalog:
            raise InvalidRequest("catalog", catalog, "at least one model")
        self._specs = {spec.id: spec for spec in catalog}
        self._load = load
        self._room = room
        self._lock = threading.RLock()
        self.standings = Standings(self._specs, self._lock)
        self.loaded = Loaded()
        self._eviction = Eviction(self._lock, self.standings, self.loaded)
        self._gate = Gate()
        self._loaders = Loaders()
        self._is_closed = False

    # --- asking

    @property
    def catalog(self) -> tuple[ModelSpec, ...]:
        with self._lock:
            return tuple(self._specs.values())

    def spec(self, model_id: str) -> ModelSpec:
        """The model with this id.

        Raises:
            InvalidRequest: there is none.
        """
        with self._lock:
            found = self._specs.get(model_id)
            if found is None:
                raise InvalidRequest("model", model_id, ", ".join(self._specs))
            return found

    def states(self) -> list[ModelState]:
        """Where each model stands, in the catalog's order."""
        return self.standings.all()

    def ready(self, model_id: str) -> Backend | None:
        """The model's backend if it is warm, else None."""
        return self.loaded.get(model_id)

    def serve(
        self, request: FrameRequest, last_model_id: str | None = None
    ) -> tuple[Backend, FrameRequest] | None:
        """Who serves this request now.

        The model that it names, if ready; else the one that made the session's last picture; else
        the first ready one. In the latter cases the request is rewritten for that model. One that
        runs elsewhere, and costs money, never stands in for another.

        Returns:
            The backend and the request fitted to it; None where no model is ready yet.
        """
        others = [spec.id for spec in self.catalog if not is_remote(spec)]
        if last_model_id in others:
            others.insert(0, last_model_id)
        for model_id in (request.model, *others):
            backend = self.loaded.use(model_id)
            if backend is not None:
                return backend, fitted(request, backend.spec)
        return None

    # --- loading

    def add(self, spec: ModelSpec) -> None:
        """Puts one more model on offer, or says better what one of them is."""
        with self._lock:
            self._specs[spec.id] = spec
            self.standings.add(spec.id)

    def choose(self, model_id: str) -> None:
        """Like `request`, for somebody's wish: from now on the model is put away only for one that
        is chosen later. A load under way for an older wish gives up where there is no room beside.

        Raises:
            InvalidRequest: there is no such model.
        """
        self.spec(model_id)
        self._eviction.note_choice(model_id)
        self.request(model_id)

    def request(self, model_id: str) -> None:
        """Starts loading a model, or tries again one that failed or was evicted; returns at once.

        Of several whose files are here the embedded one is read first, then the newest wish. By
        itself it is nobody's choice, as with the models that the app starts with: see `choose`.

        Raises:
            InvalidRequest: there is no such model.
        """
        spec = self.spec(model_id)
        with self._lock:
            self._gate.wish(model_id)
            state = self.standings.of(model_id).state
            is_there = state == "ready" and self.loaded.get(model_id) is not None
            if self._is_closed or is_there or state in BUSY:
                return
            begun = ModelState(model_id=model_id, state="loading", text=f"Loading {spec.title}.")
            begun = self.standings.remember(begun)
        self.standings.tell(begun)
        self._begin(model_id)

    def want(self, model_id: str) -> None:
        """Like `choose`, but only for a model that nobody asked for yet: for use on every frame.

        One that failed is not tried again and again, and one that was evicted does not evict in
        its turn what took its place.
        """
        self.spec(model_id)
        if self.standings.of(model_id).state == "absent":
            self.choose(model_id)

    def subscribe(self, callback: Subscriber) -> Callable[[], None]:
        """See `Standings.subscribe`."""
        return self.standings.subscribe(callback)

    def close(self, timeout_s: float = 5.0) -> None:
        """Stops loading and gives all memory back. No backend may be in use any more.

        A load that waits for its turn ends now. One that downloads or reads goes on, for which
        `timeout_s` is waited in all; nothing of it becomes ready.
        """
        with self._lock:
            self._is_closed = True
        self._gate.close()
        self.loaded.close()
        self._loaders.close(timeout_s)

    # --- what else becomes known of a model

    def tell_hash(self, model_id: str, file_hash: str) -> None:
        """Says what a single file's hash is; a known one names the model and its licence."""
        with self._lock:
            self._specs[model_id] = catalog.recognised(self.spec(model_id), file_hash)
        self.standings.set_hash(model_id, file_hash)

    def look_again(self, backend: Backend) -> None:
        """Says what a ready model turned out to be since it was told: that its server takes no
        sketch, or that its VAE overflowed. After each turn, from the thread that ran it."""
        model_id = backend.spec.id
        self.loaded.note_turn(model_id)
        with self._lock:
            # in here: of two threads the later must not tell the older text
            ready = _ready(backend)
            told = self.standings.of(model_id)
            is_there = told.state == "ready" and self.loaded.get(model_id) is backend
            if not is_there or told.text == ready.text:
                return
            ready = self.standings.remember(ready)
        self.standings.tell(ready)

    def ran_out_of_memory(self, model_id: str) -> None:
        """A frame of this model ran out of memory: makes room, or takes the model off.

        All others that can go are evicted. Where there are none and it happens again and again,
        the model itself is. From the thread that runs the frames; closed after this frame.
        """
        loaded = self.loaded.specs()
        spec = next((each for each in loaded if each.id == model_id), None)
        if spec is None:
            return
        number = self.loaded.note_out_of_memory(model_id)
        others = [each for each in may_go([*loaded, spec]) if each is not spec]
        for each in others:
            text = f"{each.title} was put away, as {spec.title} ran out of memory. {CHOOSE}"
            self._eviction.evict(each, "evicted", text)
        if not others and len(loaded) > 1 and number >= MAX_OUT_OF_MEMORY:
            text = f"{spec.title} ran out of memory {number} times. Choose another size or model."
            self._eviction.evict(spec, "failed", text)

    # --- the loading threads

    def _begin(self, model_id: str) -> None:
        """Loads a model on a thread of its own."""
        visit = self._gate.announce(self.spec(model_id))
        if self._loaders.start(partial(self._load_one, visit)):
            return
        visit.leave()
        if not self._is_closed:
            text = f"{visit.spec.title} was not loaded, as no thread can be started. Try again."
            self.standings.set(ModelState(model_id=model_id, state="failed", text=text))

    def _load_one(self, visit: Visit) -> None:
        """Loads a model; returns when it is ready, or will not be."""
        with visit:
            self._try(visit)
        if not self._is_closed:
            self.standings.tell(self.standings.of(visit.spec.id))

    def _try(self, visit: Visit) -> None:
        """Loads a model and remembers what came of it. Behind the gate to its end: what failed has
        given its memory back, and what is ready counts, before the next one looks for room."""
        spec = visit.spec
        try:
            # the second try is outside of the first one's `except`, which keeps half a model alive
            backend = self._first_try(visit) or self._loaded_and_warm(visit, self.spec(spec.id))
        except (PutOff, Closed):
            return
        except Exception as error:
            if not isinstance(error, TurboUIError):
                log.exception("%s could not be loaded", spec.id)
                error = ModelUnavailable(spec.id, f"{type(error).__name__}: {error}")
            log.warning("%s: %s", spec.id, error)
            failed = ModelState(model_id=spec.id, state="failed", text=error.user_text)
            self.standings.remember(failed)
            return
        with self._lock:
            # in one: put away between the two, it would be told to be ready and never come back
            if not self._is_closed and self.loaded.put(backend):
                self.standings.remember(_ready(backend))
                return
        backend.close()

    def _first_try(self, visit: Visit) -> Backend | None:
        """None where it ran out of memory and there is more now: sizes are only estimates."""
        try:
            return self._loaded_and_warm(visit, visit.spec)
        except (OutOfMemory, MemoryError):
            if not may_go(self.loaded.specs()):
                raise
        # it may not have come that far, and others look for room, too
        visit.enter(partial(self._say_for_whom, visit.spec))
        self._eviction.make_room(visit.spec, may_go(self.loaded.specs()))
        return None

    def _loaded_and_warm(self, visit: Visit, spec: ModelSpec) -> Backend:
        progress = Progress(spec, self.standings.set, partial(self._make_room, visit), self.add)
        backend = self._load(spec, progress)
        spec = progress.spec
        try:
            progress.make_room()
            text = f"Warming up {spec.title}."
            self.standings.set(ModelState(model_id=spec.id, state="warming", text=text))
            backend.warm_up(*spec.live_size)
        except BaseException:
            backend.close()
            raise
        return backend

    # --- room

    def _make_room(self, visit: Visit, spec: ModelSpec, needs_bytes: Sequence[int] | None) -> None:
        """Waits until it is this model's turn to be read, and evicts what has to go; says so
        before. One that runs elsewhere reads nothing, and is not waited for."""
        if is_remote(spec):
            return
        visit.enter(partial(self._say_for_whom, spec))
        if self._room is not None:
            gone = self._room().to_evict(spec, self.loaded.specs(), needs_bytes)
            self._eviction.make_room(spec, gone)

    def _say_for_whom(self, spec: ModelSpec, first: ModelSpec) -> None:
        """Tells for which model this one waits; its own, where that just failed, it does not."""
        is_other = first.id != spec.id
        text = f"Waiting until {first.title} is loaded." if is_other else "Waiting to load."
        self.standings.set(ModelState(model_id=spec.id, state="loading", text=text))


def _ready(backend: Backend) -> ModelState:
    spec = backend.spec
    text = f"{spec.title} is ready on {backend.device_text}."
    return ModelState(model_id=spec.id, state="ready", text=text)
