"""From a hub id to a folder of files: what to download, how far it is, and what can go wrong.

Files that are in the cache are not downloaded again, and where the hub cannot be reached the cache
alone is enough. Never a pickle: only safetensors and small text files are asked for.
"""

from __future__ import annotations

import errno
import glob
import io
import logging
import re
import shutil
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import httpx2
from huggingface_hub import HfApi, constants, snapshot_download
from huggingface_hub.errors import (
    GatedRepoError,
    HfHubHTTPError,
    HFValidationError,
    LocalEntryNotFoundError,
    OfflineModeIsEnabled,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)
from tqdm.auto import tqdm

from turbo_ui.backends.base import LoadReport
from turbo_ui.catalog import ModelSpec
from turbo_ui.errors import ModelUnavailable

log = logging.getLogger(__name__)

ASK_TIMEOUT_S = 10.0
REPORT_EVERY_S = 0.5
MARGIN_BYTES = 200_000_000
"""Room that a download leaves on the disk."""

PART = re.compile(r"(scheduler|tokenizer(_[23])?|text_encoder(_[23])?|unet|transformer|vae)/[^/]+$")
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
        raise ModelUnavailable(spec.id, reason, "Choose another repository.")
    try:
        _check_disk(repo, revision, {name: sizes[name] for name in files})
        folder = snapshot_download(
            repo,
            revision=revision,
            allow_patterns=[glob.escape(name) for name in files],
            tqdm_class=_bars(spec.title, report),
        )
    except Exception as error:
        raise explained(spec, repo, revision, error) from error
    return Path(folder)


def model_files(sizes: Mapping[str, int]) -> list[str]:
    """A diffusers model's files: text, and each part's weights once.

    Where a part has weights in half the size (`fp16`), those are taken.
    """
    small = [name for name in sizes if name == "model_index.json" or _is_small_part(name)]
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


def explained(
    spec: ModelSpec, repo: str, revision: str | None, error: Exception
) -> ModelUnavailable:
    """What an error of the hub means, and what to do about it."""
    reason, remedy = _explained(spec, repo, revision, error)
    return ModelUnavailable(spec.id, reason, remedy)


def _explained(
    spec: ModelSpec, repo: str, revision: str | None, error: Exception
) -> tuple[str, str]:
    match error:
        case GatedRepoError():
            how = spec.how_to_get or (
                f"Accept its licence on https://huggingface.co/{repo} with your account, make a "
                "read token, and start the app with HF_TOKEN set to it."
            )
            return "its licence has to be accepted first", how
        case RepositoryNotFoundError():
            reason = f"the hub knows no {repo}, or wants a login for it"
            return reason, spec.how_to_get or "Check the name; for a private model set HF_TOKEN."
        case RevisionNotFoundError():
            return f"{repo} has no revision {revision}", "Check the revision."
        case HFValidationError():
            return f"{repo} is no name of a repository", "Names are like owner/model."
        case LocalEntryNotFoundError() | OfflineModeIsEnabled() | httpx2.TransportError():
            reason = "the hub cannot be reached and the model is not in the cache"
            return reason, "Connect to the network and try again, or give a folder or a file."
        case HfHubHTTPError():
            return _status(getattr(error.response, "status_code", None))
        case OSError() if error.errno in (errno.ENOSPC, errno.EDQUOT):
            cache = constants.HF_HUB_CACHE
            reason = f"the disk is full ({error.strerror or error})"
            return reason, f"Make room in {cache}, or set HF_HOME to a folder on a larger disk."
        case OSError():
            return f"its files could not be written ({error.strerror or error})", "Try again."
        case _:
            text = f"{type(error).__name__}: {str(error)[:300]}"
            return f"the download failed ({text})", "Try again; what has come is kept."


def _status(status: int | None) -> tuple[str, str]:
    match status:
        case 401:
            return "the hub does not know this token", "Set HF_TOKEN to a valid read token."
        case 403:
            reason = "the hub does not let this token read the model"
            return reason, "Give the token the right to read gated models, or accept the licence."
        case 429:
            return "the hub has had too many requests from here", "Try again in a few minutes."
        case _:
            return f"the hub answered {status or 'without a status'}", "Try again later."


def _cached(repo: str, revision: str | None) -> Path | None:
    """The cache's folder for a repository, without any network."""
    for mark in ("model_index.json", "config.json"):
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


def _check_disk(repo: str, revision: str | None, sizes: Mapping[str, int]) -> None:
    """Says at once what would come after gigabytes: that they do not fit."""
    cached = _cached(repo, revision)
    missing = [
        size for name, size in sizes.items() if cached is None or not (cached / name).exists()
    ]
    where = Path(constants.HF_HUB_CACHE)
    while not where.exists():
        where = where.parent
    free = shutil.disk_usage(where).free
    needed = sum(missing) + MARGIN_BYTES
    if missing and free < needed:
        text = f"{needed / 1e9:.1f} GB are needed and {free / 1e9:.1f} GB are free"
        raise OSError(errno.ENOSPC, text)


def _bars(title: str, report: LoadReport) -> type[Any]:
    """A class of progress bars that show nothing and tell `report` bytes and speed.

    The hub's client makes several: one counts files, one the bytes that came, one those that are
    on the disk. The furthest in bytes is told.
    """
    meter = _Meter(title, report)

    class Bar(tqdm):  # pyright: ignore[reportMissingTypeArgument]
        monitor_interval = 0  # no thread that redraws what nobody sees

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
        clock: monotonic seconds.
    """

    def __init__(
        self, title: str, report: LoadReport, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.bars: list[Any] = []
        self._title = title
        self._report = report
        self._clock = clock
        self._begun_at = clock()
        self._told_at = float("-inf")

    def tell(self) -> None:
        now = self._clock()
        if now - self._told_at < REPORT_EVERY_S:
            return
        self._told_at = now
        num_bytes = int(max(bar.n for bar in self.bars))
        fresh = num_bytes - max(getattr(bar, "initial", 0) or 0 for bar in self.bars)
        spent = now - self._begun_at
        speed = fresh / spent if spent > 0 and fresh > 0 else None
        # the bar of bytes on the disk knows the sizes; that of the network guesses
        total = int(min((bar.total for bar in self.bars if bar.total), default=0))
        total = max(total, num_bytes)
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
