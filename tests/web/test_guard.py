"""The guard: origins, login, numbers of connections, and how fast a page may talk."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from starlette.requests import HTTPConnection

from tests.fakes import FakeClock
from turbo_ui.settings import Settings
from turbo_ui.web.guard import MAX_REMEMBERED, Guard, Pace, is_origin_allowed

HOST = "draw.example:7860"


@pytest.mark.parametrize(
    ("origin", "hosts", "is_allowed"),
    [
        (None, [HOST], True),
        (f"http://{HOST}", [HOST], True),
        (f"https://{HOST}", [HOST], True),
        ("http://draw.example", ["draw.example"], True),
        ("https://draw.example", ["draw.example"], True),
        ("https://draw.example", ["10.0.0.1:7860", "draw.example"], True),
        ("https://friend.example", [HOST], True),
        ("http://DRAW.example:7860", [HOST], True),
        ("http://[::1]:7860", ["[::1]:7860"], True),
        ("http://draw.example", [HOST], False),
        ("http://draw.example:7861", [HOST], False),
        ("https://evil.example", [HOST], False),
        ("https://friend.example.evil.example", [HOST], False),
        ("https://draw.example:7860.evil.example", [HOST], False),
        (f"http://{HOST}@evil.example", [HOST], False),
        ("null", [HOST], False),
        ("", [HOST], False),
        ("file://", [HOST], False),
        ("http://draw.example:99999", [HOST], False),
        ("http://draw.example:7860", [""], False),
        ("odd://draw.example:7860", ["draw.example:x"], False),
    ],
)
def test_origins(origin: str | None, hosts: list[str], is_allowed: bool) -> None:
    assert is_origin_allowed(origin, hosts, ["https://friend.example"]) is is_allowed


def connection(cookie: str = "", address: str = "10.1.1.1", **app: Any) -> HTTPConnection:
    headers = [(b"host", HOST.encode()), (b"cookie", cookie.encode())]
    known = SimpleNamespace(**{"auth": None, "cookie_id": "abc", "tokens": {"good": "ada"}, **app})
    scope = {"type": "websocket", "headers": headers, "app": known, "client": (address, 5)}
    return HTTPConnection(scope)


@pytest.mark.parametrize(
    ("cookie", "auth", "code"),
    [
        ("", None, None),
        ("", {"ada": "x"}, "login"),
        ("access-token-abc=bad", {"ada": "x"}, "login"),
        ("access-token-other=good", {"ada": "x"}, "login"),
        ("access-token-abc=good", {"ada": "x"}, None),
        ("access-token-unsecure-abc=good", {"ada": "x"}, None),
    ],
)
def test_login(cookie: str, auth: dict[str, str] | None, code: str | None) -> None:
    refusal = Guard(Settings()).refusal(connection(cookie, auth=auth))
    assert (refusal.code if refusal else None) == code


def test_connections_are_counted_for_each_address_and_in_all() -> None:
    guard = Guard(Settings(max_connections=3, max_connections_per_address=2))
    for _ in range(2):
        assert guard.refusal(connection()) is None
        guard.enter("10.1.1.1")
    assert guard.refusal(connection()) is not None
    assert guard.refusal(connection(address="10.1.1.2")) is None
    guard.enter("10.1.1.2")
    assert guard.refusal(connection(address="10.1.1.3")) is not None
    guard.leave("10.1.1.1")
    assert guard.refusal(connection()) is None


def test_connections_that_come_too_fast_are_told_by_their_address() -> None:
    clock = FakeClock()
    guard = Guard(Settings(max_new_connections_per_s=3), clock)
    assert [guard.comes_too_fast("10.1.1.1") for _ in range(4)] == [False] * 3 + [True]
    assert not guard.comes_too_fast("10.1.1.2")
    clock.pass_ms(1000)
    assert not guard.comes_too_fast("10.1.1.1")


def test_asking_whether_connections_come_too_fast_counts_nothing() -> None:
    clock = FakeClock()
    guard = Guard(Settings(max_new_connections_per_s=2), clock)
    assert not any(guard.would_come_too_fast("10.1.1.1") for _ in range(9))
    assert not guard.paces, "who only asks is not even remembered"
    assert not guard.comes_too_fast("10.1.1.1")
    assert not any(guard.would_come_too_fast("10.1.1.1") for _ in range(9))
    assert not guard.comes_too_fast("10.1.1.1")
    assert all(guard.would_come_too_fast("10.1.1.1") for _ in range(9))
    assert not guard.would_come_too_fast("10.1.1.2")
    clock.pass_ms(500)
    assert not guard.would_come_too_fast("10.1.1.1")
    assert not guard.comes_too_fast("10.1.1.1")


def test_who_came_too_fast_is_told_so_a_moment_later() -> None:
    clock = FakeClock()
    guard = Guard(Settings(max_new_connections_per_s=20), clock)
    assert [guard.comes_too_fast("10.1.1.1") for _ in range(21)][-1]
    clock.pass_ms(200)  # by now one would pass, and the page asks why its own did not
    assert guard.would_come_too_fast("10.1.1.1")
    assert not guard.comes_too_fast("10.1.1.1")
    assert not guard.would_come_too_fast("10.1.1.1"), "the last one passed"
    assert [guard.comes_too_fast("10.1.1.1") for _ in range(4)][-1]
    clock.pass_ms(1000)
    assert not guard.would_come_too_fast("10.1.1.1")


def test_only_so_many_addresses_are_remembered() -> None:
    guard = Guard(Settings(max_new_connections_per_s=1), FakeClock())
    for number in range(MAX_REMEMBERED + 5):
        guard.comes_too_fast(f"host {number}")
    assert len(guard.paces) == MAX_REMEMBERED
    assert guard.comes_too_fast(f"host {MAX_REMEMBERED + 4}"), "the newest are known"


def test_an_origin_may_be_told_where_the_browser_names_none() -> None:
    guard = Guard(Settings())
    assert guard.refusal(connection(), "https://evil.example") is not None
    assert guard.refusal(connection(), f"http://{HOST}") is None


def test_a_burst_passes_a_flood_does_not_and_rest_mends_it() -> None:
    pace = Pace(rate_per_s=10)
    assert [pace.takes(0.0) for _ in range(12)] == [True] * 10 + [False] * 2
    assert pace.num_over == 2
    assert pace.takes(0.1)
    assert pace.num_over == 0
    assert [pace.takes(60.0) for _ in range(11)] == [True] * 10 + [False]
