"""What the benchmarks share: percentiles, tables, checks of arguments, the files of results."""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

import numpy as np

RESULTS = Path(__file__).parent / "results"


def percentile(values: Sequence[float], percent: float) -> float | None:
    """By linear interpolation between the two nearest ranks; None of nothing."""
    return float(np.percentile(values, percent)) if len(values) else None


def spread(values: Sequence[float]) -> dict[str, float | None]:
    return {"p50": percentile(values, 50), "p95": percentile(values, 95)}


def table(head: list[str], rows: list[list[str]]) -> list[str]:
    """A Markdown table with an empty line after it."""
    lines = [head, ["---"] * len(head), *rows]
    return ["| " + " | ".join(line) + " |" for line in lines] + [""]


def both(found: dict[str, float | None]) -> str:
    return f"{number(found['p50'])} / {number(found['p95'])}"


def number(value: float | None) -> str:
    if value is None:
        return "–"
    digits = 0 if abs(value) >= 100 else 1 if abs(value) >= 2 else 2
    return f"{value:.{digits}f}"


def heading(title: str, card: dict[str, str]) -> list[str]:
    """The first lines of a short form: title and card."""
    facts = [f"- {name}: {value}" for name, value in card.items() if name != "date"]
    return [f"# {title}, {card['date']}", "", *facts, ""]


def add_arguments(parser: argparse.ArgumentParser, trial: str, machine: str) -> None:
    """The arguments about results: `trial` is what a quick run does, `machine` what names it."""
    parser.add_argument("--quick", action="store_true", help=f"{trial}, no file: a trial")
    parser.add_argument("--machine", default="", help=f"its name in the results ({machine})")
    parser.add_argument("--out", type=Path, default=RESULTS, help="folder of the results")


def check_out(parser: argparse.ArgumentParser, out: Path) -> None:
    """Ends the program where results could not be written."""
    if out.exists() and not out.is_dir():
        parser.error(f"--out is {out}, which is a file; it must be a folder")


def check_range(
    parser: argparse.ArgumentParser, flag: str, value: float, low: float, high: float
) -> None:
    """Ends the program where a number is out of range, or is none."""
    if not low <= value <= high:
        parser.error(f"{flag} is {value:g}; it must be from {low:g} to {high:g}")


def chosen_names(
    parser: argparse.ArgumentParser, flag: str, given: str, known: Collection[str]
) -> list[str]:
    """The names in a list with commas; ends the program where one is unknown or none is given."""
    names = [name.strip() for name in given.split(",") if name.strip()]
    unknown = [name for name in names if name not in known]
    if unknown or not names:
        wrong = unknown[0] if unknown else ""
        parser.error(f"{flag} names {wrong!r}; there are {', '.join(known)}")
    return names


def print_card(card: dict[str, str]) -> None:
    for name, value in card.items():
        print(f"{name:9} {value}", flush=True)


def deliver(
    chosen: argparse.Namespace,
    result: dict[str, Any],
    samples: dict[str, Any],
    text: str,
    machine: str,
) -> None:
    """Prints the short form `text` and, unless this is a trial, writes it beside all results.

    Args:
        chosen: with the arguments of `add_arguments`.
        machine: its name where none was given.
    """
    print("\n" + text, flush=True)
    if chosen.quick:
        say("a quick run: it shows that everything works, and no file is written")
        return
    date = result["card"]["date"][:10]
    name = file_name(date, chosen.machine or machine, result["benchmark"])
    for path in write(chosen.out, name, result, samples, text):
        say(f"wrote {path}")


def file_name(date: str, machine: str, benchmark: str) -> str:
    """`2026-11-21-amd-epyc-2-cpus-browser`, from a machine's name as people write it."""
    return f"{date}-{re.sub('[^a-z0-9]+', '-', machine.lower()).strip('-')}-{benchmark}"


def write(
    folder: Path, name: str, result: dict[str, Any], samples: dict[str, Any], text: str
) -> list[Path]:
    """Writes the results, raw samples included, and the short form `text` beside them."""
    folder.mkdir(parents=True, exist_ok=True)
    full, short = folder / f"{name}.json", folder / f"{name}.md"
    full.write_text(json.dumps({**result, "samples": samples}, separators=(",", ":")) + "\n")
    short.write_text(text.rstrip() + "\n", "utf-8")
    return [full, short]


def say(text: str) -> None:
    """A line for whoever watches."""
    print(f"· {text}", flush=True)
