"""Rolling measures."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from turbo_ui.live.metrics import Metrics, Rate, Rolling


@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=100), st.floats(0, 100))
def test_percentiles_are_numpys(values: list[float], percent: float) -> None:
    rolling = Rolling()
    for value in values:
        rolling.add(value)
    expected = float(np.percentile(values, percent))
    assert rolling.percentile(percent) == pytest.approx(expected, rel=1e-9, abs=1e-6)


def test_old_values_fall_out() -> None:
    rolling = Rolling(num_kept=3)
    for value in (1000.0, 1.0, 2.0, 3.0):
        rolling.add(value)
    assert len(rolling) == 3
    assert rolling.percentile(100) == 3.0
    assert rolling.mean_of_last(2) == 2.5
    assert rolling.mean_of_last(10) == 2.0


def test_nothing_measured_is_none() -> None:
    assert Rolling().percentile(50) is None
    assert Rolling().mean_of_last(10) is None
    assert Rolling().summary() == {"p50": None, "p95": None}


def test_frames_per_second() -> None:
    rate = Rate(window_s=2.0)
    assert rate.per_second(0.0) == 0.0
    for number in range(21):
        rate.add(10 + number * 0.1)
    assert rate.per_second(12.0) == pytest.approx(10.0)
    assert rate.per_second(20.0) == 0.0, "an idle page shows no speed"


def test_metrics_as_json() -> None:
    metrics = Metrics()
    metrics.record_frame(1.0, 20.0, 5.0)
    metrics.record_frame(1.1, 40.0, 5.0)
    told = metrics.to_json(1.1)
    assert told["frames"] == 2
    assert told["inference_ms"] == {"p50": 30.0, "p95": pytest.approx(39.0)}
    assert told["fps"] == pytest.approx(10.0)
