"""What becomes of the requests that ran: shown, failed, or stopped; each counted and told."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import replace

from turbo_ui.errors import BackendFailure, TurboUIError
from turbo_ui.frames import Frame
from turbo_ui.live import pacing
from turbo_ui.live.events import Event, Failed, Published, Submission, Superseded
from turbo_ui.live.metrics import Metrics, Rolling
from turbo_ui.live.session import Session
from turbo_ui.live.turns import Entry, Run

log = logging.getLogger(__name__)


class Outcomes:
    """Keeps the counts of all sessions together and how long each model takes.

    Args:
        lock: the engine's, which guards mailboxes and counts. No event is told while it is held.
        tell: hands an event to a session.
        clock: monotonic seconds.
    """

    def __init__(
        self,
        lock: threading.RLock,
        tell: Callable[[Session, Event], None],
        clock: Callable[[], float],
    ) -> None:
        self.metrics = Metrics()
        self._lock = lock
        self._tell = tell
        self._clock = clock
        self._model_ms: dict[str, Rolling] = {}

    def mean_ms(self, model_id: str) -> float | None:
        """The mean inference time of a model's last live frames; None where there were none."""
        rolling = self._model_ms.get(model_id)
        return None if rolling is None else rolling.mean_of_last(pacing.GRACE_NUM_FRAMES)

    def picture(self, run: Run, entry: Entry, frame: Frame) -> None:
        """A preview or the final picture came."""
        session, submission, kind = entry.session, entry.submission, run.turn.kind
        with self._lock:
            wait_ms = max(0.0, (run.taken_at - submission.received_at) * 1000)
            if kind == "refine" and entry.is_outdated:
                # the board has moved on: a picture of what it was would be stale
                if not frame.is_last:
                    return
                event: Event = self._superseded(session, submission)
            else:
                frame = frame.with_timings(queue_wait_ms=wait_ms, decode_ms=submission.decode_ms)
                if kind == "refine" and frame.is_last:
                    frame = replace(frame, kind="refine")
                self._record(run, session, frame)
                event = Published(
                    request_id=submission.request_id,
                    frame=frame,
                    kind=kind,
                    superseded=session.metrics.num_superseded,
                    queue_wait_ms=wait_ms,
                )
        self._tell(session, event)

    def failed(self, run: Run, entry: Entry, error: Exception) -> None:
        """The backend raised instead of giving this request's picture."""
        model_id = run.turn.backend.spec.id
        if not isinstance(error, TurboUIError):
            log.error("%s failed", model_id, exc_info=error)
            error = BackendFailure(f"{type(error).__name__}: {error}")
        self.refused(entry.session, entry.submission, error)

    def refused(self, session: Session, submission: Submission, error: TurboUIError) -> None:
        """A request that gives no picture."""
        with self._lock:
            session.metrics.num_failed += 1
            self.metrics.num_failed += 1
        request_id, kind = submission.request_id, submission.kind
        self._tell(session, Failed(request_id=request_id, error=error, kind=kind))

    def stopped(self, run: Run, entry: Entry) -> None:
        """Ended between two steps: a refine that yielded to others waits again, in its old place;
        all else is superseded."""
        session, kind = entry.session, run.turn.kind
        with self._lock:
            is_still_wanted = kind == "refine" and not entry.is_outdated
            if is_still_wanted and session.mailbox.put_back(entry.submission):
                return
            session.was_last_stopped = kind == "live" or session.was_last_stopped
            session.metrics.num_stopped += 1
            self.metrics.num_stopped += 1
            event = self._superseded(session, entry.submission)
        self._tell(session, event)

    def _record(self, run: Run, session: Session, frame: Frame) -> None:
        measured = (session.metrics, self.metrics) if session.is_open else (self.metrics,)
        if not frame.is_last:
            for metrics in measured:
                metrics.num_previews += 1
            return
        inference_ms = frame.timings.inference_ms
        for metrics in measured:
            metrics.record_frame(self._clock(), inference_ms, frame.timings.queue_wait_ms)
        if run.turn.kind == "live":
            model_id = run.turn.backend.spec.id
            session.was_last_stopped = False
            session.last_model_id = model_id
            self._model_ms.setdefault(model_id, Rolling(pacing.GRACE_NUM_FRAMES)).add(inference_ms)

    def _superseded(self, session: Session, submission: Submission) -> Superseded:
        session.metrics.num_superseded += 1
        self.metrics.num_superseded += 1
        return Superseded(request_id=submission.request_id, kind=submission.kind, was_running=True)
