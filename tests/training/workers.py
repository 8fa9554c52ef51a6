"""Processes that train together, as `train_unet` starts them on a CPU."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import torch
import torch.distributed
import torch.multiprocessing

NUM = 2
_PATIENCE = timedelta(minutes=5)
"""A worker that waits in vain ends, so that a failing test does not hang."""


def together(work: Callable[[int], Any], folder: Path) -> list[Any]:
    """What each of `NUM` gloo processes of one thread gives.

    Args:
        work: a module's function, called with the number of its process.
        folder: an empty one, where they meet and leave their results.
    """
    torch.multiprocessing.spawn(_worker, (work, folder), nprocs=NUM)
    return [torch.load(folder / f"{rank}.pt") for rank in range(NUM)]


def _worker(rank: int, work: Callable[[int], Any], folder: Path) -> None:
    torch.set_num_threads(1)
    meeting = f"file://{folder / 'workers'}"
    torch.distributed.init_process_group(
        "gloo", init_method=meeting, rank=rank, world_size=NUM, timeout=_PATIENCE
    )
    torch.save(work(rank), folder / f"{rank}.pt")
    torch.distributed.destroy_process_group()
