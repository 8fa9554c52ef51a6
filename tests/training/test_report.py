"""The card's tables say what was measured, and writing them leaves the rest of the card alone."""

from pathlib import Path
from typing import Any

from training.doodle.report import BEGIN, END, LIMITS, limits, markdown, write_block


def results(top1: float = 80.0) -> dict[str, Any]:
    group = {"num": 9, "top1": top1, "top5": 96.0, "iou": 0.8, "lab": 12.0}
    names = ("text", "sketch", "drawings", "drawings: blobs", "drawings: pen", "drawings: brush")
    groups = (*names, "noto", "synonyms", "synonyms beside a sketch")
    painter = dict.fromkeys(groups, group) | {"pairs": {"both_top1": 71.0}, "calm": 2.5}
    machine = ("size_mb", "peak_memory_mb", "frames_per_second", "frame_ms_p50", "frame_ms_p95")
    stages = ("load_s", "vae_encode_ms", "denoise_ms", "vae_decode_ms")
    card = ("processor", "cores", "system", "python", "path", "load_average", "strength")
    measured = {
        "is_quick": False,
        "num_renders": 1599,
        "card": dict.fromkeys(card, "x") | {"versions": {"torch": "2"}},
        "machine": dict.fromkeys(machine + stages, 10.0),
        "model": painter,
        "identity": painter,
        "paste": painter,
        "scene": {"sketch": group, "pairs": {"both_top1": 100.0}},
        "autoencoder": {"sketch": group, "pairs": {"both_top1": 86.0}},
        "strengths": {"0.6": {"sketch": group, "drawings": group}},
    }
    return measured | {"limits": limits(measured)}


def test_each_limit_is_judged_by_its_own_direction() -> None:
    met = {row["key"]: row["is_met"] for row in results()["limits"]}
    assert set(met) == {limit.key for limit in LIMITS}
    assert met["text_top1"]
    assert not met["sketch_top1"]
    assert met["calm"]
    assert met["size"]


def test_the_tables_show_limits_and_misses() -> None:
    text = markdown(results())
    assert "| sketch + text: top-1, % | ≥ 85 | **80.0** | **no** | 80.0 | 80.0 |" in text
    assert "Two objects at their places: 100.0 % of the scenes, 86.0 % of these after" in text
    assert "quick run" not in text
    assert "quick run" in markdown(results() | {"is_quick": True})


def test_only_the_marked_block_is_written(tmp_path: Path) -> None:
    card = tmp_path / "README.md"
    card.write_text(f"# doodle\n\nbefore\n\n{BEGIN}\nold\n{END}\n\nafter\n", encoding="utf-8")
    write_block(card, "new")
    assert card.read_text(encoding="utf-8") == (
        f"# doodle\n\nbefore\n\n{BEGIN}\nnew\n{END}\n\nafter\n"
    )


def test_a_card_without_markers_gets_them(tmp_path: Path) -> None:
    card = tmp_path / "README.md"
    write_block(card, "one")
    write_block(card, "two")
    assert card.read_text(encoding="utf-8") == f"# doodle\n\n{BEGIN}\ntwo\n{END}\n"
