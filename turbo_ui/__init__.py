"""Turbo UI: draw and type, and the picture follows.

The public names below are loaded when first used: importing this package pulls in no torch.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from turbo_ui.backends.base import Backend as Backend
    from turbo_ui.backends.loading import load as load
    from turbo_ui.catalog import CATALOG as CATALOG
    from turbo_ui.catalog import ModelSpec as ModelSpec
    from turbo_ui.errors import BackendFailure as BackendFailure
    from turbo_ui.errors import InvalidRequest as InvalidRequest
    from turbo_ui.errors import ModelUnavailable as ModelUnavailable
    from turbo_ui.errors import TurboUIError as TurboUIError
    from turbo_ui.frames import Frame as Frame
    from turbo_ui.frames import FrameRequest as FrameRequest
    from turbo_ui.frames import FrameTimings as FrameTimings
    from turbo_ui.frames import Sketch as Sketch

__version__ = "0.1.0"

_HOMES = {
    "Backend": "turbo_ui.backends.base",
    "BackendFailure": "turbo_ui.errors",
    "CATALOG": "turbo_ui.catalog",
    "Frame": "turbo_ui.frames",
    "FrameRequest": "turbo_ui.frames",
    "FrameTimings": "turbo_ui.frames",
    "InvalidRequest": "turbo_ui.errors",
    "ModelSpec": "turbo_ui.catalog",
    "ModelUnavailable": "turbo_ui.errors",
    "Sketch": "turbo_ui.frames",
    "TurboUIError": "turbo_ui.errors",
    "load": "turbo_ui.backends.loading",
}

__all__ = sorted(_HOMES)  # pyright: ignore[reportUnsupportedDunderAll]


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(home), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOMES])
