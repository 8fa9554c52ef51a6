"""Room on the disk for what is downloaded, several at once included."""

from __future__ import annotations

import errno
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from huggingface_hub import constants

MARGIN_BYTES = 200_000_000
"""Room that a download leaves on the disk."""


class Download(Protocol):
    """One that is about to begin, or runs."""

    @property
    def left_bytes(self) -> int:
        """What is still to come."""
        ...


_running: list[tuple[str, Download]] = []
_lock = threading.Lock()
"""For the list, as the disk is one for all threads."""


@contextmanager
def room_for(repo: str, download: Download) -> Iterator[None]:
    """Around a download; says at once what would come after gigabytes: that they do not fit beside
    what others are still to bring.

    Raises:
        OSError: with ENOSPC.
    """
    entry = repo, download
    with _lock:
        # what two want of one repository comes once
        others_bytes = sum(other.left_bytes for name, other in _running if name != repo)
        _check(download.left_bytes, others_bytes, is_alone=not _running)
        _running.append(entry)
    try:
        yield
    finally:
        with _lock:
            _running.remove(entry)


def _check(missing_bytes: int, others_bytes: int, *, is_alone: bool) -> None:
    cache = Path(constants.HF_HUB_CACHE)
    where = next(folder for folder in (cache, *cache.absolute().parents) if folder.exists())
    free = shutil.disk_usage(where).free
    needed = missing_bytes + others_bytes + MARGIN_BYTES
    if not missing_bytes or free >= needed:
        return
    text = f"{needed / 1e9:.1f} GB are needed and {free / 1e9:.1f} GB are free"
    if others_bytes:
        text += f"; {others_bytes / 1e9:.1f} GB of them for other downloads that are running"
    left = sum(file.stat().st_size for file in cache.glob("*/blobs/*.incomplete"))
    if left and is_alone:  # else they are those of a download that is running
        text += f"; {left / 1e9:.1f} GB are left of downloads that broke off, *.incomplete"
    raise OSError(errno.ENOSPC, text)
