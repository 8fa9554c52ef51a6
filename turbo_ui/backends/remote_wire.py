"""How the remote backend talks: requests within a call, answers with a limit, files from addresses.

The `openai` client repeats what a server was too busy for, and waits as the server says. What it
cannot know is added here: when nobody waits any more, how long an answer may get, and which
requests have to be paid. One whose answer was lost is not sent again, and one that the server
failed on only where the further one may be counted, too.
"""

from __future__ import annotations

import ipaddress
import socket
import ssl
from collections.abc import Mapping
from functools import cache
from typing import Any

import httpx2

from turbo_ui.backends import remote_errors
from turbo_ui.backends.remote_call import Call, current

MAX_ANSWER_BYTES = 48 * 1024 * 1024
"""A picture of 2048×2048 pixels as PNG in base64 takes at most some 17 MB."""
CONNECT_WITHIN_S = 10.0
MAX_REDIRECTS = 3
FETCH_TRIES = 3
FETCH_PAUSE_S = 0.5
ONE_REQUEST_EACH = httpx2.Limits(max_keepalive_connections=0)
"""No connection is kept for another call: closing a call's own must not harm a stranger."""


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
        super().__init__(follow_redirects=False, verify=_trusted(), limits=ONE_REQUEST_EACH)
        self._home = httpx2.URL(base_url)
        self._has_key = has_key

    def send(self, request: httpx2.Request, **options: Any) -> httpx2.Response:
        """Sends and reads the whole answer, as long as it is within limits.

        Raises:
            BackendFailure: the time is over, the answer is too long, or it was lost and may have
                to be paid.
        """
        call = current()
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
        call = current()
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
