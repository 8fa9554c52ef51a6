"""The static card of a benchmark: what it ran on, known before anything is measured."""

from __future__ import annotations

import datetime
import os
import platform
import subprocess
from importlib import metadata
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = (
    "gradio", "torch", "diffusers", "transformers", "numpy", "pillow", "websockets", "playwright",
)  # fmt: skip


def read(device: str, dtype: str, **further: str) -> dict[str, str]:
    """The card; `device` and `dtype` are where models run, `further` what one benchmark adds."""
    versions = [f"{name} {_version(name)}" for name in PACKAGES]
    return {
        "date": datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "machine": machine(),
        "load": f"{os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else "unknown",
        "device": device,
        "dtype": dtype,
        "versions": ", ".join([f"Python {platform.python_version()}", *versions]),
        **further,
        "commit": commit(),
    }


def machine() -> str:
    """The processor and how many of it: "AMD EPYC, 2 CPUs"."""
    return f"{_processor()}, {os.cpu_count()} CPUs"


def commit() -> str:
    """The commit that is checked out, and whether anything tracked was changed."""
    try:
        found = _git("rev-parse", "--short=12", "HEAD")
        changed = _git("status", "--porcelain", "--untracked-files=no")
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return found + (" with changes" if changed else "")


def _git(*arguments: str) -> str:
    done = subprocess.run(
        ["git", *arguments], cwd=ROOT, check=True, capture_output=True, text=True, timeout=20
    )
    return done.stdout.strip()


def _processor() -> str:
    listed = Path("/proc/cpuinfo")
    if listed.exists():
        for line in listed.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return "not installed"
