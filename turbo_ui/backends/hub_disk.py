"""Room on the disk for what is downloaded, several at once included."""

from __future__ import annotations

import errno
import shutil
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
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


Wanted = tuple[str, str | None]
"""A repository and its revision."""

_running: list[tuple[Wanted, Download]] = []
_lock = threading.Lock()
"""For the list, as the disk is one for all threads."""


@contextmanager
def room_for(repo: str, revision: str | None, download: Download) -> Iterator[None]:
    """Around a download; says at once what would come after gigabytes: that they do not fit beside
    what others are still to bring.

    Args:
        revision: of the repository, as it is asked for; None is its newest.

    Raises:
        OSError: with ENOSPC.
    """
    entry = (repo, revision), download
    with _lock:
        missing_bytes = download.left_bytes
        others_bytes = _left_bytes([*_running, entry]) - missing_bytes
        _check(missing_bytes, others_bytes, is_alone=not _running)
        _running.append(entry)
    try:
        yield
    finally:
        with _lock:
            _running.remove(entry)


def _left_bytes(downloads: Iterable[tuple[Wanted, Download]]) -> int:
    """What they are still to bring together. What several want of one revision comes once, and the
    one that lacks most brings it; what revisions have in common counts for each."""
    most: dict[Wanted, int] = {}
    for wanted, download in downloads:
        most[wanted] = max(most.get(wanted, 0), download.left_bytes)
    return sum(most.values())


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
    # else they are those of a download that is running
    if is_alone and (left := _incomplete_bytes(cache)):
        text += f"; {left / 1e9:.1f} GB are left of downloads that broke off, *.incomplete"
    raise OSError(errno.ENOSPC, text)


def _incomplete_bytes(cache: Path) -> int:
    """Of files that are not all there. Another program may finish or delete some meanwhile."""
    num_bytes = 0
    for file in cache.glob("*/blobs/*.incomplete"):
        with suppress(FileNotFoundError):
            num_bytes += file.stat().st_size
    return num_bytes
