"""From a hub id to a folder of files: what to download, and how far it is.

Files that are in the cache are not downloaded again, and where the hub cannot be reached the cache
alone is enough. Never a pickle: only safetensors and small text files are asked for.

Several downloads may run at once. The hub's client sees to it that a file that two want comes once.
"""

from __future__ import annotations

import glob
import io
import json
import logging
import re
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, ClassVar
from weakref import WeakSet

from huggingface_hub import HfApi, snapshot_download
from tqdm.auto import tqdm

from turbo_ui import weights
from turbo_ui.backends.base import LoadReport, silent
from turbo_ui.backends.hub_disk import room_for
from turbo_ui.backends.hub_errors import explained
from turbo_ui.backends.parts import has_weights
from turbo_ui.catalog import ModelSpec
from turbo_ui.errors import ModelUnavailable

log = logging.getLogger(__name__)

ASK_TIMEOUT_S = 10.0
REPORT_EVERY_S = 0.5

PART = re.compile(r"(scheduler|tokenizer(_[23])?|text_encoder(_[23])?|unet|transformer|vae)/[^/]+$")
OF_SEVERAL = re.compile(r"-\d+-of-(\d+)\.safetensors$")
"""Weights in several files: each name tells how many there are."""

INDEX = "model_index.json"
SMALL = (".json", ".txt", ".model")

ChooseFiles = Callable[[Mapping[str, int]], list[str]]
"""Of a repository's files, by name with their sizes in bytes, those that are needed."""


def fetch(
    spec: ModelSpec,
    repo: str,
    revision: str | None,
    report: LoadReport,
    choose: ChooseFiles | None = None,
) -> Path:
    """The folder of a repository's files, downloaded where the cache lacks them.

    Args:
        spec: the model that they are for; named in errors.
        choose: which files; None takes a model's (`model_files`).

    Raises:
        ModelUnavailable: they cannot be had; says why and what to do.
    """
    report("downloading", f"Asking the hub for {repo}.")
    try:
        info = HfApi().model_info(
            repo, revision=revision, files_metadata=True, timeout=ASK_TIMEOUT_S
        )
        sizes = {file.rfilename: file.size or 0 for file in info.siblings or []}
    except Exception as error:
        cached = _cached(repo, revision)
        if cached is None:
            raise explained(spec, repo, revision, error) from error
        log.info("%s is taken from the cache: %s", repo, error)
        report("downloading", f"The hub does not answer; {repo} is in the cache.")
        return cached
    files = (choose or model_files)(sizes)
    if not files:
        reason = f"{repo} holds no safetensors files of a diffusers model"
        remedy = "Choose another repository, or download a single file of it and name that."
        # of a part, such as a tiny VAE, neither can be named
        raise ModelUnavailable(spec.id, reason, "" if choose is root_files else remedy)
    try:
        missing_bytes = _missing_bytes(repo, revision, {name: sizes[name] for name in files})
        meter = _Meter(spec.title, report, missing_bytes)
        with room_for(repo, revision, meter):
            folder = snapshot_download(
                repo,
                revision=revision,
                allow_patterns=[glob.escape(name) for name in files],
                tqdm_class=_bars(meter),
            )
    except Exception as error:
        raise explained(spec, repo, revision, error) from error
    return Path(folder)


def index(spec: ModelSpec, report: LoadReport) -> Path:
    """A folder with the index of a model's repository: a few hundred bytes, which tell what the
    gigabytes beside it are. The folder is named by the commit. Raises as `fetch` does."""
    report("downloading", f"Asking the hub what {spec.title} is.")
    return fetch(spec, spec.source, spec.revision, silent, choose=index_file)


def index_file(sizes: Mapping[str, int]) -> list[str]:
    """The index of a repository that holds a model which can be downloaded."""
    return [name for name in model_files(sizes) if name == INDEX]


def model_files(sizes: Mapping[str, int]) -> list[str]:
    """A diffusers model's files: text, and each part's weights once.

    Where a part has weights in half the size (`fp16`), those are taken.
    """
    small = [name for name in sizes if name == INDEX or _is_small_part(name)]
    weights: list[str] = []
    by_part: dict[str, list[str]] = {}
    for name in sizes:
        if PART.match(name) and name.endswith(".safetensors"):
            by_part.setdefault(name.split("/")[0], []).append(name)
    for names in by_part.values():
        weights += _one_variant(names)
    return small + weights if weights else []


def root_files(sizes: Mapping[str, int]) -> list[str]:
    """The files of a repository that is one part, such as a tiny VAE."""
    wanted = ("config.json", "diffusion_pytorch_model.safetensors")
    return [name for name in sizes if name in wanted]


def _cached(repo: str, revision: str | None) -> Path | None:
    """The cache's folder for a repository, without any network; None where weights are missing."""
    found = _begun(repo, revision)
    return found if found is not None and _is_whole(found) else None


def _is_whole(folder: Path) -> bool:
    """All parts that its index names are there: a download that broke off leaves some out."""
    mark = folder / INDEX
    if not mark.is_file():
        return _has_weights(folder)  # a repository that is one part
    try:
        index: dict[str, Any] = json.loads(mark.read_text(encoding="utf-8"))
        named = [name for name, kind in index.items() if isinstance(kind, list) and all(kind)]
    except (OSError, ValueError, AttributeError):
        return False
    ours = [name for name in named if PART.match(f"{name}/config.json")]
    return all(
        _has_weights(folder / name) if has_weights(name) else any((folder / name).glob("*.*"))
        for name in ours
    )


def _has_weights(part: Path) -> bool:
    """A network's configuration and all files of its weights are there."""
    files = weights.weight_files(part)
    num_files = [int(found[1]) for file in files if (found := OF_SEVERAL.search(file.name))]
    return (part / "config.json").is_file() and len(files) >= max(num_files, default=1)


def _begun(repo: str, revision: str | None) -> Path | None:
    """The cache's folder for a repository, without any network, whatever it lacks."""
    for mark in (INDEX, "config.json"):
        try:
            found = snapshot_download(
                repo, revision=revision, allow_patterns=[mark], local_files_only=True
            )
        except (OSError, ValueError):
            continue
        if (Path(found) / mark).is_file():
            return Path(found)
    return None


def _is_small_part(name: str) -> bool:
    return bool(PART.match(name)) and name.endswith(SMALL)


def _one_variant(names: list[str]) -> list[str]:
    """Of one part's weights those in half precision if there are such, else the plain ones."""
    half = [name for name in names if ".fp16" in Path(name).name]
    plain = [name for name in names if re.fullmatch(r"[^.]+\.safetensors", Path(name).name)]
    return half or plain


def _missing_bytes(repo: str, revision: str | None, sizes: Mapping[str, int]) -> int:
    """Of these files what is not in the cache. A file that broke off counts in full: the hub's
    client begins it anew."""
    cached = _begun(repo, revision)
    return sum(
        size for name, size in sizes.items() if cached is None or not (cached / name).exists()
    )


def _bars(meter: _Meter) -> type[Any]:
    """A class of progress bars that show nothing and have a meter tell bytes and speed.

    The hub's client makes several: one counts files, one the bytes that came, one those that are
    on the disk. The furthest in bytes is told.
    """

    class Bar(tqdm):  # pyright: ignore[reportMissingTypeArgument]
        monitor_interval = 0  # no thread that redraws what nobody sees
        # else bars of several downloads would be listed in one place, each under its own lock
        _instances: ClassVar[WeakSet[Any]] = WeakSet()

        def __init__(self, *args: Any, **options: Any) -> None:
            options.pop("name", None)
            self.counts_bytes = options.get("unit") == "B"
            super().__init__(*args, **{**options, "file": io.StringIO(), "disable": False})
            if self.counts_bytes:
                meter.bars.append(self)

        def update(self, n: float | None = 1) -> bool | None:
            answer = super().update(n)
            if self.counts_bytes:
                meter.tell()
            return answer

    Bar.set_lock(threading.RLock())  # the default one is made for several processes
    return Bar


class _Meter:
    """Turns growing byte counts into reports: at most one in `REPORT_EVERY_S`.

    Args:
        total_bytes: of all files that are fetched. The bars' own totals grow with each file that
            is begun.
        clock: monotonic seconds.
    """

    def __init__(
        self,
        title: str,
        report: LoadReport,
        total_bytes: int,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.bars: list[Any] = []
        self._total_bytes = total_bytes
        self._title = title
        self._report = report
        self._clock = clock
        self._begun_at = clock()
        self._told_at = float("-inf")

    @property
    def left_bytes(self) -> int:
        """What is still to come."""
        return max(0, self._total_bytes - self._num_bytes)

    @property
    def _num_bytes(self) -> int:
        return int(max((bar.n for bar in self.bars), default=0))

    def tell(self) -> None:
        now = self._clock()
        if now - self._told_at < REPORT_EVERY_S:
            return
        self._told_at = now
        num_bytes = self._num_bytes
        fresh = num_bytes - max(getattr(bar, "initial", 0) or 0 for bar in self.bars)
        spent = now - self._begun_at
        speed = fresh / spent if spent > 0 and fresh > 0 else None
        total = max(self._total_bytes, num_bytes)
        text = f"Downloading {self._title}: {num_bytes / 1e9:.2f} of {total / 1e9:.2f} GB"
        if speed is not None:
            text += f", {speed / 1e6:.1f} MB/s"
        self._report(
            "downloading",
            text + ".",
            progress=num_bytes / total if total else None,
            num_bytes=num_bytes,
            total_bytes=total or None,
            bytes_per_s=speed,
        )
