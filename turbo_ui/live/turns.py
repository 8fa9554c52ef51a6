"""Whose turn it is: a pure choice among the sessions that wait.

Live frames go before refines; within each, whoever has waited longest goes first. Requests of other
sessions that can share the batch come along, in the same order.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from turbo_ui.backends.base import Backend
from turbo_ui.frames import FrameRequest
from turbo_ui.live import pacing
from turbo_ui.live.events import Submission, SubmissionKind
from turbo_ui.live.session import Session


@dataclass(frozen=True)
class Entry:
    """One session's part of a turn; `request` is what runs, fitted to the model that serves."""

    session: Session
    submission: Submission
    request: FrameRequest


@dataclass(frozen=True)
class Turn:
    """What the device does next: requests that share a batch, all live or one refine."""

    backend: Backend
    kind: SubmissionKind
    entries: tuple[Entry, ...]


Serve = Callable[[Session, FrameRequest], tuple[Backend, FrameRequest] | None]
"""Who serves a session's request now, and the request fitted to it; None while nobody can."""

MeanInferenceMs = Callable[[str], float | None]
"""The mean time of a model's last frames, by its id."""


def choose(
    sessions: Iterable[Session],
    serve: Serve,
    mean_inference_ms: MeanInferenceMs,
    max_batch: int,
    now: float,
) -> tuple[Turn | None, float | None]:
    """The next turn, its submissions still in their mailboxes.

    Returns:
        The turn, or None; and, where all that waits is in its grace, when to ask again (same
        clock).
    """
    known = list(sessions)
    waiting = sorted(
        (session for session in known if session.mailbox.live is not None),
        key=lambda session: session.mailbox.waiting_since,
    )
    first: tuple[Backend, object] | None = None
    entries: list[Entry] = []
    ask_again_at: float | None = None
    for session in waiting:
        submission = session.mailbox.live
        assert submission is not None
        served = serve(session, submission.request)
        if served is None:
            continue
        backend, request = served
        box = session.mailbox
        mean_ms = mean_inference_ms(backend.spec.id)
        may_run_at = pacing.ready_at(box.waiting_since, box.last_put_at, mean_ms)
        if may_run_at > now:
            ask_again_at = may_run_at if ask_again_at is None else min(ask_again_at, may_run_at)
            continue
        key = request.batch_key()
        if first is None:
            first = (backend, key)
        if first[0] is backend and first[1] == key:
            entries.append(Entry(session, submission, request))
            if len(entries) == min(max_batch, backend.max_batch):
                break
    if first is not None:
        return Turn(first[0], "live", tuple(entries)), None
    if waiting:
        # a hand is at work, in its grace: a refine would only be begun and stopped
        return None, ask_again_at
    return _refine(known, serve), None


def _refine(sessions: list[Session], serve: Serve) -> Turn | None:
    waiting = sorted(
        (session for session in sessions if session.mailbox.refine is not None),
        key=lambda session: session.mailbox.refine_since,
    )
    for session in waiting:
        submission = session.mailbox.refine
        assert submission is not None
        if session.mailbox.live is not None:
            continue
        served = serve(session, submission.request)
        if served is not None:
            backend, request = served
            return Turn(backend, "refine", (Entry(session, submission, request),))
    return None
