"""The hub's own client, asking a server on this machine: what `hub` takes for granted of it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Barrier, Thread
from typing import Any

import pytest

from turbo_ui.backends import hub, hub_disk
from turbo_ui.catalog import SD_TURBO
from turbo_ui.errors import ModelUnavailable
from turbo_ui.own_models import commit_of, spec_for

REPO, REVISION = "someone/model", "0123456789" * 4
WEIGHTS = "unet/diffusion_pytorch_model.safetensors"


@dataclass
class Repository:
    """What the server has, and what it was asked.

    Attributes:
        status: of its answers for files.
        asked: method, file and wanted range of each request for one.
        together: asked what it has, it answers so many at once.
    """

    files: dict[str, bytes]
    status: int = 200
    asked: list[tuple[str, str, str | None]] = field(default_factory=list)
    together: Barrier | None = None

    def entries(self) -> list[dict[str, Any]]:
        return [
            {"type": "file", "path": name, "rfilename": name, "size": len(data), "oid": oid(data)}
            for name, data in self.files.items()
        ]


def oid(data: bytes) -> str:
    return hashlib.sha1(data).hexdigest()


class Handler(BaseHTTPRequestHandler):
    repository: Repository

    def do_HEAD(self) -> None:
        name = self.path.split(f"/resolve/{REVISION}/")[-1]
        if name not in self.repository.files:
            return self.answer(404, b"")
        self.repository.asked.append((self.command, name, self.headers["Range"]))
        data = self.repository.files[name]
        headers = {"ETag": oid(data), "X-Repo-Commit": REVISION}
        return self.answer(self.repository.status, data, headers)

    def do_GET(self) -> None:
        path = self.path.split("?")[0].replace("/revision/main", f"/revision/{REVISION}")
        if path == f"/api/models/{REPO}":
            path += f"/revision/{REVISION}"
        if path == f"/api/models/{REPO}/tree/{REVISION}":
            self.answer(200, json.dumps(self.repository.entries()).encode())
        elif path == f"/api/models/{REPO}/revision/{REVISION}":
            if self.repository.together is not None:
                self.repository.together.wait(10)
            info = {"id": REPO, "sha": REVISION, "siblings": self.repository.entries()}
            self.answer(200, json.dumps(info).encode())
        else:
            self.do_HEAD()

    def answer(self, status: int, data: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(data)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(data)

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing on the console."""


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Repository]:
    has = Repository(
        {
            "model_index.json": b"{}",
            "unet/config.json": b"{} ",
            WEIGHTS: bytes(5000),
            "vae/diffusion_pytorch_model.safetensors": bytes(3000),
        }
    )
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (Handler,), {"repository": has}))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    url = f"http://127.0.0.1:{server.server_port}"
    monkeypatch.setattr(hub_disk.constants, "ENDPOINT", url)
    template = f"{url}/{{repo_id}}/resolve/{{revision}}/{{filename}}"
    monkeypatch.setattr(hub_disk.constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
    monkeypatch.setattr(hub_disk.constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(hub_disk.constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(hub, "REPORT_EVERY_S", 0)
    Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    yield has
    server.shutdown()
    server.server_close()


def fetch(reports: list[dict[str, Any]] | None = None) -> Path:
    def report(*words: Any, **numbers: Any) -> None:
        if reports is not None and numbers:
            reports.append(numbers)

    return hub.fetch(SD_TURBO, REPO, REVISION, report)


def test_what_is_missing_comes_and_is_all_that_the_progress_counts(repository: Repository) -> None:
    weights = fetch() / WEIGHTS
    weights.resolve().unlink()
    weights.unlink(missing_ok=True)
    reports: list[dict[str, Any]] = []
    assert fetch(reports) / WEIGHTS == weights
    assert weights.stat().st_size == 5000
    assert {numbers["total_bytes"] for numbers in reports} == {5000}
    assert reports[-1]["num_bytes"] == 5000
    assert reports[-1]["progress"] == 1.0


def test_a_repository_that_two_fetch_at_once_comes_once(repository: Repository) -> None:
    repository.together = Barrier(2)
    with ThreadPoolExecutor() as threads:
        one, other = threads.map(lambda _: fetch(), range(2))
    assert one == other
    for name, data in repository.files.items():
        assert (one / name).read_bytes() == data
    got = [name for method, name, _ in repository.asked if method == "GET"]
    assert sorted(got) == sorted(repository.files)


def test_what_broke_off_is_fetched_from_its_beginning(repository: Repository) -> None:
    """So it counts in full among what the disk has to have room for."""
    blobs = Path(hub_disk.constants.HF_HUB_CACHE) / "models--someone--model" / "blobs"
    blobs.mkdir(parents=True)
    etag = oid(repository.files[WEIGHTS])
    for name in (f"{etag}.incomplete", f"{etag}.01234567.incomplete"):
        (blobs / name).write_bytes(bytes(4500))
    reports: list[dict[str, Any]] = []
    folder = fetch(reports)
    assert ("GET", WEIGHTS, None) in repository.asked
    assert (folder / WEIGHTS).stat().st_size == 5000
    total = sum(len(data) for data in repository.files.values())
    assert {numbers["total_bytes"] for numbers in reports} == {total}


def test_a_refusal_of_a_file_is_not_taken_for_a_broken_network(repository: Repository) -> None:
    repository.status = 403
    with pytest.raises(ModelUnavailable, match="does not let this token read the model"):
        fetch()


@pytest.mark.parametrize("name", [REPO, f"{REPO}@main", f"{REPO}@{REVISION}"])
def test_an_index_comes_alone_and_tells_the_commit(
    repository: Repository, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    folder = hub.index(spec_for(name), lambda *words, **numbers: None)
    assert commit_of(folder) == REVISION
    assert {file for _, file, _ in repository.asked} == {hub.INDEX}
    assert [path.name for path in folder.iterdir()] == [hub.INDEX]
    folder = hub.fetch(spec_for(name), REPO, REVISION, lambda *words, **numbers: None)
    monkeypatch.setattr(hub_disk.constants, "HF_HUB_OFFLINE", True)
    assert hub.index(spec_for(name), lambda *words, **numbers: None) == folder
