"""Rolling measures of the loop: percentiles and frames per second. No clock is read in here."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import Any

WINDOW_FRAMES = 120
"""Percentiles are over this many frames: what the page's sparkline shows."""
FPS_WINDOW_S = 2.0
"""Frames per second are over this long: shorter jumps, longer lags behind the hand."""


class Rolling:
    """The last `WINDOW_FRAMES` values of one measure."""

    def __init__(self, num_kept: int = WINDOW_FRAMES) -> None:
        self._values: deque[float] = deque(maxlen=num_kept)

    def __len__(self) -> int:
        return len(self._values)

    def add(self, value: float) -> None:
        self._values.append(value)

    def percentile(self, percent: float) -> float | None:
        """By linear interpolation between the two nearest ranks; None of nothing."""
        if not self._values:
            return None
        ordered = sorted(self._values)
        place = (len(ordered) - 1) * percent / 100
        below = int(place)
        above = min(below + 1, len(ordered) - 1)
        return ordered[below] + (ordered[above] - ordered[below]) * (place - below)

    def mean_of_last(self, num: int) -> float | None:
        """Over the last `num` values, or as many as there are; None where there are none."""
        if not self._values:
            return None
        last = list(self._values)[-num:]
        return sum(last) / len(last)

    def summary(self) -> dict[str, float | None]:
        return {"p50": self.percentile(50), "p95": self.percentile(95)}


class Rate:
    """How often something happened lately."""

    def __init__(self, window_s: float = FPS_WINDOW_S) -> None:
        self._window_s = window_s
        self._times: deque[float] = deque(maxlen=2048)

    def add(self, now: float) -> None:
        self._times.append(now)

    def per_second(self, now: float) -> float:
        """Between the first and the last event of the window; 0 where there were fewer than two."""
        recent = [time for time in self._times if now - time <= self._window_s]
        if len(recent) < 2 or recent[-1] <= recent[0]:
            return 0.0
        return (len(recent) - 1) / (recent[-1] - recent[0])


@dataclass
class Metrics:
    """What is counted for one session, and once more for all together."""

    num_frames: int = 0
    num_previews: int = 0
    num_superseded: int = 0
    num_stopped: int = 0
    num_failed: int = 0
    inference_ms: Rolling = field(default_factory=Rolling)
    queue_wait_ms: Rolling = field(default_factory=Rolling)
    frame_rate: Rate = field(default_factory=Rate)

    def record_frame(self, now: float, inference_ms: float, queue_wait_ms: float) -> None:
        """A picture was published at `now`, in seconds."""
        self.num_frames += 1
        self.inference_ms.add(inference_ms)
        self.queue_wait_ms.add(queue_wait_ms)
        self.frame_rate.add(now)

    def to_json(self, now: float) -> dict[str, Any]:
        return {
            "frames": self.num_frames,
            "previews": self.num_previews,
            "superseded": self.num_superseded,
            "stopped": self.num_stopped,
            "failed": self.num_failed,
            "fps": self.frame_rate.per_second(now),
            "inference_ms": self.inference_ms.summary(),
            "queue_wait_ms": self.queue_wait_ms.summary(),
        }
