"""Percentiles, sums, ratios, goals and files of the benchmarks, on samples made by hand."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from benchmarks import browser_report, report
from benchmarks.browser import read_arguments
from benchmarks.browser_report import Goal, LiveRun, PlainRun
from turbo_ui.live.metrics import Rolling

STAGES = {
    "wait": 4.0,
    "network": 3.0,
    "decode": 2.0,
    "text_encode": 0.0,
    "vae_encode": 0.0,
    "denoise": 10.0,
    "vae_decode": 0.0,
    "jpeg": 1.0,
    "paint": 5.0,
}


def live(num: int = 11, every_ms: float = 25.0, name: str = "stand-in 10 ms") -> LiveRun:
    records: list[dict[str, Any]] = [
        {"stages": STAGES, "total": 25.0 + index, "at": 1000 + every_ms * index}
        for index in range(num)
    ]
    counters = {"superseded": 2, "bytes_sent": 1100, "bytes_received": 2200, "pointer_hz": 60.0}
    return LiveRun.of(name, records, counters)


@pytest.mark.parametrize(
    ("values", "percent", "wanted"),
    [([5], 50, 5), ([1, 2], 50, 1.5), ([3, 1, 2], 50, 2), (range(101), 95, 95), ([], 50, None)],
)
def test_percentiles(values: list[float], percent: float, wanted: float | None) -> None:
    assert report.percentile(values, percent) == wanted


def test_percentiles_are_those_that_the_engine_counts() -> None:
    rolling = Rolling()
    values = [3.0, 9.0, 4.0, 4.5, 20.0, 7.0]
    for value in values:
        rolling.add(value)
    for percent in (5, 50, 95):
        assert report.percentile(values, percent) == pytest.approx(rolling.percentile(percent))


def test_a_run_adds_up() -> None:
    found = live().summary()
    assert found["num_frames"] == 11
    assert found["fps"] == pytest.approx(40)
    assert found["backend_fps"] == pytest.approx(100)
    assert found["share_of_backend_fps"] == pytest.approx(0.4)
    assert found["stroke_to_pixel_ms"] == {"p50": 30, "p95": pytest.approx(34.5)}
    assert found["minus_backend_ms"]["p50"] == 20
    assert found["lane_and_server_ms"]["p50"] == 6
    assert found["stages_ms"]["paint"]["p95"] == 5
    assert found["sent_bytes_per_frame"] == 100
    assert found["superseded"] == 2


def test_a_run_without_frames_is_no_crash() -> None:
    found = live(0).summary()
    assert found["fps"] == 0
    assert found["stroke_to_pixel_ms"]["p50"] is None


def test_records_without_a_stage_are_refused() -> None:
    stages = {name: ms for name, ms in STAGES.items() if name != "network"}
    with pytest.raises(ValueError, match="lack the stages network"):
        LiveRun.of("doodle", [{"stages": stages, "total": 22.0, "at": 1.0}], {})


def test_unanswered_strokes_are_told_and_count_as_the_limit() -> None:
    found = PlainRun("stand-in 10 ms", [900.0, None, 1100.0], 3).summary()
    assert found["stroke_to_pixel_ms"]["p50"] == 1100
    assert not found["is_lower_bound"]
    assert (found["num_strokes"], found["num_unanswered"]) == (3, 1)
    nothing = PlainRun("stand-in 10 ms", [None, None], 3).summary()
    assert nothing["stroke_to_pixel_ms"]["p50"] == 3000
    assert nothing["is_lower_bound"]


@pytest.mark.parametrize(
    ("value", "is_ceiling", "verdict"),
    [(8, True, "met"), (8.1, True, "missed"), (8.1, False, "met"), (7.9, False, "missed"),
     (None, True, "not measured")],
)  # fmt: skip
def test_a_goal_is_met_or_missed(value: float | None, is_ceiling: bool, verdict: str) -> None:
    assert Goal("a goal", 8, is_ceiling, value).verdict == verdict


def test_the_plain_way_is_compared_where_both_ran() -> None:
    ours = {"stand-in 10 ms": live().summary(), "doodle": live(name="doodle").summary()}
    theirs = {"stand-in 10 ms": PlainRun("stand-in 10 ms", [600.0], 3).summary()}
    assert browser_report.ratios(ours, theirs) == {"stand-in 10 ms": 20}
    verdicts = [goal.verdict for goal in browser_report.goals(ours, theirs)]
    assert verdicts == ["met", "met", "not measured", "met"]


def test_files_hold_the_raw_samples_and_a_short_form(tmp_path: Path) -> None:
    ours = {"stand-in 10 ms": live().summary()}
    theirs = {"stand-in 10 ms": PlainRun("stand-in 10 ms", [600.0, None], 3).summary()}
    result = {
        "card": {"date": "2026-01-02", "machine": "Some CPU"},
        "live": ours,
        "plain": theirs,
        "ratios": browser_report.ratios(ours, theirs),
        "goals": [goal.to_json() for goal in browser_report.goals(ours, theirs)],
    }
    name = report.file_name("2026-01-02", "Some (R) CPU, 2 CPUs", "browser")
    assert name == "2026-01-02-some-r-cpu-2-cpus-browser"
    samples, text = {"totals": live().totals}, browser_report.markdown(result)
    full, short = report.write(tmp_path / "new", name, result, samples, text)
    assert json.loads(full.read_text("utf-8"))["samples"]["totals"] == live().totals
    text = short.read_text("utf-8")
    assert "| stroke to pixel | 30.0 / 34.5 |" in text
    assert "1 of 2 strokes without a picture in 3 s" in text
    assert "Times below the plain way's p50: 60.0 (stand-in 10 ms)." in text
    assert "| met |" in text


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--seconds", "0"], "--seconds is 0; it must be from 1 to 120"),
        (["--seconds", "nan"], "--seconds is nan"),
        (["--strokes", "0"], "--strokes is 0; it must be from 1 to 100"),
        (["--backends", "doodle,sd"], "--backends names 'sd'; there are standin-10"),
        (["--backends", ","], "--backends names ''"),
        (["--out", __file__], "which is a file"),
        (["--sekunden", "3"], "unrecognized arguments: --sekunden"),
    ],
)
def test_a_wrong_argument_is_named(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        read_arguments(arguments)
    assert ended.value.code == 2
    assert message in capsys.readouterr().err
