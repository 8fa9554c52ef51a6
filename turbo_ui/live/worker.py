"""A thread that takes steps as long as there is something to do, and sleeps while there is not."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from queue import SimpleQueue

log = logging.getLogger(__name__)

FAULT_PAUSE_S = 0.1
"""After a step that raised, which is a fault of our own: keeps the loop from spinning."""


class Worker:
    """Calls `step` until it says False, then waits for `wake`.

    Args:
        step: does one thing; False where there was nothing to do.
        ask_again_in_s: how long to sleep at most when there was nothing to do; None is until woken.
        name: of the thread.
    """

    def __init__(
        self,
        step: Callable[[], bool],
        ask_again_in_s: Callable[[], float | None],
        name: str = "turbo-ui-engine",
    ) -> None:
        self._name = name
        self._step = step
        self._ask_again_in_s = ask_again_in_s
        self._changed = threading.Condition()
        self._has_news = False
        self._errands: SimpleQueue[Callable[[], None]] = SimpleQueue()
        self.is_stopping = False
        self._thread: threading.Thread | None = None

    @property
    def is_running(self) -> bool:
        """The thread is alive and not asked to end."""
        return self._thread is not None and self._thread.is_alive() and not self.is_stopping

    def start(self) -> None:
        assert self._thread is None, "the worker was started before"
        self._thread = threading.Thread(target=self._run, name=self._name, daemon=True)
        self._thread.start()

    def ask_to_stop(self) -> None:
        """The step in hand is the last one."""
        with self._changed:
            self.is_stopping = True
            self._changed.notify_all()

    def stop(self, timeout_s: float) -> bool:
        """Ends the thread after the step in hand; False where that did not end in time."""
        self.ask_to_stop()
        if self._thread is None:
            return True
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def wake(self) -> None:
        """There may be something to do. From any thread."""
        with self._changed:
            self._has_news = True
            self._changed.notify_all()

    def between_steps(self, errand: Callable[[], None]) -> None:
        """Has an errand run by the thread before its next step, or here where no thread runs.

        Returns at once. From any thread, the worker's own included.
        """
        if not self.is_running:
            errand()
            return
        self._errands.put(errand)
        self.wake()

    def _run_errands(self) -> None:
        while not self._errands.empty():
            try:
                self._errands.get_nowait()()
            except Exception:
                log.exception("an errand of the engine failed")

    def _run(self) -> None:
        self._take_steps()
        self._run_errands()

    def _take_steps(self) -> None:
        while not self.is_stopping:
            self._run_errands()
            try:
                if not self._step():
                    self._sleep(self._ask_again_in_s())
            except Exception:
                log.exception("a step of the engine failed")
                self._sleep(FAULT_PAUSE_S)

    def _sleep(self, seconds: float | None) -> None:
        with self._changed:
            # news that came between the step and this line must not be slept over
            if not self._has_news and not self.is_stopping:
                self._changed.wait(seconds)
            self._has_news = False
