"""When a frame may start or be stopped: pure functions of times that are passed in.

How long typing and the hand rest before the page asks for anything is the page's own affair, in its
timers.
"""

from __future__ import annotations

SLOW_MODEL_MS = 1500.0
"""From this mean on a model is slow: a frame begun too early costs more than a short wait."""
GRACE_REST_MS = 250.0
"""How long the hand rests before a slow model's next frame."""
GRACE_MAX_MS = 3000.0
"""A hand that never rests waits no longer than this."""
GRACE_NUM_FRAMES = 10
"""The mean is taken over this many frames."""


def ready_at(waiting_since: float, last_input_at: float, mean_inference_ms: float | None) -> float:
    """When a waiting live request may run, in seconds on the clock of the arguments.

    A fast model, or one that has made no frame yet, may at once. A slow one waits until the hand
    has rested for `GRACE_REST_MS`, but no longer than `GRACE_MAX_MS`.
    """
    if mean_inference_ms is None or mean_inference_ms <= SLOW_MODEL_MS:
        return waiting_since
    rested_at = last_input_at + GRACE_REST_MS / 1000
    latest_at = waiting_since + GRACE_MAX_MS / 1000
    return min(rested_at, latest_at)


def may_stop_live(is_newer_waiting: bool, was_last_stopped: bool) -> bool:
    """A running live frame may be stopped for a newer one, but never twice in a row.

    Else a hand that never rests would never see a picture.
    """
    return is_newer_waiting and not was_last_stopped
