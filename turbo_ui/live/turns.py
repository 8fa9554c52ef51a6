"""Whose turn it is: a pure choice among the sessions that wait.

Live frames go before refines; within each, whoever has waited longest goes first. Requests of other
sessions that can share the batch come along, in the same order. Models that run elsewhere have
turns of their own: the device never waits for another machine.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from turbo_ui.backends.base import Backend
from turbo_ui.catalog import ModelSpec
from turbo_ui.frames import FrameRequest
from turbo_ui.live import pacing
from turbo_ui.live.events import Submission, SubmissionKind
from turbo_ui.live.session import Session


@dataclass(frozen=True)
class Entry:
    """One session's part of a turn; `request` is what runs, fitted to the model that serves.

    `num_put` is the mailbox's count when the submission was taken. Ask `is_outdated` under the
    engine's lock.
    """

    session: Session
    submission: Submission
    request: FrameRequest
    num_put: int

    @property
    def is_outdated(self) -> bool:
        """The session has asked for something newer since."""
        return self.session.mailbox.num_put != self.num_put


@dataclass(frozen=True)
class Turn:
    """What runs next: requests that share a batch, all live or one refine."""

    backend: Backend
    kind: SubmissionKind
    entries: tuple[Entry, ...]

    @property
    def is_remote(self) -> bool:
        """It runs on another machine, and keeps the device free."""
        return is_remote(self.backend.spec)


@dataclass
class Run:
    """A turn that runs: since when, on the engine's clock in seconds, and whether it was told to
    stop."""

    turn: Turn
    taken_at: float
    was_told_to_stop: bool = False


Serve = Callable[[Session, FrameRequest], tuple[Backend, FrameRequest] | None]
"""Who serves a session's request now, and the request fitted to it; None while nobody can."""

MeanInferenceMs = Callable[[str], float | None]
"""The mean time of a model's last frames, by its id."""


def is_remote(spec: ModelSpec) -> bool:
    """The model runs on another machine."""
    return spec.family == "remote"


def choose(
    sessions: Iterable[Session],
    serve: Serve,
    mean_inference_ms: MeanInferenceMs,
    max_batch: int,
    now: float,
    is_for_remote: bool = False,
) -> tuple[Turn | None, float | None]:
    """The next turn, its submissions still in their mailboxes.

    Args:
        is_for_remote: choose among what remote models serve; else among what the device does.

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
    is_hand_at_work = False
    ask_again_at: float | None = None
    for session in waiting:
        box = session.mailbox
        assert box.live is not None
        served = serve(session, box.live.request)
        if served is None or is_remote(served[0].spec) is not is_for_remote:
            continue
        is_hand_at_work = True
        backend, request = served
        mean_ms = mean_inference_ms(backend.spec.id)
        may_run_at = pacing.ready_at(box.waiting_since, box.last_put_at, mean_ms)
        if may_run_at > now:
            ask_again_at = may_run_at if ask_again_at is None else min(ask_again_at, may_run_at)
            continue
        key = request.batch_key()
        if first is None:
            first = (backend, key)
        if first[0] is backend and first[1] == key:
            entries.append(Entry(session, box.live, request, box.num_put))
            if len(entries) == min(max_batch, backend.max_batch):
                break
    if first is not None:
        return Turn(first[0], "live", tuple(entries)), None
    if is_hand_at_work:
        # it is in its grace: a refine would only be begun and stopped
        return None, ask_again_at
    return _refine(known, serve, is_for_remote), None


def _refine(sessions: list[Session], serve: Serve, is_for_remote: bool) -> Turn | None:
    waiting = sorted(
        (session for session in sessions if session.mailbox.refine is not None),
        key=lambda session: session.mailbox.refine_since,
    )
    for session in waiting:
        box = session.mailbox
        assert box.refine is not None
        if box.live is not None:
            continue
        served = serve(session, box.refine.request)
        # another model's picture would be no better than the draft: it waits for its own
        if served is None or served[0].spec.id != box.refine.request.model:
            continue
        backend, request = served
        if is_remote(backend.spec) is is_for_remote:
            entry = Entry(session, box.refine, request, box.num_put)
            return Turn(backend, "refine", (entry,))
    return None
