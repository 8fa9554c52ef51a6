"""What a program that watches the server is told at `/metrics`, in Prometheus' text format.

Numbers and the models' ids, and nothing of what anybody draws. docs/metrics.md lists them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from turbo_ui.live.engine import Engine
from turbo_ui.live.events import SubmissionKind
from turbo_ui.live.metrics import Drawn, Histogram
from turbo_ui.web.guard import ASK_FOR_KEY
from turbo_ui.web.lane import Lane
from turbo_ui.web.roster import Roster

PATH = "/metrics"
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
PREFIX = "turbo_ui_"

Labels = Mapping[str, str]


@dataclass(frozen=True)
class Family:
    """One measure: its name without the prefix, what it is, and a line for each set of labels."""

    name: str
    kind: str
    text: str
    lines: Iterable[tuple[str, Labels, float]]
    """What the line's name has beyond the measure's own, its labels, its value."""


def route(engine: Engine, roster: Roster, lane: Lane) -> Route:
    async def metrics(request: Request) -> Response:
        if not lane.guard.may_watch(request):
            text = "Log in first, or send the API's key (TURBO_UI_API_KEY) as a bearer token.\n"
            return PlainTextResponse(text, status_code=401, headers=ASK_FOR_KEY)
        text = "".join(written(family) for family in families(engine, roster, lane))
        return Response(text, headers={"Content-Type": CONTENT_TYPE})

    return Route(PATH, metrics)


def families(engine: Engine, roster: Roster, lane: Lane) -> Iterator[Family]:
    """All measures, in the order of docs/metrics.md."""
    stats, drawn = engine.stats(), engine.tally.drawn()
    yield Family("ready", "gauge", "Whether some model can draw.", just(roster.is_ready()))
    yield Family(
        "model_state",
        "gauge",
        "Where each model stands: 1 for the state that it is in.",
        [
            ("", {"model": each.model_id, "state": each.state}, 1)
            for each in roster.switchboard.states()
        ],
    )
    yield Family("connections", "gauge", "Open live lanes.", just(len(lane.connections)))
    yield Family(
        "connections_refused_total",
        "counter",
        "Live lanes that were refused, by reason.",
        [("", {"code": code}, number) for code, number in lane.num_refused.items()],
    )
    yield Family(
        "sessions",
        "gauge",
        "Who shares the device: open pages, and calls that wait for their picture.",
        just(stats["num_sessions"]),
    )
    yield Family(
        "running_seconds",
        "gauge",
        "How long the frame on the device has been running; 0 where none is. A model that hangs.",
        just((stats["running_ms"] or 0.0) / 1000),
    )
    yield Family(
        "frames_total",
        "counter",
        "Finished pictures. Kind: live follows the hand or came by the API, refine came after it.",
        [("", labels, len(each.inference)) for labels, each in by_label(drawn)],
    )
    for name, text in (
        ("previews", "Pictures between two steps."),
        ("superseded", "Requests that a newer one of the same page replaced."),
        ("stopped", "Requests that ran and were stopped between two steps."),
        ("failed", "Requests that gave no picture."),
    ):
        yield Family(f"{name}_total", "counter", text, just(stats[name]))
    yield Family(
        "inference_seconds",
        "histogram",
        "What the model took for a finished picture.",
        [line for labels, each in by_label(drawn) for line in buckets(labels, each.inference)],
    )
    yield Family(
        "queue_wait_seconds",
        "histogram",
        "How long a finished picture's request waited for its turn.",
        [line for labels, each in by_label(drawn) for line in buckets(labels, each.queue_wait)],
    )


def just(value: float) -> list[tuple[str, Labels, float]]:
    """One line without labels."""
    return [("", {}, value)]


def by_label(drawn: Mapping[tuple[str, SubmissionKind], Drawn]) -> Iterator[tuple[Labels, Drawn]]:
    for (model_id, kind), each in drawn.items():
        yield {"model": model_id, "kind": kind}, each


def buckets(labels: Labels, histogram: Histogram) -> Iterator[tuple[str, Labels, float]]:
    for bound_s, number in histogram.at_most():
        yield "_bucket", {**labels, "le": str(bound_s)}, number
    yield "_bucket", {**labels, "le": "+Inf"}, len(histogram)
    yield "_sum", labels, histogram.sum_s
    yield "_count", labels, len(histogram)


def written(family: Family) -> str:
    """A measure as the format has it; nothing but its head where it has no line."""
    name = PREFIX + family.name
    lines = [f"# HELP {name} {family.text}", f"# TYPE {name} {family.kind}"]
    for suffix, labels, value in family.lines:
        inner = ",".join(f'{key}="{escaped(text)}"' for key, text in labels.items())
        number = value if isinstance(value, float) else int(value)
        lines.append(f"{name}{suffix}{{{inner}}} {number}" if inner else f"{name} {number}")
    return "\n".join(lines) + "\n"


def escaped(text: str) -> str:
    """A label's value: a model's id may be anybody's file name."""
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
