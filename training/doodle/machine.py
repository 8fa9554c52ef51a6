"""The machine that numbers were measured on, as a card tells it."""

import os
import platform
from importlib.metadata import version
from pathlib import Path
from typing import Any


def machine_card() -> dict[str, Any]:
    """What numbers were measured with, and how busy that was."""
    packages = ("torch", "diffusers", "transformers", "numpy", "opencv-python-headless")
    return {
        "processor": _processor(),
        "cores": os.cpu_count(),
        "system": platform.system(),
        "python": platform.python_version(),
        "versions": {name: version(name) for name in packages},
        "path": "fp32, eager torch, CPU, batch 1, 256 × 256, one step",
        "load_average": round(os.getloadavg()[0], 2),
    }


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()
