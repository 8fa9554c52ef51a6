"""Models that are not in the catalog: a folder, a file or a hub repository of the user's own.

Each gets a `ModelSpec` made for it, which says of it what holds for its family; everything behind
the catalog treats it as one of the table. What a repository holds is not known before its index
has come: until then its entry is provisional.
"""

from __future__ import annotations

import os
import re
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from turbo_ui import weights
from turbo_ui.catalog import (
    BY_ARCHITECTURE,
    CATALOG,
    ITEMSIZE,
    SD_TURBO,
    WORK_SHARE,
    ModelSpec,
    expanded,
    find,
)
from turbo_ui.errors import InvalidRequest, ModelUnavailable

NETWORKS = ("text_encoder", "text_encoder_2", "text_encoder_3", "transformer", "unet", "vae")
"""The parts of a diffusers folder that take memory."""

UNREAD = "model_ema."
"""What a single file keeps beside the weights that are drawn with: their averages."""

OWN = ("id", "title", "source", "licence", "licence_url", "attribution", "how_to_get", "is_gated")
"""What an entry has that is not its family's, beside the revision."""

_NAME = r"(?!-|\.)(?!\S*(?:--|\.\.))[\w.-]{1,96}(?<![.-])"
_REPO = re.compile(f"{_NAME}/{_NAME}", re.ASCII)
_REVISION = re.compile(r"(?!\S*\.\.)\w(?:[\w./-]{0,198}\w)?", re.ASCII)
_COMMIT = re.compile(r"[0-9a-f]{40}")
_NO_REPOSITORY = (".safetensors", ".git", *weights.PICKLES)
"""How the name of a file ends that is not there, and no repository's may."""


class HubId(NamedTuple):
    """A repository of the hub; `revision` is a commit, a branch or a tag, None the newest."""

    repo: str
    revision: str | None

    @classmethod
    def read(cls, text: str) -> HubId | None:
        """What `owner/name` or `owner/name@revision` names; None where it is not written so."""
        repo, at, revision = text.partition("@")
        if not _REPO.fullmatch(repo) or repo.lower().endswith(_NO_REPOSITORY):
            return None
        if at and not _REVISION.fullmatch(revision):
            return None
        return cls(repo, revision or None)

    @property
    def title(self) -> str:
        """For people: a commit is shown by its first 7 digits."""
        if self.revision is None:
            return self.repo
        is_commit = _COMMIT.fullmatch(self.revision)
        return f"{self.repo}@{self.revision[:7] if is_commit else self.revision}"


def spec_for(
    model: str, catalog: tuple[ModelSpec, ...] = CATALOG, field: str = "model"
) -> ModelSpec:
    """The entry with this id, path or hub id; else one made for a folder or a file, by what it
    holds, or for a repository of the hub. A path that is there goes before a hub id.

    Something that is there but cannot be run gets an entry, too, as has a repository that may not
    be there: loading it says what is wrong.

    Args:
        field: what the caller calls the value, for the error.

    Raises:
        InvalidRequest: it is not in the catalog, is nothing that is there, and no hub id.
    """
    found = find(model, catalog)
    if found is not None:
        return found
    ids = ", ".join(spec.id for spec in catalog)
    allowed = (
        f"{ids}, a hub id (owner/name or owner/name@revision), a diffusers folder, or a "
        ".safetensors file"
    )
    # a remote model's source is what its own server calls it
    here = [spec for spec in catalog if spec.family != "remote"]
    path = expanded(field, model, allowed)
    if os.path.exists(path):  # `Path.exists` raises on a name that is too long
        source = str(path.resolve())
        known = next((spec for spec in here if spec.source == source), None)
        return known or _of_a_path(path, source, catalog)
    known = next((spec for spec in here if spec.source == model and not spec.is_provisional), None)
    if known is not None:
        return known
    hub_id = HubId.read(model)
    if hub_id is None:
        raise InvalidRequest(field, model, allowed)
    named = (spec for spec in here if (spec.source, spec.revision) == hub_id)
    return next(named, None) or _of_a_repository(hub_id, catalog)


def identified(
    spec: ModelSpec, architecture: weights.Architecture, revision: str | None
) -> ModelSpec:
    """A repository's entry once its index has told its layout; how large it is, is still open."""
    own = {name: getattr(spec, name) for name in OWN}
    alike = BY_ARCHITECTURE[architecture]
    return replace(alike, **own, revision=revision, is_provisional=True)


def weighed(spec: ModelSpec, path: Path) -> ModelSpec:
    """A provisional entry with what the files take that were downloaded for it; others as they
    are."""
    if not spec.is_provisional:
        return spec
    return replace(
        spec, memory_bytes=_memory_bytes(path) or spec.memory_bytes, is_provisional=False
    )


def commit_of(folder: Path) -> str | None:
    """The commit that a folder of the hub's cache holds; None where its name is none."""
    return folder.name if _COMMIT.fullmatch(folder.name) else None


def _of_a_path(path: Path, source: str, catalog: tuple[ModelSpec, ...]) -> ModelSpec:
    try:
        alike = BY_ARCHITECTURE[weights.architecture_of(path)]
    except ModelUnavailable:
        alike = SD_TURBO
    name = path.stem if path.is_file() else path.resolve().name
    return replace(
        alike,
        id=_free_id(name, catalog),
        title=name,
        source=source,
        revision=None,
        licence="unknown",
        licence_url="",
        attribution="",
        how_to_get="",
        is_gated=False,
        memory_bytes=_memory_bytes(path) or alike.memory_bytes,
    )


def _of_a_repository(hub_id: HubId, catalog: tuple[ModelSpec, ...]) -> ModelSpec:
    """Passes for an SD-Turbo until its index has come."""
    owner, _, name = hub_id.repo.partition("/")
    repo = hub_id.repo.casefold()  # the hub tells no upper from lower case
    alike = [spec for spec in CATALOG if spec.source.casefold().startswith(f"{owner.casefold()}/")]
    own = replace(
        SD_TURBO,
        id=_free_id(name, catalog),
        title=hub_id.title,
        source=hub_id.repo,
        revision=hub_id.revision,
        licence="as its page on the hub says",
        licence_url=f"https://huggingface.co/{hub_id.repo}",
        # what one model of a maker wants shown, the maker's others do
        attribution=next((spec.attribution for spec in alike), ""),
        is_provisional=True,
    )
    known = next((spec for spec in alike if spec.source.casefold() == repo), None)
    if known is None:
        return own
    # another revision of a model of the table
    same = ("licence", "licence_url", "attribution", "how_to_get", "is_gated")
    return replace(own, **{name: getattr(known, name) for name in same})


def _free_id(name: str, catalog: tuple[ModelSpec, ...]) -> str:
    """A folder named like an entry is another model: it must not pass for that one."""
    taken = {spec.id for spec in catalog}
    return next(
        candidate
        for candidate in (name, *(f"{name}-{number}" for number in range(2, len(taken) + 3)))
        if candidate not in taken
    )


def _memory_bytes(path: Path) -> int:
    """What a model of one's own takes, in whatever type its numbers are on the disk; 0 where it
    holds none."""
    files = _files_read_of(path) if path.is_dir() else [path]
    num_parameters = sum(_num_parameters(file) for file in files)
    return int(num_parameters * ITEMSIZE * (1 + WORK_SHARE))


def _files_read_of(folder: Path) -> list[Path]:
    """The weights of each network. What else a clone of a hub repository holds, such as the same
    model as a single file, is not read."""
    return [file for part in _networks_of(folder) for file in weights.weight_files(folder / part)]


def _networks_of(folder: Path) -> list[str]:
    """The parts that its index names; where there is none to go by, all that there may be."""
    try:
        index = weights.index_of(folder)
    except ModelUnavailable:
        return list(NETWORKS)
    return [part for part in NETWORKS if index.get(part) not in (None, [None, None])]


def _num_parameters(file: Path) -> int:
    """Of what is read of a file; where it cannot be read, by its size."""
    try:
        shapes = weights.shapes_of(file)
    except ModelUnavailable:
        return file.stat().st_size // ITEMSIZE
    read = {name: shape for name, shape in shapes.items() if not name.startswith(UNREAD)}
    return weights.num_parameters(read)
