"""The command line as a user gives it: models of one's own, a wrong one, a port in use."""

from __future__ import annotations

import pickle
import shutil
import socket
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
import torch

from app import App, Console, check_port, main
from harness.app_process import AppProcess
from tests import checkpoints, checkpoints_ldm, checkpoints_sd3
from tests.browser.lane_client import LaneClient, jpeg
from tests.tiny_app import TINY_APP
from turbo_ui.catalog import SD_TURBO
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


@pytest.fixture(scope="module")
def sd3(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a tiny Stable Diffusion 3 in one file without text encoders, those in files of
    their own, and the configurations that they are read by."""
    folder = tmp_path_factory.mktemp("single-file")
    tiny = checkpoints_sd3.make(folder / "tiny")
    checkpoints_ldm.sd3_file(tiny, folder / "sd3.5_tiny.safetensors")
    (folder / "encoders").mkdir()
    checkpoints_ldm.text_encoder_files(tiny, folder / "encoders")
    checkpoints_ldm.configs_of(tiny, folder / "configs", "sd3")
    return folder


def test_a_single_file_of_stable_diffusion_3_draws_with_the_text_encoders_that_are_named(
    sd3: Path, tmp_path: Path
) -> None:
    names = ("clip_l.safetensors", "clip_g.safetensors", "t5xxl.safetensors")
    encoders = ",".join(str(sd3 / "encoders" / name) for name in names)
    settings = ("--model", str(sd3 / "sd3.5_tiny.safetensors"), "--text-encoders", encoders)
    program = (*TINY_APP, str(sd3 / "configs"))
    app = AppProcess(tmp_path, *settings, program=program).start()
    try:
        with LaneClient(app.lane_url) as client:
            entry = until_it_is(client, "sd3.5_tiny", "ready", client.welcome)
            assert (entry["default_size_px"], entry["live_size_px"]) == (1024, 768)
            assert "text encoders" not in entry["text"]
            client.draw(1, jpeg(RED), prompt="a cat", width=512, height=512)
            preview = client.until("preview", request_id=1, within_s=60).header
            assert (preview["step"], preview["num_denoising_steps"]) == (1, 3)
            drawn = client.until("frame", request_id=1, within_s=60).header["request"]
            assert (drawn["model"], drawn["width"], drawn["prompt"]) == ("sd3.5_tiny", 512, "a cat")
            assert drawn["image"] is not None
    finally:
        app.kill()


def test_without_text_encoders_it_says_exactly_which_are_missing_and_the_app_draws(
    sd3: Path, tmp_path: Path
) -> None:
    file = sd3 / "sd3.5_tiny.safetensors"
    program = (*TINY_APP, str(sd3 / "configs"))
    app = AppProcess(tmp_path, "--model", str(file), program=program).start()
    try:
        with LaneClient(app.lane_url) as client:
            failed = until_it_is(client, "sd3.5_tiny", "failed", client.welcome)
            client.draw(1, jpeg(RED), prompt="an apple")
            assert client.picture(1).header["request"]["model"] == "doodle"
    finally:
        app.kill()
    said = (
        "sd3.5_tiny is not available: sd3.5_tiny.safetensors holds no text encoders; missing are "
        "CLIP-L (clip_l.safetensors) and CLIP-G (clip_g.safetensors). Name files or folders with "
        "them in the setting text_encoders."
    )
    assert failed["text"] == said
    assert f"sd3.5_tiny: {said}" in app.log
    assert "Traceback" not in app.log


def test_a_repository_of_the_hub_draws_from_the_cache_and_one_that_is_not_there_says_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The app is started with no network."""
    commit = "0123456789" * 4
    cached = tmp_path / "cache" / "models--someone--tiny"
    shutil.copytree(checkpoints.make(tmp_path / "made"), cached / "snapshots" / commit)
    (cached / "refs").mkdir()
    (cached / "refs" / "main").write_text(commit)
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "cache"))
    settings = ("--model", "someone/tiny", "--refine-model", "someone/other@v2")
    app = AppProcess(tmp_path, *settings).start()
    try:
        with LaneClient(app.lane_url) as client:
            assert client.welcome["refine_model"] == "other"
            failed = until_it_is(client, "other", "failed", client.welcome)
            assert failed["title"] == "someone/other@v2"
            assert (
                "hub cannot be reached and not all of the model is in the cache" in failed["text"]
            )
            stand = client.heard[-1].header
            entry = until_it_is(client, "tiny", "ready", stand)
            assert entry["licence_url"] == "https://huggingface.co/someone/tiny"
            client.draw(1, jpeg(RED), prompt="a cat")
            drawn = client.until("frame", request_id=1, within_s=60).header["request"]
            assert (drawn["model"], drawn["revision"]) == ("tiny", commit)
    finally:
        app.kill()
    assert f"its commit {commit} is taken" in app.log


@pytest.mark.parametrize("flag", ["--model", "--refine-model"])
def test_what_is_no_model_is_told_by_name_value_and_what_is_allowed(
    flag: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([flag, "someone/model@", "--port", "0"]) == 2
    said = capsys.readouterr().err
    assert f"{flag[2:].replace('-', '_')} is 'someone/model@'; allowed: doodle, sd-turbo" in said
    assert "a hub id (owner/name or owner/name@revision)" in said


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--model", "remote"), "model is 'remote'; allowed: a model that is set up"),
        (("--refine-model", "remote"), "refine_model is 'remote'; allowed: a model that is set up"),
        (
            ("--model", "remote", "--remote-base-url", "http://127.0.0.1:9/v1"),
            "model is 'remote'; allowed: a model that may follow the hand",
        ),
    ],
)
def test_a_remote_model_that_cannot_do_what_is_asked_ends_the_start(
    arguments: tuple[str, ...], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*arguments, "--port", "0"]) == 2
    assert said in capsys.readouterr().err


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
@pytest.mark.parametrize("device", ["cuda", "cuda:1"])
def test_a_device_that_is_not_here_ends_the_start(
    device: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--device", device, "--port", "0"]) == 2
    said = capsys.readouterr().err
    assert f"device is '{device}'; allowed: auto, cpu (0 CUDA devices are here)" in said


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
    for text in ("asking", "asking", "found"):
        console(ModelState(model_id="m", state="downloading", text=text))
    for done in (0.0, 0.01, 0.05, 0.11, 0.12, 0.29):
        console(ModelState(model_id="m", state="downloading", text=f"at {done}", progress=done))
    for _ in range(3):
        console(ModelState(model_id="m", state="ready", text="on the CPU"))
    console(ModelState(model_id="other", state="failed", text="it is not there"))
    assert capsys.readouterr().out.splitlines() == [
        "m: asking", "m: found",
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


@pytest.mark.parametrize("is_absolute", [True, False])
def test_a_file_by_the_name_of_a_repository_is_not_hashed_as_the_model(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_absolute: bool
) -> None:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "someone" / "model"
    path.parent.mkdir()
    path.write_bytes(b"another thing")
    spec = replace(SD_TURBO, source=str(path) if is_absolute else "someone/model")
    asked: list[Path] = []
    parts = SimpleNamespace(
        switchboard=SimpleNamespace(spec=lambda model_id: spec),
        hashes=SimpleNamespace(find=lambda path, tell: asked.append(path)),
    )
    App._find_hash(cast("App", parts), ModelState(model_id=spec.id, state="ready"))
    assert asked == ([path] if is_absolute else [])
