"""Where a model's files are: a hub id, a folder, or a single file, each becomes parts."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from turbo_ui import own_models, weights
from turbo_ui.backends import hub, parts, single_file
from turbo_ui.backends import text_encoders as encoders
from turbo_ui.backends.base import LoadReport
from turbo_ui.catalog import BY_ARCHITECTURE, ModelSpec, expanded
from turbo_ui.errors import ModelUnavailable


def identified(spec: ModelSpec, report: LoadReport) -> ModelSpec:
    """A provisional entry as the index of its repository tells it: its family, and the commit that
    is taken from now on, so that the same request stays the same picture.

    Raises:
        ModelUnavailable: the index cannot be had, or names what cannot be run.
    """
    if not spec.is_provisional:
        return spec
    folder = hub.index(spec, report)
    parts.check_classes(spec, folder)
    revision = own_models.commit_of(folder) or spec.revision
    found = own_models.identified(spec, weights.architecture_of(folder), revision)
    text = f"{spec.title} is of the family {found.family}; its commit {revision} is taken."
    report("downloading", text, spec=found)
    return found


def locate(spec: ModelSpec, report: LoadReport) -> Path:
    """The folder or file of a model, from the hub where it has to be; its family is right.

    Raises:
        InvalidRequest: its source is in the home of a user that is unknown.
        ModelUnavailable: it cannot be had, or is of a family that this entry is not.
    """
    path = expanded("source", spec.source)
    if not path.is_absolute():
        # a hub id, whatever lies in the working directory: each path of an entry is absolute
        path = hub.fetch(spec, spec.source, spec.revision, report)
    elif not path.exists():
        remedy = "Check the path."
        if spec.is_embedded:
            remedy = "Get the project again, or train the model with `make train-doodle`."
        raise ModelUnavailable(spec.id, f"{path.name} is not there", remedy)
    try:
        family = BY_ARCHITECTURE[weights.architecture_of(path)].family
    except ModelUnavailable as error:
        raise ModelUnavailable(spec.id, error.reason, error.remedy) from None
    if family != spec.family:
        reason = f"{path.name} is of the family {family} and not {spec.family}"
        raise ModelUnavailable(spec.id, reason, "Ask for it by its path alone.")
    return path


def read(
    spec: ModelSpec,
    path: Path,
    dtype: torch.dtype,
    *,
    text_encoders: Sequence[Path] = (),
    skip: Sequence[str] = (),
) -> dict[str, Any]:
    """A model's parts in main memory, from what `locate` found.

    Args:
        text_encoders: where those of a single file without them are.
        skip: optional parts that are left out.

    Raises:
        ModelUnavailable: something is missing or broken; says what.
    """
    if path.is_dir():
        return parts.read_folder(spec, path, dtype, skip=skip)
    return single_file.read_file(spec, path, dtype, named=text_encoders, skip=skip)


def num_parameters(
    spec: ModelSpec, path: Path, text_encoders: Sequence[Path] = ()
) -> dict[str, int]:
    """How many parameters each network of a Stable Diffusion 3 has, from what `locate` found, and
    those of `holding.T5_WIDE` where T5 is there: what `PartCounts.of` takes.

    Told from headers alone, so that what will not be needed need not be read.

    Args:
        text_encoders: as for `read`.

    Raises:
        ModelUnavailable: something is missing or broken; says what.
    """
    if path.is_dir():
        return encoders.num_parameters_of_folder(spec, path)
    return single_file.num_parameters(spec, path, named=text_encoders)


def locate_tiny_vae(spec: ModelSpec, report: LoadReport) -> Path:
    """The folder of the small stand-in of a model's VAE, from the hub where it has to be.

    Raises:
        InvalidRequest: it is in the home of a user that is unknown.
        ModelUnavailable: none is known, or it cannot be had.
    """
    if spec.tiny_vae is None:
        raise ModelUnavailable(spec.id, "no tiny VAE is known for it")
    folder = expanded("tiny_vae", spec.tiny_vae)
    if folder.is_absolute() and folder.is_dir():  # else a hub id, as in `locate`
        return folder
    return hub.fetch(spec, spec.tiny_vae, spec.tiny_vae_revision, report, choose=hub.root_files)


def read_tiny_vae(spec: ModelSpec, folder: Path, dtype: torch.dtype) -> Any:
    """The small stand-in of a model's VAE in main memory, from what `locate_tiny_vae` found.

    Raises:
        ModelUnavailable: it is broken.
        OutOfMemory: the main memory does not suffice.
    """
    return parts.read_part(spec, parts.part_class("AutoencoderTiny"), folder, dtype)
