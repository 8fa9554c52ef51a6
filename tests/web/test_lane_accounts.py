"""Whom the remote pictures of pages are counted for: each page, and all of one address."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Iterator
from concurrent.futures import CancelledError
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient, WebSocketTestSession

from tests.fakes import FakeBackend, FakeClock, other, ready_switchboard
from turbo_ui.live.budget import DAY_S, Budget
from turbo_ui.live.engine import Engine
from turbo_ui.settings import Settings
from turbo_ui.web.lane import PATH, Lane
from turbo_ui.web.roster import Roster
from turbo_ui.web.wire import Message, pack, unpack

FAR = other("far", family="remote")
MAX_PAGES = 3


class Town:
    """A server whose pages have two remote pictures each, and the addresses that they are at."""

    def __init__(self) -> None:
        board = ready_switchboard(FakeBackend(spec=other("doodle")), FakeBackend(spec=FAR))
        self.clock = FakeClock()
        self.engine = Engine(board, budget=Budget(2, self.clock))
        settings = Settings(max_connections_per_address=MAX_PAGES)
        self.app = Starlette(routes=Lane(self.engine, Roster(board), settings).routes)
        self.seeds = itertools.count()

    @contextlib.contextmanager
    def page(self, host: str, token: str = "") -> Iterator[WebSocketTestSession]:
        with (
            # the test client's way of hanging up is to cancel the connection's task
            contextlib.suppress(CancelledError),
            TestClient(self.app, client=(host, 5000)) as client,
            client.websocket_connect(PATH) as socket,
        ):
            hello = {"kind": "hello", "protocol": 1, "page": "p", "token": token}
            socket.send_bytes(pack(hello))
            yield socket

    def refine(self, socket: WebSocketTestSession) -> Message:
        """What a refine elsewhere is answered with: a `refine`, or an `error`."""
        number = next(self.seeds)
        params = {"prompt": "a kite", "seed": number}
        asked = {"kind": "refine", "request_id": number, "model": FAR.id, "params": params}
        socket.send_bytes(pack(asked))
        while True:
            message = unpack(socket.receive_bytes())
            if message.kind in ("refine", "error"):
                return message

    def num_drawn(self, host: str, num: int, **page: Any) -> int:
        """How many of so many refines a page gets."""
        with self.page(host, **page) as socket:
            return [self.refine(socket).kind for _ in range(num)].count("refine")


@pytest.fixture
def town() -> Iterator[Town]:
    made = Town()
    made.engine.start()
    yield made
    made.engine.stop()


def test_a_page_that_calls_itself_anew_does_not_get_all_there_is(town: Town) -> None:
    drawn = [town.num_drawn("10.0.0.1", 3, token=f"made up {n}") for n in range(MAX_PAGES + 2)]
    assert drawn == [2] * MAX_PAGES + [0, 0]
    assert town.num_drawn("10.0.0.2", 3) == 2, "another address has its own"
    with town.page("10.0.0.1") as socket:
        text = town.refine(socket).header["text"]
    assert "TURBO_UI_MAX_CONNECTIONS_PER_ADDRESS" in text
    assert "day" in text


def test_people_behind_one_address_have_their_pictures_again_the_next_day(town: Town) -> None:
    for number in range(MAX_PAGES + 1):
        town.num_drawn("10.0.0.1", 2, token=f"page {number}")
    town.clock.now += DAY_S
    assert town.num_drawn("10.0.0.1", 3, token="new") == 2
    assert town.num_drawn("10.0.0.1", 3, token="page 0") == 0, "a page has its own once"


def test_what_a_page_is_refused_costs_its_neighbours_nothing(town: Town) -> None:
    assert town.num_drawn("10.0.0.1", 9, token="greedy") == 2
    assert [town.num_drawn("10.0.0.1", 2) for _ in range(2)] == [2, 2]


def test_the_addresses_of_one_ipv6_network_are_one(town: Town) -> None:
    """A caller has 2^64 of them."""
    hosts = [f"2001:db8:1:2:{n}::1" for n in range(MAX_PAGES + 1)]
    assert [town.num_drawn(host, 2) for host in hosts] == [2] * MAX_PAGES + [0]
    assert town.num_drawn("2001:db8:1:3::1", 2) == 2
