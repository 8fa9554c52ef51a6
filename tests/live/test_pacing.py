"""The policies of time, as tables."""

from __future__ import annotations

import pytest

from turbo_ui.live import pacing


@pytest.mark.parametrize(
    ("waiting_since", "last_input_at", "mean_ms", "expected"),
    [
        (10.0, 10.0, None, 10.0),  # nothing known yet: at once
        (10.0, 12.0, 40.0, 10.0),  # fast: at once, however busy the hand is
        (10.0, 12.0, 1500.0, 10.0),  # just not slow
        (10.0, 10.0, 1501.0, 10.25),  # slow: a quarter of a second of rest
        (10.0, 12.0, 1501.0, 12.25),
        (10.0, 12.9, 2000.0, 13.0),  # a hand that never rests waits three seconds
        (10.0, 99.0, 2000.0, 13.0),
    ],
)
def test_the_grace_of_slow_models(
    waiting_since: float, last_input_at: float, mean_ms: float | None, expected: float
) -> None:
    assert pacing.ready_at(waiting_since, last_input_at, mean_ms) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("is_newer_waiting", "was_last_stopped", "expected"),
    [(True, False, True), (True, True, False), (False, False, False), (False, True, False)],
)
def test_never_stopped_twice_in_a_row(
    is_newer_waiting: bool, was_last_stopped: bool, expected: bool
) -> None:
    assert pacing.may_stop_live(is_newer_waiting, was_last_stopped) is expected
