"""Stopping: the frame in flight is finished, the pages are told, and all within one deadline."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed

from harness.app_process import AppProcess
from tests.browser import STANDIN
from tests.browser.lane_client import LaneClient, jpeg
from tests.fakes import FakeBackend, FakeClock, ready_switchboard
from turbo_ui.live.engine import Engine
from turbo_ui.settings import Settings
from turbo_ui.web import ui
from turbo_ui.web.server import Server


def test_a_stop_lets_a_long_frame_end_and_tells_the_pages(tmp_path: Path) -> None:
    app = AppProcess(tmp_path, "--frame-ms", "3000", program=STANDIN).start()
    try:
        with LaneClient(app.lane_url) as client:
            client.draw(1, jpeg((220, 30, 30)))
            client.until("taken")
            assert app.process is not None
            app.process.terminate()
            client.picture(1)
            with pytest.raises(ConnectionClosed) as closed:
                client.until("nothing", within_s=5)
            assert any(message.header.get("code") == "stopping" for message in client.heard)
            assert closed.value.rcvd is not None
            assert closed.value.rcvd.code == 1001
        assert app.process.wait(6) == 0, app.log
    finally:
        app.kill()


class Hanging:
    """Stands for a part that takes all the time that it is given to stop."""

    def __init__(self, clock: FakeClock) -> None:
        self.clock = clock
        self.given_s = 0.0

    def stop(self, timeout_s: float) -> bool:
        self.given_s = timeout_s
        self.clock.now += timeout_s
        return False

    close = stop

    def announce_stop(self) -> None:
        pass


class HangingPort:
    """Stands for Gradio's server, which needs 0.2 s and then waits for requests."""

    is_running = True

    def __init__(self, clock: FakeClock) -> None:
        self.clock = clock
        self.server = SimpleNamespace(config=SimpleNamespace(timeout_graceful_shutdown=None))

    def close(self, verbose: bool) -> None:
        self.clock.now += 0.2 + self.server.config.timeout_graceful_shutdown


@pytest.mark.parametrize("max_stop_s", [2.0, 5.0, 60.0])
@pytest.mark.parametrize("lost_s", [0.0, 0.5])
def test_a_stop_in_which_everything_hangs_keeps_its_deadline_and_gives_the_frame_what_it_can(
    monkeypatch: pytest.MonkeyPatch, max_stop_s: float, lost_s: float
) -> None:
    clock = FakeClock()
    port = HangingPort(clock)
    monkeypatch.setattr(ui, "build", lambda *_: port)
    switchboard = ready_switchboard(FakeBackend())
    settings = Settings(max_stop_s=max_stop_s)
    server: Any = Server(Engine(switchboard), switchboard, settings, clock=clock)
    server.engine = engine = Hanging(clock)
    server.lane, server.switchboard = Hanging(clock), Hanging(clock)
    begun = clock.now
    server.ask_to_stop()
    clock.now += lost_s  # what the app does before
    server.ask_to_stop()  # a second signal wins no time
    server.stop()
    assert engine.given_s == pytest.approx(max_stop_s - lost_s - 1)
    assert port.server.config.timeout_graceful_shutdown > 0
    assert server.switchboard.given_s > 0
    assert clock.now < begun + max_stop_s
