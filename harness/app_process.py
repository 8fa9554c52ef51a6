"""A real server in a process of its own, on a free port, that can be killed and started again."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any, Self

ROOT = Path(__file__).resolve().parents[1]
APP = ("app.py",)
START_WITHIN_S = 400


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class AppProcess:
    """Starts the program with `arguments`; `log` has what it wrote.

    Args:
        folder: where the log is kept.
        program: what Python is to run; it takes `--port`.
    """

    def __init__(self, folder: Path, *arguments: str, program: tuple[str, ...] = APP) -> None:
        self.port = free_port()
        self.arguments = (*program, "--port", str(self.port), *arguments)
        self.log_path = folder / f"server-{self.port}.log"
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/"

    @property
    def lane_url(self) -> str:
        return f"ws://127.0.0.1:{self.port}/live"

    @property
    def log(self) -> str:
        return self.log_path.read_text(errors="replace") if self.log_path.exists() else ""

    def start(self) -> Self:
        """Returns once it can draw.

        Raises:
            RuntimeError: it ended, or did not become ready in time; holds the log.
        """
        environment = {**os.environ, "GRADIO_ANALYTICS_ENABLED": "False", "HF_HUB_OFFLINE": "1"}
        with self.log_path.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, *self.arguments],
                cwd=ROOT,
                env=environment,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        deadline = time.monotonic() + START_WITHIN_S
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                break
            if self.health()[0] == 200:
                return self
            time.sleep(0.05)
        self.kill()
        raise RuntimeError(f"the server did not become ready:\n{self.log}")

    def health(self) -> tuple[int, dict[str, Any]]:
        """Status and body of /healthz; status 0 where nobody answers."""
        try:
            with urllib.request.urlopen(self.url + "healthz", timeout=30) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as error:
            with error, contextlib.suppress(OSError):
                return error.code, json.load(error)
        except OSError:
            pass
        return 0, {}

    def terminate(self, within_s: float = 10) -> int:
        """Asks to stop as a host does, and waits; the exit status."""
        assert self.process is not None
        self.process.terminate()
        return self.process.wait(within_s)

    def kill(self) -> None:
        """Ends it without a word."""
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait(10)
