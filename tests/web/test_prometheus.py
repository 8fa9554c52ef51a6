"""What a program that watches the server is told, and who may ask."""

from __future__ import annotations

import re
from typing import Any

import pytest
from pydantic import SecretStr
from starlette.applications import Starlette
from starlette.testclient import TestClient
from starlette.websockets import WebSocketDisconnect

from harness.app_process import ROOT
from tests.fakes import FakeBackend, FakeClock, Inbox, other, ready_switchboard
from turbo_ui.frames import FrameRequest
from turbo_ui.live.engine import Engine
from turbo_ui.live.events import Submission, SubmissionKind
from turbo_ui.settings import Settings
from turbo_ui.web import prometheus
from turbo_ui.web.lane import PATH as LIVE
from turbo_ui.web.lane import Lane
from turbo_ui.web.roster import Roster

KEY = "sk-test-0123456789abcdef"
NAME = r"[a-z_:][a-z0-9_:]*"
LABEL = r'[a-z_]+="(?:[^"\\\n]|\\["\\n])*"'
LINE = re.compile(rf"({NAME})(?:\{{({LABEL}(?:,{LABEL})*)\}})? ([0-9.e+-]+)")
Lines = dict[tuple[str, str], float]


class Site:
    """A server of two models, and a program that watches it."""

    def __init__(self, *specs: str, **settings: Any) -> None:
        self.clock = FakeClock()
        backends = [FakeBackend(spec=other(name), clock=self.clock) for name in specs or ("fake",)]
        board = ready_switchboard(*backends)
        self.engine = Engine(board, clock=self.clock)
        self.lane = Lane(self.engine, Roster(board), Settings(**settings))
        watch = prometheus.route(self.engine, self.lane.roster, self.lane)
        self.app: Any = Starlette(routes=[*self.lane.routes, watch])

    def draw(self, request_id: int, kind: SubmissionKind = "live", **request: Any) -> None:
        self.engine.submit(
            "page",
            Submission(
                request_id=request_id,
                request=FrameRequest(**{"model": "fake", "width": 64, "height": 64, **request}),
                received_at=self.clock(),
                kind=kind,
            ),
        )

    def get(self, **headers: str) -> Any:
        with TestClient(self.app) as client:
            return client.get("/metrics", headers=headers)

    def told(self) -> Lines:
        """Name and labels → value; each line as the format has it."""
        answer = self.get()
        assert answer.status_code == 200
        assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
        assert answer.text.endswith("\n")
        found: Lines = {}
        family = ""
        for line in answer.text.splitlines():
            if line.startswith("# TYPE "):
                family = line.split()[2]
            elif not line.startswith("# HELP "):
                match = LINE.fullmatch(line)
                assert match is not None, line
                name, labels, value = match.groups()
                assert re.fullmatch(rf"{family}(_bucket|_sum|_count)?", name), line
                assert (name, labels or "") not in found, line
                found[name, labels or ""] = float(value)
        return found


def test_frames_are_counted_by_model_and_kind() -> None:
    site = Site("fake", "fine")
    site.engine.open_session("page", Inbox())
    for number in (1, 2, 3):
        site.draw(number)  # two are replaced
    site.clock.pass_ms(300)
    site.engine.step()
    site.draw(4, "refine", model="fine")
    site.engine.step()
    told = site.told()
    assert told["turbo_ui_frames_total", 'model="fake",kind="live"'] == 1
    assert told["turbo_ui_frames_total", 'model="fine",kind="refine"'] == 1
    assert told["turbo_ui_superseded_total", ""] == 2
    assert told["turbo_ui_failed_total", ""] == 0
    assert told["turbo_ui_sessions", ""] == 1
    assert told["turbo_ui_ready", ""] == 1
    assert told["turbo_ui_running_seconds", ""] == 0
    labels = 'model="fake",kind="live"'
    took = {le: told["turbo_ui_inference_seconds_bucket", f'{labels},le="{le}"'] for le in ("0.005", "0.01", "60.0", "+Inf")}  # fmt: skip # noqa: E501
    assert took == {"0.005": 0, "0.01": 1, "60.0": 1, "+Inf": 1}
    assert told["turbo_ui_inference_seconds_sum", labels] == pytest.approx(0.01)
    assert told["turbo_ui_queue_wait_seconds_sum", labels] == pytest.approx(0.3)
    assert told["turbo_ui_queue_wait_seconds_count", labels] == 1
    assert told["turbo_ui_queue_wait_seconds_bucket", f'{labels},le="0.25"'] == 0


def test_a_frame_that_hangs_is_told_while_it_does() -> None:
    site = Site()
    site.engine.open_session("page", Inbox())
    seen: list[Lines] = []

    def look(step: int) -> None:
        site.clock.pass_ms(40_000)
        seen.append(site.told())

    backend: Any = site.engine.switchboard.ready("fake")
    backend.on_step = look
    site.draw(1)
    site.engine.step()
    assert seen[0]["turbo_ui_running_seconds", ""] > 40


def test_connections_are_counted_and_so_are_those_that_were_refused() -> None:
    site = Site(max_connections=1)
    with TestClient(site.app) as client, client.websocket_connect(LIVE):
        for _ in range(2):
            with pytest.raises(WebSocketDisconnect), client.websocket_connect(LIVE):
                pass
    assert site.told()["turbo_ui_connections_refused_total", 'code="full"'] == 2
    assert site.told()["turbo_ui_connections", ""] == 0


def test_where_each_model_stands_is_told() -> None:
    site = Site('a"b\\c', "fake")
    site.engine.switchboard.loaded.take("fake")
    assert site.told()["turbo_ui_model_state", 'model="a\\"b\\\\c",state="ready"'] == 1


def test_nothing_of_what_is_drawn_is_told() -> None:
    site = Site(api_key=SecretStr(KEY))
    site.engine.open_session("page-token", Inbox(), account="address 8.8.4.4")
    request = FrameRequest(model="fake", prompt="a secret kite", seed=987654, width=64, height=64)
    site.engine.submit("page-token", Submission(request_id=1, request=request, received_at=0))
    site.engine.step()
    text = site.get().text
    assert 'turbo_ui_frames_total{model="fake",kind="live"} 1' in text
    for secret in ("kite", "987654", "page-token", "8.8.4.4", KEY):
        assert secret not in text


@pytest.mark.parametrize(
    ("headers", "key", "status"),
    [
        ({}, KEY, 401),
        ({}, None, 401),
        ({"cookie": "access-token-abc=good"}, None, 200),
        ({"cookie": "access-token-abc=bad"}, KEY, 401),
        ({"authorization": f"Bearer {KEY}"}, KEY, 200),
        ({"authorization": f"bearer {KEY}"}, KEY, 200),
        ({"authorization": "Bearer "}, KEY, 401),
        ({"authorization": "Bearer "}, None, 401),
        ({"authorization": "Bearer wrong"}, KEY, 401),
        ({"authorization": f"Basic {KEY}"}, KEY, 401),
        ({"authorization": "Bearer clé"}, KEY, 401),
    ],
)
def test_with_a_login_only_who_has_it_or_the_key_may_ask(
    headers: dict[str, str], key: str | None, status: int
) -> None:
    site = Site(auth="ada:lovelace", api_key=None if key is None else SecretStr(key))
    vars(site.app).update(auth={"ada": "x"}, cookie_id="abc", tokens={"good": "ada"})
    sent: Any = {name: value.encode("latin-1") for name, value in headers.items()}
    answer = site.get(**sent)
    assert answer.status_code == status
    if status == 401:
        assert "TURBO_UI_API_KEY" in answer.text
        assert "frames" not in answer.text
        assert answer.headers["www-authenticate"] == "Bearer"


def test_the_documented_measures_are_those_that_are_told() -> None:
    site = Site()
    rows = re.findall(
        r"^\| `turbo_ui_(\w+)` \| (\w+) \| ?(.*?) ?\|",
        (ROOT / "docs" / "metrics.md").read_text("utf-8"),
        re.MULTILINE,
    )
    site.engine.open_session("page", Inbox())
    site.draw(1)
    site.engine.step()
    site.lane.num_refused["full"] += 1
    told = list(prometheus.families(site.engine, site.lane.roster, site.lane))
    assert [(each.name, each.kind) for each in told] == [(name, kind) for name, kind, _ in rows]
    for each, (_, _, documented) in zip(told, rows, strict=True):
        labels = {label for _, labels, _ in each.lines for label in labels} - {"le"}
        assert labels == set(re.findall(r"`(\w+)`", documented)), each.name
