"""Playwright's own browser is found where no other one is installed."""

from pathlib import Path

import pytest
from playwright.sync_api import sync_playwright

from harness import chromium


def test_playwrights_own_is_found_inside_of_another_playwright(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("TURBO_UI_TEST_CHROMIUM", raising=False)
    monkeypatch.setattr(chromium, "NAMES", ())
    monkeypatch.setattr(chromium, "MAC_APPS", ())
    monkeypatch.setenv("PLAYWRIGHT_BROWSERS_PATH", str(tmp_path))
    with sync_playwright() as playwright:
        expected = Path(playwright.chromium.executable_path)
        assert expected.is_relative_to(tmp_path)
        assert chromium.find() is None
        expected.parent.mkdir(parents=True)
        expected.touch()
        assert chromium.find() == str(expected)
