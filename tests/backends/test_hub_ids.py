"""Repositories of the hub that are not in the catalog: what they are is told by their index."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import httpx2
import pytest
from huggingface_hub.errors import (
    GatedRepoError,
    OfflineModeIsEnabled,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)

import turbo_ui
from tests import checkpoints_sd3
from tests.backends.conftest import MakeCheckpoint
from tests.backends.test_hub import FakeHub, Told, answer, http_error, reached
from tests.fakes import InlineSwitchboard
from turbo_ui.backends import hub, loading, parts
from turbo_ui.backends.base import Backend
from turbo_ui.catalog import DOODLE, SD_TURBO, ModelSpec
from turbo_ui.errors import ModelUnavailable
from turbo_ui.frames import FrameRequest
from turbo_ui.own_models import spec_for

COMMIT = "0123456789" * 4
NAME = "someone/tiny"


class FakeRepository(FakeHub):
    """A hub that holds one checkpoint, which lies in its cache under its commit."""

    def fill_cache(self) -> None:
        """It is there."""

    @property
    def names(self) -> list[tuple[str | None, list[str]]]:
        """Revision and files of each download, without the tiny VAE's."""
        return [
            (asked["revision"], asked["allow_patterns"])
            for asked in self.asked
            if asked["repo"] == NAME
        ]


@pytest.fixture(params=["sd", "sdxl", "sd3", "sd fp16"])
def family(request: pytest.FixtureRequest) -> str:
    return request.param


def repository_of(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeRepository:
    snapshot = Path(shutil.copytree(folder, tmp_path / COMMIT))
    files = {
        str(path.relative_to(snapshot)): path.stat().st_size
        for path in snapshot.rglob("*")
        if path.is_file()
    }
    fake = FakeRepository(snapshot, files={**files, "unet/my_unet.py": 10, "README.md": 5})
    reached(fake, tmp_path / "cache", monkeypatch)
    return fake


@pytest.fixture
def tiny(
    checkpoint: MakeCheckpoint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> FakeRepository:
    """A tiny SD-Turbo's."""
    return repository_of(checkpoint(vae_kind="kl"), tmp_path, monkeypatch)


def load(name: str = NAME, told: Any = None) -> Backend:
    return loading.load_spec(spec_for(name), told or Told(), device="cpu")


def test_each_family_is_found_from_the_index_before_anything_large_is_downloaded(
    checkpoint: MakeCheckpoint,
    sdxl_checkpoint: MakeCheckpoint,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    family: str,
) -> None:
    folder = {
        "sd": partial(checkpoint, vae_kind="kl"),
        "sd fp16": partial(checkpoint, vae_kind="kl", variant="fp16"),
        "sdxl": sdxl_checkpoint,
        "sd3": partial(checkpoints_sd3.make, tmp_path / "sd3"),
    }[family]()
    fake = repository_of(folder, tmp_path, monkeypatch)
    told = Told()
    backend = load(told=told)
    assert fake.names[0] == (None, [hub.INDEX])
    assert fake.names[1] == (COMMIT, hub.model_files(fake.files)), "what was found is what is taken"
    assert not any(".py" in name for _, names in fake.names for name in names)
    spec = backend.spec
    like = {"sd": "sd-turbo", "sdxl": "sdxl-turbo", "sd3": "stable-diffusion-3.5-large-turbo"}
    known = spec_for(like[family.split()[0]])
    assert (spec.id, spec.title, spec.revision) == ("tiny", NAME, COMMIT)
    assert (spec.family, spec.sizes_px, spec.tiny_vae) == (
        known.family,
        known.sizes_px,
        known.tiny_vae,
    )
    assert 0 < spec.memory_bytes < 100_000_000, "as large as it is, and not as its family"
    learnt = [report["spec"] for report in told.reports if report.get("spec")]
    assert [each.is_provisional for each in learnt] == [True, False]
    assert {each.family for each in learnt} == {known.family}
    assert any(COMMIT in report["text"] for report in told.reports)
    assert all(report["state"] == "downloading" for report in told.reports[:2])


def test_it_draws_and_takes_the_commit_that_it_was_loaded_in(tiny: FakeRepository) -> None:
    backend = turbo_ui.load(NAME, device="cpu")
    wanted = FrameRequest(model="tiny", revision=COMMIT, prompt="a cat")
    (frame,) = backend.generate([wanted])
    assert frame.image.shape == (256, 256, 3)
    assert frame.request.revision == COMMIT


@pytest.mark.parametrize("revision", ["v1.0", COMMIT])
def test_a_revision_is_asked_for(tiny: FakeRepository, revision: str) -> None:
    assert load(f"{NAME}@{revision}").spec.revision == COMMIT
    assert [asked for asked, _ in tiny.names] == [revision, COMMIT]


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        (
            {"_class_name": "FluxPipeline"},
            ["it is a FluxPipeline", "Known are: StableDiffusionPipeline"],
        ),
        ({"_class_name": "MyPipeline"}, ["it is a MyPipeline"]),
        ({"unet": ["my_unet", "MyUNet"]}, ["its unet is MyUNet", "Wanted is UNet2DConditionModel"]),
        (
            {"scheduler": ["diffusers", "PNDMScheduler"]},
            ["its scheduler is PNDMScheduler", "EulerDiscreteScheduler"],
        ),
        (None, ["its model_index.json cannot be read"]),
    ],
)
def test_what_cannot_be_run_is_refused_by_its_index_alone(
    tiny: FakeRepository, changed: dict[str, Any] | None, said: list[str]
) -> None:
    path = tiny.folder / hub.INDEX
    index = json.loads(path.read_text("utf-8"))
    path.write_text("{" if changed is None else json.dumps({**index, **changed}))
    with pytest.raises(ModelUnavailable) as caught:
        load()
    for text in ["tiny is not available", *said]:
        assert text in caught.value.user_text
    assert COMMIT not in caught.value.user_text
    assert [names for _, names in tiny.names] == [[hub.INDEX]]


@pytest.mark.parametrize(
    "files",
    [
        {"model_index.json": 1, "unet/diffusion_pytorch_model.bin": 5},
        {"turbo.safetensors": 5, "README.md": 1},
        {"unet/config.json": 1, "unet/diffusion_pytorch_model.safetensors": 5},
    ],
    ids=["pickles", "a single file", "no index"],
)
def test_a_repository_without_a_diffusers_model_in_safetensors_is_refused(
    tiny: FakeRepository, files: dict[str, int]
) -> None:
    tiny.files = files
    with pytest.raises(ModelUnavailable, match="holds no safetensors files of a diffusers") as got:
        load()
    assert "download a single file of it and name that" in got.value.user_text
    assert tiny.asked == []


NO_FOLDER = "No folder of that name is here either."
PAGE = f"https://huggingface.co/{NAME}"
ERRORS: list[tuple[str, Exception, list[str]]] = [
    ("401", http_error(401), ["does not know this token"]),
    ("403", http_error(403), ["does not let this token read"]),
    ("gated", GatedRepoError("no", response=answer(403)), ["licence has to be accepted", PAGE]),
    (
        "404",
        RepositoryNotFoundError("no", response=answer(404)),
        [f"knows no {NAME}", "HF_TOKEN", NO_FOLDER],
    ),
    ("revision", RevisionNotFoundError("no", response=answer(404)), ["no revision v1.0"]),
    ("offline", OfflineModeIsEnabled("no"), ["not all of the model is in the cache", NO_FOLDER]),
    ("no route", httpx2.ConnectError("no"), ["hub cannot be reached", NO_FOLDER]),
]


@pytest.mark.parametrize(("error", "said"), [row[1:] for row in ERRORS], ids=[r[0] for r in ERRORS])
@pytest.mark.parametrize("moment", ["error_on_ask", "error_on_download"])
def test_the_hubs_errors_are_told_as_for_the_catalogs_models(
    tiny: FakeRepository, moment: str, error: Exception, said: list[str]
) -> None:
    setattr(tiny, moment, error)
    with pytest.raises(ModelUnavailable) as caught:
        load(f"{NAME}@v1.0")
    for text in ["tiny is not available", *said]:
        assert text in caught.value.user_text


def test_where_the_hub_does_not_answer_the_cache_is_enough(tiny: FakeRepository) -> None:
    tiny.error_on_ask, tiny.has_cache = httpx2.ConnectError("no"), True
    told = Told()
    assert load(told=told).spec.revision == COMMIT
    assert tiny.asked == []
    assert any("in the cache" in report["text"] for report in told.reports)


@pytest.mark.parametrize("name", [f"{NAME}@v2", "tiny-of-the-table"])
def test_a_folder_of_its_name_is_not_taken_for_a_repository(
    tiny: FakeRepository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    shutil.copytree(tiny.folder, tmp_path / NAME)
    monkeypatch.chdir(tmp_path)
    read: list[Path] = []
    read_folder = parts.read_folder
    monkeypatch.setattr(
        parts,
        "read_folder",
        lambda spec, path, *args, **named: (
            read.append(path) or read_folder(spec, path, *args, **named)
        ),
    )
    known = replace(SD_TURBO, id="tiny-of-the-table", source=NAME, revision=COMMIT)
    backend = loading.load_spec(spec_for(name, (DOODLE, known)), Told(), device="cpu")
    assert backend.spec.revision == COMMIT
    assert read == [tiny.folder]


def test_a_switchboard_knows_the_model_better_once_it_is_loaded(tiny: FakeRepository) -> None:
    """And asks for the same commit after it was put away."""
    spec = spec_for(NAME)
    board = InlineSwitchboard([DOODLE, spec], partial(loading.load_spec, device="cpu"))
    seen: list[ModelSpec] = []
    board.subscribe(lambda state: seen.append(board.spec(state.model_id)))
    tiny.error_on_download = http_error(500)
    for is_there in (False, True):
        board.request("tiny")
        board.load_next()
        assert (board.ready("tiny") is not None) == is_there
        tiny.error_on_download = None
    assert board.spec("tiny").revision == COMMIT
    assert not board.spec("tiny").is_provisional
    assert [each.id for each in board.catalog] == ["doodle", "tiny"]
    assert any(each.is_provisional for each in seen)
    num_asked = len(tiny.asked)
    backend = board.loaded.take("tiny")
    assert backend is not None
    backend.close()
    board.request("tiny")
    board.load_next()
    assert board.ready("tiny") is not None
    assert [revision for revision, _ in tiny.names[num_asked:]] == [COMMIT]
