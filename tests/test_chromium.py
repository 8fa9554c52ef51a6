"""Playwright's own browser is found where no other one is installed."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from playwright.sync_api import sync_playwright

from harness import chromium


def _found_before_and_after_it_is_there() -> tuple[str | None, str | None, str]:
    with sync_playwright() as playwright:
        expected = Path(playwright.chromium.executable_path)
        before = chromium.find()
        expected.parent.mkdir(parents=True)
        expected.touch()
        return before, chromium.find(), str(expected)


def test_playwrights_own_is_found_inside_of_another_playwright(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("TURBO_UI_TEST_CHROMIUM", raising=False)
    monkeypatch.setattr(chromium, "NAMES", ())
    monkeypatch.setattr(chromium, "MAC_APPS", ())
    monkeypatch.setenv("PLAYWRIGHT_BROWSERS_PATH", str(tmp_path))
    # A thread of its own: the browser tests keep a Playwright open in this one until the end.
    with ThreadPoolExecutor(1) as apart:
        before, after, expected = apart.submit(_found_before_and_after_it_is_there).result()
    assert Path(expected).is_relative_to(tmp_path)
    assert before is None
    assert after == expected
