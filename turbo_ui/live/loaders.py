"""Threads that load, one for each load under way."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable


class Loaders:
    """Starts them and waits for their end. All methods may be called from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._threads: list[threading.Thread] = []
        self._is_closed = False

    def start(self, load: Callable[[], object]) -> bool:
        """Runs a load on a thread of its own; False where none is to be had, or after `close`."""
        thread = threading.Thread(target=load, name="turbo-ui-loader", daemon=True)
        with self._lock:
            if self._is_closed:
                return False
            try:
                thread.start()
            except RuntimeError:  # the system gives no more of them
                return False
            self._threads = [*filter(threading.Thread.is_alive, self._threads), thread]
            return True

    def close(self, timeout_s: float) -> None:
        """Starts no more, and waits for those that run: so long for all together, and not for the
        one that calls this."""
        with self._lock:
            self._is_closed = True
            threads = [each for each in self._threads if each is not threading.current_thread()]
        ends_at = time.monotonic() + timeout_s
        for thread in threads:
            thread.join(max(0.0, ends_at - time.monotonic()))
