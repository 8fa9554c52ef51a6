"""The page's files: vendored libraries unchanged, examples sound, nothing fetched elsewhere."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

from tests.fakes import FakeBackend, ready_switchboard
from turbo_ui.catalog import DOODLE, SD_TURBO
from turbo_ui.live.switchboard import Switchboard
from turbo_ui.web import routes, ui
from turbo_ui.web.board import STATIC, PagePart
from turbo_ui.web.roster import Roster
from turbo_ui.web.routes import EXAMPLES, read_examples

VENDOR = STATIC / "vendor"
VENDORED = json.loads((VENDOR / "VENDORED.json").read_text("utf-8"))
OWN = [path for path in STATIC.rglob("*") if path.is_file() and VENDOR not in path.parents]


@pytest.mark.parametrize("name", sorted(VENDORED))
def test_vendored_libraries_are_unchanged_and_licensed(name: str) -> None:
    entry = VENDORED[name]
    assert entry["licence"] == "MIT"
    assert entry["version"]
    for file, digest in entry["sha256"].items():
        assert hashlib.sha256((VENDOR / file).read_bytes()).hexdigest() == digest
    assert any(file.endswith("LICENSE") for file in entry["sha256"])


def test_every_vendored_file_is_listed() -> None:
    listed = {file for entry in VENDORED.values() for file in entry["sha256"]}
    there = {str(path.relative_to(VENDOR)) for path in VENDOR.rglob("*") if path.is_file()}
    assert there == listed | {"VENDORED.json"}


def test_the_page_fetches_nothing_from_elsewhere() -> None:
    for path in OWN:
        assert not re.search(r"https?://", path.read_text("utf-8")), path
    assert "http" not in ui.HEAD


def test_all_modules_and_only_those_are_preloaded() -> None:
    there = {path.stem for path in STATIC.glob("*.js")}
    assert set(ui.MODULES) == {stem for stem in there if not stem.endswith(".worker")}


def test_the_page_and_gradio_name_the_components_in_the_same_order() -> None:
    text = (STATIC / "controls.js").read_text("utf-8")
    found = re.search(r"forGradio\(\) \{.*?return \[(.*?)\];", text, re.DOTALL)
    assert found is not None
    assert tuple(found.group(1).split(", ")) == ui.NAMES


def test_the_page_and_gradio_know_the_same_aspects() -> None:
    text = (STATIC / "aspect.js").read_text("utf-8")
    square = re.search(r'SQUARE = ("[\d:]+")', text)
    found = re.search(r"ASPECTS = (\[.*?\]);", text)
    assert square is not None
    assert found is not None
    assert json.loads(found.group(1).replace("SQUARE", square.group(1))) == ui.ASPECTS


@pytest.mark.parametrize("path", OWN, ids=lambda path: path.name)
def test_page_files_stay_readable(path: Path) -> None:
    limit = 420 if path.suffix == ".css" else 320
    assert len(path.read_text("utf-8").splitlines()) <= limit


@pytest.mark.parametrize(
    "path", sorted((STATIC / "parts").glob("*.html")), ids=lambda path: path.stem
)
def test_templates_hold_nothing_that_gradio_would_evaluate(path: Path) -> None:
    text = path.read_text("utf-8")
    assert "${" not in text
    assert "{{" not in text


def test_a_part_takes_no_input() -> None:
    assert PagePart("board").preprocess({"anything": 1}) is None


def test_the_embedded_models_licence_can_be_read() -> None:
    """By whoever opens the link in the page: as text, and without a network."""
    roster = Roster(ready_switchboard(FakeBackend(spec=DOODLE)))
    (entry,) = roster.to_json(None)["models"]
    assert (entry["title"], entry["licence"]) == ("Doodle", "MIT")
    with TestClient(Starlette(routes=routes.build(roster))) as client:
        answer = client.get(f"/{entry['licence_url']}")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    assert "Permission is hereby granted, free of charge" in answer.text
    assert "Microsoft Corporation" in answer.text, "those whose pictures it was trained on, too"


def test_the_words_that_the_embedded_model_knows_can_be_read() -> None:
    roster = Roster(ready_switchboard(FakeBackend(spec=DOODLE)))
    (entry,) = roster.to_json(None)["models"]
    with TestClient(Starlette(routes=routes.build(roster))) as client:
        things, places = client.get(f"/{entry['words_url']}").json()
    assert (things["title"], things["is_added"], places["is_added"]) == ("Things", False, True)
    assert {"cat", "sailboat"} < set(things["words"])
    assert {"on grass", "night sky"} < set(places["words"])


def test_what_a_model_takes_is_told_of_those_that_are_downloaded() -> None:
    unsure = replace(SD_TURBO, id="unsure", is_provisional=True)
    catalog = (DOODLE, SD_TURBO, unsure)
    switchboard = Switchboard(catalog, lambda spec, report: FakeBackend(spec=spec))
    entries = Roster(switchboard).to_json(None)["models"]
    told = [(entry["weights_bytes"], entry["memory_bytes"]) for entry in entries]
    assert told == [(None, None), (SD_TURBO.weights_bytes, 3_000_000_000), (None, None)]
    assert SD_TURBO.weights_bytes == pytest.approx(2.58e9, rel=0.01), "as the hub's files are"
    assert [entry["words_url"] for entry in entries[1:]] == ["", ""]


def test_there_are_enough_examples_and_all_are_sound() -> None:
    examples = read_examples(EXAMPLES)
    assert len(examples) >= 8
    assert len(examples) == len(list(EXAMPLES.glob("*.json")))
    assert examples[0]["title"] == "House and sun", "what a new page opens with"


def test_a_damaged_example_is_left_out(tmp_path: Path) -> None:
    stroke = {"color": "#000000", "width": 4, "points": [[1, 2], [3, 4]]}
    good = {"title": "a", "prompt": "b", "strokes": [stroke]}
    (tmp_path / "1.json").write_text(json.dumps(good))
    (tmp_path / "2.json").write_text("{")
    (tmp_path / "3.json").write_text(json.dumps({**good, "strokes": [{**stroke, "points": [[1]]}]}))
    (tmp_path / "4.json").write_text(json.dumps({**good, "strength": 3}))
    assert read_examples(tmp_path) == [good]
