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


Tell = Callable[[str], None]


class FileHashes:
    """Hashes of files, computed behind the caller and remembered. From any thread.

    Args:
        cache: a JSON file to remember them in; one that cannot be read or written is done without.
    """

    def __init__(self, cache: Path | None = None) -> None:
        self._cache = cache or cache_file()
        self._stopping = threading.Event()
        self._threads: list[threading.Thread] = []
        self._lock = threading.Lock()
        self._waiting: dict[str, list[Tell]] = {}
        """Who is to be told, by the key of each file that is being read."""

    def find(self, path: Path, tell: Tell) -> None:
        """Calls `tell` with the file's hash: at once where it is known, else from a thread. A file
        that is being read already is not read once more."""
        try:
            key = self._key(path)
        except OSError as error:
            log.info("no hash of %s: %s", path.name, error)
            return
        with self._lock:
            known = self._read().get(key)
            if known is None:
                self._wait_for(path, key, tell)
        if known is not None:
            tell(known)

    def stop(self, timeout_s: float = 5.0) -> None:
        """Ends what is being computed."""
        self._stopping.set()
        for thread in self._threads:
            thread.join(timeout_s)

    def _wait_for(self, path: Path, key: str, tell: Tell) -> None:
        """Has the file read, unless it is being read; the lock is held."""
        if key in self._waiting:
            self._waiting[key].append(tell)
            return
        self._waiting[key] = [tell]
        thread = threading.Thread(
            target=self._find, args=(path, key), name="turbo-ui-hash", daemon=True
        )
        self._threads.append(thread)
        thread.start()

    def _find(self, path: Path, key: str) -> None:
        """Reads a file and tells those who wait for it."""
        found = self._computed(path, key)
        with self._lock:
            if found is not None:
                self._remember(key, found)
            waiting = self._waiting.pop(key)
        if found is not None:
            for tell in waiting:
                tell(found)

    def _computed(self, path: Path, key: str) -> str | None:
        """None where there is no hash: it was stopped, or the file cannot be read, or was written
        meanwhile."""
        try:
            found = compute(path, self._stopping.is_set)
            return found if self._key(path) == key else None
        except OSError as error:
            log.warning("no hash of %s: %s", path.name, error)
            return None

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
        """Adds one to what is kept; under the lock, as of two that end together one would be
        lost."""
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
