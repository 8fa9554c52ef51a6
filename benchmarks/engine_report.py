"""What the engine benchmark says of its samples: frames/s, stages, and how many times as fast."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from benchmarks.report import both, heading, number, spread, table
from benchmarks.ways import BASELINES, STAGES


@dataclass
class Cell:
    """One way to run one model at one size; a row of `rows` and an entry of `totals` a frame.

    Attributes:
        totals: ms of whole frames, from the request to the pixels in main memory.
        rows: ms of each of `STAGES`.
        warm_up_ms: the frames before, which do not count.
        peak_bytes: the most that was on a CUDA device; None elsewhere.
    """

    model: str
    title: str
    size_px: int
    way: str
    totals: list[float] = field(default_factory=list[float])
    rows: list[list[float]] = field(default_factory=list[list[float]])
    warm_up_ms: list[float] = field(default_factory=list[float])
    peak_bytes: int | None = None

    def add(self, total_ms: float, stages_ms: dict[str, float]) -> None:
        self.totals.append(round(total_ms, 3))
        self.rows.append([round(stages_ms[name], 3) for name in STAGES])

    def summary(self) -> dict[str, Any]:
        rests = [total - sum(row) for total, row in zip(self.totals, self.rows, strict=True)]
        stages = {
            name: spread([row[place] for row in self.rows]) for place, name in enumerate(STAGES)
        }
        return {
            "model": self.model,
            "title": self.title,
            "size_px": self.size_px,
            "way": self.way,
            "num_frames": len(self.totals),
            "fps": 1000 * len(self.totals) / sum(self.totals) if self.totals else None,
            "frame_ms": spread(self.totals),
            "stages_ms": {**stages, "rest": spread(rests)},
            "peak_bytes": self.peak_bytes,
        }


def ratios(summaries: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """How many times our p50 the pipeline's is, with the same networks, at each size."""
    by_key = {(one["model"], one["size_px"], one["way"]): one for one in summaries}
    found: list[dict[str, Any]] = []
    for (model, size_px, way), ours in by_key.items():
        theirs = by_key.get((model, size_px, BASELINES.get(way, "")))
        if theirs is None or not ours["frame_ms"]["p50"] or not theirs["frame_ms"]["p50"]:
            continue
        times = theirs["frame_ms"]["p50"] / ours["frame_ms"]["p50"]
        names = {"way": way, "baseline": theirs["way"]}
        found.append({"model": model, "size_px": size_px, **names, "times_as_fast": times})
    return found


def markdown(result: dict[str, Any]) -> str:
    """The short form for people."""
    lines = heading("Engine benchmark", result["card"])
    lines += ["Milliseconds are p50 / p95 of whole frames and of their stages.", ""]
    summaries: list[dict[str, Any]] = result["cells"]
    for title, size_px in dict.fromkeys((one["title"], one["size_px"]) for one in summaries):
        cells = [one for one in summaries if (one["title"], one["size_px"]) == (title, size_px)]
        lines += [f"## {title}, {size_px}×{size_px}", "", *table(_head(), _rows(cells))]
        for ratio in result["ratios"]:
            if (ratio["model"], ratio["size_px"]) == (cells[0]["model"], size_px):
                times = f"{ratio['times_as_fast']:.2f}"
                lines.append(f"- {ratio['way']}: {times} times as fast as {ratio['baseline']}")
        lines.append("")
    for one in result["notes"]:
        lines.append(f"- {one['title']}{_at(one['size_px'])}: {one['text']}")
    return "\n".join(lines)


def _head() -> list[str]:
    return ["", "frames/s", "frame", *(name.replace("_", " ") for name in STAGES), "rest", "frames",
            "peak GB"]  # fmt: skip


def _rows(cells: list[dict[str, Any]]) -> list[list[str]]:
    return [
        [
            one["way"],
            number(one["fps"]),
            both(one["frame_ms"]),
            *(both(one["stages_ms"][name]) for name in (*STAGES, "rest")),
            str(one["num_frames"]),
            number(one["peak_bytes"] and one["peak_bytes"] / 1e9),
        ]
        for one in cells
    ]


def _at(size_px: int | None) -> str:
    return "" if size_px is None else f", {size_px}×{size_px}"
