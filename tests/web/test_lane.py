"""The live lane on a real server: pictures, words, bad input, floods, login, origins."""

from __future__ import annotations

import contextlib
import io
import json
import os
import struct
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from websockets.exceptions import ConnectionClosed, InvalidStatus

from harness.app_process import ROOT, AppProcess
from tests.browser import STANDIN
from tests.browser.lane_client import LaneClient, jpeg
from tests.web.test_wire import framed
from turbo_ui import imaging

RED = jpeg((220, 30, 30))


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AppProcess]:
    quick = ("--max-new-connections-per-s", "1000")  # tests follow each other faster than people
    app = AppProcess(tmp_path_factory.mktemp("lane"), *quick, program=STANDIN).start()
    yield app
    app.kill()


def test_a_sketch_gives_a_picture_with_its_request_and_timings(server: AppProcess) -> None:
    with LaneClient(server.lane_url) as client:
        client.draw(1, RED, prompt="a kite", seed=5)
        frame = client.picture(1)
    assert Image.open(io.BytesIO(frame.payload)).size == (256, 256)
    assert frame.header["request"]["prompt"] == "a kite"
    assert frame.header["request"]["seed"] == 5
    assert frame.header["timings"]["denoise_ms"] > 5
    assert [message.kind for message in client.heard if message.kind == "taken"] == ["taken"]


def test_only_what_changed_travels(server: AppProcess) -> None:
    with LaneClient(server.lane_url) as client:
        client.draw(1, RED, prompt="one", seed=5)
        first = client.picture(1).header
        client.draw(2, prompt="two")
        second = client.picture(2).header
        client.draw(3, prompt="one")
        third = client.picture(3).header
        client.say({"kind": "frame", "request_id": 4, "image": None})
        empty = client.picture(4).header
    assert second["request"]["image"] == first["request"]["image"] is not None
    assert first["digest"] == third["digest"] != second["digest"]
    assert empty["request"]["image"] is None


def test_patches_give_the_picture_of_the_whole_sketch(server: AppProcess) -> None:
    board = np.full((256, 256, 3), 255, np.uint8)
    board[40:60, 30:90] = (220, 30, 30)
    board[50:200, 80:85] = (20, 20, 220)
    buffer = io.BytesIO()
    Image.fromarray(board).save(buffer, "PNG")
    with LaneClient(server.lane_url) as client:
        client.draw(1, buffer.getvalue(), seed=5)
        whole = client.picture(1).header
        client.patch(2, (30, 40), board[40:60, 30:90], is_first=True)
        assert client.picture(2).header["digest"] != whole["digest"]
        client.patch(3, (80, 50), board[50:200, 80:85])
        patched = client.picture(3).header
        client.say({"kind": "frame", "request_id": 4, "image": None})
        assert client.picture(4).header["request"]["image"] is None
        client.patch(5, (0, 0), board[:0, :0])
        again = client.picture(5).header
    assert patched["digest"] == again["digest"] == whole["digest"]
    assert patched["request"]["image"] == whole["request"]["image"]


def test_patches_that_came_too_fast_for_pictures_all_count(server: AppProcess) -> None:
    with LaneClient(server.lane_url) as client:
        client.patch(1, (0, 0), np.full((256, 256, 3), 255, np.uint8), is_first=True)
        for column in range(20):
            client.patch(2 + column, (column, 0), np.zeros((256, 1, 3), np.uint8))
        patched = client.picture(21).header
        board = np.full((256, 256, 3), 255, np.uint8)
        board[:, :20] = 0
        client.patch(22, (0, 0), board, is_first=True)
        whole = client.picture(22).header
    assert patched["superseded"] > 0
    assert patched["request"]["image"] == whole["request"]["image"]


def test_a_large_sheet_is_laid_like_a_small_one(server: AppProcess) -> None:
    with LaneClient(server.lane_url) as client:
        board = np.full((1024, 1024, 3), (220, 30, 30), np.uint8)
        client.patch(1, (0, 0), board, sheet=1024, is_first=True)
        large = client.picture(1).header["request"]
        client.patch(2, (0, 0), board[:256, :256], sheet=256, is_first=True)
        assert client.picture(2).header["request"]["image"] == large["image"]


def test_a_patch_that_does_not_fit_is_answered_and_a_first_one_drawn(server: AppProcess) -> None:
    black = np.zeros((8, 8, 3), np.uint8)
    with LaneClient(server.lane_url) as client:
        client.patch(1, (0, 0), black)
        answer = client.until("error", request_id=1).header
        assert (answer["code"], answer["field"]) == ("invalid", "patch")
        assert "is_first" in answer["text"]
        client.patch(2, (250, 0), black, is_first=True)
        assert client.until("error", request_id=2).header["field"] == "patch.size"
        client.patch(3, (0, 0), black, sheet=5000, is_first=True)
        assert client.until("error", request_id=3).header["field"] == "patch.sheet"
        client.patch(4, (0, 0), black, is_first=True)
        client.picture(4)


def test_a_patch_counts_though_its_frame_is_refused(server: AppProcess) -> None:
    with LaneClient(server.lane_url) as client:
        client.patch(1, (0, 0), np.zeros((8, 8, 3), np.uint8), is_first=True)
        first = client.picture(1).header["request"]["image"]
        patch = {"sheet": [256, 256], "at": [100, 100], "size": [1, 1]}
        header = {"kind": "frame", "request_id": 2, "patch": patch, "params": {"strength": 7}}
        client.say(header, zlib.compress(b"\0\0\0"))
        assert client.until("error", request_id=2).header["field"] == "strength"
        client.patch(3, (0, 0), np.zeros((0, 0, 3), np.uint8))
        assert client.picture(3).header["request"]["image"] != first


def test_two_clients_never_see_each_others_pictures(server: AppProcess) -> None:
    with LaneClient(server.lane_url, page="a") as one, LaneClient(server.lane_url, page="b") as two:
        for turn in range(1, 21):
            one.draw(turn, RED, prompt="of one", seed=turn)
            two.draw(turn, jpeg((20, 20, 220)), prompt="of two", seed=turn)
            assert one.picture(turn).header["request"]["prompt"] == "of one"
            assert two.picture(turn).header["request"]["prompt"] == "of two"
        assert two.welcome["num_sessions"] == 2


def test_ten_thousand_messages_at_once_end_in_the_newest_picture(server: AppProcess) -> None:
    with LaneClient(server.lane_url, page="flood") as client, LaneClient(server.lane_url) as other:
        for request_id in range(1, 10_001):
            client.draw(request_id, seed=request_id)
            if request_id % 2500 == 0:
                other.draw(request_id, RED, prompt="calm")
                assert other.picture(request_id).header["request"]["prompt"] == "calm"
        frame = client.picture(10_000)
        assert frame.header["request"]["seed"] == 10_000
        assert frame.header["superseded"] > 5_000
        client.draw(10_001, RED, seed=1)
        assert client.picture(10_001).header["request"]["seed"] == 1


def png_bomb(side: int) -> bytes:
    """A PNG whose header claims side × side pixels and whose data is a few bytes."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        checked = kind + data
        return struct.pack(">I", len(data)) + checked + struct.pack(">I", zlib.crc32(checked))

    header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    data = zlib.compress(b"\0" * 1000)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", data) + chunk(b"IEND", b"")
    )


def wide_picture() -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (50_000, 1), "red").save(buffer, "PNG")
    return buffer.getvalue()


@pytest.mark.parametrize(
    "payload",
    [
        RED[: len(RED) // 2],
        RED[:10],
        b"\0",
        b"not a picture at all",
        wide_picture(),
        png_bomb(20_000),
        png_bomb(60_000),
        png_bomb(4_000),
    ],
    ids=["half", "start", "zero", "text", "50000x1", "bomb", "larger bomb", "hollow"],
)
def test_a_bad_picture_is_answered_and_the_next_one_drawn(
    server: AppProcess, payload: bytes
) -> None:
    with LaneClient(server.lane_url) as client:
        client.draw(1, payload)
        answer = client.until("error", request_id=1).header
        assert answer["code"] == "invalid"
        assert answer["field"] == "image"
        client.draw(2, RED)
        client.picture(2)


@pytest.mark.parametrize(
    ("header", "code"),
    [
        ({"kind": "frame", "request_id": 1, "params": {"strength": "much"}}, "invalid"),
        ({"kind": "frame", "request_id": 1, "params": {"strength": 7}}, "invalid"),
        ({"kind": "frame", "request_id": 1, "params": {"prompt": "x" * 2001}}, "invalid"),
        ({"kind": "frame", "request_id": 1, "params": {"prompt": "x" * 100_000}}, "invalid"),
        ({"kind": "frame", "request_id": 1, "params": {"model": "no such"}}, "invalid"),
        ({"kind": "frame", "request_id": 1, "params": 3}, "invalid"),
        ({"kind": "frame", "request_id": 1, "params": {"model": "far"}}, "invalid"),
        ({"kind": "refine", "request_id": 1}, "invalid"),
        ({"kind": "refine", "request_id": 1, "model": "no such"}, "invalid"),
        ({"kind": "refine", "request_id": 1, "model": "fine", "params": {"seed": -1}}, "invalid"),
        ({"kind": "refine", "model": "fine"}, "protocol"),
        ({"kind": "load"}, "invalid"),
        ({"kind": "load", "model": "no such"}, "invalid"),
        ({"kind": "frame", "request_id": "1"}, "protocol"),
        ({"kind": "frame", "request_id": True}, "protocol"),
        ({"kind": "frame"}, "protocol"),
        ({"kind": "save", "request_id": 9}, "not_saved"),
        ({"kind": "dance"}, "unknown_kind"),
        ({"kind": "welcome"}, "unknown_kind"),
        ({"kind": "x" * 5000}, "unknown_kind"),
        ({"kind": "hello", "protocol": 1}, "unknown_kind"),
        ({"kind": 5}, "protocol"),
        ({}, "protocol"),
    ],
)
def test_a_wrong_message_is_answered_and_the_connection_stays(
    server: AppProcess, header: dict[str, object], code: str
) -> None:
    with LaneClient(server.lane_url) as client:
        client.say(header)
        answer = client.until("error").header
        assert answer["code"] == code
        assert answer["text"]
        client.draw(2, RED)
        client.picture(2)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\0\0",
        b"\xff\xff\xff\xff",
        b"\0\0\0\x05{}",
        b"\x7f\xff\xff\xff" + b"x" * 70_000,
        "text",
        framed(b'{"kind":"ping","at":1e999}'),
        framed(b'{"kind":"ping","at":-1e999}'),
        framed(b'{"kind":"ping","at":Infinity}'),
        framed(b'{"kind":"frame","request_id":1,"params":{"strength":1e999}}'),
    ],
)
def test_bytes_that_are_no_message_are_answered(server: AppProcess, data: bytes | str) -> None:
    with LaneClient(server.lane_url) as client:
        client.socket.send(data)
        assert client.until("error").header["code"] == "protocol"
        client.draw(2, RED)
        client.picture(2)


def test_zero_bytes_of_picture_leave_the_sketch_as_it_is(server: AppProcess) -> None:
    with LaneClient(server.lane_url) as client:
        client.draw(1, b"")
        assert client.picture(1).header["request"]["image"] is None


def test_a_message_beyond_the_limit_ends_only_its_own_connection(server: AppProcess) -> None:
    with LaneClient(server.lane_url) as client:
        is_closed = False
        try:
            client.draw(1, b"\0" * (5 * 1024 * 1024))
            client.until("nothing")
        except ConnectionClosed:
            # the code, 1009, may be lost: the server does not read the rest of the message
            is_closed = True
        assert is_closed
    with LaneClient(server.lane_url, page="q") as other:
        other.draw(1, RED)
        other.picture(1)


def test_nothing_is_heard_before_hello(server: AppProcess) -> None:
    with LaneClient(server.lane_url, hello=False) as client:
        client.draw(1, RED)
        assert client.until("error").header["code"] == "protocol"
        client.say({"kind": "hello", "protocol": 1})
        assert client.until("welcome").header["token"]


def test_a_failing_frame_keeps_the_loop(server: AppProcess) -> None:
    with LaneClient(server.lane_url) as client:
        client.draw(1, RED, prompt="fail on this")
        assert client.until("error", request_id=1).header["code"] == "failed"
        client.draw(2, prompt="and on")
        client.picture(2)


def test_a_model_that_cannot_be_had_says_why_and_the_running_one_goes_on(
    server: AppProcess,
) -> None:
    with LaneClient(server.lane_url) as client:
        client.draw(1, RED, model="absent")
        notice = client.until("notice").header
        assert "Choose the other one" in notice["text"]
        client.draw(2, seed=2)
        assert client.picture(2).header["request"]["model"] == "doodle"


def test_another_model_takes_over_when_it_is_ready(server: AppProcess) -> None:
    with LaneClient(server.lane_url) as client:
        client.draw(1, RED, model="large")
        while client.until("models").header["active_model"] != "large":
            pass
        client.draw(2)
        assert client.picture(2).header["request"]["width"] == 512


def test_where_one_model_fits_all_are_told_which_one_went_and_the_board_draws_on(
    tmp_path: Path,
) -> None:
    app = AppProcess(tmp_path, "--num-fitting", "1", "--load-s", "0.5", program=STANDIN).start()
    try:
        with LaneClient(app.lane_url, page="a") as one, LaneClient(app.lane_url, page="b") as two:
            one.draw(1, RED, model="large")
            while one.until("models").header["active_model"] != "large":
                pass
            two.draw(1, RED, model="fine")
            for client in (one, two):
                notice = client.until("notice").header
                assert notice["text"].startswith("Large was put away to make room for Fine.")
                assert (notice["code"], notice["level"]) == ("model", "info")
            while two.until("models").header["active_model"] != "fine":
                pass
            one.draw(2, seed=2)
            assert one.picture(2).header["request"]["model"] == "doodle"
    finally:
        app.kill()


def test_a_refine_draws_the_same_request_with_another_model(server: AppProcess) -> None:
    with LaneClient(server.lane_url) as client:
        client.draw(1, RED, prompt="a kite", seed=5, strength=0.4)
        draft = client.picture(1).header["request"]
        client.say({"kind": "refine", "request_id": 2, "model": "fine"}, jpeg((220, 30, 30), 512))
        frame = client.until("refine", request_id=2)
        client.say({"kind": "save", "request_id": 2})
        png = client.until("png", request_id=2)
        client.draw(3, seed=6)
        after = client.picture(3).header["request"]
    request = frame.header["request"]
    own = {"model": "fine", "width": 512, "height": 512, "num_inference_steps": 4}
    sketches = {"image": request["image"]}
    assert request == {**draft, **own, **sketches}
    assert Image.open(io.BytesIO(frame.payload)).size == (512, 512)
    previews = [each.header for each in client.heard if each.kind == "preview"]
    assert {each["request_id"] for each in previews} == {2}
    assert [each["step"] for each in previews] == sorted(each["step"] for each in previews)
    assert imaging.open_png(png.payload).request.to_json() == request
    assert after == {**draft, "seed": 6}, "the refine's own sketch and parameters do not stay"


def test_a_stroke_ends_a_refine_and_its_picture_never_comes(server: AppProcess) -> None:
    with LaneClient(server.lane_url) as client:
        client.draw(1, RED)
        client.picture(1)
        client.say({"kind": "refine", "request_id": 2, "model": "fine"})
        client.until("taken", request_id=2)
        client.draw(3, seed=3)
        client.until("superseded", request_id=2)
        client.picture(3)
        client.draw(4, seed=4)
        client.picture(4)
    assert not [each for each in client.heard if each.kind == "refine"]


def test_a_remote_model_refines_from_the_prompt_alone_and_never_follows_the_hand(
    server: AppProcess,
) -> None:
    with LaneClient(server.lane_url) as client:
        client.draw(1, RED, prompt="a kite")
        client.picture(1)
        client.say({"kind": "refine", "request_id": 2, "model": "far"}, RED)
        assert client.until("refine", request_id=2).header["request"]["image"] is None
        client.draw(3, model="far")
        assert client.until("error", request_id=3).header["field"] == "model"
        client.draw(4, seed=4)
        assert client.picture(4).header["request"]["model"] == "doodle"


def test_a_model_that_failed_is_tried_again_when_it_is_asked_for(server: AppProcess) -> None:
    def entry(client: LaneClient, state: str) -> dict[str, object]:
        while True:
            models = client.until("models").header["models"]
            found = next(model for model in models if model["id"] == "shaky")
            if found["state"] == state:
                return found

    with LaneClient(server.lane_url) as client:
        client.say({"kind": "load", "model": "shaky"})
        loading = entry(client, "downloading")
        assert loading["num_bytes"]
        assert loading["total_bytes"] == 2_000_000_000
        assert loading["how_to_get"]
        assert "broke off" in str(entry(client, "failed")["text"])
        client.say({"kind": "refine", "request_id": 1, "model": "shaky"})
        assert "broke off" in client.until("error", request_id=1).header["text"]
        client.say({"kind": "load", "model": "shaky"})
        assert entry(client, "ready")["device"]


def memory_bytes(app: AppProcess) -> int:
    """What the server's process holds."""
    assert app.process is not None
    pages = Path(f"/proc/{app.process.pid}/statm").read_text().split()[1]
    return int(pages) * os.sysconf("SC_PAGE_SIZE")


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="reads memory from /proc")
def test_a_client_that_never_reads_fills_no_memory_and_holds_nobody_up(server: AppProcess) -> None:
    with LaneClient(server.lane_url, page="deaf") as deaf, LaneClient(server.lane_url) as other:
        deaf.draw(1, RED, model="large", prompt="x" * 2000)
        deaf.until("frame")
        before = memory_bytes(server)
        for number in range(2, 1500):
            deaf.draw(number, RED, seed=number)
            deaf.say({"kind": "save", "request_id": number - 1})
            if number % 300 == 0:
                other.draw(number, RED, prompt="calm")
                assert other.picture(number).header["request"]["prompt"] == "calm"
        assert memory_bytes(server) - before < 64 * 1024 * 1024


def test_the_saved_png_holds_the_request_and_the_sketch(server: AppProcess) -> None:
    with LaneClient(server.lane_url) as client:
        client.draw(1, RED, prompt="a kite", seed=11)
        frame = client.picture(1)
        client.say({"kind": "save", "request_id": 1})
        png = client.until("png", request_id=1)
    saved = imaging.open_png(png.payload)
    assert saved.request.prompt == "a kite"
    assert saved.request.to_json() == frame.header["request"]
    assert "Seed: 11" in Image.open(io.BytesIO(png.payload)).text["parameters"]  # type: ignore[attr-defined]
    assert png.header["name"].endswith(".png")


def test_a_page_keeps_its_token_and_a_duplicate_gets_its_own(server: AppProcess) -> None:
    with LaneClient(server.lane_url, page="first") as first:
        token = first.welcome["token"]
        with LaneClient(server.lane_url, page="second", token=token) as duplicate:
            assert duplicate.welcome["token"] != token
            first.draw(1, RED, prompt="mine")
            assert first.picture(1).header["request"]["prompt"] == "mine"
        with LaneClient(server.lane_url, page="first", token=token) as again:
            assert again.welcome["token"] == token
            with pytest.raises(ConnectionClosed) as closed:
                first.until("nothing")
            assert closed.value.rcvd is not None
            assert closed.value.rcvd.code == 4001


def test_pages_of_other_sites_are_refused(server: AppProcess) -> None:
    for origin in ("https://evil.example", "null", f"http://127.0.0.1:{server.port + 1}"):
        with pytest.raises(InvalidStatus):
            LaneClient(server.lane_url, headers={"Origin": origin})
    with LaneClient(server.lane_url, headers={"Origin": server.url.rstrip("/")}) as client:
        client.draw(1, RED)
        client.picture(1)


def ask_why(server: AppProcess, **headers: str) -> tuple[int, dict[str, str]]:
    """What a plain GET of the lane's address is answered."""
    origin = urllib.parse.quote(headers.pop("origin", server.url.rstrip("/")), safe="")
    request = urllib.request.Request(f"{server.url}live?origin={origin}", headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status, json.loads(answer.read())
    except urllib.error.HTTPError as error:
        return error.code, json.loads(error.read())


def test_a_plain_request_is_told_whether_the_lane_would_be_opened(server: AppProcess) -> None:
    status, told = ask_why(server)
    assert (status, told["code"]) == (426, "open")
    status, told = ask_why(server, origin="https://evil.example")
    assert (status, told["code"]) == (403, "origin")


def test_what_was_drawn_is_counted_for_whoever_watches(server: AppProcess) -> None:
    with LaneClient(server.lane_url) as client:
        client.draw(1, RED)
        client.picture(1)
        with urllib.request.urlopen(f"{server.url}metrics", timeout=10) as answer:
            assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
            lines = answer.read().decode().splitlines()
    counted = 'turbo_ui_frames_total{model="doodle",kind="live"} '
    [count] = [line.removeprefix(counted) for line in lines if line.startswith(counted)]
    assert int(count) >= 1
    assert "turbo_ui_connections 1" in lines


def test_visitors_behind_a_trusted_proxy_are_told_apart(tmp_path: Path) -> None:
    limits = ("--max-connections-per-address", "1", "--trusted-proxies", "127.0.0.1,10.0.0.0/8")
    app = AppProcess(tmp_path, *limits, program=STANDIN).start()
    try:
        # the space's own proxies are at 10.…; what a visitor claims himself stands before its word
        ada, bob = ({"X-Forwarded-For": f"1.2.3.4, 8.8.4.{n}, 10.1.1.1"} for n in (1, 2))
        with LaneClient(app.lane_url, headers=ada):
            with pytest.raises(InvalidStatus):
                LaneClient(app.lane_url, headers=ada)
            status, told = ask_why(app, **ada)
            assert (status, told["code"]) == (403, "full")
            assert "Too many pages from this address" in told["text"]
            with LaneClient(app.lane_url, headers=bob) as client:
                client.draw(1, RED)
                client.picture(1)
    finally:
        app.kill()


def test_connections_that_come_too_fast_are_refused(tmp_path: Path) -> None:
    app = AppProcess(tmp_path, "--max-new-connections-per-s", "1", program=STANDIN).start()
    try:
        with LaneClient(app.lane_url) as client:
            num_refused = 0
            for _ in range(5):
                with contextlib.suppress(InvalidStatus), LaneClient(app.lane_url):
                    continue
                num_refused += 1
            assert num_refused > 0
            client.draw(1, RED)
            client.picture(1)
    finally:
        app.kill()


def test_the_example_client_draws(server: AppProcess, tmp_path: Path) -> None:
    target = tmp_path / "spiral.jpg"
    script = ROOT / "docs" / "examples" / "draw.py"
    done = subprocess.run(
        [sys.executable, str(script), server.lane_url, "a yellow snail", str(target)],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert "picture 30" in done.stdout
    with Image.open(target) as picture:
        assert picture.size == (256, 256)
    assert len(script.read_text("utf-8").splitlines()) <= 60


def test_health_says_what_it_waits_for(tmp_path: Path) -> None:
    app = AppProcess(tmp_path, "--load-s", "2", program=STANDIN)
    seen: list[tuple[int, dict[str, object]]] = []
    starter = threading.Thread(target=app.start)
    starter.start()
    while starter.is_alive():
        seen.append(app.health())
        time.sleep(0.05)
    waiting = [body for status, body in seen if status == 503]
    try:
        assert waiting
        assert "doodle" in str(waiting[-1]["waiting_for"])
        assert app.health()[0] == 200
    finally:
        app.kill()


def test_without_a_login_nothing_opens_and_with_one_it_does(tmp_path: Path) -> None:
    os.environ["TURBO_UI_AUTH"] = "ada:lovelace"
    try:
        app = AppProcess(tmp_path, program=STANDIN).start()
    finally:
        del os.environ["TURBO_UI_AUTH"]
    try:
        with pytest.raises(InvalidStatus) as refused:
            LaneClient(app.lane_url)
        assert refused.value.response.status_code == 403
        with pytest.raises(InvalidStatus):
            LaneClient(app.lane_url, headers={"Cookie": "access-token-x=y"})
        form = urllib.parse.urlencode({"username": "ada", "password": "lovelace"}).encode()
        with urllib.request.urlopen(app.url + "login", form) as answer:
            cookies = answer.headers.get_all("Set-Cookie")
            assert json.load(answer)["success"]
        cookie = "; ".join(each.split(";")[0] for each in cookies)
        with LaneClient(app.lane_url, headers={"Cookie": cookie}) as client:
            client.draw(1, RED)
            client.picture(1)
    finally:
        app.kill()
