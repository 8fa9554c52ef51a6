"""Who may open the live lane, how many, and how fast they may talk.

Gradio's login and its cross-origin rules cover neither WebSockets nor our own routes, so everything
is checked here before a connection is accepted.
"""

from __future__ import annotations

import hmac
import ipaddress
import time
from collections import Counter, OrderedDict
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from starlette.requests import HTTPConnection

from turbo_ui.settings import Settings

IPV6_PREFIX_BITS = 64
"""So much of its address a caller in IPv6 does not choose."""
MAX_REMEMBERED = 1000
"""Of so many addresses it is known how fast they begin connections."""
ASK_FOR_KEY = {"www-authenticate": "Bearer"}
DEFAULT_PORTS = {"http": 80, "https": 443, "ws": 80, "wss": 443}


@dataclass(frozen=True)
class Refusal:
    """Why a connection is refused, for the log and the closing handshake."""

    code: str
    text: str


@dataclass
class Guard:
    """Decides on connections and counts those that are open."""

    settings: Settings
    clock: Callable[[], float] = time.monotonic
    by_address: Counter[str] = field(default_factory=Counter)
    paces: OrderedDict[str, Pace] = field(default_factory=OrderedDict)

    def refusal(self, connection: HTTPConnection, origin: str | None = None) -> Refusal | None:
        """Why this connection may not be opened, or None where it may.

        Args:
            origin: of the page that asks, where its browser names none; browsers do for WebSockets.
        """
        headers = connection.headers
        hosts = [headers.get("host", ""), headers.get("x-forwarded-host", "")]
        if not is_origin_allowed(headers.get("origin", origin), hosts, self.settings.origins):
            return Refusal("origin", "Pages of other sites may not use this lane.")
        if not is_logged_in(connection.scope["app"], connection.cookies):
            return Refusal("login", "Log in first.")
        if self.by_address.total() >= self.settings.max_connections:
            return Refusal("full", "As many pages are connected as this server takes.")
        if (
            self.by_address[counted_as(address_of(connection))]
            >= self.settings.max_connections_per_address
        ):
            return Refusal("full", "Too many pages from this address are connected.")
        return None

    def may_watch(self, connection: HTTPConnection) -> bool:
        """Whether who asks may read the server's measures: who may open the page may, and who has
        the API's key, as a program has no login."""
        if is_logged_in(connection.scope["app"], connection.cookies):
            return True
        key = self.settings.api_key
        sent = connection.headers.get("authorization", "")
        return key is not None and holds_key(sent, key.get_secret_value())

    def comes_too_fast(self, address: str) -> bool:
        """Counts a connection that may be opened."""
        pace = self.paces.pop(address, None) or Pace(self.settings.max_new_connections_per_s)
        self.paces[address] = pace
        if len(self.paces) > MAX_REMEMBERED:
            self.paces.popitem(last=False)
        return not pace.takes(self.clock())

    def would_come_too_fast(self, address: str) -> bool:
        """Whether a connection that may be opened would come too fast now, or the last one did just
        now. Counts nothing."""
        pace = self.paces.get(address)
        return pace is not None and pace.is_over(self.clock())

    def enter(self, address: str) -> None:
        self.by_address[address] += 1

    def leave(self, address: str) -> None:
        self.by_address[address] -= 1
        if self.by_address[address] <= 0:
            del self.by_address[address]


def address_of(connection: HTTPConnection) -> str:
    """The network address a connection comes from; one word for all where that is not known."""
    return connection.client.host if connection.client else "unknown"


def counted_as(host: str) -> str:
    """What an address is counted as: in IPv6 all of its network, as each caller has 2^64
    addresses."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host
    if isinstance(address, ipaddress.IPv4Address):
        return host
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return str(ipaddress.IPv6Network((int(address), IPV6_PREFIX_BITS), strict=False))


def is_origin_allowed(
    origin: str | None, hosts: Collection[str], allowed_origins: Collection[str]
) -> bool:
    """Whether a page of `origin` may connect to a server that it knows as one of `hosts`.

    Browsers always name the origin of a WebSocket. What names none is no page, so nobody's browser
    is being abused by a foreign site.
    """
    if origin is None:
        return True
    if origin in allowed_origins:
        return True
    try:
        parts = urlsplit(origin)
        port = parts.port or DEFAULT_PORTS.get(parts.scheme)
    except ValueError:
        return False
    if parts.hostname is None or port is None:
        return False
    for host in hosts:
        # a proxy may end the TLS, so a host without a port matches the origin's own default
        named = _host_and_port(host, DEFAULT_PORTS.get(parts.scheme, 0))
        if named == (parts.hostname, port):
            return True
    return False


def _host_and_port(host: str, default_port: int) -> tuple[str, int] | None:
    try:
        parts = urlsplit(f"//{host}")
        return (parts.hostname, parts.port or default_port) if parts.hostname else None
    except ValueError:
        return None


def is_logged_in(app: Any, cookies: Mapping[str, str]) -> bool:
    """Whether Gradio's login is not asked for, or these cookies hold one."""
    if getattr(app, "auth", None) is None:
        return True
    names = (f"access-token-{app.cookie_id}", f"access-token-unsecure-{app.cookie_id}")
    token = next((cookies[name] for name in names if cookies.get(name)), None)
    return token is not None and app.tokens.get(token) is not None


@dataclass
class Pace:
    """A token bucket: `rate_per_s` on average, a burst of one second's worth. Time is passed in."""

    rate_per_s: float
    tokens: float = 0.0
    filled_at: float | None = None
    num_over: int = 0
    """How many in a row came too fast."""

    def takes(self, now: float) -> bool:
        """Counts one message; False where it came too fast."""
        self.tokens = self._tokens_at(now)
        self.filled_at = now
        if self.tokens < 1:
            self.num_over += 1
            return False
        self.tokens -= 1
        self.num_over = 0
        return True

    def is_over(self, now: float) -> bool:
        """Whether one would come too fast now. After one that did, that is said until a whole burst
        would pass again: who asks why comes a moment later. Counts nothing."""
        tokens = self._tokens_at(now)
        return tokens < (self.rate_per_s if self.num_over else 1)

    def _tokens_at(self, now: float) -> float:
        if self.filled_at is None:
            return self.rate_per_s
        filled = (now - self.filled_at) * self.rate_per_s
        return min(self.tokens + filled, self.rate_per_s)


def holds_key(authorization: str, key: str) -> bool:
    """Whether an `Authorization` header holds the API's key, found out in a time that tells
    nothing."""
    scheme, _, given = authorization.partition(" ")
    # as the bytes that came, which Starlette reads as latin-1
    is_right = hmac.compare_digest(given.strip().encode("latin-1", "replace"), key.encode())
    return is_right and scheme.lower() == "bearer"
