"""The remote backend against an images API that answers by script."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import httpx2
import numpy as np
import pytest
from pydantic import SecretStr

from tests.backends.scripted_api import (
    EDITS,
    GENERATIONS,
    Answer,
    ScriptedApi,
    b64,
    link,
    picture,
    refusal,
)
from tests.fakes import FakeClock, Inbox, InlineSwitchboard
from turbo_ui import imaging
from turbo_ui.backends import remote_wire
from turbo_ui.backends.base import Backend, Spend
from turbo_ui.backends.remote import HOUR_S, MAX_KEPT, MAX_RUNNING, Remote, spec_of
from turbo_ui.backends.remote_call import Call
from turbo_ui.backends.remote_wire import check_address
from turbo_ui.errors import BackendFailure, InvalidRequest, LimitReached, ModelUnavailable
from turbo_ui.frames import Frame, FrameRequest, Sketch
from turbo_ui.live.budget import Budget
from turbo_ui.live.engine import Engine
from turbo_ui.live.events import Failed, Published, Submission, Taken
from turbo_ui.remote_settings import RemoteSettings

KEY = "sk-test-0123456789abcdef"
MODELS = "/v1/models"
Make = Callable[..., Remote]


@pytest.fixture
def api() -> Iterator[ScriptedApi]:
    with ScriptedApi() as scripted:
        yield scripted


@pytest.fixture
def make(api: ScriptedApi) -> Iterator[Make]:
    made: list[Remote] = []

    def backend(clock: FakeClock | None = None, **changed: Any) -> Remote:
        options: dict[str, Any] = {
            "remote_base_url": f"{api.url}/v1",
            "remote_api_key": SecretStr(KEY),
            "remote_model": "large-turbo",
            "remote_size_px": 128,
            "remote_timeout_s": 20,
            "remote_max_retries": 1,
        }
        settings = RemoteSettings(**{**options, **changed})
        made.append(Remote(spec_of(settings), settings, **({"clock": clock} if clock else {})))
        return made[-1]

    yield backend
    for one in made:
        one.close()


@pytest.fixture
def hold() -> Iterator[threading.Event]:
    """Set once the test is over."""
    event = threading.Event()
    yield event
    event.set()


def request(prompt: str = "a red kite", **changed: Any) -> FrameRequest:
    return FrameRequest(
        **{"model": "remote", "prompt": prompt, "width": 128, "height": 128} | changed
    )


def sketch(colour: tuple[int, int, int] = (30, 60, 200)) -> Sketch:
    return Sketch(np.full((96, 96, 3), colour, dtype=np.uint8))


class Soon:
    """Says no so many times, then yes."""

    def __init__(self, times: int) -> None:
        self.left = times

    def __call__(self) -> bool:
        self.left -= 1
        return self.left < 0


def wait_for(has_come: Callable[[], bool]) -> None:
    until = time.monotonic() + 30
    while not has_come():
        assert time.monotonic() < until, "it never came"
        time.sleep(0.01)


def within(seconds: float) -> Callable[[], bool]:
    """Says no until so much time is over: what never comes fails, and does not hang."""
    until = time.monotonic() + seconds
    return lambda: time.monotonic() > until


@contextmanager
def as_many_as_can_be(
    api: ScriptedApi, backend: Remote, spend: Spend | None = None
) -> Iterator[None]:
    """All calls are taken, each by somebody who waits for it until the end."""
    is_over = threading.Event()

    def wait(seed: int) -> None:
        list(backend.stream([request(seed=seed)], is_over.is_set, spend))

    waiting = [threading.Thread(target=wait, args=(seed,)) for seed in range(MAX_RUNNING)]
    for thread in waiting:
        thread.start()
    wait_for(lambda: len(api.asked) == MAX_RUNNING)
    try:
        yield
    finally:
        is_over.set()
        for thread in waiting:
            thread.join(10)


def drawn(backend: Remote, asked: FrameRequest | None = None) -> Frame:
    (frame,) = backend.generate([asked or request()])
    return frame


# --- pictures


def test_it_is_a_backend_that_does_not_follow_the_hand(make: Make) -> None:
    backend = make()
    assert isinstance(backend, Backend)
    assert backend.spec.family == "remote"
    assert not backend.spec.is_live
    assert backend.max_batch == 1


def test_a_prompt_goes_to_generations(api: ScriptedApi, make: Make) -> None:
    api.tell(GENERATIONS, b64())
    frame = drawn(make(), request(seed=5, strength=0.3))
    (asked,) = api.asked
    assert asked.json == {"model": "large-turbo", "prompt": "a red kite", "n": 1, "size": "128x128"}
    assert asked.headers["authorization"] == f"Bearer {KEY}"
    assert frame.request == request(seed=5, strength=0.3)
    assert frame.is_last
    assert frame.timings.inference_ms > 0
    assert frame.path == "remote 128×128, from the prompt"


def test_the_picture_is_fitted_to_the_request(api: ScriptedApi, make: Make) -> None:
    api.tell(GENERATIONS, b64(picture((200, 30, 40), side=50)))
    frame = drawn(make(), request(width=64, height=96))
    assert frame.image.shape == (96, 64, 3)
    assert frame.image[48, 32].tolist() == [200, 30, 40]


def test_a_sketch_goes_to_edits_at_the_size_of_the_server(api: ScriptedApi, make: Make) -> None:
    api.tell(EDITS, b64())
    frame = drawn(make(), request(image=sketch()))
    (asked,) = api.asked
    form = asked.form
    pixels = imaging.decode(form.pop("image"))
    assert pixels.shape == (128, 128, 3)
    assert pixels[64, 64].tolist() == [30, 60, 200]
    fields = {"model": b"large-turbo", "prompt": b"a red kite", "n": b"1", "size": b"128x128"}
    assert form == fields
    assert frame.path == "remote 128×128, from the board"


SIZES = "128x128, 192x128, 128x192"


@pytest.mark.parametrize(
    ("setting", "wish", "size"),
    [
        ("128", (128, 128), (128, 128)),
        ("192x128", (192, 128), (192, 128)),
        ("192x128", (128, 128), (192, 128)),
        (SIZES, (128, 128), (128, 128)),
        (SIZES, (192, 128), (192, 128)),
        (SIZES, (128, 192), (128, 192)),
        (SIZES, (704, 384), (192, 128)),
    ],
)
def test_the_size_nearest_to_the_request_is_asked_for(
    api: ScriptedApi, make: Make, setting: str, wish: tuple[int, int], size: tuple[int, int]
) -> None:
    api.tell(GENERATIONS, b64())
    api.tell(EDITS, b64())
    backend = make(remote_size_px=setting)
    width, height = wish
    asked_for = f"{size[0]}x{size[1]}"
    plain = drawn(backend, request(width=width, height=height))
    frame = drawn(backend, request(width=width, height=height, image=sketch()))
    from_prompt, from_board = api.asked
    assert from_prompt.json["size"] == asked_for
    assert from_board.form["size"] == asked_for.encode()
    assert imaging.decode(from_board.form["image"]).shape == (size[1], size[0], 3)
    assert plain.image.shape == frame.image.shape == (height, width, 3)
    assert frame.path == f"remote {size[0]}×{size[1]}, from the board"


def test_a_plain_number_is_a_square_and_of_several_sizes_the_first_is_its_own(make: Make) -> None:
    square = make().spec
    assert (square.default_size, square.only_sizes_px) == ((128, 128), ((128, 128),))
    assert (square.min_size_px, square.default_size_px, square.max_size_px) == (128, 128, 128)
    wide = make(remote_size_px="1536x1024, 1024x1024").spec
    assert wide.default_size == wide.live_size == (1536, 1024)
    assert (wide.min_size_px, wide.default_size_px, wide.max_size_px) == (1024, 1254, 1536)
    assert wide.nearest_size(512, 512) == (1024, 1024)


def test_an_empty_board_is_a_prompt(api: ScriptedApi, make: Make) -> None:
    api.tell(GENERATIONS, b64())
    drawn(make(), request(image=sketch((255, 255, 255))))
    assert [asked.path for asked in api.asked] == [GENERATIONS]


def test_further_fields_are_sent_where_the_server_takes_them(api: ScriptedApi, make: Make) -> None:
    api.tell(GENERATIONS, b64())
    api.tell(EDITS, b64())
    backend = make(remote_fields="strength, seed, num_inference_steps")
    drawn(backend, request(seed=7, num_inference_steps=4))
    drawn(backend, request(seed=7, strength=0.25, image=sketch()))
    from_prompt, from_board = api.asked
    assert (from_prompt.json["seed"], from_prompt.json["num_inference_steps"]) == (7, 4)
    assert "strength" not in from_prompt.json
    assert (from_board.form["seed"], from_board.form["strength"]) == (b"7", b"0.25")
    assert "num_inference_steps" not in from_board.form


def test_a_prompt_without_words_is_refused_before_anything_is_sent(
    api: ScriptedApi, make: Make
) -> None:
    with pytest.raises(InvalidRequest, match="prompt"):
        drawn(make(), request("  "))
    assert api.asked == []


def test_a_data_url_in_b64_json_is_understood(api: ScriptedApi, make: Make) -> None:
    answer = b64()
    packed = answer.body["data"][0]["b64_json"]
    answer.body["data"][0]["b64_json"] = "data:image/png;base64," + packed
    api.tell(GENERATIONS, answer)
    assert drawn(make()).image[0, 0].tolist() == [200, 30, 40]


# --- pictures behind an address


def test_a_file_is_fetched_without_the_key(api: ScriptedApi, make: Make) -> None:
    api.tell(GENERATIONS, link(f"{api.url}/files/moved.png"))
    api.tell("/files/moved.png", Answer(302, b"", {"location": "/files/1.png"}))
    api.tell("/files/1.png", Answer(503, b""), Answer(body=picture(), headers={}))
    assert drawn(make()).image[0, 0].tolist() == [200, 30, 40]
    fetched = [asked for asked in api.asked if asked.path.startswith("/files")]
    assert len(fetched) == 4
    assert all("authorization" not in asked.headers for asked in fetched)
    assert len(api.asked_for(GENERATIONS)) == 1


def test_a_file_that_is_gone_is_said(api: ScriptedApi, make: Make) -> None:
    api.tell(GENERATIONS, link(f"{api.url}/files/1.png"))
    with pytest.raises(BackendFailure) as caught:
        drawn(make())
    assert "could not be fetched (status 404)" in caught.value.user_text


@pytest.mark.parametrize(
    ("address", "home", "is_allowed"),
    [
        ("http://127.0.0.1:9000/a.png", "http://127.0.0.1:8000/v1", True),
        ("http://localhost:9000/a.png", "http://localhost:8000/v1", True),
        ("https://1.1.1.1/a.png", "https://api.example.com/v1", True),
        ("https://[2606:4700::1111]/a.png", "https://api.example.com/v1", True),
        ("http://1.1.1.1/a.png", "https://api.example.com/v1", False),
        ("http://127.0.0.1/a.png", "http://api.example.com/v1", False),
        ("http://localhost/a.png", "http://api.example.com/v1", False),
        ("http://[::1]/a.png", "http://api.example.com/v1", False),
        ("http://[::ffff:10.0.0.1]/a.png", "http://api.example.com/v1", False),
        ("http://169.254.169.254/latest", "http://api.example.com/v1", False),
        ("http://10.1.2.3/a.png", "http://192.168.0.9/v1", False),
        ("http://0.0.0.0/a.png", "http://api.example.com/v1", False),
        ("http://2130706433/a.png", "http://api.example.com/v1", False),
        ("file:///etc/passwd", "http://127.0.0.1/v1", False),
        ("ftp://127.0.0.1/a.png", "http://127.0.0.1/v1", False),
        ("data:image/png;base64,AAAA", "http://127.0.0.1/v1", False),
        ("/a.png", "http://127.0.0.1/v1", False),
    ],
)
def test_only_files_of_the_internet_or_of_the_server_itself_are_fetched(
    address: str, home: str, is_allowed: bool
) -> None:
    if is_allowed:
        check_address(httpx2.URL(address), httpx2.URL(home))
        return
    with pytest.raises(BackendFailure, match="is not fetched"):
        check_address(httpx2.URL(address), httpx2.URL(home))


def test_a_redirect_does_not_lead_past_that_rule(api: ScriptedApi, make: Make) -> None:
    api.tell(GENERATIONS, link(f"{api.url}/files/1.png"))
    api.tell("/files/1.png", Answer(302, b"", {"location": f"http://127.0.0.2:{api.port}/secret"}))
    with pytest.raises(BackendFailure, match="not on the internet"):
        drawn(make())
    assert api.asked_for("/secret") == []


def test_an_answer_without_end_is_not_read(
    api: ScriptedApi, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(remote_wire, "MAX_ANSWER_BYTES", 5000)
    api.tell(GENERATIONS, Answer(body=b"[" * 6000))
    with pytest.raises(BackendFailure, match="more than 5000 bytes"):
        drawn(make())
    api.tell(GENERATIONS, link(f"{api.url}/files/1.png"))
    api.tell("/files/1.png", Answer(body=b"\0" * 6000))
    with pytest.raises(BackendFailure, match="more than 5000 bytes"):
        drawn(make())


# --- errors in words

QUOTA = "You exceeded your current quota, please check your plan and billing details."
POLICY = "Your request was rejected as a result of our safety system."


@pytest.mark.parametrize(
    ("answer", "kind", "words"),
    [
        (
            refusal(401, f"Incorrect API key provided: {KEY}.", code="invalid_api_key"),
            BackendFailure,
            ["does not accept the key", "TURBO_UI_REMOTE_API_KEY"],
        ),
        (
            refusal(403, "You must be verified to use this model."),
            BackendFailure,
            ["does not let this key", "TURBO_UI_REMOTE_MODEL", "must be verified"],
        ),
        (
            refusal(404, "The model `large-turbo` does not exist.", code="model_not_found"),
            ModelUnavailable,
            ["large-turbo is not available", "TURBO_UI_REMOTE_MODEL"],
        ),
        (Answer(404, b"<h1>Not Found</h1>"), BackendFailure, ["404", "TURBO_UI_REMOTE_BASE_URL"]),
        (Answer(301, b"", {"location": "/v2"}), BackendFailure, ["moved", "BASE_URL"]),
        (
            refusal(429, QUOTA, code="insufficient_quota", kind="insufficient_quota"),
            BackendFailure,
            ["no more pictures on this account", "billing"],
        ),
        (refusal(402, "Payment required."), BackendFailure, ["no more pictures on this account"]),
        (
            refusal(429, "Rate limit reached.", headers={"retry-after": "500"}),
            BackendFailure,
            ["too much to do", "in 500 s"],
        ),
        (refusal(500, "Oops."), BackendFailure, ["trouble of its own (500)", "later"]),
        (Answer(502, b"<html>bad gateway</html>"), BackendFailure, ["(502)"]),
        (
            refusal(400, POLICY, code="content_policy_violation"),
            BackendFailure,
            ["rules forbid", "Change the prompt", "safety system"],
        ),
        (
            refusal(400, "'128x128' is not one of 1024x1024.", param="size"),
            BackendFailure,
            ["for its size (400)", "TURBO_UI_REMOTE_SIZE_PX", "is not one of"],
        ),
        (
            refusal(400, "Unknown parameter: 'seed'.", param="seed", code="unknown_parameter"),
            BackendFailure,
            ["for its seed", "TURBO_UI_REMOTE_FIELDS"],
        ),
        (Answer(422, {"detail": "prompt too long"}), BackendFailure, ["(422)", "prompt too long"]),
        (Answer(body=b"<html>hello</html>"), BackendFailure, ["not JSON", "BASE_URL"]),
        (Answer(body=b"[" * 100_000), BackendFailure, ["not JSON"]),
        (Answer(body={"data": []}), BackendFailure, ["holds no picture"]),
        (Answer(body={"data": "x"}), BackendFailure, ["holds no picture"]),
        (Answer(body=["x"]), BackendFailure, ["holds no picture"]),
        (Answer(body={"data": [{"b64_json": None}]}), BackendFailure, ["neither b64_json nor url"]),
        (Answer(body={"data": [{"b64_json": "%%"}]}), BackendFailure, ["not base64"]),
        (b64(b"not a picture"), BackendFailure, ["no picture"]),
        (b64(picture()[:60]), BackendFailure, ["no picture"]),
    ],
    ids=lambda value: None if isinstance(value, type | list) else str(value.status),
)
def test_each_error_is_told_in_plain_words(
    api: ScriptedApi, make: Make, answer: Answer, kind: type[Exception], words: list[str]
) -> None:
    api.tell(GENERATIONS, answer)
    backend = make(remote_max_retries=0)
    with pytest.raises(kind) as caught:
        drawn(backend)
    text = caught.value.user_text  # type: ignore[attr-defined]
    for word in words:
        assert word in text
    assert KEY not in text + str(caught.value)
    assert len(text) < 500
    api.tell(GENERATIONS, b64())
    drawn(backend)  # the backend is as good as before


def test_a_server_that_is_not_there_is_said(make: Make) -> None:
    backend = make(remote_base_url="http://127.0.0.1:9/v1", remote_max_retries=0)
    with pytest.raises(BackendFailure) as caught:
        drawn(backend)
    assert "cannot be reached" in caught.value.user_text
    assert "TURBO_UI_REMOTE_BASE_URL" in caught.value.user_text


def test_a_server_that_asks_for_a_key_is_said(api: ScriptedApi, make: Make) -> None:
    api.tell(GENERATIONS, refusal(401, "No key."))
    with pytest.raises(BackendFailure) as caught:
        drawn(make(remote_api_key=None))
    assert "Set TURBO_UI_REMOTE_API_KEY." in caught.value.user_text


def test_without_a_base_url_or_with_an_odd_key_there_is_no_backend(make: Make) -> None:
    with pytest.raises(ModelUnavailable, match="TURBO_UI_REMOTE_BASE_URL"):
        make(remote_base_url=None)
    with pytest.raises(ModelUnavailable, match="plain characters") as caught:
        make(remote_api_key=SecretStr("sk-1\r\nHost: evil"))
    assert "evil" not in str(caught.value)


# --- trying again, and not


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_busy_server_is_asked_again_when_it_says(
    api: ScriptedApi, make: Make, status: int
) -> None:
    api.tell(GENERATIONS, refusal(status, "Busy.", headers={"retry-after": "0.01"}), b64())
    drawn(make())
    assert len(api.asked) == 2


def test_a_server_that_stays_busy_is_given_up(api: ScriptedApi, make: Make) -> None:
    api.tell(GENERATIONS, refusal(503, "Busy.", headers={"retry-after": "0.01"}))
    with pytest.raises(BackendFailure, match="503"):
        drawn(make(remote_max_retries=2))
    assert len(api.asked) == 3


@pytest.mark.parametrize(
    "answer",
    [
        refusal(429, "Wait.", headers={"retry-after": "60"}),
        refusal(429, QUOTA, code="insufficient_quota"),
        refusal(400, "No."),
    ],
    ids=["a wait beyond the limit", "no credit", "a wrong request"],
)
def test_what_cannot_help_is_not_tried(api: ScriptedApi, make: Make, answer: Answer) -> None:
    api.tell(GENERATIONS, answer)
    with pytest.raises(BackendFailure):
        drawn(make())
    assert len(api.asked) == 1


def test_a_picture_that_takes_too_long_is_not_asked_for_twice(api: ScriptedApi, make: Make) -> None:
    hold = threading.Event()
    answer = b64()
    answer.hold = hold
    api.tell(GENERATIONS, answer)
    try:
        with pytest.raises(BackendFailure) as caught:
            drawn(make(remote_timeout_s=0.2, remote_max_retries=5))
        wait_for(lambda: len(api.left) == 1)
    finally:
        hold.set()
    assert "within 0.2 s" in caught.value.user_text
    assert "TURBO_UI_REMOTE_TIMEOUT_S" in caught.value.user_text
    assert len(api.asked) == 1


def test_once_closed_nothing_more_is_sent(api: ScriptedApi, make: Make) -> None:
    hold = threading.Event()
    busy = refusal(503, "Busy.", headers={"retry-after": "0.01"})
    busy.hold = hold
    api.tell(GENERATIONS, busy)
    backend = make(remote_max_retries=5)
    assert list(backend.stream([request()], lambda: bool(api.asked))) == []
    backend.close()
    until_calls_end()
    wait_for(lambda: len(api.left) == 1)
    hold.set()
    assert len(api.asked) == 1


# --- stopping


def test_a_stop_ends_the_waiting_and_the_picture_is_not_paid_twice(
    api: ScriptedApi, make: Make
) -> None:
    hold = threading.Event()
    answer = b64()
    answer.hold = hold
    api.tell(GENERATIONS, answer)
    backend = make()
    assert list(backend.stream([request()], lambda: bool(api.asked))) == []
    assert list(backend.stream([request()], lambda: True)) == []
    hold.set()
    frame = drawn(backend)
    assert frame.request == request()
    assert len(api.asked) == 1
    drawn(backend)
    assert len(api.asked) == 2  # what was taken is not handed out again


def test_too_many_calls_at_once_wait(api: ScriptedApi, make: Make, hold: threading.Event) -> None:
    api.tell(GENERATIONS, replace(b64(), hold=hold))
    backend = make()
    with as_many_as_can_be(api, backend):
        assert list(backend.stream([request(seed=9)], Soon(3))) == []
        assert len(api.asked) == MAX_RUNNING
        hold.set()
        drawn(backend, request(seed=9))
    assert (len(api.asked), api.left) == (MAX_RUNNING + 1, [])


def test_calls_that_nobody_waits_for_keep_nobody_waiting(
    api: ScriptedApi, make: Make, hold: threading.Event
) -> None:
    held = replace(b64(), hold=hold)
    api.tell(GENERATIONS, *[held] * MAX_RUNNING, b64())
    backend, till = make(remote_fields="seed"), Till()
    for seed in range(MAX_RUNNING):
        asked = request(seed=seed)
        assert list(backend.stream([asked], lambda n=seed: len(api.asked) > n, till)) == []
    (frame,) = backend.stream([request(seed=9)], within(10), till)
    assert frame.request.seed == 9
    wait_for(lambda: bool(api.left))
    assert [asked.json["seed"] for asked in api.left] == [0], "the oldest made room, and no other"
    assert till.num_spent == MAX_RUNNING + 1, "what was sent may have to be paid"
    hold.set()
    drawn(backend, request(seed=1))
    assert len(api.asked) == MAX_RUNNING + 1, "the others' pictures are still to be had"
    drawn(backend, request(seed=0))
    assert len(api.asked) == MAX_RUNNING + 2


def test_one_place_costs_one_call_however_long_that_takes_to_end(
    api: ScriptedApi, make: Make, monkeypatch: pytest.MonkeyPatch, hold: threading.Event
) -> None:
    given_up: list[Call[Any]] = []
    monkeypatch.setattr(Call, "give_up", lambda call: given_up.append(call))  # it does not notice
    api.tell(GENERATIONS, *[replace(b64(), hold=hold)] * MAX_RUNNING)
    backend = make(remote_fields="seed")
    for seed in range(MAX_RUNNING):
        asked = request(seed=seed)
        assert list(backend.stream([asked], lambda n=seed: len(api.asked) > n)) == []
    assert list(backend.stream([request(seed=9)], Soon(5))) == []
    assert len(given_up) == 1
    monkeypatch.undo()
    hold.set()


def test_a_call_that_one_of_two_still_waits_for_goes_on(
    api: ScriptedApi, make: Make, hold: threading.Event
) -> None:
    api.tell(GENERATIONS, replace(b64(), hold=hold))
    backend = make()
    with as_many_as_can_be(api, backend):
        for seed in range(MAX_RUNNING):
            assert list(backend.stream([request(seed=seed)], Soon(1))) == []
        assert list(backend.stream([request(seed=9)], Soon(3))) == []
    assert (len(api.asked), api.left) == (MAX_RUNNING, [])


def test_a_call_that_waits_for_its_next_try_makes_room_too(api: ScriptedApi, make: Make) -> None:
    busy = refusal(503, "Busy.", headers={"retry-after": "15"})
    api.tell(GENERATIONS, *[busy] * MAX_RUNNING, b64())
    backend = make()
    for seed in range(MAX_RUNNING):
        asked = request(seed=seed)
        assert list(backend.stream([asked], lambda n=seed: len(api.asked) > n)) == []
    (frame,) = backend.stream([request(seed=9)], within(10))
    assert frame.is_last


def test_a_call_that_never_reached_the_server_makes_room_and_costs_nothing(
    api: ScriptedApi, make: Make, monkeypatch: pytest.MonkeyPatch, hold: threading.Event
) -> None:
    for name in ("NO_PROXY", "no_proxy", "https_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HTTPS_PROXY", api.url)
    api.tell(BEHIND_PROXY, replace(NO_ANSWER, hold=hold))
    backend, till = make(remote_base_url=f"https://{BEHIND_PROXY}/v1"), Till()
    for seed in range(MAX_RUNNING + 1):
        asked = request(seed=seed)
        assert list(backend.stream([asked], lambda n=seed: len(api.asked) > n, till)) == []
    wait_for(lambda: till.num_spent == MAX_RUNNING)
    assert len(api.left) == 1


def test_what_is_given_up_before_it_is_sent_is_not_sent() -> None:
    """Its connection was only being made then."""
    call = Call(lambda: None, 20)
    call.give_up()
    with pytest.raises(BackendFailure):
        call.follow("http11.send_request_headers.started", {"request": httpx2.Request("POST", "/")})
    assert call.num_sent == 0


def test_calls_that_run_are_not_forgotten_for_pictures_that_are_kept(
    api: ScriptedApi, make: Make, hold: threading.Event
) -> None:
    """Nobody would find them again when their place is needed."""
    later = threading.Event()
    held, kept = replace(b64(), hold=hold), replace(b64(), hold=later)
    api.tell(GENERATIONS, *[held] * (MAX_RUNNING - 1), *[kept] * MAX_KEPT, held, b64())
    backend = make(remote_fields="seed")

    def begin(seed: int) -> None:
        num = len(api.asked) + 1
        asked = request(seed=seed)
        assert list(backend.stream([asked], lambda: len(api.asked) >= num)) == []

    for seed in range(MAX_RUNNING - 1):
        begin(seed)
    for seed in range(10, 10 + MAX_KEPT):
        later.clear()
        begin(seed)
        later.set()
        wait_for(lambda: len(running_calls()) == MAX_RUNNING - 1)
    begin(98)
    (frame,) = backend.stream([request(seed=99)], within(10))
    assert frame.is_last
    wait_for(lambda: bool(api.left))
    assert [asked.json["seed"] for asked in api.left] == [0]


def test_two_who_ask_for_the_same_have_one_picture_drawn(
    api: ScriptedApi, make: Make, hold: threading.Event
) -> None:
    """At once, from two of the engine's threads, and none of them finds it begun."""
    api.tell(GENERATIONS, replace(b64(), hold=hold))
    backend, till = make(), Till()
    frames: list[Frame] = []
    waiting = [threading.Event(), threading.Event()]

    def ask(waits: threading.Event) -> None:
        frames.extend(backend.stream([request(seed=9)], lambda: bool(waits.set()), till))

    threads = [threading.Thread(target=ask, args=(waits,)) for waits in waiting]
    with as_many_as_can_be(api, backend):
        for thread, waits in zip(threads, waiting, strict=True):
            thread.start()
            assert waits.wait(10), "for one of the four calls that are on their way"
        hold.set()
        for thread in threads:
            thread.join(10)
    assert len(frames) == 2
    assert (len(api.asked), till.num_spent) == (MAX_RUNNING + 1, 1)


def test_an_error_that_nobody_waited_for_is_forgotten(
    api: ScriptedApi, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    hold = threading.Event()
    refused = refusal(400, "No.")
    refused.hold = hold
    api.tell(GENERATIONS, refused, b64())
    backend = make()
    assert list(backend.stream([request()], lambda: bool(api.asked))) == []
    hold.set()
    until_calls_end()
    monkeypatch.setattr("turbo_ui.backends.remote.ERROR_KEPT_S", -1.0)
    drawn(backend)


# --- with and without a board


@pytest.mark.parametrize(
    "answer",
    [
        refusal(404, "Invalid URL (POST /v1/images/edits)"),
        Answer(405, b"Method Not Allowed"),
        refusal(400, "This model does not support image edits."),
        refusal(400, "Unknown parameter: 'image'.", param="image"),
        refusal(404, "No such model for edits.", code="model_not_found"),
    ],
    ids=["404", "405", "400 edits", "400 image", "404 model"],
)
def test_a_server_without_sketch_input_is_sent_the_prompt_and_that_is_said(
    api: ScriptedApi, make: Make, answer: Answer
) -> None:
    api.tell(EDITS, answer)
    api.tell(GENERATIONS, b64())
    backend = make(remote_max_retries=0)
    assert backend.spec.takes_sketch
    frame = drawn(backend, request(image=sketch()))
    assert frame.path == "remote 128×128, from the prompt alone: the board is not sent"
    assert frame.request == request(), "the sketch is no part of the picture"
    assert imaging.open_png(imaging.save_png(frame)).request == request()
    assert not backend.spec.takes_sketch
    assert "not the board" in backend.device_text
    assert drawn(backend, request(image=sketch(), seed=2)).request == request(seed=2)
    assert [asked.path for asked in api.asked] == [EDITS, GENERATIONS, GENERATIONS]


@pytest.mark.parametrize(
    "answer",
    [
        refusal(400, "The image was rejected by our safety system.", code="moderation_blocked"),
        refusal(400, "prompt is too long", param="prompt"),
        refusal(401, "No."),
        refusal(500, "Oops."),
    ],
    ids=["policy", "prompt", "key", "trouble"],
)
def test_any_other_error_of_a_sketch_is_told(api: ScriptedApi, make: Make, answer: Answer) -> None:
    api.tell(EDITS, answer)
    api.tell(GENERATIONS, b64())
    backend = make(remote_max_retries=0)
    with pytest.raises(BackendFailure):
        drawn(backend, request(image=sketch()))
    assert api.asked_for(GENERATIONS) == []
    assert backend.spec.takes_sketch


def test_a_server_that_took_a_sketch_once_is_not_taken_for_one_without(
    api: ScriptedApi, make: Make
) -> None:
    api.tell(EDITS, b64(), refusal(404, "Gone for a moment."))
    backend = make()
    drawn(backend, request(image=sketch()))
    with pytest.raises(BackendFailure):
        drawn(backend, request(image=sketch(), seed=2))
    assert backend.spec.takes_sketch


def test_the_setting_decides_where_it_is_given(api: ScriptedApi, make: Make) -> None:
    api.tell(EDITS, refusal(404, "Invalid URL (POST /v1/images/edits)"))
    api.tell(GENERATIONS, b64())
    with pytest.raises(BackendFailure):
        drawn(make(remote_sketch="on"), request(image=sketch()))
    off = make(remote_sketch="off")
    assert not off.spec.takes_sketch
    drawn(off, request(image=sketch()))
    assert [asked.path for asked in api.asked] == [EDITS, GENERATIONS]


# --- warming up


def test_warming_up_draws_nothing(api: ScriptedApi, make: Make) -> None:
    api.tell(MODELS, Answer(body={"object": "list", "data": []}))
    api.tell(EDITS, refusal(400, "Missing required parameter: 'image'.", param="image"))
    backend = make()
    backend.warm_up(128, 128)
    assert backend.spec.takes_sketch
    assert [(asked.path, asked.body) for asked in api.asked] == [(MODELS, b""), (EDITS, b"{}")]


def test_warming_up_finds_that_there_is_no_sketch_input(api: ScriptedApi, make: Make) -> None:
    backend = make()  # this server knows no address at all
    backend.warm_up(128, 128)
    assert not backend.spec.takes_sketch
    assert api.asked_for(GENERATIONS) == []


def test_a_wrong_key_is_said_when_the_model_is_loaded(api: ScriptedApi, make: Make) -> None:
    api.tell(MODELS, refusal(401, f"Incorrect API key provided: {KEY}"))
    with pytest.raises(ModelUnavailable) as caught:
        make().warm_up(128, 128)
    assert "TURBO_UI_REMOTE_API_KEY" in caught.value.user_text
    assert KEY not in str(caught.value)


def test_a_server_that_is_not_there_is_said_when_the_model_is_loaded(make: Make) -> None:
    with pytest.raises(ModelUnavailable, match="cannot be reached"):
        make(remote_base_url="http://127.0.0.1:9/v1").warm_up(128, 128)


# --- cost


def test_an_hour_has_only_so_many_pictures(api: ScriptedApi, make: Make) -> None:
    api.tell(GENERATIONS, b64())
    clock = FakeClock()
    backend = make(clock, max_remote_images_per_hour=2)
    drawn(backend)
    clock.pass_ms(600_000)
    drawn(backend)
    with pytest.raises(LimitReached) as caught:
        drawn(backend)
    assert "TURBO_UI_MAX_REMOTE_IMAGES_PER_HOUR" in caught.value.user_text
    assert "in 51 min" in caught.value.user_text
    assert len(api.asked) == 2
    clock.pass_ms(HOUR_S * 1000 - 600_000)
    drawn(backend)
    with pytest.raises(LimitReached):
        drawn(backend)


def test_none_may_be_drawn(api: ScriptedApi, make: Make) -> None:
    backend = make(max_remote_images_per_hour=0)
    for _ in range(MAX_RUNNING + 1):
        with pytest.raises(LimitReached):
            drawn(backend)
    assert api.asked == []


def running_calls() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "turbo-ui-call"]


def until_calls_end() -> None:
    """Only then is it known what has to be paid."""
    for thread in running_calls():
        thread.join(10)
        assert not thread.is_alive()


class Till:
    """Counts what is spent, up to a limit."""

    def __init__(self, limit: int = 100) -> None:
        self.limit = limit
        self.num_spent = 0
        self.has_given_back = threading.Event()

    def __call__(self) -> Callable[[], None]:
        if self.num_spent >= self.limit:
            raise LimitReached("the page has had all of its pictures")
        self.num_spent += 1
        return self.give_back

    def give_back(self) -> None:
        self.num_spent -= 1
        self.has_given_back.set()


def test_what_is_sent_is_spent_once(api: ScriptedApi, make: Make) -> None:
    """However often it is asked for while it is on its way."""
    hold = threading.Event()
    answer = b64()
    answer.hold = hold
    api.tell(GENERATIONS, answer)
    backend, till = make(), Till()
    assert list(backend.stream([request()], lambda: bool(api.asked), till)) == []
    for _ in range(3):
        assert list(backend.stream([request()], lambda: True, till)) == []
    hold.set()
    (frame,) = backend.stream([request()], None, till)
    assert frame.is_last
    assert (till.num_spent, len(api.asked)) == (1, 1)
    list(backend.stream([request()], None, till))
    assert (till.num_spent, len(api.asked)) == (2, 2)


def test_what_waits_for_its_turn_is_not_spent(
    api: ScriptedApi, make: Make, hold: threading.Event
) -> None:
    api.tell(GENERATIONS, replace(b64(), hold=hold))
    backend, till = make(max_remote_images_per_hour=MAX_RUNNING + 1), Till()
    with as_many_as_can_be(api, backend, till):
        for seed in range(MAX_RUNNING, MAX_RUNNING + 3):
            assert list(backend.stream([request(seed=seed)], Soon(3), till)) == []
        assert till.num_spent == MAX_RUNNING
        hold.set()
    (frame,) = backend.stream([request(seed=MAX_RUNNING)], None, till)
    assert frame.is_last
    with pytest.raises(LimitReached):
        drawn(backend, request(seed=MAX_RUNNING + 1))
    assert till.num_spent == len(api.asked) == MAX_RUNNING + 1


@pytest.mark.parametrize("is_hour_full", [False, True], ids=["page", "hour"])
def test_who_may_have_no_more_does_not_wait_for_a_turn(
    api: ScriptedApi, make: Make, hold: threading.Event, is_hour_full: bool
) -> None:
    api.tell(GENERATIONS, replace(b64(), hold=hold))
    backend = make(max_remote_images_per_hour=MAX_RUNNING + (not is_hour_full))
    till = Till(100 if is_hour_full else MAX_RUNNING)
    with as_many_as_can_be(api, backend, till), pytest.raises(LimitReached):
        # where it waits, it asks whether to stop
        list(backend.stream([request(seed=9)], lambda: pytest.fail("it waits"), till))
    assert till.num_spent == MAX_RUNNING


def test_a_call_that_cannot_begin_costs_nothing_and_keeps_no_slot(
    api: ScriptedApi, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    def start(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    def spend() -> Callable[[], None]:
        raise OSError("no till")

    api.tell(GENERATIONS, b64())
    backend, till = make(max_remote_images_per_hour=1), Till()
    for _ in range(MAX_RUNNING + 1):
        with monkeypatch.context() as machine:
            machine.setattr(threading.Thread, "start", start)
            with pytest.raises(RuntimeError, match="new thread"):
                list(backend.stream([request()], Soon(3), till))
        with pytest.raises(OSError, match="no till"):
            list(backend.stream([request()], Soon(3), spend))
    assert till.num_spent == 0
    (frame,) = backend.stream([request()], None, till)
    assert frame.is_last
    assert till.num_spent == len(api.asked) == 1


@pytest.mark.parametrize("asked", [request(), request("  ")], ids=["no more may be", "no prompt"])
def test_what_is_refused_before_it_is_sent_is_not_spent(
    api: ScriptedApi, make: Make, asked: FrameRequest
) -> None:
    api.tell(GENERATIONS, b64())
    till = Till()
    backend = make(max_remote_images_per_hour=0)
    with pytest.raises((LimitReached, InvalidRequest)):
        list(backend.stream([asked], None, till))
    assert till.num_spent == 0
    backend = make(max_remote_images_per_hour=1)
    for _ in range(MAX_RUNNING + 1):
        with pytest.raises(LimitReached, match="the page has had all"):
            list(backend.stream([request()], None, Till(0)))
    assert api.asked == []
    drawn(backend)  # the hour has not been charged, and all slots are free


def test_a_server_that_is_not_there_costs_nothing(api: ScriptedApi, make: Make) -> None:
    away = make(remote_base_url="http://127.0.0.1:9/v1", max_remote_images_per_hour=1)
    for _ in range(3):
        till = Till()
        with pytest.raises(BackendFailure, match="cannot be reached"):
            list(away.stream([request()], None, till))
        assert till.has_given_back.wait(10)
        assert till.num_spent == 0


NO_ANSWER = Answer(status=0)
BEHIND_PROXY = "api.example.invalid:443"


@pytest.mark.parametrize(
    ("answer", "timeout_s"),
    [(NO_ANSWER, 20), (NO_ANSWER, 1), (Answer(403, b"No way."), 20), (Answer(200, b""), 20)],
    ids=["hangs up", "hangs", "refuses", "opens a way to nothing"],
)
def test_a_proxy_that_gives_no_way_to_the_server_costs_nothing(
    api: ScriptedApi,
    make: Make,
    monkeypatch: pytest.MonkeyPatch,
    hold: threading.Event,
    answer: Answer,
    timeout_s: float,
) -> None:
    for name in ("NO_PROXY", "no_proxy", "https_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HTTPS_PROXY", api.url)
    api.tell(BEHIND_PROXY, replace(answer, hold=hold if timeout_s < 20 else None))
    limits = {"max_remote_images_per_hour": 1, "remote_timeout_s": timeout_s}
    backend, till = make(remote_base_url=f"https://{BEHIND_PROXY}/v1", **limits), Till()
    for _ in range(2):
        with pytest.raises(BackendFailure):
            list(backend.stream([request()], None, till))
        until_calls_end()
        assert till.num_spent == 0
    assert {(asked.method, asked.path) for asked in api.asked} == {("CONNECT", BEHIND_PROXY)}


@pytest.mark.parametrize(
    ("answer", "timeout_s"),
    [(refusal(500, "Oops."), 20), (NO_ANSWER, 20), (NO_ANSWER, 2)],
    ids=["fails", "hangs up", "hangs"],
)
def test_a_request_that_the_server_took_may_have_to_be_paid(
    api: ScriptedApi, make: Make, hold: threading.Event, answer: Answer, timeout_s: float
) -> None:
    api.tell(GENERATIONS, replace(answer, hold=hold if timeout_s < 20 else None))
    backend = make(max_remote_images_per_hour=1, remote_timeout_s=timeout_s)
    till = Till()
    with pytest.raises(BackendFailure):
        list(backend.stream([request()], None, till))
    until_calls_end()
    assert api.asked
    assert till.num_spent == 1
    with pytest.raises(LimitReached):
        drawn(backend)


BREAKS_OFF = Answer(200, b"ff\r\n{", {"transfer-encoding": "chunked", "connection": "close"})
"""Of 255 bytes that it announces it sends one."""


@pytest.mark.parametrize("answer", [NO_ANSWER, BREAKS_OFF], ids=["hangs up", "breaks off"])
def test_a_request_whose_answer_is_lost_is_not_sent_again(
    api: ScriptedApi, make: Make, answer: Answer
) -> None:
    api.tell(GENERATIONS, answer)
    till = Till()
    with pytest.raises(BackendFailure) as caught:
        list(make(remote_max_retries=2).stream([request()], None, till))
    assert (len(api.asked), till.num_spent) == (1, 1)
    assert "may have to be paid" in caught.value.user_text


@pytest.mark.parametrize(("status", "num_spent"), [(502, 3), (504, 3), (429, 1)])
def test_each_try_that_the_server_failed_on_is_counted(
    api: ScriptedApi, make: Make, status: int, num_spent: int
) -> None:
    """It may have drawn before it failed; one that is too busy says that it has not."""
    again = refusal(status, "Oops.", headers={"retry-after": "0.01"})
    api.tell(GENERATIONS, again, again, b64())
    backend, till = make(remote_max_retries=2, max_remote_images_per_hour=num_spent), Till()
    list(backend.stream([request()], None, till))
    assert (len(api.asked), till.num_spent) == (3, num_spent)
    with pytest.raises(LimitReached):
        drawn(backend, request(seed=2))


@pytest.mark.parametrize("is_hour_full", [False, True], ids=["page", "hour"])
def test_no_further_try_is_made_that_may_not_be_counted(
    api: ScriptedApi, make: Make, is_hour_full: bool
) -> None:
    api.tell(GENERATIONS, refusal(502, "Oops.", headers={"retry-after": "0.01"}))
    till = Till(100 if is_hour_full else 2)
    backend = make(remote_max_retries=5, max_remote_images_per_hour=2 if is_hour_full else 100)
    with pytest.raises(BackendFailure) as caught:
        list(backend.stream([request()], None, till))
    assert (len(api.asked), till.num_spent) == (2, 2)
    assert "(502), and is not asked again" in caught.value.user_text


@pytest.mark.parametrize("status", [404, 501])
def test_a_sketch_that_is_refused_and_its_prompt_are_one_picture(
    api: ScriptedApi, make: Make, status: int
) -> None:
    api.tell(EDITS, refusal(status, "There are no edits."))
    api.tell(GENERATIONS, b64())
    till = Till()
    list(make(remote_max_retries=0).stream([request(image=sketch())], None, till))
    assert (len(api.asked), till.num_spent) == (2, 1)


def test_a_server_that_hangs_up_on_the_question_for_edits_can_be_loaded(
    api: ScriptedApi, make: Make
) -> None:
    """That draws nothing, so nothing of it is paid."""
    api.tell(MODELS, Answer(body={"object": "list", "data": []}))
    api.tell(EDITS, NO_ANSWER)
    backend = make()
    backend.warm_up(128, 128)
    assert backend.spec.takes_sketch


def test_a_request_that_was_sent_stays_paid_when_the_next_try_is_not(
    api: ScriptedApi, make: Make, hold: threading.Event
) -> None:
    headers = {"retry-after": "0.01", "connection": "close"}
    api.tell(GENERATIONS, replace(refusal(503, "Busy.", headers=headers), hold=hold))

    def should_stop() -> bool:
        if api.asked and not hold.is_set():
            api.close()
            hold.set()
        return False

    backend, till = make(), Till()
    with pytest.raises(BackendFailure, match="cannot be reached"):
        list(backend.stream([request()], should_stop, till))
    assert (till.num_spent, len(api.asked)) == (1, 1)


def test_an_answer_is_paid_whatever_the_connection_tells(
    api: ScriptedApi, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(remote_wire.Call, "follow", lambda *_: None)
    api.tell(GENERATIONS, b64())
    backend, till = make(), Till()
    list(backend.stream([request()], None, till))
    assert till.num_spent == 1


def test_a_page_pays_for_what_it_has_drawn_and_not_for_its_strokes(
    api: ScriptedApi, make: Make
) -> None:
    """The whole way: a refine whose picture is on its way is asked for again and again."""
    hold = threading.Event()
    answer = b64()
    answer.hold = hold
    api.tell(GENERATIONS, answer)
    backend = make()
    board = InlineSwitchboard([backend.spec], lambda spec, report: backend)
    board.loaded.put(backend)
    engine, inbox = Engine(board, budget=Budget(2)), Inbox()
    engine.open_session("page", inbox)

    def refine(request_id: int, seed: int) -> None:
        wanted = Submission(
            request_id=request_id, request=request(seed=seed), received_at=0, kind="refine"
        )
        engine.submit("page", wanted)

    def step_until(has_news: Callable[[], bool], request_id: int, seed: int) -> None:
        """Takes a step; a newer refine comes when there is news."""
        stroke = threading.Thread(target=lambda: (wait_for(has_news), refine(request_id, seed)))
        stroke.start()
        engine.remote_step()
        stroke.join(10)

    refine(1, seed=1)
    step_until(lambda: len(api.asked) == 1, 2, seed=1)
    step_until(lambda: inbox.of(Taken)[-1].request_id == 2, 3, seed=1)
    hold.set()
    engine.remote_step()
    refine(4, seed=2)
    engine.remote_step()
    refine(5, seed=3)
    engine.remote_step()
    assert [event.request_id for event in inbox.of(Published)] == [3, 4]
    (failed,) = inbox.of(Failed)
    assert isinstance(failed.error, LimitReached)
    assert len(api.asked) == 2


# --- the key


def test_the_key_is_in_no_log_no_text_and_no_picture(
    api: ScriptedApi, make: Make, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    api.tell(GENERATIONS, refusal(429, f"{KEY} is busy", headers={"retry-after": "0.01"}), b64())
    api.tell(EDITS, refusal(400, f"The key {KEY} does not support this."))
    backend = make()
    backend.warm_up(128, 128)
    frame = drawn(backend)
    with pytest.raises(BackendFailure) as caught:
        drawn(backend, request(image=sketch()))
    assert "***" in caught.value.user_text
    texts = [record.getMessage() + str(record.__dict__) for record in caplog.records]
    assert any("/images/generations" in text for text in texts)  # the log was on
    shown = [*texts, repr(backend), repr(vars(backend)), repr(backend.spec), str(caught.value)]
    assert not [text for text in shown if KEY in text]
    assert KEY.encode() not in imaging.save_png(frame)
    assert KEY not in str(frame.request.to_json()) + frame.path
    assert caught.value.__cause__ is None


def test_keys_for_other_servers_stay_here(
    api: ScriptedApi, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("API_KEY", "ADMIN_KEY", "ORG_ID", "PROJECT_ID"):
        monkeypatch.setenv(f"OPENAI_{name}", "for-another-server")
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:9/v1")
    headers = ["X-Gateway: for-another-server", "openai-project: for-another-server"]
    monkeypatch.setenv("OPENAI_CUSTOM_HEADERS", "\n".join(headers))
    api.tell(GENERATIONS, b64())
    api.tell(EDITS, refusal(400, "Missing required parameter: 'image'."), b64())
    backend = make(remote_api_key=None)
    backend.warm_up(128, 128)
    drawn(backend)
    drawn(backend, request(image=sketch()))
    assert len(api.asked) == 4
    for asked in api.asked:
        assert "x-gateway" not in asked.headers
        assert "authorization" not in asked.headers
        assert "for-another-server" not in str(asked.headers)
