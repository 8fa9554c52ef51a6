"""Measures of the loop: percentiles and frames per second of late, and histograms of all since the
start. No clock is read in here."""

from __future__ import annotations

import threading
from bisect import bisect_left
from collections import deque
from copy import deepcopy
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Any

from turbo_ui.live.events import Event, Published, SubmissionKind

WINDOW_FRAMES = 120
"""Percentiles are over this many frames: what the page's sparkline shows."""
FPS_WINDOW_S = 2.0
"""Frames per second are over this long: shorter jumps, longer lags behind the hand."""
BOUNDS_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
"""From the embedded model on a GPU to a large one on a CPU; all that takes longer is one."""


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


class Histogram:
    """How many values of one measure were how large, in seconds.

    Attributes:
        sum_s: of all values.
    """

    def __init__(self) -> None:
        self._counts = [0] * (len(BOUNDS_S) + 1)
        self.sum_s = 0.0

    def __len__(self) -> int:
        return sum(self._counts)

    def add(self, seconds: float) -> None:
        self._counts[bisect_left(BOUNDS_S, seconds)] += 1
        self.sum_s += seconds

    def at_most(self) -> list[tuple[float, int]]:
        """Each of `BOUNDS_S` with the number of values that were not above it."""
        return list(zip(BOUNDS_S, accumulate(self._counts), strict=False))


@dataclass
class Drawn:
    """All pictures of one model and kind."""

    inference: Histogram = field(default_factory=Histogram)
    queue_wait: Histogram = field(default_factory=Histogram)


class Tally:
    """What was drawn since the start, for whoever watches over the server. From any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._drawn: dict[tuple[str, SubmissionKind], Drawn] = {}

    def hear(self, event: Event) -> None:
        """Counts a finished picture; passes over all else."""
        if not isinstance(event, Published) or not event.frame.is_last:
            return
        with self._lock:
            drawn = self._drawn.setdefault((event.frame.request.model, event.kind), Drawn())
            drawn.inference.add(event.frame.timings.inference_ms / 1000)
            drawn.queue_wait.add(event.queue_wait_ms / 1000)

    def drawn(self) -> dict[tuple[str, SubmissionKind], Drawn]:
        """By model and kind, as it stands now."""
        with self._lock:
            return deepcopy(self._drawn)
