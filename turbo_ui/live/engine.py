"""The engine: one worker thread per device that takes turns, generates, publishes, records.

No policy lives here: whose turn it is decides `turns`, when a frame may start or be stopped
    `pacing`,
which model serves the `switchboard`.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

from turbo_ui.backends.base import Backend
from turbo_ui.errors import BackendFailure, TurboUIError
from turbo_ui.frames import Frame, FrameRequest
from turbo_ui.live import pacing
from turbo_ui.live.events import (
    Event,
    Failed,
    ModelState,
    Published,
    Submission,
    Superseded,
    Taken,
)
from turbo_ui.live.metrics import Metrics, Rolling
from turbo_ui.live.session import Listener, Publish, Session, Sessions
from turbo_ui.live.switchboard import Switchboard
from turbo_ui.live.turns import Entry, Turn, choose
from turbo_ui.live.worker import Worker

log = logging.getLogger(__name__)


class Engine:
    """Runs the frames of all sessions on one device.

    `open_session`, `submit`, `close_session` and `stats` may be called from any thread and never
    wait for a frame. Events are published on the worker thread, but for `Superseded` from a mailbox
    (the submitter's thread), `ModelState` (the loading thread) and `SessionsChanged` (the
    opener's).

    Args:
        switchboard: which models are ready.
        clock: monotonic seconds.
        listener: told all events, for measures.
        max_batch: the most frames that run together.
    """

    def __init__(
        self,
        switchboard: Switchboard,
        clock: Callable[[], float] = time.monotonic,
        listener: Listener | None = None,
        max_batch: int = 4,
    ) -> None:
        self.switchboard = switchboard
        self._clock = clock
        self._max_batch = max_batch
        self._lock = threading.RLock()
        self._sessions = Sessions(self._lock, listener)
        self._tell = self._sessions.tell
        self._worker = Worker(self.step, self._ask_again_in_s)
        self._metrics = Metrics()
        self._model_ms: dict[str, Rolling] = {}
        self._running: Turn | None = None
        self._taken_at = 0.0
        self._ask_again_at: float | None = None
        self._was_told_to_stop = False
        self._unsubscribe = switchboard.subscribe(self._on_model_state)

    # --- the loop

    def step(self) -> bool:
        """One turn of the device; False where there was nothing to do."""
        turn = self._take()
        if turn is None:
            return False
        self._announce(turn)
        try:
            for entry, frame in self._generate(turn):
                self._publish(turn, entry, frame)
        finally:
            self._running = None
        return True

    def _take(self) -> Turn | None:
        with self._lock:
            now = self._clock()
            turn, self._ask_again_at = choose(
                self._sessions.all(), self._serve, self._mean_ms, self._max_batch, now
            )
            if turn is None:
                return None
            for entry in turn.entries:
                box = entry.session.mailbox
                _ = box.take_live() if turn.kind == "live" else box.take_refine()
            self._running, self._taken_at = turn, now
            return turn

    def _announce(self, turn: Turn) -> None:
        for entry in turn.entries:
            self._tell(entry.session, Taken(request_id=entry.submission.request_id, kind=turn.kind))

    def _generate(self, turn: Turn) -> Iterator[tuple[Entry, Frame]]:
        """The frames of a turn with whom they are for; what failed or was stopped is told here."""
        left = dict(enumerate(turn.entries))
        self._was_told_to_stop = False
        try:
            requests = [entry.request for entry in turn.entries]
            for frame in turn.backend.stream(requests, lambda: self._should_stop(turn)):
                entry = left.pop(frame.index) if frame.is_last else left[frame.index]
                yield entry, frame
            if left and not self._was_told_to_stop:
                raise BackendFailure(f"{turn.backend.spec.id} ended without a picture")
        except Exception as error:
            if len(turn.entries) > 1 and len(left) == len(turn.entries):
                # one bad request must not take the others of its batch down: each by itself
                for entry in turn.entries:
                    yield from self._generate(replace(turn, entries=(entry,)))
                return
            for entry in left.values():
                self._fail(turn, entry, error)
        else:
            for entry in left.values():
                self._put_aside(turn, entry)

    def _should_stop(self, turn: Turn) -> bool:
        """Asked by the backend between two denoising steps."""
        with self._lock:
            sessions = [entry.session for entry in turn.entries if entry.session.is_open]
            if turn.kind == "refine":
                is_hand_at_work = any(s.mailbox.live for s in self._sessions.all())
                stop = is_hand_at_work or self._worker.is_stopping
            else:
                stop = all(
                    pacing.may_stop_live(s.mailbox.live is not None, s.was_last_stopped)
                    for s in sessions
                )
            self._was_told_to_stop = stop or not sessions
            return self._was_told_to_stop

    def _publish(self, turn: Turn, entry: Entry, frame: Frame) -> None:
        session, submission = entry.session, entry.submission
        with self._lock:
            now = self._clock()
            wait_ms = max(0.0, (self._taken_at - submission.received_at) * 1000)
            if turn.kind == "refine" and session.mailbox.live is not None:
                # the board has moved on: a picture of what it was would be stale
                if not frame.is_last:
                    return
                event: Event = self._supersede(session, submission)
            else:
                frame = frame.with_timings(queue_wait_ms=wait_ms, decode_ms=submission.decode_ms)
                if turn.kind == "refine" and frame.is_last:
                    frame = replace(frame, kind="refine")
                self._record(turn, session, frame, now)
                event = Published(
                    request_id=submission.request_id,
                    frame=frame,
                    kind=turn.kind,
                    superseded=session.metrics.num_superseded,
                    queue_wait_ms=wait_ms,
                )
        self._tell(session, event)

    def _record(self, turn: Turn, session: Session, frame: Frame, now: float) -> None:
        measured = (session.metrics, self._metrics) if session.is_open else (self._metrics,)
        if not frame.is_last:
            for metrics in measured:
                metrics.num_previews += 1
            return
        inference_ms = frame.timings.inference_ms
        for metrics in measured:
            metrics.record_frame(now, inference_ms, frame.timings.queue_wait_ms)
        if turn.kind == "live":
            session.was_last_stopped = False
            session.last_model_id = turn.backend.spec.id
            rolling = self._model_ms.setdefault(
                turn.backend.spec.id, Rolling(pacing.GRACE_NUM_FRAMES)
            )
            rolling.add(inference_ms)

    def _fail(self, turn: Turn, entry: Entry, error: Exception) -> None:
        if not isinstance(error, TurboUIError):
            log.error("%s failed", turn.backend.spec.id, exc_info=error)
            error = BackendFailure(f"{type(error).__name__}: {error}")
        with self._lock:
            entry.session.metrics.num_failed += 1
            self._metrics.num_failed += 1
        failed = Failed(request_id=entry.submission.request_id, error=error, kind=turn.kind)
        self._tell(entry.session, failed)

    def _put_aside(self, turn: Turn, entry: Entry) -> None:
        """A stopped frame: a refine that yielded to others waits again, all else is superseded."""
        session = entry.session
        with self._lock:
            if turn.kind == "refine" and session.mailbox.put_back(entry.submission):
                return
            session.was_last_stopped = turn.kind == "live" or session.was_last_stopped
            session.metrics.num_stopped += 1
            self._metrics.num_stopped += 1
            event = self._supersede(session, entry.submission)
        self._tell(session, event)

    def _supersede(self, session: Session, submission: Submission) -> Superseded:
        session.metrics.num_superseded += 1
        self._metrics.num_superseded += 1
        return Superseded(request_id=submission.request_id, kind=submission.kind, was_running=True)

    # --- sessions, from any thread

    def open_session(self, session_id: str, publish: Publish) -> Session:
        """A new session; one that is open under this id is closed first.

        Args:
            publish: is told this session's events; must return at once.
        """
        return self._sessions.open(session_id, publish)

    def close_session(self, session_id: str) -> None:
        """Forgets a session: what waits is dropped, what runs is not published. Unknown ids
        pass."""
        self._sessions.close(session_id)

    def submit(self, session_id: str, submission: Submission) -> None:
        """Puts a request into the session's mailbox, where the newest wins; returns at once.

        Raises:
            SessionClosed: no such session is open.
            InvalidRequest: there is no such model.
        """
        self.switchboard.want(submission.request.model)
        with self._lock:
            session = self._sessions.get(session_id)
            replaced = session.mailbox.put(submission, self._clock())
            for metrics in (session.metrics, self._metrics):
                metrics.num_superseded += len(replaced)
        for old in replaced:
            self._tell(session, Superseded(request_id=old.request_id, kind=old.kind))
        self._worker.wake()

    def stats(self, session_id: str | None = None) -> dict[str, Any]:
        """Counts and percentiles of one session, or of all together since the start.

        `running_ms` is how long the frame on the device has been running, None where none is: a
            large
        one is a model that hangs.

        Raises:
            SessionClosed: no such session is open.
        """
        with self._lock:
            now = self._clock()
            is_one = session_id is not None
            metrics = self._sessions.get(session_id).metrics if is_one else self._metrics
            running_ms = None if self._running is None else (now - self._taken_at) * 1000
            return {
                **metrics.to_json(now),
                "num_sessions": len(self._sessions),
                "running_ms": running_ms,
            }

    # --- the worker thread

    def start(self) -> None:
        """Starts the worker thread."""
        self._worker.start()

    def stop(self, timeout_s: float = 5.0) -> bool:
        """Lets the frame in flight finish and ends the thread.

        Returns:
            False where the frame did not end in time; the thread is then left behind.
        """
        self._unsubscribe()
        return self._worker.stop(timeout_s)

    @property
    def is_running(self) -> bool:
        """The worker thread is alive and not asked to end."""
        return self._worker.is_running

    # --- what the parts ask for

    def _ask_again_in_s(self) -> float | None:
        at = self._ask_again_at
        return None if at is None else max(0.0, at - self._clock())

    def _on_model_state(self, state: ModelState) -> None:
        self._sessions.tell_all(state)
        self._worker.wake()

    def _serve(
        self, session: Session, request: FrameRequest
    ) -> tuple[Backend, FrameRequest] | None:
        return self.switchboard.serve(request, session.last_model_id)

    def _mean_ms(self, model_id: str) -> float | None:
        rolling = self._model_ms.get(model_id)
        return None if rolling is None else rolling.mean_of_last(pacing.GRACE_NUM_FRAMES)
