"""The app as it is started by people, on the embedded model, in a real browser."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.app_process import AppProcess
from harness.drawer import OpenPage


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AppProcess]:
    process = AppProcess(tmp_path_factory.mktemp("doodle"), "--device", "cpu").start()
    yield process
    process.kill()


def test_draw_type_undo_and_pick_an_example(app: AppProcess, open_page: OpenPage) -> None:
    drawer = open_page(app.url)
    drawer.wait_for_rest()
    before = drawer.picture()
    drawer.pen_down(0.2, 0.3)
    drawer.move(0.6, 0.4)
    drawer.wait_until(lambda: drawer.picture() != before)
    drawer.pen_up()
    drawer.wait_for_rest()
    drawn = drawer.picture()
    drawer.prompt().fill("a blue fish in the sea")
    drawer.wait_until(lambda: drawer.picture() != drawn)
    drawer.page.keyboard.press("Escape")
    drawer.tool("undo").click()
    drawer.wait_for_rest()
    drawer.page.locator(".example").nth(2).click()
    drawer.wait_for_rest()
    drawer.wait_until(lambda: drawer.request()["prompt"] == drawer.prompt().input_value())
    assert drawer.stats()["model"] == "doodle"
    assert drawer.complaints == []


def test_a_locked_seed_gives_the_same_picture_twice(app: AppProcess, open_page: OpenPage) -> None:
    drawer = open_page(app.url)
    drawer.wait_for_rest()
    first = drawer.picture()
    drawer.page.locator("#seed input").fill("99")
    drawer.wait_until(lambda: drawer.request()["seed"] == 99)
    drawer.wait_until(lambda: drawer.picture() != first)
    drawer.page.locator("#seed input").fill("7")
    drawer.wait_until(lambda: drawer.picture() == first)


def test_strength_decides_how_far_the_picture_leaves_the_sketch(
    app: AppProcess, open_page: OpenPage
) -> None:
    drawer = open_page(app.url)
    drawer.wait_for_rest()
    pictures = {drawer.picture()}
    for strength in ("0.2", "1"):
        drawer.page.locator("#strength input[type=number]").fill(strength)
        drawer.wait_until(lambda wish=strength: drawer.request()["strength"] == float(wish))
        drawer.wait_for_rest()
        pictures.add(drawer.picture())
    assert len(pictures) == 3


def test_more_steps_than_the_strength_allows_is_explained(
    app: AppProcess, open_page: OpenPage
) -> None:
    drawer = open_page(app.url)
    drawer.choose("#steps", "1")
    drawer.wait_for("document.querySelector('[data-notice]').classList.contains('is-shown')")
    assert "num_inference_steps" in drawer.page.locator("[data-notice]").inner_text()
    drawer.choose("#steps", "Auto")
    drawer.stroke(0.4)
    drawer.wait_for_rest()


def test_the_app_stops_within_seconds(tmp_path: Path, open_page: OpenPage) -> None:
    process = AppProcess(tmp_path, "--device", "cpu").start()
    try:
        drawer = open_page(process.url)
        drawer.stroke(0.3)
        assert process.terminate() == 0, process.log
    finally:
        process.kill()
