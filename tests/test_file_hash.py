"""The hash by which model sites name a file."""

from __future__ import annotations

import hashlib
import json
import os
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from turbo_ui import file_hash
from turbo_ui.file_hash import FileHashes


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "model.safetensors"
    path.write_bytes(b"weights" * 1000)
    return path


@pytest.fixture
def hashes(tmp_path: Path) -> FileHashes:
    return FileHashes(tmp_path / "cache" / "hashes.json")


def ask(hashes: FileHashes, path: Path) -> str:
    told: list[str] = []
    is_told = threading.Event()

    def tell(found: str) -> None:
        told.append(found)
        is_told.set()

    hashes.find(path, tell)
    assert is_told.wait(10)
    return told[0]


def test_it_is_the_first_ten_digits_of_sha_256_in_capitals(hashes: FileHashes, file: Path) -> None:
    expected = hashlib.sha256(file.read_bytes()).hexdigest()[:10].upper()
    assert ask(hashes, file) == expected == file_hash.compute(file)


def test_a_file_is_read_once_and_again_when_it_changed(
    hashes: FileHashes, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[Path] = []
    compute = file_hash.compute
    monkeypatch.setattr(
        file_hash, "compute", lambda path, *stop: (read.append(path), compute(path, *stop))[1]
    )
    first = ask(hashes, file)
    assert ask(hashes, file) == first
    assert len(read) == 1
    file.write_bytes(b"others!" * 1000)  # as long as before
    os.utime(file, ns=(1, 1))
    assert ask(hashes, file) != first
    assert len(read) == 2


class SlowReading:
    """Stands for files of many gigabytes: none is read before the gate opens.

    Attributes:
        read: the files, in the order in which they were begun.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.read: list[Path] = []
        self.gate = threading.Event()
        self._compute = file_hash.compute
        monkeypatch.setattr(file_hash, "compute", self)

    def __call__(self, path: Path, should_stop: Callable[[], bool]) -> str | None:
        self.read.append(path)
        assert self.gate.wait(10)
        return self._compute(path, should_stop)


def end_of_reading() -> None:
    for thread in threading.enumerate():
        if thread.name == "turbo-ui-hash":
            thread.join(10)


def test_a_file_that_is_being_read_is_not_read_again_and_all_who_asked_are_told(
    hashes: FileHashes, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As when a model is told to be ready once more while its file is still read."""
    expected = file_hash.compute(file)
    reading, told = SlowReading(monkeypatch), list[str]()
    for _ in range(3):
        hashes.find(file, told.append)
    reading.gate.set()
    end_of_reading()
    assert told == [expected] * 3
    assert reading.read == [file]


def test_hashes_that_end_together_are_all_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache, files = tmp_path / "hashes.json", [tmp_path / name for name in ("a", "b")]
    reading, told = SlowReading(monkeypatch), list[str]()
    replace, both_are_here = os.replace, threading.Barrier(2)

    def replace_together(*paths: str | Path) -> None:
        with suppress(threading.BrokenBarrierError):  # the other one waits for this one to end
            both_are_here.wait(0.2)
        replace(*paths)

    monkeypatch.setattr(os, "replace", replace_together)
    hashes = FileHashes(cache)
    for path in files:
        path.write_bytes(path.name.encode())
        hashes.find(path, told.append)
    reading.gate.set()
    end_of_reading()
    kept = json.loads(cache.read_text(encoding="utf-8"))
    assert len(told) == 2
    assert sorted(kept.values()) == sorted(told)


def test_a_file_that_could_not_be_read_can_be_asked_for_again(
    hashes: FileHashes, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(path: Path, should_stop: Callable[[], bool]) -> str:
        raise OSError("the disk is gone")

    with monkeypatch.context() as patch:
        patch.setattr(file_hash, "compute", broken)
        hashes.find(file, lambda found: pytest.fail("there is no hash to tell"))
        end_of_reading()
    assert ask(hashes, file) == file_hash.compute(file)


@pytest.mark.parametrize("content", [b"{", b"[1]", b"\xff"])
def test_a_broken_cache_is_done_without(tmp_path: Path, file: Path, content: bytes) -> None:
    cache = tmp_path / "hashes.json"
    cache.write_bytes(content)
    assert ask(FileHashes(cache), file) == file_hash.compute(file)


def test_a_cache_that_cannot_be_written_is_done_without(tmp_path: Path, file: Path) -> None:
    (tmp_path / "in-the-way").write_text("a file where a folder should be")
    hashes = FileHashes(tmp_path / "in-the-way" / "hashes.json")
    assert ask(hashes, file) == file_hash.compute(file)


def test_a_file_that_is_not_there_is_told_nothing(hashes: FileHashes, tmp_path: Path) -> None:
    told: list[str] = []
    hashes.find(tmp_path / "gone.safetensors", told.append)
    hashes.stop()
    assert told == []


def test_a_stop_ends_the_reading(file: Path) -> None:
    assert file_hash.compute(file, lambda: True) is None
