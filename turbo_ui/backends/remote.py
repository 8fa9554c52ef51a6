"""The backend that draws elsewhere: any OpenAI-compatible images API.

A picture takes seconds and costs money, so nothing is asked for twice. A request runs as a `Call`
on a thread of its own; where the engine stops waiting for it, the call goes on, and if the same
request comes again, its picture is taken from there. But a call that nobody waits for keeps
nobody waiting: where another one needs its place it is ended. Several of the engine's threads wait
here at once, each for another session's picture.
"""

from __future__ import annotations

import math
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from functools import partial

from turbo_ui import imaging
from turbo_ui.backends.base import GiveBack, ShouldStop, Spend, final_frames
from turbo_ui.backends.remote_call import Call, current
from turbo_ui.backends.remote_server import Drawn, Server
from turbo_ui.catalog import ModelSpec
from turbo_ui.errors import BackendFailure, InvalidRequest, LimitReached, ModelUnavailable
from turbo_ui.frames import Frame, FrameRequest, FrameTimings
from turbo_ui.remote_settings import RemoteSettings

MODEL_ID = "remote"
POLL_S = 0.02
MAX_RUNNING = 4
"""So many calls at once; the next one takes the place of one that nobody waits for, or waits."""
MAX_KEPT = 8
"""So many calls whose picture nobody took yet are remembered."""
ERROR_KEPT_S = 10.0
"""The error of a call that nobody waited for is told to whoever asks again within this time."""
PROBE_WITHIN_S = 15.0
HOUR_S = 3600.0


def spec_of(settings: RemoteSettings) -> ModelSpec:
    """The catalog's entry for the server that the settings name."""
    sizes_px = settings.remote_sizes_px
    sides_px = [side for size in sizes_px for side in size]
    return ModelSpec(
        id=MODEL_ID,
        title=f"Remote: {settings.remote_model}",
        family="remote",
        source=settings.remote_model,
        default_size_px=math.isqrt(math.prod(sizes_px[0])),
        min_size_px=min(sides_px),
        max_size_px=max(sides_px),
        only_sizes_px=sizes_px,
        licence="as its provider says",
        how_to_get="Drawn by another server, which sees the prompt and may see the board.",
        is_live=False,
        takes_sketch=settings.remote_sketch != "off",
    )


class Remote:
    """Draws through the images API that the settings name.

    Args:
        spec: as `spec_of` makes it.
        settings: where, with which key, and how much.
        clock: monotonic seconds, for the limit an hour.

    Raises:
        ModelUnavailable: no server is named, or the key cannot be sent.
    """

    max_batch = 1

    def __init__(
        self,
        spec: ModelSpec,
        settings: RemoteSettings,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._spec = spec
        self._settings = settings
        self._clock = clock
        self._server = Server(settings)
        self._calls: dict[FrameRequest, Call[Drawn]] = {}
        self._slots = threading.Semaphore(MAX_RUNNING)
        self._sent_at: deque[float] = deque()
        self._lock = threading.Lock()  # guards the calls, and what was sent when

    @property
    def spec(self) -> ModelSpec:
        """The model; `takes_sketch` is False once the server is known to have no sketch input."""
        return replace(self._spec, takes_sketch=self._server.takes_sketch is not False)

    @property
    def device_text(self) -> str:
        if self._server.takes_sketch is False:
            return "another server, which is sent the prompt only, not the board"
        return "another server"

    def stream(
        self,
        requests: Sequence[FrameRequest],
        should_stop: ShouldStop | None = None,
        spend: Spend | None = None,
    ) -> Iterator[Frame]:
        """One final frame for each request; a stop ends the waiting, and the call only where its
        place is needed.

        Args:
            spend: counts each picture that is sent.

        Raises:
            InvalidRequest: no prompt; nothing was sent.
            LimitReached: as many pictures were made in this hour as are allowed, or by `spend`;
                nothing was sent.
            ModelUnavailable: the server does not have the model.
            BackendFailure: it gave no picture; the text says why and what to do.
        """
        for index, request in enumerate(requests):
            call = self._call(request, should_stop, spend)
            if call is None:
                return
            with self._waiting(call):
                while not call.wait(POLL_S):
                    if should_stop is not None and should_stop():
                        return
            self._forget(request, call)
            drawn = call.result()
            width, height = self._spec.nearest_size(request.width, request.height)
            yield Frame(
                image=imaging.fit(drawn.image, request.width, request.height),
                request=_as_drawn(request, drawn),
                timings=FrameTimings(denoise_ms=call.spent_ms),
                index=index,
                path=f"remote {width}×{height}, {_way(request, drawn)}",
            )

    def generate(self, requests: Sequence[FrameRequest]) -> list[Frame]:
        return final_frames(self.stream(requests))

    def warm_up(self, width: int, height: int) -> None:
        """Asks, without having anything drawn, whether the server is there, lets us in and has a
        sketch input.

        Raises:
            ModelUnavailable: it cannot be reached or does not accept the key.
        """
        call = Call(self._server.probe, PROBE_WITHIN_S)
        while not call.wait(PROBE_WITHIN_S):
            pass
        try:
            call.result()
        except BackendFailure as error:
            raise ModelUnavailable(self._spec.id, str(error), error.user_text) from None

    def close(self) -> None:
        with self._lock:
            calls = list(self._calls.values())
            self._calls.clear()
        for call in calls:
            call.give_up()
        self._server.close()

    # --- calls

    def _call(
        self, request: FrameRequest, should_stop: ShouldStop | None, spend: Spend | None
    ) -> Call[Drawn] | None:
        """The request's call, begun anew where none is on its way; None where told to stop.

        Whoever gets it counts as waiting for it, and says when that ends.
        """
        with self._lock:
            self._forget_old_calls()
            if request in self._calls:
                return self._joined(request)
        if not request.prompt.strip():
            raise InvalidRequest("prompt", request.prompt, "words: the remote server draws by them")
        with ExitStack() as undo:
            # before there is a slot: who may have no more is told so at once, and waits for none
            give_back = self._spend(spend)
            undo.callback(give_back)
            ending: Call[Drawn] | None = None
            while not self._slots.acquire(timeout=POLL_S):
                if should_stop is not None and should_stop():
                    return None
                if ending is None or not ending.is_running:  # one at a time: it may take a while
                    ending = self._make_room()
            undo.callback(self._slots.release)
            with self._lock:
                if request in self._calls:  # somebody has begun it meanwhile
                    return self._joined(request)
                self._calls[request] = Call(
                    lambda: self._drawn(request, give_back),
                    self._settings.remote_timeout_s,
                    partial(self._spend, spend),
                )
                undo.pop_all()  # it runs, and does both itself
                return self._joined(request)

    def _joined(self, request: FrameRequest) -> Call[Drawn]:
        call = self._calls[request]
        call.num_waiting += 1
        return call

    @contextmanager
    def _waiting(self, call: Call[Drawn]) -> Iterator[None]:
        try:
            yield
        finally:
            with self._lock:
                call.num_waiting -= 1

    def _make_room(self) -> Call[Drawn] | None:
        """Ends the oldest call that nobody waits for. What it has sent stays counted.

        Returns:
            That call, which gives its place back as soon as its thread has noticed; None where all
            are waited for.
        """
        with self._lock:
            for request, call in self._calls.items():
                if call.is_running and not call.num_waiting:
                    del self._calls[request]
                    call.give_up()
                    return call
        return None

    def _drawn(self, request: FrameRequest, give_back: GiveBack) -> Drawn:
        """On the call's thread."""
        width, height = self._spec.nearest_size(request.width, request.height)
        try:
            return self._server.draw(replace(request, width=width, height=height))
        finally:
            if not current().num_sent:
                give_back()
            self._slots.release()

    def _forget(self, request: FrameRequest, call: Call[Drawn]) -> None:
        """Its picture is taken: who asks again has another one drawn."""
        with self._lock:
            if self._calls.get(request) is call:
                del self._calls[request]

    def _forget_old_calls(self) -> None:
        for request, call in list(self._calls.items()):
            is_old_error = call.error is not None and call.ended_ago_s > ERROR_KEPT_S
            if is_old_error or (call.is_running and call.left_s <= 0):
                call.give_up()
                del self._calls[request]
        # not one that runs: it has a place, which would not be found again
        ended = [request for request, call in self._calls.items() if not call.is_running]
        for request in ended[: max(0, len(self._calls) - MAX_KEPT)]:
            del self._calls[request]

    def _spend(self, spend: Spend | None) -> GiveBack:
        """Counts one picture, here and by `spend`, unless one of the two has had all it may."""
        now, limit = self._clock(), self._settings.max_remote_images_per_hour
        with self._lock:
            while self._sent_at and self._sent_at[0] <= now - HOUR_S:
                self._sent_at.popleft()
            if len(self._sent_at) >= limit:
                raise self._hour_is_full(now)
            give_back = None if spend is None else spend()
            self._sent_at.append(now)

        def give_both_back() -> None:
            with self._lock, suppress(ValueError):  # it may be an hour ago
                self._sent_at.remove(now)
            if give_back is not None:
                give_back()

        return give_both_back

    def _hour_is_full(self, now: float) -> LimitReached:
        limit, wait = self._settings.max_remote_images_per_hour, ""
        if limit:
            minutes = int((self._sent_at[0] + HOUR_S - now) // 60) + 1
            wait = f" The next one in {minutes} min."
        return LimitReached(
            f"{limit} remote pictures were made within an hour",
            f"This server has {limit} remote pictures drawn an hour, as many as it may "
            f"(TURBO_UI_MAX_REMOTE_IMAGES_PER_HOUR).{wait}",
        )


def _as_drawn(request: FrameRequest, drawn: Drawn) -> FrameRequest:
    """The request that really ran: what the server did not see is no part of its picture."""
    return request if drawn.is_from_sketch else replace(request, image=None)


def _way(request: FrameRequest, drawn: Drawn) -> str:
    if drawn.is_from_sketch:
        return "from the board"
    if request.is_text_to_image:
        return "from the prompt"
    return "from the prompt alone: the board is not sent"
