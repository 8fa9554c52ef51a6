"""A connection that came too fast: the page is told why, and asking costs it nothing."""

from __future__ import annotations

import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient
from starlette.websockets import WebSocketDisconnect

from tests.fakes import FakeBackend, FakeClock, other, ready_switchboard
from turbo_ui.live.engine import Engine
from turbo_ui.settings import Settings
from turbo_ui.web.lane import PATH, Lane
from turbo_ui.web.roster import Roster


def test_a_plain_request_is_told_that_connections_come_too_fast() -> None:
    board = ready_switchboard(FakeBackend(spec=other("doodle")))
    lane = Lane(Engine(board), Roster(board), Settings(max_new_connections_per_s=2))
    clock = lane.guard.clock = FakeClock()
    app = Starlette(routes=lane.routes)

    def answer(host: str) -> tuple[int, str]:
        with TestClient(app, client=(host, 5000)) as client:
            told = client.get(PATH)
            return told.status_code, told.json()["code"]

    def connect(host: str) -> None:
        with TestClient(app, client=(host, 5000)) as client, client.websocket_connect(PATH):
            pass

    for _ in range(2):
        connect("8.8.4.4")
    with pytest.raises(WebSocketDisconnect):
        connect("8.8.4.4")
    assert [answer("8.8.4.4") for _ in range(5)] == [(403, "too_fast")] * 5
    assert answer("8.8.4.5") == (426, "open")
    clock.pass_ms(500)
    assert answer("8.8.4.4") == (403, "too_fast"), "a moment later it is still the reason"
    connect("8.8.4.4")
    clock.pass_ms(1000)
    assert [answer("8.8.4.4") for _ in range(5)] == [(426, "open")] * 5
    for _ in range(2):
        connect("8.8.4.4")
