"""One Chromium and one server for all browser tests; each test gets a context of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, sync_playwright

from harness import chromium
from harness.app_process import AppProcess
from harness.drawer import Drawer, OpenPage
from tests.browser import STANDIN


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(
            executable_path=chromium.find(), args=chromium.ARGUMENTS
        )
        yield opened
        opened.close()


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AppProcess]:
    app = AppProcess(tmp_path_factory.mktemp("browser"), program=STANDIN).start()
    yield app
    app.kill()


@pytest.fixture
def new_context(browser: Browser) -> Iterator[Callable[..., BrowserContext]]:
    """Makes browser contexts: profiles of their own, closed after the test."""
    contexts: list[BrowserContext] = []

    def make(**options: object) -> BrowserContext:
        context = browser.new_context(**{"viewport": {"width": 1280, "height": 900}, **options})  # type: ignore[arg-type]
        contexts.append(context)
        return context

    yield make
    for context in contexts:
        context.close()


@pytest.fixture
def open_page(server: AppProcess, new_context: Callable[..., BrowserContext]) -> OpenPage:
    """Opens the app in a new profile and waits for the first picture."""

    def make(url: str | None = None, **options: object) -> Drawer:
        return Drawer(new_context(**options).new_page()).open(url or server.url)

    return make


@pytest.fixture(scope="session")
def shots() -> Path:
    """Where screenshots of the tests go, to be looked at."""
    folder = Path("test-results")
    folder.mkdir(exist_ok=True)
    return folder
