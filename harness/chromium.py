"""The browser that is driven: an installed one, else one that this installs.

`python -m harness.chromium` makes sure that there is one and says where; `find()` gives its path.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
MAC_APPS = (
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
)
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
"""What it is started with: no GPU, and nothing of its own in the background."""


def find() -> str | None:
    """The path of a Chromium or Chrome that can be started, or None.

    `TURBO_UI_TEST_CHROMIUM` names one; else what is on the path; else Playwright's own.
    """
    named = os.environ.get("TURBO_UI_TEST_CHROMIUM")
    if named:
        return named
    for name in NAMES:
        found = shutil.which(name)
        if found:
            return found
    for app in MAC_APPS:
        if Path(app).exists():
            return app
    # Its synchronous calls are refused where a loop runs, as inside of another Playwright.
    with ThreadPoolExecutor(1) as apart:
        return apart.submit(_playwright_own).result()


def _playwright_own() -> str | None:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        path = playwright.chromium.executable_path
    return path if Path(path).exists() else None


def install() -> None:
    """Debian's package where this is root and there is one, else Playwright's own build."""
    has_apt = hasattr(os, "geteuid") and os.geteuid() == 0 and shutil.which("apt-get") is not None
    if has_apt:
        environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        update = subprocess.run(["apt-get", "-qq", "update"], env=environment)
        if update.returncode == 0:
            done = subprocess.run(
                ["apt-get", "-qq", "install", "-y", "--no-install-recommends", "chromium"],
                env=environment,
                stdout=subprocess.DEVNULL,
            )
            if done.returncode == 0 and find():
                return
    command = [sys.executable, "-m", "playwright", "install", "chromium"]
    # where the package is missing, as on Ubuntu, libraries that a browser needs may be missing, too
    if has_apt and subprocess.run([*command, "--with-deps"]).returncode == 0:
        return
    subprocess.run(command, check=True)


def main() -> int:
    found = find()
    if found is None:
        print("no Chromium or Chrome is installed; installing one", flush=True)
        install()
        found = find()
    if found is None:
        print("no browser: install Chromium or Chrome, or name one in TURBO_UI_TEST_CHROMIUM")
        return 1
    print(f"browser: {found}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
