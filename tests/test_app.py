"""The command line as a user gives it: models of one's own, a wrong one, a port in use."""

from __future__ import annotations

import pickle
import socket
from pathlib import Path
from typing import Any

import pytest

from app import Console, check_port, main
from harness.app_process import AppProcess
from tests import checkpoints
from tests.browser.lane_client import LaneClient, jpeg
from turbo_ui.errors import InvalidSetting
from turbo_ui.live.events import ModelState

RED = (220, 30, 30)


def until_it_is(client: LaneClient, model: str, state: str, stand: Any) -> dict[str, Any]:
    """The model's entry, once it is in this state; `stand` is the newest message with models."""
    while True:
        entry = next(entry for entry in stand["models"] if entry["id"] == model)
        if entry["state"] == state:
            return entry
        stand = client.until("models", within_s=60).header


def test_a_folder_of_ones_own_draws_and_another_refines(tmp_path: Path) -> None:
    own = checkpoints.make(tmp_path / "own")
    fine = checkpoints.make_sdxl(tmp_path / "fine")
    app = AppProcess(tmp_path, "--model", str(own), "--refine-model", str(fine)).start()
    try:
        with LaneClient(app.lane_url) as client:
            assert client.welcome["refine_model"] == "fine"
            stand = client.welcome
            while stand["active_model"] != "own":
                stand = client.until("models", within_s=60).header
            client.draw(1, jpeg(RED), prompt="a cat", width=64, height=64)
            assert client.picture(1).header["request"]["model"] == "own"
            client.say({"kind": "load", "model": "fine"})
            until_it_is(client, "fine", "ready", stand)
            client.say({"kind": "refine", "request_id": 2, "model": "fine"})
            refined = client.until("refine", request_id=2, within_s=60).header
            assert refined["request"]["model"] == "fine"
    finally:
        app.kill()
    assert "own: " in app.log
    assert str(tmp_path) not in str(stand), "a path of the server is nobody's business"


def test_a_pickle_is_refused_with_the_reason_and_the_app_draws(tmp_path: Path) -> None:
    path = tmp_path / "model.ckpt"
    path.write_bytes(pickle.dumps({"weights": [1.0] * 100}))
    app = AppProcess(tmp_path, "--model", str(path)).start()
    try:
        with LaneClient(app.lane_url) as client:
            failed = until_it_is(client, "model", "failed", client.welcome)
            assert "safetensors" in failed["text"]
            client.draw(1, jpeg(RED), prompt="an apple")
            assert client.picture(1).header["request"]["model"] == "doodle"
    finally:
        app.kill()
    assert "safetensors" in app.log
    assert "Traceback" not in app.log


def test_the_console_tells_each_stand_once(capsys: pytest.CaptureFixture[str]) -> None:
    console = Console()
    console(ModelState(model_id="m", state="absent"))
    for done in (0.0, 0.01, 0.05, 0.11, 0.12, 0.29):
        console(ModelState(model_id="m", state="downloading", text=f"at {done}", progress=done))
    for _ in range(3):
        console(ModelState(model_id="m", state="ready", text="on the CPU"))
    console(ModelState(model_id="other", state="failed", text="it is not there"))
    assert capsys.readouterr().out.splitlines() == [
        "m: at 0.0", "m: at 0.11", "m: at 0.29", "m: on the CPU", "other: it is not there",
    ]  # fmt: skip


def test_a_port_in_use_is_told_by_name_and_value(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(InvalidSetting, match=f"port is {port}"):
            check_port("127.0.0.1", port)
        assert main(["--host", "127.0.0.1", "--port", str(port)]) == 2
    assert f"port is {port}" in capsys.readouterr().err
    check_port("127.0.0.1", port)
    check_port("127.0.0.1", 0)
    check_port("::1", 7860)
