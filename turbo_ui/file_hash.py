"""The hash by which model sites name a single file: AutoV2, of the SHA-256 the first 10 hex digits
in capitals.

Reading a file of 16 GB takes a minute, so it is done on a thread of its own, and what came out is
kept by path, size and time of change.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path

log = logging.getLogger(__name__)

NUM_DIGITS = 10
CHUNK_BYTES = 16 * 1024 * 1024


def cache_file() -> Path:
    """Where hashes are kept: in the user's cache folder."""
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(base) / "turbo_ui" / "file_hashes.json"


def compute(path: Path, should_stop: Callable[[], bool] = lambda: False) -> str | None:
    """The hash of a file, read to its end; None where `should_stop` said True on the way.

    Raises:
        OSError: it cannot be read.
    """
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(CHUNK_BYTES):
            if should_stop():
                return None
            digest.update(chunk)
    return digest.hexdigest()[:NUM_DIGITS].upper()


class FileHashes:
    """Hashes of files, computed behind the caller and remembered.

    Args:
        cache: a JSON file to remember them in; one that cannot be read or written is done without.
    """

    def __init__(self, cache: Path | None = None) -> None:
        self._cache = cache or cache_file()
        self._stopping = threading.Event()
        self._threads: list[threading.Thread] = []

    def find(self, path: Path, tell: Callable[[str], None]) -> None:
        """Calls `tell` with the file's hash: at once where it is known, else from a thread."""
        try:
            key = self._key(path)
        except OSError as error:
            log.info("no hash of %s: %s", path.name, error)
            return
        known = self._read().get(key)
        if known is not None:
            tell(known)
            return
        thread = threading.Thread(
            target=self._compute, args=(path, key, tell), name="turbo-ui-hash", daemon=True
        )
        self._threads.append(thread)
        thread.start()

    def stop(self, timeout_s: float = 5.0) -> None:
        """Ends what is being computed."""
        self._stopping.set()
        for thread in self._threads:
            thread.join(timeout_s)

    def _compute(self, path: Path, key: str, tell: Callable[[str], None]) -> None:
        try:
            found = compute(path, self._stopping.is_set)
            if found is None or self._key(path) != key:
                return  # stopped, or the file was written meanwhile
        except OSError as error:
            log.warning("no hash of %s: %s", path.name, error)
            return
        self._remember(key, found)
        tell(found)

    @staticmethod
    def _key(path: Path) -> str:
        path = path.resolve()
        status = path.stat()
        return f"{path}|{status.st_size}|{status.st_mtime_ns}"

    def _read(self) -> dict[str, str]:
        try:
            kept = json.loads(self._cache.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return kept if isinstance(kept, dict) else {}

    def _remember(self, key: str, found: str) -> None:
        kept = {**self._read(), key: found}
        try:
            self._cache.parent.mkdir(parents=True, exist_ok=True)
            # replaced as a whole: another process may read or write it at the same time
            with tempfile.NamedTemporaryFile(
                "w", dir=self._cache.parent, delete=False, encoding="utf-8"
            ) as file:
                json.dump(kept, file)
            os.replace(file.name, self._cache)
        except OSError as error:
            log.info("the hash is not kept: %s", error)
