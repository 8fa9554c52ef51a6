"""One request to a remote server: its deadline, what of it has to be paid, and giving it up."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from typing import Any, Generic, TypeVar

import httpx2

from turbo_ui.backends import remote_errors
from turbo_ui.backends.base import GiveBack, Spend
from turbo_ui.errors import LimitReached

T = TypeVar("T")

CONNECTED = (".connect_tcp.complete", ".start_tls.complete")
"""How httpcore's events end that bring a connection."""


class Call(Generic[T]):
    """One request on its way to the server, on a thread of its own.

    It cannot be taken back, as it may be paid for already. But once it is given up its connection
    is closed, and nothing more is sent for it.

    Args:
        work: runs on the thread; what it sends goes through a `Wire`.
        limit_s: all tries and pauses together take no longer.
        spend_again: counts a further try of what the server failed on; the first one is counted
            by whoever makes the call. None where nothing that it sends has to be paid.

    Attributes:
        num_sent: how many requests have reached the server, or may have.
        num_waiting: how many wait for its answer; whoever counts them guards it.
        status: of the last answer; 0 before there is one.
    """

    def __init__(
        self, work: Callable[[], T], limit_s: float, spend_again: Spend | None = None
    ) -> None:
        self.limit_s = limit_s
        self.begun_at = time.monotonic()
        self.ended_at: float | None = None
        self.num_sent = 0
        self.num_waiting = 0
        self.status = 0
        self._work = work
        self._spend_again = spend_again
        self._is_given_up = threading.Event()
        self._has_ended = threading.Event()
        self._socket: socket.socket | None = None
        self._answer: T
        self.error: Exception | None = None
        threading.Thread(target=self._run, name="turbo-ui-call", daemon=True).start()

    @property
    def left_s(self) -> float:
        """Seconds until its time is over."""
        return self.begun_at + self.limit_s - time.monotonic()

    @property
    def is_running(self) -> bool:
        return not self._has_ended.is_set()

    @property
    def ended_ago_s(self) -> float:
        """How long ago it ended; 0 while it runs."""
        return 0.0 if self.ended_at is None else time.monotonic() - self.ended_at

    @property
    def spent_ms(self) -> float:
        """From its begin to its end, or to now."""
        until = time.monotonic() if self.ended_at is None else self.ended_at
        return (until - self.begun_at) * 1000

    def wait(self, seconds: float) -> bool:
        """True once there is an answer, an error, or no time left."""
        return self._has_ended.wait(max(0.0, min(seconds, self.left_s))) or self.left_s <= 0

    def result(self) -> T:
        """The answer, which must be there or overdue.

        Raises:
            TurboUIError: why there is none.
        """
        if self.is_running:
            self.give_up()
            raise remote_errors.timed_out(self.limit_s)
        if self.error is not None:
            raise self.error
        return self._answer

    def give_up(self) -> None:
        """Nothing more is sent for it, and its connection is closed: what waits there ends. One
        that is only being made ends when it is made. From any thread; returns at once."""
        self._is_given_up.set()
        self._hang_up()

    def _hang_up(self) -> None:
        if self._socket is not None:
            # the plain socket's, also under TLS: the thread that reads there sees the end of it
            with suppress(OSError):
                socket.socket.shutdown(self._socket, socket.SHUT_RDWR)

    def pause(self, seconds: float) -> None:
        """Waits before another try, unless it is given up meanwhile."""
        self._is_given_up.wait(max(0.0, min(seconds, self.left_s)))

    def check(self) -> None:
        """Raises where no answer is waited for any more."""
        if self._is_given_up.is_set() or self.left_s <= 0:
            raise remote_errors.timed_out(self.limit_s)

    def follow(self, event: str, told: Mapping[str, Any]) -> None:
        """httpcore's `trace` extension: what it is about to do for this call, and has done.

        A request begins with its headers. Connecting comes before that, and so does the CONNECT
        that asks a proxy for a way to the server.

        Raises:
            BackendFailure: it was given up meanwhile; nothing is sent.
        """
        if event.endswith(CONNECTED):
            self._socket = told["return_value"].get_extra_info("socket")
            if self._is_given_up.is_set():
                self._hang_up()
        elif event.endswith(".send_request_headers.started"):
            self.check()
            if told["request"].method != b"CONNECT":
                self.num_sent += 1

    @contextmanager
    def one_try(self, request: httpx2.Request) -> Iterator[None]:
        """Around each request, as it may have to be paid; fetching something never has.

        Raises:
            BackendFailure: its answer was lost, or it may not be counted.
        """
        if self._spend_again is None or request.method == "GET":
            yield
            return
        num_before = self.num_sent
        # a server that failed may have drawn; one that refused, or knows no such thing, has not
        has_failed = self.status >= 500 and self.status != 501
        give_back = self._counted(self._spend_again) if has_failed else None
        try:
            yield
        except (httpx2.RequestError, OSError) as error:
            if self.num_sent > num_before:
                raise remote_errors.lost(error) from None
            raise
        finally:
            if give_back is not None and self.num_sent == num_before:
                give_back()

    def _counted(self, spend: Spend) -> GiveBack:
        try:
            return spend()
        except LimitReached as error:
            raise remote_errors.not_again(self.status, error) from None

    def _run(self) -> None:
        _current.set(self)
        try:
            self._answer = self._work()
        except Exception as error:
            self.error = error
        finally:
            self.ended_at = time.monotonic()
            self._has_ended.set()


_current: ContextVar[Call[Any]] = ContextVar("call")
"""The call that a thread works for."""


def current() -> Call[Any]:
    """The call that this thread works for."""
    return _current.get()
