"""The OpenAI-compatible API: with the official client, with ours, with a table of wrong calls."""

from __future__ import annotations

import base64
import io
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import numpy as np
import openai
import pytest
from PIL import Image
from pydantic import SecretStr
from starlette.applications import Starlette
from starlette.testclient import TestClient

from harness.app_process import ROOT, AppProcess
from tests.browser import STANDIN
from tests.browser.lane_client import LaneClient, jpeg
from tests.fakes import FAKE, FakeBackend, InlineSwitchboard, other, ready_switchboard
from turbo_ui import imaging
from turbo_ui.backends.base import LoadReport
from turbo_ui.backends.remote import Remote, spec_of
from turbo_ui.catalog import ModelSpec
from turbo_ui.errors import ModelUnavailable, OutOfMemory
from turbo_ui.frames import FrameRequest, Sketch
from turbo_ui.live.engine import Engine
from turbo_ui.live.switchboard import Switchboard
from turbo_ui.remote_settings import RemoteSettings
from turbo_ui.settings import Settings
from turbo_ui.web.images_api import MAX_JSON_BYTES, ImagesApi
from turbo_ui.web.roster import Roster

KEY = "key-of-this-server-0123456789"


def sketch_png(colour: tuple[int, int, int] = (220, 30, 30), side: int = 64) -> bytes:
    return imaging.encode_png(np.full((side, side, 3), colour, dtype=np.uint8))


def pixels_of(item: Any) -> np.ndarray:
    data = base64.b64decode(item.b64_json if hasattr(item, "b64_json") else item["b64_json"])
    return imaging.decode(data)


# --- a real server and the official client


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AppProcess]:
    """Asks for a key."""
    os.environ["TURBO_UI_API_KEY"] = KEY
    try:
        app = AppProcess(tmp_path_factory.mktemp("api"), program=STANDIN).start()
    finally:
        del os.environ["TURBO_UI_API_KEY"]
    yield app
    app.kill()


@pytest.fixture(scope="module")
def client(server: AppProcess) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(api_key=KEY, base_url=f"{server.url}v1", max_retries=0) as official:
        yield official


def test_the_official_client_draws_from_a_prompt(client: openai.OpenAI) -> None:
    answer = client.images.generate(prompt="a red kite", n=2, extra_body={"seed": 5})
    assert answer.data is not None
    one, two = answer.data
    assert pixels_of(one).shape == (256, 256, 3)
    assert (answer.size, answer.output_format, answer.background) == ("256x256", "png", "opaque")
    assert not np.array_equal(pixels_of(one), pixels_of(two))
    again = client.images.generate(
        prompt="a red kite", model="doodle", size="256x256", response_format="b64_json",
        quality="auto", user="somebody", extra_body={"seed": 6},
    )  # fmt: skip
    assert again.data
    assert two.b64_json
    assert np.array_equal(pixels_of(again.data[0]), pixels_of(two))


def test_the_official_client_draws_from_a_sketch(client: openai.OpenAI) -> None:
    near, far = (
        client.images.edit(
            image=("sketch.png", sketch_png(), "image/png"),
            prompt="a red kite",
            extra_body={"seed": 3, "strength": strength},
        )
        for strength in (0.1, 0.9)
    )
    assert near.data
    assert far.data
    away = [
        float(np.abs(pixels_of(images[0]).astype(float) - (220, 30, 30)).mean())
        for images in (near.data, far.data)
    ]
    assert away[0] < away[1]


def test_a_list_of_one_sketch_is_a_sketch(client: openai.OpenAI) -> None:
    answer = client.images.edit(image=[("a.jpg", jpeg((9, 9, 9)), "image/jpeg")], prompt="a kite")
    assert answer.data is not None
    assert pixels_of(answer.data[0]).shape == (256, 256, 3)


def test_the_png_holds_its_request_and_its_sketch(client: openai.OpenAI) -> None:
    answer = client.images.edit(
        image=("sketch.png", sketch_png(), "image/png"), prompt="a kite", extra_body={"seed": 8}
    )
    assert answer.data is not None
    saved = imaging.open_png(base64.b64decode(answer.data[0].b64_json or ""))
    assert (saved.request.prompt, saved.request.seed) == ("a kite", 8)
    assert saved.request.sketch is not None
    assert answer.data[0].model_extra == {"seed": 8}


def test_a_jpeg_where_one_is_asked_for(client: openai.OpenAI) -> None:
    answer = client.images.generate(prompt="a", output_format="jpeg", output_compression=50)
    assert answer.data is not None
    assert answer.output_format == "jpeg"
    data = base64.b64decode(answer.data[0].b64_json or "")
    assert Image.open(io.BytesIO(data)).format == "JPEG"


def test_the_official_client_lists_the_models(client: openai.OpenAI) -> None:
    models = {model.id: model for model in client.models.list()}
    assert {"doodle", "large", "absent"} <= models.keys()
    doodle = client.models.retrieve("doodle")
    assert doodle.object == "model"
    assert doodle.model_extra is not None
    assert doodle.model_extra["state"] == "ready"


def test_the_official_client_knows_our_errors(server: AppProcess, client: openai.OpenAI) -> None:
    with pytest.raises(openai.BadRequestError) as wrong:
        client.images.generate(prompt="a", size="1024x1024")
    assert (wrong.value.param, wrong.value.code) == ("size", "invalid_value")
    assert wrong.value.type == "invalid_request_error"
    assert "256x256" in wrong.value.message
    with pytest.raises(openai.NotFoundError) as unknown:
        client.images.generate(prompt="a", model="dall-e-9")
    assert unknown.value.code == "model_not_found"
    with pytest.raises(openai.NotFoundError):
        client.models.retrieve("dall-e-9")
    with pytest.raises(openai.InternalServerError) as failed:
        client.images.generate(prompt="fail on this")
    assert failed.value.request_id
    stranger = client.with_options(api_key="wrong")
    with pytest.raises(openai.AuthenticationError) as refused:
        stranger.images.generate(prompt="a")
    assert refused.value.code == "invalid_api_key"


def test_masks_and_streams_are_refused(client: openai.OpenAI) -> None:
    with pytest.raises(openai.BadRequestError) as mask:
        client.images.edit(
            image=("a.png", sketch_png(), "image/png"),
            mask=("b.png", sketch_png(), "image/png"),
            prompt="a",
        )
    assert mask.value.param == "mask"
    with pytest.raises(openai.BadRequestError) as stream:
        client.images.generate(prompt="a", stream=True)
    assert stream.value.param == "stream"
    with pytest.raises(openai.BadRequestError) as url:
        client.images.generate(prompt="a", response_format="url")
    assert url.value.param == "response_format"


def test_a_model_that_loads_is_waited_for_by_the_official_client(client: openai.OpenAI) -> None:
    patient = client.with_options(max_retries=5)
    answer = patient.images.generate(prompt="a", model="large")
    assert answer.size == "512x512"


def test_a_model_that_cannot_be_had_says_why(client: openai.OpenAI) -> None:
    patient = client.with_options(max_retries=5)
    with pytest.raises(openai.InternalServerError) as failed:
        patient.images.generate(prompt="a", model="absent")
    assert failed.value.code == "model_failed"
    assert "Choose the other one" in failed.value.message


def test_pages_and_calls_take_turns(server: AppProcess, client: openai.OpenAI) -> None:
    with LaneClient(server.lane_url) as page:
        for number in range(1, 6):
            page.draw(number, jpeg((20, 20, 220)), prompt="of the page", seed=number)
            answer = client.images.generate(prompt="of the call", extra_body={"seed": number})
            assert answer.data is not None
            saved = imaging.open_png(base64.b64decode(answer.data[0].b64_json or ""))
            assert saved.request.prompt == "of the call"
            assert page.picture(number).header["request"]["prompt"] == "of the page"


# --- our own remote backend against our own server


@pytest.fixture
def remote(server: AppProcess) -> Iterator[Remote]:
    settings = RemoteSettings(
        remote_base_url=f"{server.url}v1",
        remote_api_key=SecretStr(KEY),
        remote_model="doodle",
        remote_size_px="256",
        remote_fields="strength, seed, num_inference_steps",
        remote_timeout_s=60,
    )
    backend = Remote(spec_of(settings), settings)
    yield backend
    backend.close()


def test_our_remote_backend_draws_with_our_server(
    server: AppProcess, client: openai.OpenAI, remote: Remote
) -> None:
    remote.warm_up(256, 256)
    assert remote.spec.takes_sketch
    board = Sketch(np.full((256, 256, 3), (220, 30, 30), dtype=np.uint8))
    asked = FrameRequest(
        model="remote", prompt="a kite", image=board, strength=0.4, seed=12, width=256, height=256
    )
    (frame,) = remote.generate([asked])
    assert frame.path == "remote 256×256, from the board"
    with LaneClient(server.lane_url) as page:
        page.draw(1, imaging.encode_png(board.pixels), prompt="a kite", strength=0.4, seed=12)
        page.say({"kind": "save", "request_id": page.picture(1).header["request_id"]})
        live = imaging.decode(page.until("png", request_id=1).payload)
    assert np.array_equal(frame.image, live)
    (plain,) = remote.generate([FrameRequest(model="remote", prompt="a kite", seed=12)])
    assert plain.path == "remote 256×256, from the prompt"


def test_the_app_offers_the_remote_model_where_a_server_is_named() -> None:
    code = (
        "from app import App\n"
        "from turbo_ui import settings\n"
        f"flags = ['--remote-base-url', 'http://127.0.0.1:9/v1', '--remote-api-key', '{KEY}']\n"
        "app = App(settings.read(flags))\n"
        "print([spec.family for spec in app.switchboard.catalog])\n"
        "print(app.server.roster.to_json(None), vars(app))\n"
    )
    # in a process of its own: Gradio's Blocks that are never launched leave an event loop open
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert done.stdout.splitlines()[0].endswith("'remote']")
    assert KEY not in done.stdout + done.stderr


# --- one process: fakes, and a table


@contextmanager
def calls(switchboard: Switchboard, host: str = "127.0.0.1", **given: Any) -> Iterator[TestClient]:
    """An app that holds nothing but the API, asked from this machine."""
    engine = Engine(switchboard)
    chosen = Settings(host=host, **given)
    api = ImagesApi(engine, Roster(switchboard), chosen)
    app = Starlette(routes=[api.route])
    app.state.api = api
    engine.start()
    try:
        with TestClient(
            app, base_url="http://127.0.0.1:7860", client=("127.0.0.1", 5000)
        ) as client:
            yield client
    finally:
        engine.stop()


@pytest.fixture
def backend() -> FakeBackend:
    return FakeBackend(spec=other("fake", max_size_px=192))


@pytest.fixture
def api(backend: FakeBackend) -> Iterator[TestClient]:
    with calls(ready_switchboard(backend)) as client:
        yield client


def generate(client: TestClient, **body: Any) -> Any:
    return client.post("/v1/images/generations", json={"prompt": "a kite", **body})


def edit(client: TestClient, picture: bytes | None = None, /, **fields: Any) -> Any:
    files = {"image": ("sketch.png", sketch_png() if picture is None else picture, "image/png")}
    return client.post("/v1/images/edits", data={"prompt": "a kite", **fields}, files=files)


def error_of(answer: Any) -> dict[str, Any]:
    error = answer.json()["error"]
    assert error.keys() == {"message", "type", "param", "code"}
    assert error["message"]
    assert answer.headers["x-request-id"].startswith("req_")
    return error


def test_the_request_is_what_was_asked_for(api: TestClient, backend: FakeBackend) -> None:
    assert edit(
        api, strength="0.3", seed="7", num_inference_steps="3", size="128x64", n="2", stream="false"
    ).is_success  # fmt: skip
    asked = [call[0] for call in backend.calls]
    assert [request.seed for request in asked] == [7, 8]
    assert {
        (request.model, request.prompt, request.strength, request.num_inference_steps)
        for request in asked
    } == {("fake", "a kite", 0.3, 3)}
    assert {(request.width, request.height) for request in asked} == {(128, 64)}
    assert asked[0].sketch is not None
    assert asked[0].sketch.pixels.shape == (64, 128, 3)


def test_of_a_few_sizes_only_those_are_drawn() -> None:
    """And not each of their sides with each other."""
    few = FakeBackend(spec=other("few", only_sizes_px=((128, 64), (64, 128))))
    with calls(ready_switchboard(few)) as client:
        assert generate(client, size="64x128").is_success
        message = error_of(generate(client, size="128x128"))["message"]
    assert "allowed: auto or 128x64 or 64x128" in message
    assert len(few.calls) == 1


def test_without_a_seed_each_picture_is_another(api: TestClient, backend: FakeBackend) -> None:
    for _ in range(2):
        assert generate(api, size="auto", seed=None).is_success
    first, second = (call[0].seed for call in backend.calls)
    assert first != second


def test_the_last_seed_is_followed_by_the_first(api: TestClient) -> None:
    answer = generate(api, seed=2**32 - 1, n=2).json()
    assert [item["seed"] for item in answer["data"]] == [2**32 - 1, 0]


@pytest.mark.parametrize(
    ("body", "param", "code"),
    [
        ({"prompt": None}, "prompt", "missing_required_parameter"),
        ({"prompt": 3}, "prompt", "invalid_value"),
        ({"prompt": "x" * 2001}, "prompt", "invalid_value"),
        ({"prompt": "x" * 100_000}, "prompt", "invalid_value"),
        ({"n": 0}, "n", "invalid_value"),
        ({"n": 11}, "n", "invalid_value"),
        ({"n": 1.5}, "n", "invalid_value"),
        ({"n": True}, "n", "invalid_value"),
        ({"n": "many"}, "n", "invalid_value"),
        ({"size": "big"}, "size", "invalid_value"),
        ({"size": "64x70"}, "size", "invalid_value"),
        ({"size": "0x0"}, "size", "invalid_value"),
        ({"size": "64x64 "}, "size", "invalid_value"),
        ({"size": "99999x99999"}, "size", "invalid_value"),
        ({"size": 64}, "size", "invalid_value"),
        ({"seed": -1}, "seed", "invalid_value"),
        ({"seed": 2**32}, "seed", "invalid_value"),
        ({"seed": "1e3"}, "seed", "invalid_value"),
        ({"num_inference_steps": 0}, "num_inference_steps", "invalid_value"),
        ({"num_inference_steps": 51}, "num_inference_steps", "invalid_value"),
        ({"strength": 0.5}, "strength", "unsupported_value"),
        ({"response_format": "url"}, "response_format", "unsupported_value"),
        ({"output_format": "webp"}, "output_format", "invalid_value"),
        ({"output_compression": 50}, "output_compression", "unsupported_value"),
        ({"background": "transparent"}, "background", "unsupported_value"),
        ({"quality": "high"}, "quality", "unsupported_value"),
        ({"style": "vivid"}, "style", "unsupported_value"),
        ({"stream": True}, "stream", "unsupported_value"),
        ({"partial_images": 2}, "partial_images", "unsupported_value"),
        ({"mask": "x"}, "mask", "unsupported_value"),
        ({"image": "x"}, "image", "unknown_parameter"),
        ({"guidance": 7}, "guidance", "unknown_parameter"),
        ({"model": 3}, "model", "invalid_value"),
    ],
    ids=str,
)
def test_a_wrong_parameter_is_named(
    api: TestClient, backend: FakeBackend, body: dict[str, Any], param: str, code: str
) -> None:
    answer = generate(api, **body)
    error = error_of(answer)
    assert answer.status_code == 400
    assert (error["param"], error["code"]) == (param, code)
    assert error["type"] == "invalid_request_error"
    assert backend.calls == []


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"strength": "0"}, "strength"),
        ({"strength": "1.5"}, "strength"),
        ({"strength": "nan"}, "strength"),
        ({"strength": "much"}, "strength"),
        ({"seed": "1.5"}, "seed"),
        ({"n": "11"}, "n"),
        ({"prompt": "x" * 40_000}, "prompt"),
        ({"stream": "true"}, "stream"),
        ({"input_fidelity": "high"}, "input_fidelity"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_a_wrong_field_of_a_form_is_named(
    api: TestClient, fields: dict[str, str], param: str
) -> None:
    answer = edit(api, None, **fields)
    assert answer.status_code == 400
    assert error_of(answer)["param"] == param


HALF = "\\ud83d"
"""The first half of an emoji, as JSON spells it: a text that no encoding of Unicode can hold."""


@pytest.mark.parametrize(
    ("body", "param", "code"),
    [
        (f'{{"prompt": "a kite {HALF}"}}', "prompt", "invalid_value"),
        (f'{{"prompt": "a kite", "model": "{HALF}"}}', "model", "model_not_found"),
        (f'{{"prompt": "a kite", "size": "{HALF}"}}', "size", "invalid_value"),
        (f'{{"prompt": "a kite", "seed": "{HALF}"}}', "seed", "invalid_value"),
        (f'{{"prompt": "a kite", "quality": "{HALF}"}}', "quality", "unsupported_value"),
        (f'{{"prompt": "a kite", "{HALF}": 1}}', "?", "unknown_parameter"),
    ],
    ids=["prompt", "model", "size", "seed", "quality", "name"],
)
def test_half_a_character_is_answered_like_any_wrong_value(
    api: TestClient, backend: FakeBackend, body: str, param: str, code: str
) -> None:
    answer = api.post("/v1/images/generations", content=body)
    error = error_of(answer)
    assert 400 <= answer.status_code < 500
    assert (error["param"], error["code"]) == (param, code)
    assert backend.calls == []


@pytest.mark.parametrize(
    "picture",
    [b"", b"no picture", sketch_png()[:50], sketch_png(side=1) + b"", b"\0" * 4_194_305],
    ids=["empty", "text", "cut", "one pixel", "one byte too long"],
)
def test_a_sketch_is_read_or_refused(api: TestClient, picture: bytes) -> None:
    answer = edit(api, picture)
    if picture == sketch_png(side=1):
        assert answer.is_success
    else:
        error = error_of(answer)
        assert answer.status_code in (400, 413)
        assert error["param"] == "image" or error["code"] == "too_large"


def test_a_sketch_of_too_many_pixels_is_refused(api: TestClient) -> None:
    buffer = io.BytesIO()
    Image.new("1", (4097, 1)).save(buffer, "PNG")
    assert "4096×4096" in error_of(edit(api, buffer.getvalue()))["message"]


def test_two_sketches_or_none_are_refused(api: TestClient) -> None:
    two = [("image[]", ("a.png", sketch_png(), "image/png"))] * 2
    answer = api.post("/v1/images/edits", data={"prompt": "a"}, files=two)
    assert (answer.status_code, error_of(answer)["param"]) == (400, "image")
    none = [("picture", ("a.png", sketch_png(), "image/png"))]
    answer = api.post("/v1/images/edits", data={"prompt": "a"}, files=none)
    assert error_of(answer)["code"] == "missing_required_parameter"


@pytest.mark.parametrize(
    ("path", "content", "kind", "status", "code"),
    [
        ("generations", b"", "application/json", 400, "invalid_json"),
        ("generations", b"{", "application/json", 400, "invalid_json"),
        ("generations", b"[]", "application/json", 400, "invalid_json"),
        ("generations", b"\xff\xfe", "application/json", 400, "invalid_json"),
        ("generations", b"[" * 60_000, "application/json", 400, "invalid_json"),
        ("generations", b" " * (MAX_JSON_BYTES + 1), "application/json", 413, "too_large"),
        ("generations", b'{"prompt": "a", "n": 1' + b"0" * 5000 + b"}", "", 400, "invalid_json"),
        ("generations", b'{"prompt": "a", "seed": NaN}', "", 400, "invalid_value"),
        ("edits", b"{}", "application/json", 400, "invalid_content_type"),
        ("edits", b"x", "multipart/form-data", 400, "invalid_form"),
        ("edits", b"x", "multipart/form-data; boundary=y", 400, "invalid_form"),
        ("edits", b"--y\r\n\r\n--y--", "multipart/form-data; boundary=y", 400, "invalid_form"),
        ("edits", b"--y--\r\n", "multipart/form-data; boundary=y", 400, None),
        ("edits", b"\0" * 4_400_000, "multipart/form-data; boundary=y", 413, "too_large"),
    ],
)
def test_a_body_that_cannot_be_read_is_answered(
    api: TestClient, path: str, content: bytes, kind: str, status: int, code: str | None
) -> None:
    headers = {"content-type": kind} if kind else {}
    answer = api.post(f"/v1/images/{path}", content=content, headers=headers)
    assert answer.status_code == status
    assert code is None or error_of(answer)["code"] == code
    assert generate(api).is_success


def test_a_body_without_a_length_is_cut_off_too(api: TestClient) -> None:
    parts = (b"x" * 60_000 for _ in range(100))
    answer = api.post(
        "/v1/images/edits", content=parts, headers={"content-type": "multipart/form-data"}
    )
    assert answer.status_code == 413


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/v1/images/generations", 405),
        ("DELETE", "/v1/models", 405),
        ("POST", "/v1/images/variations", 404),
        ("GET", "/v1/", 404),
        ("POST", "/v1/chat/completions", 404),
        ("GET", "/v1/models/no/such", 404),
    ],
)
def test_an_address_that_is_none_is_answered(
    api: TestClient, method: str, path: str, status: int
) -> None:
    answer = api.request(method, path)
    assert answer.status_code == status
    error_of(answer)


def test_a_failing_model_is_said_and_the_next_call_drawn(backend: FakeBackend) -> None:
    backend.errors = [RuntimeError("tensor of a wrong shape")]
    with calls(ready_switchboard(backend)) as api:
        answer = generate(api)
        assert answer.status_code == 500
        assert "tensor" not in error_of(answer)["message"]
        assert generate(api).is_success


def test_a_picture_too_large_for_the_device_is_not_asked_for_again(backend: FakeBackend) -> None:
    """The official client repeats what is answered with a 5xx: three times out of memory in one
    call, which take a model off for everybody."""
    backend.errors = [OutOfMemory("fake: 192×192")]
    with calls(ready_switchboard(backend)) as api:
        answer = generate(api, size="192x192")
        error = error_of(answer)
        assert (answer.status_code, error["param"], error["code"]) == (400, "size", "out_of_memory")
        assert "smaller size" in error["message"]
        assert generate(api).is_success


def test_only_so_many_calls_at_once(backend: FakeBackend) -> None:
    backend.gate = threading.Event()
    answers: list[Any] = []
    with calls(ready_switchboard(backend), max_connections_per_address=1) as api:
        first = threading.Thread(target=lambda: answers.append(generate(api)))
        first.start()
        assert backend.has_started.wait(30)
        refused = generate(api)
        backend.gate.set()
        first.join(30)
        assert refused.status_code == 429
        assert refused.headers["retry-after"]
        assert error_of(refused)["code"] == "rate_limit_exceeded"
        assert answers[0].is_success
        assert generate(api).is_success


def test_a_stop_answers_the_calls_that_wait(backend: FakeBackend) -> None:
    backend.gate = threading.Event()
    answers: list[Any] = []
    with calls(ready_switchboard(backend)) as api:
        waiting = threading.Thread(target=lambda: answers.append(generate(api)))
        waiting.start()
        assert backend.has_started.wait(30)
        app: Any = api.app
        app.state.api.stop()
        waiting.join(30)
        answers.append(generate(api))
        backend.gate.set()
    for answer in answers:
        assert answer.status_code == 503
        assert error_of(answer)["code"] == "server_stopping"
        assert answer.headers["retry-after"], "it may be back soon"
    assert len(answers) == 2
    assert len(backend.calls) == 1


# --- models and their states


def board_of(*specs: ModelSpec, fail: bool = False) -> InlineSwitchboard:
    def load(spec: ModelSpec, report: LoadReport) -> FakeBackend:
        if fail and spec.id != FAKE.id:
            raise ModelUnavailable(spec.id, "it is gated", "Accept its licence.")
        return FakeBackend(spec=spec)

    board = InlineSwitchboard(specs, load)
    board.request(specs[0].id)
    board.load_next()
    return board


def test_a_model_that_is_not_loaded_is_loaded_and_the_client_told_when_to_ask_again() -> None:
    board = board_of(FAKE, other("slow"))
    with calls(board) as api:
        answer = generate(api, model="slow")
        assert answer.status_code == 503
        assert error_of(answer)["code"] == "model_loading"
        assert int(answer.headers["retry-after"]) > 0
        assert board.spec("slow").id == "slow"
        board.load_next()
        drawn = generate(api, model="slow")
        assert drawn.json()["model"] == "slow"


def test_a_model_that_failed_says_why_and_is_not_tried_by_itself() -> None:
    board = board_of(FAKE, other("gated"), fail=True)
    board.request("gated")
    board.load_next()
    with calls(board) as api:
        answer = generate(api, model="gated")
        assert answer.status_code == 503
        assert answer.headers["x-should-retry"] == "false"
        assert "Accept its licence" in error_of(answer)["message"]
        assert api.get("/v1/models/gated").json()["state"] == "failed"


def test_what_another_server_draws_is_listed_and_not_passed_on() -> None:
    spec = spec_of(RemoteSettings(remote_model="large-turbo"))
    board = board_of(FAKE, spec)
    board.request(spec.id)
    board.load_next()
    with calls(board) as api:
        states = {model["id"]: model["state"] for model in api.get("/v1/models").json()["data"]}
        assert states == {"fake": "ready", "remote": "ready"}
        answer = generate(api, model="remote")
        assert answer.status_code == 403
        assert error_of(answer)["param"] == "model"
        assert generate(api).json()["model"] == "fake"


def test_the_size_of_a_model_that_is_not_known_yet_is_told_once_it_is() -> None:
    guess = other("own", default_size_px=512, is_provisional=True)
    found = replace(guess, default_size_px=1024, max_size_px=1024, is_provisional=False)

    def load(spec: ModelSpec, report: LoadReport) -> FakeBackend:
        if spec is guess:
            report("downloading", "It is of a family.", spec=replace(found, is_provisional=True))
            report("loading", "It is here.", spec=found)
        return FakeBackend(spec=found if spec is guess else spec)

    board = InlineSwitchboard([FAKE, guess], load)
    board.request("fake")
    board.load_next()
    sizes: list[str | None] = []
    with calls(board) as api:

        def ask(*_: Any) -> None:
            listed = {each["id"]: each for each in api.get("/v1/models").json()["data"]}
            assert listed["fake"]["default_size"] == "64x64"
            assert api.get("/v1/models/own").json() == listed["own"]
            sizes.append(listed["own"]["default_size"])

        ask()
        board.subscribe(ask)
        board.request("own")
        board.load_next()
    assert sizes[0] is None
    assert sizes[-1] == "1024x1024"
    assert set(sizes) == {None, "1024x1024"}


# --- who may

LOCAL = {"host": "127.0.0.1:7860"}


@pytest.mark.parametrize(
    ("settings", "headers", "status"),
    [
        ({}, {}, 200),
        ({}, {"host": "localhost:7860"}, 200),
        ({}, {"host": "[::1]:7860"}, 200),
        ({}, {"host": "rebound.example:7860"}, 401),
        ({}, {"host": ""}, 401),
        ({}, {"host": "[:7860"}, 401),
        ({}, {"x-forwarded-for": "8.8.8.8"}, 401),
        ({}, {"origin": "http://127.0.0.1:7860"}, 200),
        ({}, {"origin": "https://evil.example"}, 403),
        ({}, {"origin": "null"}, 403),
        ({"allowed_origins": "https://friend.example"}, {"origin": "https://friend.example"}, 200),
        ({"host": "0.0.0.0"}, {}, 401),
        ({"host": "0.0.0.0", "api": "open"}, {"host": "draw.example"}, 200),
        ({"host": "0.0.0.0", "api": "open"}, {"origin": "https://evil.example"}, 403),
        ({"api": "off"}, {}, 404),
        ({"auth": "ada:x"}, {}, 401),
        ({"auth": "ada:x"}, {"cookie": "access-token-abc=good"}, 200),
        ({"auth": "ada:x"}, {"cookie": "access-token-abc=bad"}, 401),
        ({"auth": "ada:x", "api_key": KEY}, {"authorization": f"Bearer {KEY}"}, 200),
        ({"api_key": KEY}, {}, 401),
        ({"api_key": KEY}, {"authorization": f"Bearer {KEY}"}, 200),
        ({"api_key": KEY}, {"authorization": f"bearer {KEY} "}, 200),
        ({"api_key": KEY}, {"authorization": f"Bearer {KEY}x"}, 401),
        ({"api_key": KEY}, {"authorization": f"Bearer {KEY[:-1]}"}, 401),
        ({"api_key": KEY}, {"authorization": "Bearer "}, 401),
        ({"api_key": KEY}, {"authorization": KEY}, 401),
        ({"api_key": KEY}, {"authorization": f"Basic {KEY}"}, 401),
        ({"api_key": "schlüssel"}, {"authorization": "Bearer schl\xc3\xbcssel"}, 200),
        (
            {"api_key": KEY, "host": "0.0.0.0"},
            {"authorization": f"Bearer {KEY}", "host": "draw.example"},
            200,
        ),
        (
            {"api_key": KEY},
            {"authorization": f"Bearer {KEY}", "origin": "https://evil.example"},
            403,
        ),
    ],
    ids=str,
)
def test_who_may_use_it(settings: dict[str, Any], headers: Mapping[str, str], status: int) -> None:
    with calls(ready_switchboard(FakeBackend()), **settings) as api:
        app: Any = api.app
        app.auth = {"ada": "x"} if "auth" in settings else None
        app.cookie_id, app.tokens = "abc", {"good": "ada"}
        raw = [(name, value.encode("latin-1")) for name, value in {**LOCAL, **headers}.items()]
        for method, path in (("GET", "/v1/models"), ("GET", "/v1/models/fake")):
            answer = api.request(method, path, headers=raw)  # type: ignore[arg-type]
            assert answer.status_code == status
            if status != 200:
                assert KEY not in json.dumps(error_of(answer))


def test_another_machine_needs_a_key() -> None:
    engine = Engine(ready_switchboard(FakeBackend()))
    roster = Roster(engine.switchboard)
    app = Starlette(routes=[ImagesApi(engine, roster, Settings(host="127.0.0.1")).route])
    with TestClient(app, base_url="http://127.0.0.1", client=("10.1.1.1", 5000)) as api:
        answer = api.get("/v1/models")
        assert answer.status_code == 401
        assert "TURBO_UI_API_KEY" in error_of(answer)["message"]
