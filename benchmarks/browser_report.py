"""What the browser benchmark says of its samples: percentiles, ratios to the plain way, goals.

Samples are kept as they were measured, a row for each frame, so that anything else can be computed
from a results file later.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from benchmarks.report import both, heading, number, spread, table

BACKEND_STAGES = ("text_encode", "vae_encode", "denoise", "vae_decode")
OVERHEAD_STAGES = ("network", "decode", "jpeg")
"""What lane and server add to a frame. Waiting for the device is the frame before, not they."""


@dataclass(frozen=True)
class LiveRun:
    """One drag on the app's page.

    Attributes:
        backend: its name in the report.
        stages: the columns of `rows`, in the order in which they happen.
        rows: ms of each stage, a row for each painted frame.
        totals: input event → painted pixel in ms, for each painted frame.
        painted_at: when each was painted, in ms on the page's clock.
        counters: `superseded`, `bytes_sent`, `bytes_received`, `pointer_hz`, `size_px`.
    """

    backend: str
    stages: list[str]
    rows: list[list[float]]
    totals: list[float]
    painted_at: list[float]
    counters: dict[str, float] = field(default_factory=dict)

    @classmethod
    def of(cls, backend: str, records: list[dict[str, Any]], counters: dict[str, float]) -> LiveRun:
        """From the records of the page's own meter.

        Raises:
            ValueError: the records lack a stage that the sums are made of.
        """
        stages = list(records[0]["stages"]) if records else []
        missing = [name for name in (*BACKEND_STAGES, *OVERHEAD_STAGES) if name not in stages]
        if records and missing:
            raise ValueError(f"the page's records lack the stages {', '.join(missing)}")
        return cls(
            backend,
            stages,
            [[round(record["stages"][name], 3) for name in stages] for record in records],
            [round(record["total"], 3) for record in records],
            [round(record["at"], 3) for record in records],
            counters,
        )

    def sums(self, names: Sequence[str]) -> list[float]:
        """For each frame, the sum of some of its stages."""
        places = [self.stages.index(name) for name in names] if self.rows else []
        return [sum(row[place] for place in places) for row in self.rows]

    def summary(self) -> dict[str, Any]:
        backend = self.sums(BACKEND_STAGES)
        num = len(self.totals)
        spent_ms = self.painted_at[-1] - self.painted_at[0] if num > 1 else 0.0
        fps = (num - 1) * 1000 / spent_ms if spent_ms else 0.0
        own_fps = 1000 * num / sum(backend) if sum(backend) else None
        rest = [total - own for total, own in zip(self.totals, backend, strict=True)]
        return {
            "num_frames": num,
            "stroke_to_pixel_ms": spread(self.totals),
            "backend_ms": spread(backend),
            "minus_backend_ms": spread(rest),
            "lane_and_server_ms": spread(self.sums(OVERHEAD_STAGES)),
            "stages_ms": {name: spread(self.sums([name])) for name in self.stages},
            "fps": fps,
            "backend_fps": own_fps,
            "share_of_backend_fps": fps / own_fps if own_fps else None,
            "sent_bytes_per_frame": self.counters.get("bytes_sent", 0) / max(1, num),
            "received_bytes_per_frame": self.counters.get("bytes_received", 0) / max(1, num),
            **self.counters,
        }


@dataclass(frozen=True)
class PlainRun:
    """Short strokes on the plain page: pen-up → painted pixel in ms, None: none came in time."""

    backend: str
    answers: list[float | None]
    within_s: float

    def summary(self) -> dict[str, Any]:
        """A stroke without an answer counts as the time limit, which is kind to the plain way.

        A percentile that falls on such a stroke is a lower bound.
        """
        limit_ms = self.within_s * 1000
        times = [limit_ms if answer is None else answer for answer in self.answers]
        found = spread(times)
        return {
            "num_strokes": len(self.answers),
            "num_unanswered": self.answers.count(None),
            "within_s": self.within_s,
            "stroke_to_pixel_ms": found,
            "is_lower_bound": found["p50"] is not None and found["p50"] >= limit_ms,
            "while_the_pen_is_down": 0,
        }


@dataclass(frozen=True)
class Goal:
    """A number that is aimed at; whether it is met is printed and asserted nowhere."""

    text: str
    target: float
    is_ceiling: bool
    value: float | None

    @property
    def verdict(self) -> str:
        if self.value is None:
            return "not measured"
        is_met = self.value <= self.target if self.is_ceiling else self.value >= self.target
        return "met" if is_met else "missed"

    def to_json(self) -> dict[str, Any]:
        return {
            "goal": self.text,
            "target": ("<= " if self.is_ceiling else ">= ") + f"{self.target:g}",
            "value": self.value,
            "verdict": self.verdict,
        }


def goals(live: dict[str, dict[str, Any]], plain: dict[str, dict[str, Any]]) -> list[Goal]:
    """The goals, from the summaries by backend name."""
    fast, slow = live.get("stand-in 10 ms", {}), live.get("stand-in 100 ms", {})

    def median(summary: dict[str, Any], name: str) -> float | None:
        return summary.get(name, {}).get("p50")

    return [
        Goal("lane and server overhead, p50 ms (stand-in 10 ms)", 8, True,
             median(fast, "lane_and_server_ms")),
        Goal("stroke to pixel minus backend time, p50 ms (stand-in 10 ms)", 45, True,
             median(fast, "minus_backend_ms")),
        Goal("share of the backend's own frames/s (stand-in 100 ms)", 0.9, False,
             slow.get("share_of_backend_fps")),
        Goal("times below the plain way's p50 (stand-in 10 ms)", 10, False,
             ratios(live, plain).get("stand-in 10 ms")),
    ]  # fmt: skip


def ratios(live: dict[str, dict[str, Any]], plain: dict[str, dict[str, Any]]) -> dict[str, float]:
    """How many times the plain way's p50 is the app's, for each backend that both ran."""
    found: dict[str, float] = {}
    for name in live.keys() & plain.keys():
        ours = live[name]["stroke_to_pixel_ms"]["p50"]
        theirs = plain[name]["stroke_to_pixel_ms"]["p50"]
        if ours and theirs:
            found[name] = theirs / ours
    return dict(sorted(found.items()))


def markdown(result: dict[str, Any]) -> str:
    """The short form for people."""
    live, plain = result["live"], result["plain"]
    lines = [*heading("Browser benchmark", result["card"]), "Milliseconds are p50 / p95.", ""]
    if live:
        lines += table(["", *live], live_rows(live))
    for name, summary in plain.items():
        at_least = "at least " if summary["is_lower_bound"] else ""
        lines.append(
            f"- Plain way, {name}: {at_least}{both(summary['stroke_to_pixel_ms'])} after pen-up, "
            f"nothing while the pen is down; {summary['num_unanswered']} of "
            f"{summary['num_strokes']} strokes without a picture in {summary['within_s']:g} s."
        )
    if result["ratios"]:
        found = (f"{ratio:.1f} ({name})" for name, ratio in result["ratios"].items())
        lines.append(f"- Times below the plain way's p50: {', '.join(found)}.")
    lines += ["", *table(["goal", "wanted", "measured", ""], goal_rows(result["goals"]))]
    return "\n".join(lines)


def live_rows(live: dict[str, dict[str, Any]]) -> list[list[str]]:
    each = list(live.values())
    names = ("stroke_to_pixel_ms", "backend_ms", "minus_backend_ms", "lane_and_server_ms")
    rows = [[name[:-3].replace("_", " "), *(both(one[name]) for one in each)] for name in names]
    for stage in each[0]["stages_ms"]:
        cells = [both(one["stages_ms"].get(stage, {"p50": None, "p95": None})) for one in each]
        rows.append(["· " + stage.replace("_", " "), *cells])
    rows.append(["frames/s", *(f"{one['fps']:.1f}" for one in each)])
    rows.append(["backend's own frames/s", *(number(one["backend_fps"]) for one in each)])
    rows.append(["frames", *(str(one["num_frames"]) for one in each)])
    rows.append(["superseded", *(f"{one['superseded']:.0f}" for one in each)])
    for way in ("sent", "received"):
        cells = [f"{one[f'{way}_bytes_per_frame'] / 1000:.1f}" for one in each]
        rows.append([f"kB {way} a frame", *cells])
    rows.append(["pointer Hz", *(f"{one['pointer_hz']:.1f}" for one in each)])
    return rows


def goal_rows(found: list[dict[str, Any]]) -> list[list[str]]:
    return [[one["goal"], one["target"], number(one["value"]), one["verdict"]] for one in found]
