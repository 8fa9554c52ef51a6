"""How fast, and in how much memory, does a process paint that does nothing else?

`python -m training.doodle.footprint --model FOLDER` prints one JSON line. It is a process of
its own because the peak memory of a process never falls; several, one after the other, as shared
machines change their speed within minutes, and one process tells of its own minute only.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

NUM_THREADS = 2
NUM_RUNS = 5
NUM_FRAMES = 60
NUM_WARM_UP = 8
MIB = 1024 * 1024


def measure(folder: Path) -> dict[str, float]:
    """Load the model, warm up, and paint 60 frames of a sketch that grows; batch 1, 256 x 256."""
    import numpy as np
    import torch

    from turbo_ui import FrameRequest, load

    torch.set_num_threads(NUM_THREADS)
    started_at = time.perf_counter()
    backend = load(str(folder), device="cpu")
    load_s = time.perf_counter() - started_at
    rng = np.random.default_rng(0)
    sketch = np.full((256, 256, 3), 255, np.uint8)
    frame_ms: list[float] = []
    stages: list[dict[str, float]] = []
    for index in range(NUM_WARM_UP + NUM_FRAMES):
        y, x = rng.integers(0, 216, 2)
        sketch[y : y + 40, x : x + 40] = rng.integers(0, 256, 3)
        begun_at = time.perf_counter()
        frame = backend.generate(
            [FrameRequest(prompt="a red car under a tree", image=sketch, width=256, height=256)]
        )[0]
        assert frame.image.shape == (256, 256, 3)
        if index >= NUM_WARM_UP:
            frame_ms.append(1000 * (time.perf_counter() - begun_at))
            stages.append({name: getattr(frame.timings, name) for name in STAGES})
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    result = {
        "frame_ms_p50": float(np.median(frame_ms)),
        "frame_ms_p95": float(np.percentile(frame_ms, 95)),
        "load_s": load_s,
        "peak_memory_mb": peak / (MIB if platform.system() == "Darwin" else 1024),
    }
    return result | {name: float(np.median([s[name] for s in stages])) for name in STAGES}


STAGES = ("text_encode_ms", "vae_encode_ms", "denoise_ms", "vae_decode_ms")


def measure_apart(folder: Path) -> dict[str, Any]:
    """The same in processes of their own, on two threads, one after the other.

    Returns:
        The median of each number over all runs; of peak memory the most; "frame_ms_runs" holds
        each run's median frame, shortest first, and "frames_per_second" is of their median.
    """
    runs = [_run_apart(folder) for _ in range(NUM_RUNS)]
    result: dict[str, Any] = {
        name: statistics.median(run[name] for run in runs) for name in runs[0]
    }
    result["peak_memory_mb"] = max(run["peak_memory_mb"] for run in runs)
    result["frame_ms_runs"] = sorted(run["frame_ms_p50"] for run in runs)
    return result | {"frames_per_second": 1000 / result["frame_ms_p50"]}


def _run_apart(folder: Path) -> dict[str, float]:
    environment = os.environ | {"OMP_NUM_THREADS": str(NUM_THREADS)}
    command = [sys.executable, "-m", "training.doodle.footprint", "--model", str(folder)]
    done = subprocess.run(command, env=environment, check=True, stdout=subprocess.PIPE, text=True)
    return json.loads(done.stdout.splitlines()[-1])


def size_mb(folder: Path) -> float:
    """All files of a folder, in MB of 10^6 bytes."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / 1e6


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, required=True, help="a diffusers folder")
    print(json.dumps(measure(parser.parse_args().model)))
