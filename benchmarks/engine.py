"""How long a frame takes in each model, and how much of that diffusers' own pipeline would take.

`python -m benchmarks.engine` runs doodle and full-size models with random weights, ours and plain
diffusers on the same weights, with the full and with the tiny VAE. No network is needed. Results go
to `benchmarks/results/`; the last line on stdout is JSON. See docs/benchmarks.md.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import torch
from PIL import Image, ImageDraw

from benchmarks import card, engine_report, fullsize, report, workloads
from benchmarks.engine_report import Cell
from benchmarks.report import say
from benchmarks.rigs import (
    RIGS,
    Build,
    Rig,
    compute_of,
    free_bytes,
    needed_bytes,
    smaller,
    ways,
    what_fits,
)
from benchmarks.ways import Way
from turbo_ui.backends.compute import Compute, is_out_of_memory
from turbo_ui.errors import TurboUIError
from turbo_ui.frames import FrameRequest, Pixels

SUMMARY = "Measures frames of each model, ours and plain diffusers' on the same weights."
PROMPT = "a red apple on a wooden table, oil painting"
SEED = 7
POINTS_A_FRAME = 6
"""A hand draws so many points between two frames at 10 frames/s."""
MAX_S = 500.0
"""The whole run stays below nine minutes; a slower machine measures fewer frames."""
MAX_FRAMES = 40
MAX_S_ASKED, MAX_FRAMES_ASKED = 3600, 1000
NUM_WARM_UP = {"cpu": 1, "cuda": 3, "mps": 2}
QUICK_PX = 512


@dataclass
class Time:
    """How much of the run is left, shared out evenly among what is still to be measured."""

    ends_at: float
    num_left: int

    def next_share_s(self, now: float) -> float:
        """The time of the next cell."""
        share = max(0.0, self.ends_at - now) / max(1, self.num_left)
        self.num_left -= 1
        return share

    def has_room_for(self, seconds: float, now: float) -> bool:
        return now + seconds <= self.ends_at


@dataclass
class Run:
    """What was measured so far, and what was not and why."""

    chosen: argparse.Namespace
    time: Time
    cells: list[Cell] = field(default_factory=list[Cell])
    notes: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])

    def note(self, rig: Rig, size_px: int | None, text: str) -> None:
        say(f"{rig.spec.title}{f' {size_px}' if size_px else ''}: {text}")
        self.notes.append({"title": rig.spec.title, "size_px": size_px, "text": text})


def sketches(size_px: int, num: int) -> list[Pixels]:
    """A drawing as it grows, `(size, size, 3) uint8`: each frame has a few more points of it."""
    sheet = Image.new("RGB", (size_px, size_px), "white")
    pen = ImageDraw.Draw(sheet)
    width = max(2, size_px // 40)
    # the first sketch has ink, too: without it a request would be text-to-image
    strokes = workloads.drag(SEED, (num + 2) * POINTS_A_FRAME / workloads.HZ)
    points = [point for stroke in strokes for point in stroke.points]
    scaled = [(x * size_px, y * size_px) for x, y in points]
    found: list[Pixels] = []
    for place in range(num):
        pen.line(scaled[place * POINTS_A_FRAME : (place + 1) * POINTS_A_FRAME + 1], "navy", width)
        found.append(np.array(sheet))
    return found


def requests(rig: Rig, size_px: int, num: int) -> list[FrameRequest]:
    """A hand that draws: a new sketch with every frame, the prompt stays."""
    return [
        FrameRequest(
            model=rig.spec.id,
            prompt=PROMPT,
            image=pixels,
            strength=rig.strength,
            num_inference_steps=rig.num_inference_steps,
            seed=SEED,
            width=size_px,
            height=size_px,
        )
        for pixels in sketches(size_px, num)
    ]


def measure(
    rig: Rig, way: Way, size_px: int, share_s: float, max_frames: int, device: torch.device
) -> Cell:
    """Frames of one way at one size, at least one, for as long as its share of the time allows."""
    cell = Cell(rig.spec.id, rig.spec.title, size_px, way.name)
    num_warm_up = NUM_WARM_UP[device.type]
    wanted = requests(rig, size_px, num_warm_up + max_frames)
    is_cuda = device.type == "cuda"
    if is_cuda:
        torch.cuda.reset_peak_memory_stats(device)
    ends_at = time.perf_counter() + share_s
    for place, request in enumerate(wanted):
        begun = time.perf_counter()
        stages = way.frame(request)
        spent_ms = (time.perf_counter() - begun) * 1000
        if place < num_warm_up:
            cell.warm_up_ms.append(round(spent_ms, 3))
            continue
        cell.add(spent_ms, stages)
        if time.perf_counter() + spent_ms / 1000 > ends_at:
            break
    cell.peak_bytes = torch.cuda.max_memory_allocated(device) if is_cuda else None
    return cell


def measure_way(run: Run, rig: Rig, way: Way, chosen: Compute) -> None:
    """One way at all sizes, smallest first; a size that would take too long is left out."""
    last: Cell | None = None
    for size_px in rig.sizes_px(chosen.device):
        share_s = run.time.next_share_s(time.perf_counter())
        if last is not None:
            growth = (size_px / last.size_px) ** 2
            num_frames = NUM_WARM_UP[chosen.device.type] + 1
            expected_s = num_frames * growth * min(last.totals) / 1000
            if not run.time.has_room_for(expected_s, time.perf_counter()):
                run.note(rig, size_px, f"{way.name} is left out, the time is up")
                continue
        try:
            last = measure(rig, way, size_px, share_s, run.chosen.frames, chosen.device)
        except (TurboUIError, RuntimeError, MemoryError) as error:
            if not isinstance(error, TurboUIError) and not is_out_of_memory(error):
                raise
            run.note(rig, size_px, f"{way.name} failed: {error}")
            continue
        run.cells.append(last)
        found = last.summary()
        frame = report.both(found["frame_ms"])
        say(f"{rig.spec.title} {size_px} {way.name}: {frame} ms, {found['num_frames']} frames")


def measure_rig(run: Run, rig: Rig, build: Build) -> None:
    """One model with all its ways."""
    chosen = compute_of(rig, run.chosen.device)
    sizes = rig.sizes_px(chosen.device)
    if not sizes:
        run.note(rig, None, f"is not run on {chosen.device.type}: it would take minutes a frame")
        return
    if not run.time.has_room_for(0, time.perf_counter()):
        run.note(rig, None, "is not run, the time is up")
        return
    try:
        without, text = what_fits(rig, chosen, free_bytes(chosen.device))
    except MemoryError as error:
        run.time.num_left -= rig.num_ways * len(sizes)
        run.note(rig, None, f"is not run: it {error}")
        return
    if text:
        run.note(rig, None, f"runs {text}")
    needed = needed_bytes(rig, chosen, without) / 1e9
    say(f"{rig.spec.title}: {chosen.text}, about {needed:.1f} GB")
    for way in ways(rig, chosen, without, build):
        measure_way(run, rig, way, chosen)


def benchmark(
    chosen: argparse.Namespace, rigs: Sequence[Rig] = RIGS, build: Build = fullsize.build
) -> dict[str, Any]:
    """All models: prints as it goes, writes the files, returns the results without raw samples."""
    begun = time.perf_counter()
    rigs = [rig for rig in rigs if rig.spec.id in chosen.models]
    if chosen.quick:
        rigs = [smaller(rig, QUICK_PX) for rig in rigs]
    first = compute_of(RIGS[0], chosen.device)
    facts = card.read(first.text, first.dtype_name, threads=str(torch.get_num_threads()))
    report.print_card(facts)
    num_cells = sum(rig.num_ways * len(rig.sizes_px(first.device)) for rig in rigs)
    run = Run(chosen, Time(begun + chosen.max_seconds, num_cells))
    for rig in rigs:
        measure_rig(run, rig, build)
    return finish(run, facts, time.perf_counter() - begun)


def finish(run: Run, facts: dict[str, str], wall_s: float) -> dict[str, Any]:
    """Prints and writes what came out."""
    chosen = run.chosen
    cells = [cell.summary() for cell in run.cells]
    result = {
        "benchmark": "engine",
        "card": facts,
        "workload": {"seed": SEED, "prompt": PROMPT, "is_quick": chosen.quick},
        "cells": cells,
        "ratios": engine_report.ratios(cells),
        "notes": run.notes,
        "wall_s": round(wall_s, 1),
    }
    samples = {"cells": [asdict(cell) for cell in run.cells]}
    report.deliver(chosen, result, samples, engine_report.markdown(result), where(facts))
    return result


def where(facts: dict[str, str]) -> str:
    """The processor or, where models run on one, the GPU: a device's text begins with its name."""
    name = facts["device"].split(",")[0]
    return facts["machine"] if name == "CPU" else name


def read_arguments(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """The command line; a wrong argument ends the program with a sentence that says why."""
    parser = argparse.ArgumentParser(prog="benchmarks.engine", description=SUMMARY)
    known = [rig.spec.id for rig in RIGS]
    parser.add_argument("--models", default=",".join(known), help="some of " + ",".join(known))
    parser.add_argument("--device", default=None, help="cpu, cuda, cuda:1, mps (the best one)")
    parser.add_argument("--frames", type=int, default=MAX_FRAMES, help="at most, of each cell")
    parser.add_argument("--max-seconds", type=float, default=MAX_S, help=f"in all ({MAX_S:g})")
    report.add_arguments(parser, "one or two frames", "the device's")
    chosen = parser.parse_args(argv)
    chosen.models = report.chosen_names(parser, "--models", chosen.models, known)
    report.check_range(parser, "--frames", chosen.frames, 1, MAX_FRAMES_ASKED)
    report.check_range(parser, "--max-seconds", chosen.max_seconds, 1, MAX_S_ASKED)
    report.check_out(parser, chosen.out)
    if chosen.quick:
        chosen.frames = min(chosen.frames, 2)
    return chosen


def main(argv: Sequence[str] | None = None) -> int:
    chosen = read_arguments(argv)
    try:
        result = benchmark(chosen)
    except TurboUIError as error:
        print(f"the benchmark did not finish: {error}", file=sys.stderr)
        return 1
    print(json.dumps(result, separators=(",", ":")))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
