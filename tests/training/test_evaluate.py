"""Every question reaches the painter, and the usual strength is not asked for twice."""

import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from tests.training.gallery import small_gallery
from training.doodle import evaluate
from training.doodle.drawings import all_drawings, render
from training.doodle.evaluate import STRENGTHS, ask, by_strength, ceiling, weakest
from training.doodle.measures import Case
from training.doodle.painters import STRENGTH, fit, identity


def questions() -> Any:
    sketches = {d.label: render(d.strokes, 256) for d in all_drawings()}
    owl = Case("owl", "owl", "an owl", sketches["owl"], 0)
    text = Case("owl", "owl", "an owl", None, 0)
    more = sketches["owl"].copy()
    more[:8, :8] = 0
    stroke = np.zeros((256, 256), bool)
    stroke[:8, :8] = True
    return SimpleNamespace(
        text=[text],
        sketch=[owl],
        drawings={"blobs": [owl], "pen": [owl]},
        noto=[owl],
        pairs=[(owl, owl)],
        synonyms=[text],
        synonyms_beside_sketch=[owl],
        other_word=[owl],
        half_named=[(owl, owl)],
        vague={"no words": [owl], "wider words": [owl, owl]},
        calm=([(owl, more)], [stroke]),
    )


def test_every_question_is_asked_once_per_strength() -> None:
    gallery, asked = small_gallery(), questions()
    strengths: list[float] = []

    def counting(prompt, sketch, strength=STRENGTH, seed=0):
        strengths.append(strength)
        return identity(prompt, sketch)

    results = ask(counting, asked, gallery)
    assert set(strengths) == {STRENGTH}
    assert results["drawings"]["num"] == 2
    assert results["calm"] == 0.0
    assert results["other word"]["num"] == results["half named"]["num"] == 1
    assert (results["no words"]["num"], results["wider words"]["num"]) == (1, 2)
    assert weakest(results["outcomes"])["text"] == [f"owl ({len(gallery.names)})"]
    assert weakest(results["outcomes"])["sketch"] == []
    strengths.clear()
    table = by_strength(counting, asked, gallery, results)
    assert STRENGTH not in strengths
    assert set(strengths) == set(STRENGTHS) - {STRENGTH}
    assert table[str(STRENGTH)]["sketch"] == results["sketch"]
    assert [groups["drawings"]["top1"] for groups in table.values()] == [100.0] * len(STRENGTHS)


def test_the_ceiling_is_what_the_scenes_are_worth_after_what_they_go_through() -> None:
    gallery, asked = small_gallery(), questions()
    names = gallery.names[:2]
    scene = np.full((256, 256, 3), 255, np.uint8)
    for side, name in enumerate(names):
        mask = np.zeros((256, 256), bool)
        mask[80:180, 128 * side + 14 : 128 * side + 114] = True
        fit(scene, gallery.renders[gallery.names.index(name)], mask)
    nothing = np.full_like(scene, 255)
    pair = tuple(Case(name, name, "", nothing, 0, scene) for name in names)
    asked.pairs = [pair]
    owl = replace(asked.sketch[0], sketch=nothing, scene=asked.sketch[0].sketch)
    asked.sketch = asked.synonyms_beside_sketch = asked.vague["no words"] = [owl]
    whole = ceiling(asked, gallery)
    assert whole["sketch"]["top1"] == 100
    assert whole["pairs"]["both_top1"] == 100
    lost = ceiling(asked, gallery, through=np.zeros_like)
    assert lost["sketch"]["top1"] == 0
    assert lost["pairs"]["both_top1"] == 0


@pytest.fixture
def known() -> dict[str, Any]:
    """What is known of the shipped weights, measured on another machine."""
    found = json.loads((evaluate.MODEL / "results.json").read_text(encoding="utf-8"))
    elsewhere = evaluate.card() | {"minutes": 12.7, "processor": "another", "strength": 0.55}
    return found | {"card": elsewhere, "weights": evaluate.weights_digest(evaluate.MODEL)}


def test_speed_alone_is_measured_again(
    known: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    timed = known["machine"] | {"frames_per_second": 7.5}
    timed.pop("size_mb")
    monkeypatch.setattr(evaluate.footprint, "measure_apart", lambda _folder: timed)
    again = evaluate.timed_anew(evaluate.MODEL, known)
    assert again["model"] == known["model"]
    assert again["card"] == known["card"], "where and how the qualities were measured stays"
    load = again["speed_card"]["load_average"]
    assert again["speed_card"] == evaluate.machine_card() | {"load_average": load}
    found = {row["key"]: row for row in again["limits"]}
    assert found["speed"]["value"] == 7.5
    assert not found["speed"]["is_met"]
    others = [row["key"] for row in known["limits"] if row["key"] not in ("speed", "size")]
    before = {row["key"]: row for row in known["limits"]}
    assert all(found[key] == before[key] for key in others)


def test_the_speed_of_one_models_weights_does_not_stand_beside_anothers_qualities(
    known: dict[str, Any],
) -> None:
    with pytest.raises(ValueError, match=r"not of the weights in .*doodle: measure all of it"):
        evaluate.timed_anew(evaluate.MODEL, known | {"weights": "of others"})


def test_the_card_is_of_the_weights_beside_it() -> None:
    found = json.loads((evaluate.MODEL / "results.json").read_text(encoding="utf-8"))
    assert found["weights"] == evaluate.weights_digest(evaluate.MODEL)


def test_speed_is_the_median_of_all_runs_and_memory_the_most(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    frames = iter([130.0, 100.0, 125.0, 90.0, 150.0])

    def run(_folder: Path) -> dict[str, float]:
        frame = next(frames)
        return {"frame_ms_p50": frame, "denoise_ms": frame / 2, "peak_memory_mb": 400 + frame}

    monkeypatch.setattr(evaluate.footprint, "_run_apart", run)
    found = evaluate.footprint.measure_apart(evaluate.MODEL)
    assert found == {
        "frame_ms_p50": 125.0,
        "denoise_ms": 62.5,
        "peak_memory_mb": 550.0,
        "frame_ms_runs": [90.0, 100.0, 125.0, 130.0, 150.0],
        "frames_per_second": 8.0,
    }


def test_part_of_the_questions_and_speed_alone_exclude_each_other(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["evaluate", "--quick", "--only-speed"])
    with pytest.raises(SystemExit):
        evaluate.main()
    assert "--only-speed: not allowed with argument --quick" in capsys.readouterr().err
