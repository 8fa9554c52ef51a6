"""The named event `/generate`: the sizes that it takes, and who pays for its remote pictures."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gradio as gr
import numpy as np
import pytest
from gradio_client import Client, handle_file
from gradio_client.exceptions import AppError

from harness.app_process import START_WITHIN_S, AppProcess
from tests.backends.scripted_api import GENERATIONS, ScriptedApi, b64
from tests.browser import STANDIN
from tests.browser.lane_client import LaneClient
from tests.fakes import FakeBackend, other, ready_switchboard
from turbo_ui import imaging
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


@pytest.fixture
def sketch_file(tmp_path: Path) -> str:
    """A drawing of another shape than any picture here."""
    path = tmp_path / "sketch.png"
    path.write_bytes(imaging.encode_png(np.full((50, 80, 3), 40, np.uint8)))
    return str(path)


@pytest.fixture
def server_url(tmp_path: Path) -> Iterator[str]:
    app = AppProcess(tmp_path, program=STANDIN).start()
    try:
        load(app, "large")
        yield app.url
    finally:
        app.kill()


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


@pytest.mark.parametrize(
    ("asked", "size"),
    [
        ({}, (64, 64)),
        ({"size_px": 128}, (128, 128)),
        ({"width": 192, "height": 128}, (192, 128)),
        ({"width": 192.0, "height": 128.0}, (192, 128)),
        ({"width": 192}, (192, 64)),
        ({"height": 192, "size_px": None, "width": None}, (64, 192)),
        ({"width": 2048, "height": 200}, (1024, 192)),
    ],
)
def test_a_picture_has_the_width_and_height_asked_for(
    engine: Engine, asked: dict[str, Any], size: tuple[int, int], sketch_file: str
) -> None:
    """Held to what the model can draw; what is not named is the model's own."""
    generate = Generate(engine, Roster(engine.switchboard), Settings())
    path, record = generate("a kite", image=sketch_file, model=NEAR.id, **asked)
    assert (record["request"]["width"], record["request"]["height"]) == size
    saved = imaging.open_png(Path(path).read_bytes())
    assert imaging.decode(Path(path).read_bytes()).shape == (size[1], size[0], 3)
    assert saved.request.sketch is not None
    assert (saved.request.sketch.width, saved.request.sketch.height) == size


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"width": 100}, "width is 100; allowed: a multiple of 8 from 64 to 2048"),
        ({"height": 2056}, "height is 2056; allowed"),
        ({"width": -64}, "width is -64"),
        ({"width": 192.5}, "width is 192.5"),
        ({"height": float("nan")}, "height is nan"),
        ({"size_px": 100}, "size_px is 100; allowed: a multiple of 8 from 64 to 2048"),
        ({"size_px": 192.5}, "size_px is 192.5"),
        ({"size_px": 128, "width": 128}, "size_px is 128; allowed: 0 where width or height"),
    ],
)
def test_a_wrong_size_is_named_with_what_is_allowed(
    engine: Engine, asked: dict[str, Any], words: str
) -> None:
    generate = Generate(engine, Roster(engine.switchboard), Settings())
    with pytest.raises(gr.Error) as caught:
        generate("a kite", **asked)
    assert words in str(caught.value)


def test_over_http_width_and_height_are_named_or_a_side_as_ever(server_url: str) -> None:
    client = Client(server_url, verbose=False)

    def size_of(*asked: Any, **named: Any) -> tuple[int, int]:
        _, record = client.predict(*asked, **named, api_name="/generate")
        return record["request"]["width"], record["request"]["height"]

    start = ("a kite", None, 0.6, 1, 0)
    assert size_of(*start, 512, "large") == (512, 512)
    assert size_of(*start, 0, "large", 704, 384) == (704, 384)
    assert size_of(prompt="a kite", image=None, model="large", width=384, height=704) == (384, 704)
    assert size_of(*start, 0, "") == (256, 256)
    with pytest.raises(AppError, match=r"width is 700\.5; allowed: a multiple of 8 from 64"):
        size_of(*start, 0, "large", 700.5, 384)


def test_over_http_a_file_that_is_no_picture_is_told_so(server_url: str, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("a red car")
    client = Client(server_url, verbose=False)
    wrong = handle_file(str(tmp_path / "notes.txt"))
    with pytest.raises(AppError, match=r"image is .9 bytes.; allowed: a JPEG, PNG or WebP"):
        client.predict("a kite", wrong, api_name="/generate")


def test_over_http_a_data_url_that_holds_no_picture_is_told_so(server_url: str) -> None:
    client = Client(server_url, verbose=False)
    wrong = {"url": "data:image/png;base64,@@@", "meta": {"_type": "gradio.FileData"}}
    with pytest.raises(AppError, match=r"image is 'a data URL'; allowed: one of a JPEG, PNG"):
        client.predict("a kite", wrong, api_name="/generate")


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


def load(app: AppProcess, model: str) -> None:
    with LaneClient(app.lane_url) as page:
        page.say({"kind": "load", "model": model})
        until_ready(app, model)


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
