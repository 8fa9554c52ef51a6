"""What an error of the hub, or of a download from it, means to a person and what can be done."""

from __future__ import annotations

import errno
import re
import socket

import httpx2
from huggingface_hub import constants
from huggingface_hub.errors import (
    GatedRepoError,
    HfHubHTTPError,
    HFValidationError,
    LocalEntryNotFoundError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)

from turbo_ui.catalog import ModelSpec
from turbo_ui.errors import ModelUnavailable, causes

DISK_FULL = re.compile(
    r"no space left|disk quota exceeded|not enough space|\(os error (28|112|122)\)", re.IGNORECASE
)
NO_NETWORK = re.compile(
    r"network error|error sending request|connection (reset|refused|aborted|closed)|timed out"
    r"|dns error|name resolution|unreachable",
    re.IGNORECASE,
)
"""In the hub's client for large files, which is not written in Python, every error is a
RuntimeError: only its words tell what it is."""

UNREACHABLE = (
    "the hub cannot be reached and not all of the model is in the cache",
    "Connect to the network and try again; files that have come whole are kept. Or give a folder "
    "or a file.",
)

NO_FOLDER = "No folder of that name is here either."
"""What was taken for a hub id may be a path with a slip in it."""


def explained(
    spec: ModelSpec, repo: str, revision: str | None, error: Exception
) -> ModelUnavailable:
    """What an error of the hub means, and what to do about it."""
    reason, remedy = _explained(spec, repo, revision, error)
    return ModelUnavailable(spec.id, reason, remedy)


def _explained(
    spec: ModelSpec, repo: str, revision: str | None, error: Exception
) -> tuple[str, str]:
    chain = causes(error)
    for cause in filter(_is_disk_full, chain):
        words = getattr(cause, "strerror", None) or str(cause)[:300]
        cache = constants.HF_HUB_CACHE
        remedy = f"Make room in {cache}, or set HF_HOME to a folder on a larger disk."
        return f"the disk is full ({words})", remedy
    # what the hub answers about a file, the client tells as the cause of "not in the cache"
    answers = (each for each in chain if isinstance(each, HfHubHTTPError))
    match told := next(answers, error):
        case GatedRepoError():
            how = spec.how_to_get or (
                f"Accept its licence on https://huggingface.co/{repo} with your account, make a "
                "read token, and start the app with HF_TOKEN set to it."
            )
            return "its licence has to be accepted first", how
        case RepositoryNotFoundError():
            reason = f"the hub knows no {repo}, or wants a login for it"
            remedy = "Check the name; for a private model set HF_TOKEN."
            if spec.is_provisional:
                remedy = f"{remedy} {NO_FOLDER}"
            return reason, spec.how_to_get or remedy
        case RevisionNotFoundError():
            return f"{repo} has no revision {revision}", "Check the revision."
        case HFValidationError():
            return f"{repo} is no name of a repository", "Names are like owner/model."
        case LocalEntryNotFoundError():
            return _unreachable(spec)
        case HfHubHTTPError():
            return _status(getattr(told.response, "status_code", None))
        case _ if any(_is_no_network(each) for each in chain):
            return _unreachable(spec)
        case OSError():
            return f"its files could not be written ({told.strerror or told})", "Try again."
        case _:
            text = f"{type(error).__name__}: {str(error)[:300]}"
            return (
                f"the download failed ({text})",
                "Try again; files that have come whole are kept.",
            )


def _unreachable(spec: ModelSpec) -> tuple[str, str]:
    reason, remedy = UNREACHABLE
    return reason, f"{remedy} {NO_FOLDER}" if spec.is_provisional else remedy


def _is_disk_full(error: BaseException) -> bool:
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return True
    return isinstance(error, RuntimeError) and DISK_FULL.search(str(error)) is not None


def _is_no_network(error: BaseException) -> bool:
    if isinstance(error, httpx2.TransportError | ConnectionError | TimeoutError | socket.gaierror):
        return True
    if isinstance(error, OSError):
        return error.errno in (errno.ENETDOWN, errno.ENETUNREACH, errno.EHOSTUNREACH)
    return isinstance(error, RuntimeError) and NO_NETWORK.search(str(error)) is not None


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
