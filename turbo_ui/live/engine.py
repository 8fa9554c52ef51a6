"""The engine: worker threads, one of them the device's, that take turns, generate, publish, record.

No policy lives here: whose turn it is decides `turns`, when a frame may start or be stopped
`pacing`, which model serves the `switchboard`; what becomes of a request is told by `outcomes`.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from typing import Any, cast

from turbo_ui.backends.base import Backend, PaidBackend
from turbo_ui.errors import BackendFailure, OutOfMemory, TurboUIError
from turbo_ui.frames import Frame, FrameRequest
from turbo_ui.live import pacing
from turbo_ui.live.budget import Address, Budget
from turbo_ui.live.events import ModelState, Submission, Superseded, Taken
from turbo_ui.live.outcomes import Outcomes
from turbo_ui.live.session import Listener, Publish, Session, Sessions
from turbo_ui.live.switchboard import Switchboard
from turbo_ui.live.turns import Entry, Run, choose, is_remote
from turbo_ui.live.worker import Worker

NOT_COMING = ("failed", "evicted")
"""Where a model stands that will not be ready unless somebody asks for it again."""
MAX_REMOTE = 4
"""So many remote pictures are waited for at once, each of another session."""


class Engine:
    """Runs the frames of all sessions on one device; `tally` counts them by model.

    Further threads wait for the models that run on other machines, so that neither the device nor
    another session does. The backends of those models are called by several threads at once.

    `open_session`, `submit`, `close_session` and `stats` may be called from any thread and never
    wait for a frame. Events are published on the worker threads, but for `Superseded` from a
    mailbox (the submitter's thread), `ModelState` (a loading thread) and `SessionsChanged` (the
    opener's).

    Args:
        switchboard: which models are ready.
        clock: monotonic seconds.
        listener: told all events.
        max_batch: the most frames that run together.
        budget: how many remote pictures each account may have; None is no limit.
    """

    def __init__(
        self,
        switchboard: Switchboard,
        clock: Callable[[], float] = time.monotonic,
        listener: Listener | None = None,
        max_batch: int = 4,
        budget: Budget | None = None,
    ) -> None:
        self.switchboard = switchboard
        self._clock = clock
        self._max_batch = max_batch
        self._budget = budget
        self._lock = threading.RLock()
        self._sessions = Sessions(self._lock, listener)
        self._tell, self.tally = self._sessions.tell, self._sessions.tally
        self._outcomes = Outcomes(self._lock, self._tell, clock)
        self._worker = Worker(self.step, lambda: self._ask_again_in_s(False))
        remote = partial(Worker, self.remote_step, lambda: self._ask_again_in_s(True))
        self._remote_workers = [remote(f"turbo-ui-remote-{n}") for n in range(MAX_REMOTE)]
        self._runs: list[Run] = []
        self._ask_again_at: dict[bool, float | None] = {}
        self._unsubscribe = switchboard.subscribe(self._on_model_state)
        switchboard.loaded.between_frames = self._worker.between_steps

    # --- the loop

    def step(self) -> bool:
        """One turn of the device; False where there was nothing to do."""
        return self._step(is_for_remote=False)

    def remote_step(self) -> bool:
        """One turn of the models that run on other machines; False where there was none."""
        return self._step(is_for_remote=True)

    def _step(self, is_for_remote: bool) -> bool:
        run = self._take(is_for_remote)
        if run is None:
            return False
        self._announce(run)
        try:
            for entry, frame in self._generate(run):
                self._outcomes.picture(run, entry, frame)
        finally:
            with self._lock:
                self._runs = [each for each in self._runs if each is not run]
            # a refine may have waited for this turn's frame to leave the mailbox
            self._wake_remote([entry.session for entry in run.turn.entries])
            if is_for_remote:
                self._worker.wake()
        self.switchboard.look_again(run.turn.backend)
        return True

    def _take(self, is_for_remote: bool) -> Run | None:
        with self._lock:
            now = self._clock()
            sessions, mean_ms = self._at_rest(is_for_remote), self._outcomes.mean_ms
            turn, ask_again_at = choose(
                sessions, self._serve, mean_ms, self._max_batch, now, is_for_remote
            )
            if turn is None:
                self._ask_again_at[is_for_remote] = ask_again_at
                return None
            for entry in turn.entries:
                box = entry.session.mailbox
                _ = box.take_live() if turn.kind == "live" else box.take_refine()
            run = Run(turn, now)
            self._runs.append(run)
            return run

    def _at_rest(self, is_for_remote: bool) -> list[Session]:
        """The sessions for which nothing runs there: a newer picture must not overtake an older."""
        runs = [run for run in self._runs if run.turn.is_remote is is_for_remote]
        busy = [entry.session for run in runs for entry in run.turn.entries]
        return [session for session in self._sessions.all() if session not in busy]

    def _announce(self, run: Run) -> None:
        for entry in run.turn.entries:
            taken = Taken(request_id=entry.submission.request_id, kind=run.turn.kind)
            self._tell(entry.session, taken)

    def _generate(self, run: Run) -> Iterator[tuple[Entry, Frame]]:
        """The frames of a turn with whom they are for; what failed or was stopped is told here."""
        turn = run.turn
        left = dict(enumerate(turn.entries))
        run.was_told_to_stop = False
        try:
            for frame in self._stream(run):
                entry = left.pop(frame.index) if frame.is_last else left[frame.index]
                yield entry, frame
            if left and not run.was_told_to_stop:
                raise BackendFailure(f"{turn.backend.spec.id} ended without a picture")
        except Exception as error:
            if len(turn.entries) > 1 and len(left) == len(turn.entries):
                # one bad request must not take the others of its batch down: each by itself
                for entry in turn.entries:
                    yield from self._generate(replace(run, turn=replace(turn, entries=(entry,))))
                return
            for entry in left.values():
                self._outcomes.failed(run, entry, error)
            if isinstance(error, OutOfMemory):
                self.switchboard.ran_out_of_memory(turn.backend.spec.id)
        else:
            for entry in left.values():
                self._outcomes.stopped(run, entry)

    def _stream(self, run: Run) -> Iterator[Frame]:
        turn = run.turn
        requests = [entry.request for entry in turn.entries]
        should_stop = partial(self._should_stop, run)
        if self._budget is None or not turn.is_remote:
            return turn.backend.stream(requests, should_stop)
        spend = partial(turn.entries[0].session.spend, self._budget)
        return cast("PaidBackend", turn.backend).stream(requests, should_stop, spend)

    def _should_stop(self, run: Run) -> bool:
        """Asked by the backend between two denoising steps."""
        turn = run.turn
        with self._lock:
            entries = [entry for entry in turn.entries if entry.session.is_open]
            if turn.kind == "refine":
                is_outdated = any(entry.is_outdated for entry in entries)
                is_in_the_way = not turn.is_remote and self._is_hand_at_work()
                stop = is_outdated or is_in_the_way or self._worker.is_stopping
            else:
                stop = all(
                    pacing.may_stop_live(
                        entry.session.mailbox.live is not None, entry.session.was_last_stopped
                    )
                    for entry in entries
                )
            run.was_told_to_stop = stop or not entries
            return run.was_told_to_stop

    def _is_hand_at_work(self) -> bool:
        """A live request waits for the device, whoever's it is."""
        boxes = [session.mailbox for session in self._sessions.all()]
        waiting = [box.live.request.model for box in boxes if box.live is not None]
        return not all(is_remote(self.switchboard.spec(model_id)) for model_id in waiting)

    # --- sessions, from any thread

    def open_session(
        self,
        session_id: str,
        publish: Publish,
        account: str | None = None,
        address: Address | None = None,
    ) -> Session:
        """A new session; one that is open under this id is closed first.

        Args:
            publish: is told this session's events; must return at once.
            account: whom its remote pictures are counted for; None is this session alone.
            address: where they are counted, too.
        """
        return self._sessions.open(Session(session_id, publish, account, address))

    def close_session(self, session_id: str) -> None:
        """Forgets a session: what waits is dropped, what runs is not shown. Unknown ids pass."""
        self._sessions.close(session_id)

    def submit(self, session_id: str, submission: Submission) -> None:
        """Puts a request into the session's mailbox, where the newest wins; returns at once.

        A live request is drawn by another model until its own is ready; a refine waits for its own.

        Raises:
            SessionClosed: no such session is open.
            InvalidRequest: there is no such model.
        """
        self.switchboard.want(submission.request.model)
        with self._lock:
            session = self._sessions.get(session_id)
            replaced = session.mailbox.put(submission, self._clock())
            for metrics in (session.metrics, self._outcomes.metrics):
                metrics.num_superseded += len(replaced)
        for old in replaced:
            self._tell(session, Superseded(request_id=old.request_id, kind=old.kind))
        # asked last: a model that fails from here on is told by `_on_model_state`
        for state in self.switchboard.states():
            if state.state in NOT_COMING and submission.kind == "refine":
                self._refuse_refines(state, [session])
        self._worker.wake()
        self._wake_remote([session])

    def stats(self, session_id: str | None = None) -> dict[str, Any]:
        """Counts and percentiles of one session, or of all together since the start.

        `running_ms` is how long the frame on the device has been running, None where none is: a
        large one is a model that hangs.

        Raises:
            SessionClosed: no such session is open.
        """
        with self._lock:
            now = self._clock()
            is_one = session_id is not None
            metrics = self._sessions.get(session_id).metrics if is_one else self._outcomes.metrics
            run = next((run for run in self._runs if not run.turn.is_remote), None)
            return {
                **metrics.to_json(now),
                "num_sessions": len(self._sessions),
                "running_ms": None if run is None else (now - run.taken_at) * 1000,
            }

    # --- the worker threads

    def start(self) -> None:
        """Starts the worker threads."""
        for worker in (self._worker, *self._remote_workers):
            worker.start()

    def stop(self, timeout_s: float = 5.0) -> bool:
        """Lets the frame in flight finish and ends the threads.

        A remote picture is not waited for: its time is not ours to know.

        Returns:
            False where the device's frame did not end in time; its thread is then left behind.
        """
        self._unsubscribe()
        for worker in self._remote_workers:
            worker.ask_to_stop()
        return self._worker.stop(timeout_s)

    @property
    def is_running(self) -> bool:
        """The device's worker thread is alive and not asked to end."""
        return self._worker.is_running

    def _wake_remote(self, sessions: list[Session]) -> None:
        """Only where something of these, for which there is news, waits for them: each stroke comes
        by here, and neither many workers nor many sessions are to make it slow."""
        with self._lock:
            wanted = {model_id for session in sessions for model_id in session.mailbox.model_ids}
        if any(is_remote(self.switchboard.spec(model_id)) for model_id in wanted):
            for worker in self._remote_workers:
                worker.wake()

    # --- what the parts ask for

    def _ask_again_in_s(self, is_for_remote: bool) -> float | None:
        at = self._ask_again_at.get(is_for_remote)
        return None if at is None else max(0.0, at - self._clock())

    def _on_model_state(self, state: ModelState) -> None:
        self._sessions.tell_all(state)
        if state.state in NOT_COMING:
            self._refuse_refines(state, self._sessions.all())
        self._worker.wake()
        self._wake_remote(self._sessions.all())

    def _refuse_refines(self, gone: ModelState, sessions: list[Session]) -> None:
        """What waits for a model that is not on its way would wait for ever."""
        refused: list[tuple[Session, Submission]] = []
        with self._lock:
            for session in sessions:
                waiting = session.mailbox.refine
                if waiting is not None and waiting.request.model == gone.model_id:
                    refused.append((session, session.mailbox.take_refine()))
        for session, submission in refused:
            error = TurboUIError(gone.text or f"{gone.model_id} is not available.")
            self._outcomes.refused(session, submission, error)

    def _serve(
        self, session: Session, request: FrameRequest
    ) -> tuple[Backend, FrameRequest] | None:
        return self.switchboard.serve(request, session.last_model_id)
