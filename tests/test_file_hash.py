"""The hash by which model sites name a file."""

from __future__ import annotations

import hashlib
import os
import threading
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
