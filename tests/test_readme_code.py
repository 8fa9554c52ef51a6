"""What the README says to type works as it stands there."""

from __future__ import annotations

import re
import shlex
import textwrap
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from harness.app_process import ROOT, AppProcess
from tests.browser import STANDIN
from turbo_ui import imaging
from turbo_ui.catalog import find
from turbo_ui.frames import FrameRequest
from turbo_ui.own_models import HubId
from turbo_ui.remote_settings import by_commas
from turbo_ui.settings import parser

README = (ROOT / "README.md").read_text("utf-8")
ADDRESS = "http://127.0.0.1:7860/"


def code_with(word: str) -> str:
    """The one Python block of the README that holds the word."""
    blocks = re.findall(r"^ *```python\n(.*?)^ *```", README, re.MULTILINE | re.DOTALL)
    [found] = [textwrap.dedent(block) for block in blocks if word in block]
    return found


def run(code: str) -> dict[str, Any]:
    names: dict[str, Any] = {}
    exec(compile(code, "README.md", "exec"), names)
    return names


def test_a_picture_through_the_named_event(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Image.new("RGB", (200, 200), "tomato").save("sketch.png")
    code = code_with("gradio_client")
    assert ADDRESS in code
    app = AppProcess(tmp_path, program=STANDIN).start()
    try:
        found = run(code.replace(ADDRESS, app.url))
    finally:
        app.kill()
    saved = imaging.open_png(Path(found["picture"]).read_bytes())
    assert (saved.request.prompt, saved.request.seed) == ("a red boat", 7)
    assert saved.request.sketch is not None
    assert found["record"]["request"] == saved.request.to_json()


def test_a_picture_from_python() -> None:
    frame = run(code_with("turbo_ui.load"))["frame"]
    assert frame.request == FrameRequest(prompt="a red boat", seed=7)
    assert frame.image.shape == (256, 256, 3)


def test_the_flags_that_are_named_exist() -> None:
    named = set(re.findall(r"--[a-z][a-z-]+", README)) - {"--help"}
    assert named
    assert named <= set(parser()._option_string_actions)


def test_the_settings_that_are_given_to_make_are_taken_as_they_stand() -> None:
    given = [shlex.split(args) for args in re.findall(r'^make run ARGS="(.*?)"', README, re.M)]
    taken = [parser().parse_args(args) for args in given if args != ["--help"]]
    models = [chosen.model for chosen in taken if chosen.model is not None]
    known, newest, pinned, *paths = models
    assert find(known) is not None, "an id of the catalog"
    assert [HubId.read(model) is not None for model in (newest, pinned)] == [True, True]
    assert "@" in pinned
    assert [Path(model).suffix for model in paths] == ["", ".safetensors", ".safetensors"]
    assert len(by_commas(taken[-1].text_encoders)) == 3


def test_the_verbs_that_are_named_exist() -> None:
    verbs = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
    blocks = re.findall(r"^```.*?^```", README, re.MULTILINE | re.DOTALL)
    prose = re.sub(r"^```.*?^```", "", README, flags=re.MULTILINE | re.DOTALL)
    commands = [line for block in blocks for line in block.splitlines()]
    named = {found for line in commands for found in re.findall(r"^make ([a-z-]+)", line)}
    named |= set(re.findall(r"`make ([a-z-]+)", prose))
    assert {"run", "test"} <= named
    assert named <= verbs
