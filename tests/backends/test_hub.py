"""What is downloaded, how that is told, and what each of the hub's errors means to a person."""

from __future__ import annotations

import errno
import io
import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx2
import pytest
from huggingface_hub.errors import (
    GatedRepoError,
    HfHubHTTPError,
    HFValidationError,
    LocalEntryNotFoundError,
    OfflineModeIsEnabled,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)
from tqdm.std import tqdm

from tests.fakes import FakeClock
from turbo_ui.backends import hub, hub_disk
from turbo_ui.catalog import SD_TURBO, STABLE_DIFFUSION_3_5_LARGE_TURBO
from turbo_ui.errors import ModelUnavailable

SD_FILES = {
    "README.md": 5,
    "model_index.json": 10,
    "sd_turbo.safetensors": 5_000,
    "scheduler/scheduler_config.json": 10,
    "text_encoder/config.json": 10,
    "text_encoder/model.fp16.safetensors": 680,
    "text_encoder/model.safetensors": 1360,
    "tokenizer/vocab.json": 10,
    "tokenizer/merges.txt": 10,
    "unet/config.json": 10,
    "unet/diffusion_pytorch_model.bin": 3000,
    "unet/diffusion_pytorch_model.fp16.safetensors": 1730,
    "unet/diffusion_pytorch_model.safetensors": 3460,
    "vae/config.json": 10,
    "vae/diffusion_pytorch_model.safetensors": 170,
}


INDEX = {
    "_class_name": "StableDiffusionPipeline",
    "scheduler": ["diffusers", "EulerDiscreteScheduler"],
    "text_encoder": ["transformers", "CLIPTextModel"],
    "tokenizer": ["transformers", "CLIPTokenizer"],
    "unet": ["diffusers", "UNet2DConditionModel"],
    "vae": ["diffusers", "AutoencoderKL"],
    "safety_checker": ["transformers", "NotTaken"],
    "text_encoder_2": [None, None],
}


def test_each_part_is_downloaded_once_in_half_precision_where_there_is_such() -> None:
    chosen = hub.model_files(SD_FILES)
    assert [name for name in chosen if name.endswith("safetensors")] == [
        "text_encoder/model.fp16.safetensors",
        "unet/diffusion_pytorch_model.fp16.safetensors",
        "vae/diffusion_pytorch_model.safetensors",
    ]
    assert "model_index.json" in chosen
    assert "tokenizer/merges.txt" in chosen
    assert not any(name.endswith((".bin", ".md")) for name in chosen)
    assert "sd_turbo.safetensors" not in chosen


def test_weights_in_several_files_are_taken_together() -> None:
    names = [
        "transformer/diffusion_pytorch_model-00001-of-00002.safetensors",
        "transformer/diffusion_pytorch_model-00002-of-00002.safetensors",
        "transformer/diffusion_pytorch_model.safetensors.index.json",
        "text_encoder_3/model.fp16-00001-of-00002.safetensors",
        "text_encoder_3/model.fp16-00002-of-00002.safetensors",
        "text_encoder_3/model-00001-of-00001.safetensors",
    ]
    assert sorted(hub.model_files(dict.fromkeys(names, 1))) == sorted(names[:5])


def test_a_repository_without_safetensors_gives_nothing() -> None:
    assert hub.model_files({"model_index.json": 1, "unet/model.bin": 5}) == []
    assert hub.root_files({"config.json": 1, "taesd_decoder.pth": 2, "x/config.json": 1}) == [
        "config.json"
    ]


@dataclass
class FakeHub:
    """A hub under the test's control.

    Attributes:
        error_on_ask, error_on_download: raised there.
        has_cache: its files are in the cache already.
        lost: but these.
        free_bytes: on the disk.
        download: in place of its own; is given the class of bars and the names of files.
    """

    folder: Path
    error_on_ask: Exception | None = None
    error_on_download: Exception | None = None
    has_cache: bool = False
    lost: tuple[str, ...] = ()
    free_bytes: int = 10**12
    files: dict[str, int] = field(default_factory=lambda: dict(SD_FILES))
    download: Callable[[Any, list[str]], None] | None = None
    asked: list[dict[str, Any]] = field(default_factory=list)

    def model_info(self, repo: str, **options: Any) -> Any:
        assert options["files_metadata"]
        if self.error_on_ask is not None:
            raise self.error_on_ask
        siblings = [SimpleNamespace(rfilename=name, size=size) for name, size in self.files.items()]
        return SimpleNamespace(siblings=siblings)

    def snapshot_download(self, repo: str, **options: Any) -> str:
        if options.get("local_files_only"):
            if not self.has_cache:
                raise LocalEntryNotFoundError("nothing here")
            self.fill_cache()
            return str(self.folder)
        self.asked.append({"repo": repo, **options})
        if self.error_on_download is not None:
            raise self.error_on_download
        download = self.download or self.download_all
        download(options["tqdm_class"], hub.model_files(self.files))
        return str(self.folder)

    def fill_cache(self) -> None:
        for name in set(hub.model_files(self.files) or hub.root_files(self.files)) - {*self.lost}:
            path = self.folder / name
            path.parent.mkdir(exist_ok=True)
            path.write_text(json.dumps(INDEX) if name == "model_index.json" else "")

    def download_all(self, bar_class: Any, names: list[str]) -> None:
        """As the hub's client does: bars for what came, for what is on the disk, and for files. It
        adds a file's size to the totals when it begins with it, and skips what is in the cache."""
        came = bar_class(desc="Downloading bytes", total=0, initial=0, unit="B", unit_scale=True)
        kept = bar_class(desc="Reconstructing", total=0, initial=0, unit="B", unit_scale=True)
        with bar_class(desc="Fetching files", total=len(names)) as files:
            for name in names:
                if not self.has_cache or name in self.lost:
                    kept.total += self.files[name]
                    came.total += self.files[name]
                    kept.update(self.files[name])
                    came.update(self.files[name])
                files.update(1)
        kept.set_description("Reconstruction complete")
        came.set_description_str("Download complete")


def reached(fake: FakeHub, cache: Path, monkeypatch: pytest.MonkeyPatch) -> FakeHub:
    """The hub that is asked from now on."""
    monkeypatch.setattr(hub, "HfApi", lambda: fake)
    monkeypatch.setattr(hub, "snapshot_download", fake.snapshot_download)
    monkeypatch.setattr(hub_disk.constants, "HF_HUB_CACHE", str(cache))
    monkeypatch.setattr(
        hub_disk.shutil, "disk_usage", lambda where: SimpleNamespace(free=fake.free_bytes)
    )
    return fake


@pytest.fixture
def fake_hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeHub:
    return reached(FakeHub(tmp_path), tmp_path / "cache", monkeypatch)


@dataclass
class Told:
    """A load report that remembers."""

    reports: list[dict[str, Any]] = field(default_factory=list)

    def __call__(self, state: str, text: str = "", *_: Any, **numbers: Any) -> None:
        self.reports.append({"state": state, "text": text, **numbers})


def fetch(told: Callable[..., None], **changed: Any) -> Path:
    return hub.fetch(SD_TURBO, "someone/model", changed.get("revision"), told)


def test_a_download_asks_for_the_chosen_files_of_the_revision(fake_hub: FakeHub) -> None:
    assert fetch(Told(), revision="abc") == fake_hub.folder
    (asked,) = fake_hub.asked
    assert (asked["repo"], asked["revision"]) == ("someone/model", "abc")
    assert asked["allow_patterns"] == hub.model_files(SD_FILES)


Meter = hub._Meter


@pytest.fixture
def ticking(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever asks what time it is waits a second."""
    clock = FakeClock()

    def tick() -> float:
        clock.pass_ms(1000)
        return clock()

    monkeypatch.setattr(hub, "_Meter", partial(Meter, clock=tick))


LARGE = {
    "model_index.json": 0,
    "unet/diffusion_pytorch_model.safetensors": 3 * 10**9,
    "vae/diffusion_pytorch_model.safetensors": 10**9,
}


@pytest.mark.usefixtures("ticking")
def test_a_download_tells_bytes_and_speed(
    fake_hub: FakeHub, capfd: pytest.CaptureFixture[str]
) -> None:
    fake_hub.files = LARGE
    told = Told()
    fetch(told)
    numbers = [report for report in told.reports if report.get("num_bytes")]
    assert [report["num_bytes"] for report in numbers] == [3e9, 3e9, 4e9, 4e9]
    assert {report["state"] for report in told.reports} == {"downloading"}
    assert numbers[0]["progress"] == 0.75
    last = numbers[-1]
    assert last["progress"] == 1.0
    assert last["bytes_per_s"] == pytest.approx(4e9 / 6)
    assert "4.00 of 4.00 GB, 666.7 MB/s" in last["text"]
    assert capfd.readouterr().err == "", "no bars on the console"


@pytest.mark.usefixtures("ticking")
@pytest.mark.parametrize("in_cache", [(), ("unet/diffusion_pytorch_model.safetensors",)])
def test_what_a_download_has_to_fetch_is_told_from_the_first_report(
    fake_hub: FakeHub, in_cache: tuple[str, ...]
) -> None:
    fake_hub.files = LARGE
    fake_hub.has_cache = bool(in_cache)
    fake_hub.lost = tuple(LARGE.keys() - {*in_cache, "model_index.json"}) if in_cache else ()
    told = Told()
    fetch(told)
    numbers = [report for report in told.reports if "total_bytes" in report]
    assert {report["total_bytes"] for report in numbers} == {1e9 if in_cache else 4e9}
    progress = [report["progress"] for report in numbers]
    assert progress == sorted(progress)
    assert progress[-1] == 1.0


def test_bytes_are_told_twice_a_second_at_most() -> None:
    clock, told = FakeClock(), Told()
    meter = Meter("SD-Turbo", told, 1000, clock)
    meter.bars.append(SimpleNamespace(n=0, total=1000, initial=0))
    for _ in range(50):
        clock.pass_ms(50)
        meter.bars[0].n += 10
        meter.tell()
    assert len(told.reports) == 5


def test_a_resumed_download_does_not_count_what_was_there_as_speed() -> None:
    clock, told = FakeClock(), Told()
    meter = Meter("SD-Turbo", told, 1000, clock)
    meter.bars.append(SimpleNamespace(n=900, total=1000, initial=800))
    clock.pass_ms(1000)
    meter.tell()
    assert told.reports[0]["bytes_per_s"] == pytest.approx(100)


def answer(status: int) -> httpx2.Response:
    return httpx2.Response(status, request=httpx2.Request("GET", "https://example.org/api"))


def http_error(status: int) -> HfHubHTTPError:
    return HfHubHTTPError("no", response=answer(status))


def caused(error: Exception, cause: Exception) -> Exception:
    error.__cause__ = cause
    return error


NO_SPACE = OSError(errno.ENOSPC, "No space left on device")
XET_FULL = RuntimeError("Data processing error: IO Error: No space left on device (os error 28)")
XET_NO_NETWORK = RuntimeError("Network error: error sending request for url (https://example.org)")

ERRORS: list[tuple[str, Exception, list[str]]] = [
    (
        "gated",
        GatedRepoError("no", response=answer(403)),
        ["licence has to be accepted", "HF_TOKEN"],
    ),
    ("unknown", RepositoryNotFoundError("no", response=answer(401)), ["knows no someone/model"]),
    ("revision", RevisionNotFoundError("no", response=answer(404)), ["no revision abc"]),
    ("name", HFValidationError("bad"), ["no name of a repository"]),
    ("401", http_error(401), ["does not know this token"]),
    ("403", http_error(403), ["does not let this token read"]),
    ("429", http_error(429), ["too many requests", "few minutes"]),
    ("500", http_error(500), ["answered 500", "later"]),
    ("offline", OfflineModeIsEnabled("no"), ["cannot be reached", "not all of the model is in"]),
    ("no route", httpx2.ConnectError("no"), ["cannot be reached"]),
    ("slow", httpx2.ReadTimeout("no"), ["cannot be reached"]),
    ("cut off", LocalEntryNotFoundError("no"), ["cannot be reached"]),
    ("full", OSError(errno.ENOSPC, "No space left on device"), ["disk is full", "HF_HOME"]),
    ("read-only", PermissionError(errno.EACCES, "Permission denied"), ["Permission denied"]),
    ("full, said by hf_xet", XET_FULL, ["disk is full", "os error 28", "HF_HOME"]),
    ("full on Windows", RuntimeError("IO Error: (os error 112)"), ["disk is full"]),
    (
        "full, as the cause",
        caused(LocalEntryNotFoundError("no"), NO_SPACE),
        ["disk is full (No space"],
    ),
    (
        "403, as the cause",
        caused(LocalEntryNotFoundError("no"), http_error(403)),
        ["does not let this token read"],
    ),
    ("429, as the cause", caused(LocalEntryNotFoundError("no"), http_error(429)), ["too many"]),
    ("503, as the cause", caused(LocalEntryNotFoundError("no"), http_error(503)), ["answered 503"]),
    (
        "gated, as the cause",
        caused(LocalEntryNotFoundError("no"), GatedRepoError("no", response=answer(403))),
        ["licence has to be accepted"],
    ),
    (
        "no route, as the cause",
        caused(LocalEntryNotFoundError("no"), httpx2.ConnectError("no")),
        ["hub cannot be reached"],
    ),
    ("reset", ConnectionResetError(errno.ECONNRESET, "reset by peer"), ["hub cannot be reached"]),
    ("timeout", TimeoutError("The read operation timed out"), ["hub cannot be reached"]),
    ("no such host", socket.gaierror(-2, "Name or service not known"), ["hub cannot be reached"]),
    ("unreachable", OSError(errno.ENETUNREACH, "unreachable"), ["hub cannot be reached"]),
    ("reset, as the cause", caused(RuntimeError("no"), ConnectionResetError()), ["be reached"]),
    ("reset, said by hf_xet", XET_NO_NETWORK, ["hub cannot be reached"]),
    ("surprise", RuntimeError("what?"), ["RuntimeError: what?", "come whole are kept"]),
]


@pytest.mark.parametrize("moment", ["error_on_ask", "error_on_download"])
@pytest.mark.parametrize(("error", "said"), [row[1:] for row in ERRORS], ids=[r[0] for r in ERRORS])
def test_every_error_of_the_hub_is_said_in_plain_words(
    fake_hub: FakeHub, moment: str, error: Exception, said: list[str]
) -> None:
    setattr(fake_hub, moment, error)
    with pytest.raises(ModelUnavailable) as caught:
        fetch(Told(), revision="abc")
    for text in said:
        assert text in caught.value.user_text
    assert caught.value.model == "sd-turbo"
    setattr(fake_hub, moment, None)
    assert fetch(Told()) == fake_hub.folder, "tried again, it works"


def test_a_models_files_may_be_named_one_by_one_and_a_tiny_vaes_not(fake_hub: FakeHub) -> None:
    fake_hub.files = {"README.md": 1}
    for choose, is_said in ((None, True), (hub.root_files, False)):
        with pytest.raises(ModelUnavailable, match="holds no safetensors files") as caught:
            hub.fetch(SD_TURBO, "someone/model", None, Told(), choose)
        assert ("name that" in caught.value.user_text) == is_said


def test_a_gated_model_explains_its_own_steps(fake_hub: FakeHub) -> None:
    fake_hub.error_on_ask = GatedRepoError("no", response=answer(403))
    spec = STABLE_DIFFUSION_3_5_LARGE_TURBO
    with pytest.raises(ModelUnavailable) as caught:
        hub.fetch(spec, spec.source, None, Told())
    assert spec.how_to_get in caught.value.user_text


@pytest.mark.parametrize(
    "error", [httpx2.ConnectError("no"), OfflineModeIsEnabled("no"), http_error(503)]
)
def test_where_the_hub_does_not_answer_the_cache_is_enough(
    fake_hub: FakeHub, error: Exception
) -> None:
    fake_hub.error_on_ask, fake_hub.has_cache = error, True
    told = Told()
    assert fetch(told) == fake_hub.folder
    assert "in the cache" in told.reports[-1]["text"]


IN_SEVERAL = {
    "unet/diffusion_pytorch_model-00001-of-00002.safetensors": 1,
    "unet/diffusion_pytorch_model-00002-of-00002.safetensors": 1,
}


@pytest.mark.parametrize(
    "lost",
    [
        "unet/diffusion_pytorch_model.fp16.safetensors",
        "unet/config.json",
        "text_encoder/model.fp16.safetensors",
        "vae/diffusion_pytorch_model.safetensors",
        "scheduler/scheduler_config.json",
        *IN_SEVERAL,
    ],
)
def test_a_download_that_broke_off_is_not_taken_for_the_model(fake_hub: FakeHub, lost: str) -> None:
    if lost in IN_SEVERAL:
        unet = [name for name in SD_FILES if name.startswith("unet/diffusion_")]
        fake_hub.files = {name: 1 for name in SD_FILES if name not in unet} | IN_SEVERAL
    fake_hub.error_on_ask, fake_hub.has_cache = httpx2.ConnectError("no"), True
    fake_hub.lost = (lost,)
    with pytest.raises(ModelUnavailable, match="hub cannot be reached and not all of the model"):
        fetch(Told())
    fake_hub.lost = ()
    assert fetch(Told()) == fake_hub.folder


def test_a_repository_that_is_one_part_is_cached_with_its_weights(fake_hub: FakeHub) -> None:
    weights = "diffusion_pytorch_model.safetensors"
    fake_hub.files = {"config.json": 1, weights: 1}
    fake_hub.error_on_ask, fake_hub.has_cache = httpx2.ConnectError("no"), True
    fake_hub.lost = (weights,)
    with pytest.raises(ModelUnavailable, match="hub cannot be reached"):
        fetch(Told())
    fake_hub.lost = ()
    assert fetch(Told()) == fake_hub.folder


def test_a_disk_that_is_too_small_is_said_before_the_download(fake_hub: FakeHub) -> None:
    fake_hub.files["unet/diffusion_pytorch_model.fp16.safetensors"] = 10**15
    with pytest.raises(ModelUnavailable, match=r"GB are needed and .* GB are free"):
        fetch(Told())
    assert fake_hub.asked == []


def test_a_full_disk_tells_what_broken_off_downloads_left_on_it(
    fake_hub: FakeHub, tmp_path: Path
) -> None:
    """The hub's client begins such files anew."""
    fake_hub.files, fake_hub.free_bytes = LARGE, 10**9
    blobs = tmp_path / "cache" / "models--someone--model" / "blobs"
    blobs.mkdir(parents=True)
    with (blobs / "abc.0123.incomplete").open("wb") as file:
        file.truncate(2_700_000_000)  # takes no room
    with pytest.raises(ModelUnavailable) as caught:
        fetch(Told())
    assert "4.2 GB are needed and 1.0 GB are free" in caught.value.reason
    assert "2.7 GB are left of downloads that broke off" in caught.value.reason
    assert "*.incomplete" in caught.value.reason


@contextmanager
def downloading(fake: FakeHub, repo: str, revision: str | None = None) -> Iterator[None]:
    """Meanwhile a download of a repository of 3 GB runs, of which 1 GB has come."""
    has_begun, may_end = threading.Event(), threading.Event()

    def download(bar_class: Any, names: list[str]) -> None:
        came = bar_class(desc="Downloading bytes", total=0, initial=0, unit="B", unit_scale=True)
        came.update(10**9)
        has_begun.set()
        assert may_end.wait(10)

    running = FakeHub(fake.folder, files=dict(LARGE), download=download)
    running.files["vae/diffusion_pytorch_model.safetensors"] = 0
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(hub, "HfApi", lambda: running)
        patch.setattr(hub, "snapshot_download", running.snapshot_download)
        thread = threading.Thread(target=hub.fetch, args=(SD_TURBO, repo, revision, Told()))
        thread.start()
        assert has_begun.wait(10)
    try:
        yield
    finally:
        may_end.set()
        thread.join(10)


def test_what_other_downloads_are_still_to_bring_has_to_fit_too(fake_hub: FakeHub) -> None:
    fake_hub.files, fake_hub.free_bytes = LARGE, 5 * 10**9
    with downloading(fake_hub, "someone/other"):
        with pytest.raises(ModelUnavailable, match=r"6\.2 GB are needed and 5\.0 GB") as caught:
            fetch(Told())
        assert "; 2.0 GB of them for other downloads that are running" in caught.value.reason
        assert "broke off" not in caught.value.reason, "what is there may be theirs"
        fake_hub.free_bytes = 7 * 10**9
        assert fetch(Told()) == fake_hub.folder
        fake_hub.free_bytes = 5 * 10**9
    assert fetch(Told()) == fake_hub.folder, "it came, or broke off"


def test_a_repository_that_two_want_counts_once(fake_hub: FakeHub) -> None:
    fake_hub.files, fake_hub.free_bytes = LARGE, 5 * 10**9
    with downloading(fake_hub, "someone/model"):
        assert fetch(Told()) == fake_hub.folder


def test_another_revision_of_a_repository_counts_beside_it(fake_hub: FakeHub) -> None:
    fake_hub.files, fake_hub.free_bytes = LARGE, 5 * 10**9
    with (
        downloading(fake_hub, "someone/model", "abc"),
        pytest.raises(ModelUnavailable, match=r"6\.2 GB are needed and 5\.0 GB"),
    ):
        fetch(Told())


def test_what_two_others_want_of_one_repository_counts_once(fake_hub: FakeHub) -> None:
    fake_hub.files, fake_hub.free_bytes = LARGE, 6_500_000_000
    with downloading(fake_hub, "someone/other"), downloading(fake_hub, "someone/other"):
        assert fetch(Told()) == fake_hub.folder
        with (
            downloading(fake_hub, "someone/third"),
            pytest.raises(ModelUnavailable, match=r"8\.2 GB are needed and 6\.5 GB"),
        ):
            fetch(Told())


@dataclass
class Left:
    """A download that is to bring so much."""

    left_bytes: int


def test_of_those_who_want_one_revision_the_one_that_lacks_most_counts(fake_hub: FakeHub) -> None:
    """Also beside the one that asks."""
    fake_hub.free_bytes = 5 * 10**9
    with (
        hub_disk.room_for("someone/model", None, Left(10**9)),
        hub_disk.room_for("someone/model", None, Left(4 * 10**9)),
    ):
        fake_hub.free_bytes = 4 * 10**9
        for repo, num_gb, others_gb in (("someone/model", "4.2", "3.0"), ("x/y", "5.2", "4.0")):
            said = f"{num_gb} GB are needed and 4.0 GB are free; {others_gb} GB of them for other"
            with (
                pytest.raises(OSError, match=said),
                hub_disk.room_for(repo, None, Left(10**9)),
            ):
                raise AssertionError("there is no room")


@pytest.mark.parametrize("is_alone", [True, False])
def test_a_file_that_vanishes_while_the_disk_is_looked_at_counts_for_nothing(
    fake_hub: FakeHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_alone: bool
) -> None:
    """And where others download, nobody looks: what is not all there is theirs."""
    fake_hub.files = LARGE
    blobs = tmp_path / "cache" / "models--someone--model" / "blobs"
    blobs.mkdir(parents=True)
    with (blobs / "abc.0123.incomplete").open("wb") as file:
        file.truncate(2_700_000_000)  # takes no room
    looked: list[str] = []
    glob = Path.glob

    def glob_late(folder: Path, pattern: str) -> list[Path]:
        looked.append(pattern)
        return [blobs / "gone.0123.incomplete", *glob(folder, pattern)]

    monkeypatch.setattr(Path, "glob", glob_late)
    others = nullcontext() if is_alone else downloading(fake_hub, "someone/other")
    with others:
        fake_hub.free_bytes = 10**9
        with pytest.raises(ModelUnavailable, match="GB are free") as caught:
            fetch(Told())
    assert ("2.7 GB are left of downloads that broke off" in caught.value.reason) == is_alone
    assert bool(looked) == is_alone


def test_bars_of_several_downloads_know_nothing_of_one_another() -> None:
    """What they share would be changed under the lock of either."""
    one, other = (hub._bars(Meter("SD-Turbo", Told(), 3)) for _ in range(2))
    bar = one(total=3, unit="B")
    assert bar in one._instances
    assert bar not in other._instances
    assert bar not in vars(tqdm)["_instances"]
    assert one.get_lock() is not other.get_lock()
    bar.close()


def test_bars_are_whole_tqdms_that_write_nothing() -> None:
    """The hub's client calls more of a bar than `update`."""
    bar = hub._bars(Meter("SD-Turbo", Told(), 3))(desc="x", total=3, unit="B", file=io.StringIO())
    bar.update(1)
    bar.refresh()
    bar.set_postfix_str("x", refresh=False)
    assert bar.format_dict["n"] == 1
    bar.close()
