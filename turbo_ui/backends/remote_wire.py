"""How the remote backend talks: calls with a deadline, answers with a limit, files from addresses.

The `openai` client repeats what a server was too busy for, and waits as the server says. What it
cannot know is added here: when nobody waits any more, how long an answer may get, and which
requests have to be paid. One whose answer was lost is not sent again, and one that the server
failed on only where the further one may be counted, too.
"""

from __future__ import annotations

import ipaddress
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from typing import Any, Generic, TypeVar

import httpx2

from turbo_ui.backends import remote_errors
from turbo_ui.backends.base import GiveBack, Spend
from turbo_ui.errors import LimitReached

T = TypeVar("T")

MAX_ANSWER_BYTES = 48 * 1024 * 1024
"""A picture of 2048×2048 pixels as PNG in base64 takes at most some 17 MB."""
CONNECT_WITHIN_S = 10.0
MAX_REDIRECTS = 3
FETCH_TRIES = 3
FETCH_PAUSE_S = 0.5


class Call(Generic[T]):
    """One request on its way to the server, on a thread of its own.

    It cannot be taken back, as it may be paid for already; but once its time is over nothing more
    is sent for it.

    Args:
        work: runs on the thread; what it sends goes through a `Wire`.
        limit_s: all tries and pauses together take no longer.
        spend_again: counts a further try of what the server failed on; the first one is counted
            by whoever makes the call. None where nothing that it sends has to be paid.

    Attributes:
        num_sent: how many requests have reached the server, or may have.
        status: of the last answer; 0 before there is one.
    """

    def __init__(
        self, work: Callable[[], T], limit_s: float, spend_again: Spend | None = None
    ) -> None:
        self.limit_s = limit_s
        self.begun_at = time.monotonic()
        self.ended_at: float | None = None
        self.num_sent = 0
        self.status = 0
        self._work = work
        self._spend_again = spend_again
        self._is_given_up = threading.Event()
        self._has_ended = threading.Event()
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
        """Nothing more is sent for it."""
        self._is_given_up.set()

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
        """
        is_request = event.endswith(".send_request_headers.started")
        if is_request and told["request"].method != b"CONNECT":
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


def has_sent() -> bool:
    """Whether anything was sent for the call that this thread works for."""
    return _current.get().num_sent > 0


@cache
def _trusted() -> ssl.SSLContext:
    """Reading all certificates takes a while: once for all."""
    return httpx2.create_ssl_context()


class Wire(httpx2.Client):
    """The HTTP client under the `openai` client. It holds no key; only used within a `Call`.

    Args:
        base_url: of the API: pictures may come from its host, wherever that is.
        has_key: False drops the header that the client above insists on.
    """

    def __init__(self, base_url: str, has_key: bool) -> None:
        super().__init__(follow_redirects=False, verify=_trusted())
        self._home = httpx2.URL(base_url)
        self._has_key = has_key

    def send(self, request: httpx2.Request, **options: Any) -> httpx2.Response:
        """Sends and reads the whole answer, as long as it is within limits.

        Raises:
            BackendFailure: the time is over, the answer is too long, or it was lost and may have
                to be paid.
        """
        call = _current.get()
        call.check()
        left_s = max(0.1, call.left_s)
        timeout = httpx2.Timeout(left_s, connect=min(CONNECT_WITHIN_S, left_s))
        further = {"timeout": timeout.as_dict(), "trace": call.follow}
        request.extensions = {**request.extensions, **further}
        if not self._has_key:
            request.headers.pop("authorization", None)
        with call.one_try(request):
            response, content = self._answer(request, call, options)
        call.status = response.status_code
        return httpx2.Response(
            response.status_code,
            headers=_headers(response, content, call),
            content=content,
            request=request,
        )

    def _answer(
        self, request: httpx2.Request, call: Call[Any], options: Mapping[str, Any]
    ) -> tuple[httpx2.Response, bytes]:
        """The answer, closed, and its content."""
        num_before = call.num_sent
        try:
            response = super().send(request, **{**options, "stream": True})
            # an answer proves it, should httpcore ever name its events anew
            call.num_sent = num_before + 1
            try:
                return response, _read(response, call)
            finally:
                response.close()
        except (httpx2.ReadTimeout, httpx2.WriteTimeout):
            # the server may be drawing, and be paid for it: not a case for another try
            raise remote_errors.timed_out(call.limit_s) from None

    def fetch(self, url: str) -> bytes:
        """The file at an address that the API answered with. No key is sent there.

        Raises:
            BackendFailure: it cannot be had, or is at an address that it must not be at.
        """
        call = _current.get()
        for number in range(FETCH_TRIES):
            if number:
                call.pause(FETCH_PAUSE_S * 2**number)
            try:
                response = self._get(url)
            except httpx2.RequestError as error:
                reason = type(error).__name__
                continue
            if response.status_code == 200:
                return response.content
            reason = f"status {response.status_code}"
            if response.status_code < 500 and response.status_code != 429:
                break
        raise remote_errors.not_fetched(reason)

    def _get(self, url: str) -> httpx2.Response:
        address = httpx2.URL(url)
        for _ in range(1 + MAX_REDIRECTS):
            check_address(address, self._home)
            response = self.send(self.build_request("GET", address))
            if not response.has_redirect_location:
                return response
            address = address.join(response.headers["location"])
        return response


def check_address(address: httpx2.URL, home: httpx2.URL) -> None:
    """Whether a file may be fetched there: by HTTP, and from the internet or the API's own host.

    Else a server could have us fetch what only this machine or its network can reach.

    Raises:
        BackendFailure: it may not.
    """
    schemes = ("https",) if home.scheme == "https" else ("http", "https")
    if address.scheme not in schemes or not address.host:
        raise remote_errors.bad_address(f"its address does not begin with {' or '.join(schemes)}")
    if address.host == home.host:
        return
    try:
        found = socket.getaddrinfo(address.host, None, type=socket.SOCK_STREAM)
    except OSError:
        return  # a proxy may know the name; else fetching fails on it
    for *_, where in found:
        if not ipaddress.ip_address(str(where[0]).partition("%")[0]).is_global:
            raise remote_errors.bad_address("its address is not on the internet")


def _read(response: httpx2.Response, call: Call[Any]) -> bytes:
    """The unpacked content."""
    parts: list[bytes] = []
    num_bytes = 0
    for part in response.iter_bytes():
        num_bytes += len(part)
        if num_bytes > MAX_ANSWER_BYTES:
            raise remote_errors.too_long(MAX_ANSWER_BYTES)
        call.check()
        parts.append(part)
    return b"".join(parts)


def _headers(response: httpx2.Response, content: bytes, call: Call[Any]) -> dict[str, str]:
    """Those of the answer; with a word to the client where another try makes no sense."""
    packed = ("content-encoding", "content-length", "transfer-encoding")
    headers = {name: value for name, value in response.headers.items() if name not in packed}
    wait_s = remote_errors.retry_after_s(response)
    is_too_late = wait_s is not None and wait_s >= call.left_s
    if response.status_code >= 400 and (is_too_late or b"insufficient_quota" in content):
        headers["x-should-retry"] = "false"
    return headers
