"""The named event `/generate`: who pays for the remote pictures that it asks for."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gradio as gr
import pytest
from gradio_client import Client
from gradio_client.exceptions import AppError

from harness.app_process import START_WITHIN_S, AppProcess
from tests.backends.scripted_api import GENERATIONS, ScriptedApi, b64
from tests.fakes import FakeBackend, other, ready_switchboard
from turbo_ui.live.budget import Budget
from turbo_ui.live.engine import Engine
from turbo_ui.settings import Settings
from turbo_ui.web.generate import Generate
from turbo_ui.web.roster import Roster

NEAR = other("doodle")
FAR = other("far", family="remote")


@pytest.fixture
def engine() -> Iterator[Engine]:
    """With a model that runs here, and one whose pictures cost money: two for each account."""
    board = ready_switchboard(FakeBackend(spec=NEAR), FakeBackend(spec=FAR))
    running = Engine(board, budget=Budget(2))
    running.start()
    yield running
    running.stop()


def from_address(host: str, session_hash: str) -> gr.Request:
    return gr.Request(client={"host": host, "port": 5000}, session_hash=session_hash)


def test_all_calls_from_one_address_share_its_remote_pictures(engine: Engine) -> None:
    """Whatever session a call says it is of."""
    generate = Generate(engine, Roster(engine.switchboard), Settings())

    def draw(host: str, number: int, model: str = FAR.id) -> dict[str, Any]:
        asked = from_address(host, f"session-{number}")
        _, record = generate("a kite", seed=number, size_px=64, model=model, request=asked)
        return record

    for number in range(2):
        assert draw("10.0.0.1", number)["request"]["model"] == "far"
    with pytest.raises(gr.Error, match="TURBO_UI_MAX_REMOTE_IMAGES_PER_SESSION"):
        draw("10.0.0.1", 3)
    assert draw("10.0.0.2", 4)["request"]["model"] == "far"
    assert draw("10.0.0.1", 5, model=NEAR.id)["request"]["model"] == "doodle", "that costs nothing"


def test_a_call_of_nobody_known_is_counted_too(engine: Engine) -> None:
    generate = Generate(engine, Roster(engine.switchboard), Settings())
    for asked in (None, gr.Request()):
        generate("a kite", size_px=64, model=FAR.id, request=asked)
    with pytest.raises(gr.Error, match="has"):
        generate("a kite", size_px=64, model=FAR.id)


def test_over_http_a_new_client_is_not_a_new_account(tmp_path: Path) -> None:
    """The whole app, with a server elsewhere that draws; each client has a session of its own.

    Another address is one. What comes from this machine is taken for a proxy, which says whose.
    """
    with ScriptedApi() as far:
        far.tell(GENERATIONS, b64())
        options = ("--refine-model", "remote", "--max-remote-images-per-session", "2")
        app = AppProcess(tmp_path, "--remote-base-url", f"{far.url}/v1", *options).start()
        try:
            until_ready(app, "remote")
            assert [draw_over_http(app.url) for _ in range(2)] == ["remote", "remote"]
            with pytest.raises(AppError, match="may ask for 2 remote pictures"):
                draw_over_http(app.url)
            assert draw_over_http(app.url, {"x-forwarded-for": "203.0.113.7"}) == "remote"
        finally:
            app.kill()
        assert len(far.asked_for(GENERATIONS)) == 3


def until_ready(app: AppProcess, model: str) -> None:
    until = time.monotonic() + START_WITHIN_S
    while True:
        states = {entry["id"]: entry["state"] for entry in app.health()[1]["models"]}
        if states[model] == "ready":
            return
        assert time.monotonic() < until, app.log
        time.sleep(0.05)


def draw_over_http(address: str, headers: dict[str, str] | None = None) -> str:
    """Which model drew, for a client that has not been here before."""
    client = Client(address, verbose=False, headers=headers)
    asked = ("a kite", None, 0.6, 1, 0, 0, "remote")
    _, record = client.predict(*asked, api_name="/generate")
    return record["request"]["model"]
