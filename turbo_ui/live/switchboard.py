"""Which models are loaded, loading, ready: their life cycle, and who serves meanwhile.

Loading happens on a thread of its own, one model after the other, so that a running model goes on.
A model becomes `ready` only after its warm-up: the first frame is as fast as the others.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from queue import SimpleQueue
from typing import Protocol

from turbo_ui.backends.base import Backend, LoadReport
from turbo_ui.catalog import ModelSpec
from turbo_ui.errors import InvalidRequest, ModelUnavailable, TurboUIError
from turbo_ui.frames import FrameRequest
from turbo_ui.live.events import ModelPhase, ModelState

log = logging.getLogger(__name__)

BUSY: tuple[ModelPhase, ...] = ("downloading", "loading", "warming")


class Load(Protocol):
    """Loads one model, telling on the way where it stands; raises `ModelUnavailable`."""

    def __call__(self, spec: ModelSpec, report: LoadReport) -> Backend: ...


class Switchboard:
    """The models on offer and where each stands. All methods may be called from any thread.

    Args:
        catalog: what is on offer; the first is the one that serves while another is on its way.
        load: makes a backend of a spec; called on the loading thread.
    """

    def __init__(self, catalog: Sequence[ModelSpec], load: Load) -> None:
        if not catalog:
            raise InvalidRequest("catalog", catalog, "at least one model")
        self._specs = {spec.id: spec for spec in catalog}
        self._load = load
        self._lock = threading.RLock()
        self._states = {spec.id: ModelState(model_id=spec.id, state="absent") for spec in catalog}
        self._backends: dict[str, Backend] = {}
        self._subscribers: list[Callable[[ModelState], None]] = []
        self._wanted: SimpleQueue[str | None] = SimpleQueue()
        self._loader: threading.Thread | None = None
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
        with self._lock:
            return list(self._states.values())

    def ready(self, model_id: str) -> Backend | None:
        """The model's backend if it is warm, else None."""
        with self._lock:
            return self._backends.get(model_id)

    def serve(
        self, request: FrameRequest, last_model_id: str | None = None
    ) -> tuple[Backend, FrameRequest] | None:
        """Who serves this request now.

        The model that it names, if ready; else the one that made the session's last picture; else
        the first ready one. In the latter cases the request is rewritten for that model.

        Returns:
            The backend and the request fitted to it; None where no model is ready yet.
        """
        with self._lock:
            for model_id in (request.model, last_model_id, *self._specs):
                backend = self._backends.get(model_id) if model_id is not None else None
                if backend is not None:
                    return backend, fitted(request, backend.spec)
        return None

    # --- loading

    def add(self, spec: ModelSpec) -> None:
        """Puts one more model on offer, such as a folder of the user's own."""
        with self._lock:
            self._specs.setdefault(spec.id, spec)
            self._states.setdefault(spec.id, ModelState(model_id=spec.id, state="absent"))

    def request(self, model_id: str) -> None:
        """Starts loading a model, or tries again one that failed; returns at once.

        Raises:
            InvalidRequest: there is no such model.
        """
        self.spec(model_id)
        with self._lock:
            state = self._states[model_id].state
            if self._is_closed or state in BUSY or state == "ready":
                return
            self._set(ModelState(model_id=model_id, state="loading", text="Waiting to load."))
            self._wanted.put(model_id)
            self._start_loader()

    def want(self, model_id: str) -> None:
        """Like `request`, but leaves alone a model that has failed: for use on every frame."""
        self.spec(model_id)
        with self._lock:
            if self._states[model_id].state in ("absent", "evicted"):
                self.request(model_id)

    def subscribe(self, callback: Callable[[ModelState], None]) -> Callable[[], None]:
        """Calls back on each change of a state, on whichever thread makes it; must not block.

        Returns:
            A function that ends the subscription.
        """
        with self._lock:
            self._subscribers.append(callback)

        def unsubscribe() -> None:
            with self._lock:
                if callback in self._subscribers:
                    self._subscribers.remove(callback)

        return unsubscribe

    def load_next(self) -> None:
        """Loads what was requested first, in the calling thread; returns when it is ready or
        failed."""
        model_id = self._wanted.get()
        if model_id is not None:
            self._load_one(model_id)

    def close(self, timeout_s: float = 5.0) -> None:
        """Stops loading and gives all memory back. No backend may be in use any more."""
        with self._lock:
            self._is_closed = True
            backends = list(self._backends.values())
            self._backends.clear()
            loader = self._loader
        self._wanted.put(None)
        if loader is not None:
            loader.join(timeout_s)
        for backend in backends:
            backend.close()

    # --- the loading thread

    def _start_loader(self) -> None:
        if self._loader is None:
            self._loader = threading.Thread(target=self._run, name="turbo-ui-loader", daemon=True)
            self._loader.start()

    def _run(self) -> None:
        while not self._is_closed:
            self.load_next()

    def _load_one(self, model_id: str) -> None:
        spec = self.spec(model_id)

        def report(
            state: ModelPhase,
            text: str = "",
            progress: float | None = None,
            num_bytes: int | None = None,
            total_bytes: int | None = None,
        ) -> None:
            self._set(
                ModelState(
                    model_id=model_id,
                    state=state,
                    text=text,
                    progress=progress,
                    num_bytes=num_bytes,
                    total_bytes=total_bytes,
                )
            )

        report("loading", f"Loading {spec.title}.")
        try:
            backend = self._load(spec, report)
            report("warming", f"Warming up {spec.title}.")
            backend.warm_up(spec.default_size_px, spec.default_size_px)
        except TurboUIError as error:
            log.warning("%s: %s", model_id, error)
            report("failed", error.user_text)
            return
        except Exception as error:
            log.exception("%s could not be loaded", model_id)
            unavailable = ModelUnavailable(model_id, f"{type(error).__name__}: {error}")
            report("failed", unavailable.user_text)
            return
        with self._lock:
            is_closed = self._is_closed
            if not is_closed:
                self._backends[model_id] = backend
        if is_closed:
            backend.close()
        else:
            report("ready", f"{spec.title} is ready on {backend.device_text}.")

    def _set(self, state: ModelState) -> None:
        with self._lock:
            self._states[state.model_id] = state
            subscribers = list(self._subscribers)
        for callback in subscribers:
            try:
                callback(state)
            except Exception:
                log.exception("a subscriber failed on %s", state)


def fitted(request: FrameRequest, spec: ModelSpec) -> FrameRequest:
    """The request as this model can run it: unchanged if it names the model, else rewritten.

    A model that stands in takes the prompt, the sketch, the strength and the seed; size and steps
    are its own.
    """
    if request.model == spec.id:
        return request
    return replace(
        request,
        model=spec.id,
        revision=None,
        num_inference_steps=spec.default_num_inference_steps,
        guidance_scale=0.0,
        width=spec.default_size_px,
        height=spec.default_size_px,
        vae=None,
        dtype=None,
    )
