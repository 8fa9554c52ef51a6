"""The app as it is started by people, on the embedded model, in a real browser."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext

from harness.app_process import AppProcess
from harness.drawer import Drawer, OpenPage

WATCH = """() => {
  const { page } = window.turboUI.session, { onPainted } = page;
  window.seen = [];
  page.onPainted = (header, ...rest) => {
    window.seen.push(header.request);
    onPainted(header, ...rest);
  };
}"""
"""From now on the page notes the request of each picture that it shows."""


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
    undone = drawer.picture()
    drawer.tool("redo").click()
    drawer.wait_until(lambda: drawer.picture() != undone)
    drawer.tool("undo").click()
    drawer.wait_until(lambda: drawer.picture() == undone)
    drawer.page.locator(".example").nth(2).click()
    drawer.wait_for_rest()
    drawer.wait_until(lambda: drawer.request()["prompt"] == drawer.prompt().input_value())
    assert drawer.stats()["model"] == "doodle"
    assert drawer.complaints == []


def test_the_licence_of_the_embedded_model_can_be_opened(
    app: AppProcess, open_page: OpenPage
) -> None:
    drawer = open_page(app.url)
    drawer.page.locator("[data-model]").first.click()
    link = drawer.page.locator(".model-row[data-id=doodle] .model-licence a")
    assert link.inner_text() == "MIT"
    with drawer.page.expect_popup() as opened:
        link.click()
    assert "Permission is hereby granted" in opened.value.locator("body").inner_text()
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


def test_two_pages_drawing_at_once_never_mix(app: AppProcess, open_page: OpenPage) -> None:
    one, two = open_page(app.url), open_page(app.url)
    one.prompt().fill("a red car")
    two.prompt().fill("a green tree")
    for drawer, words in ((one, "a red car"), (two, "a green tree")):
        drawer.wait_until(lambda d=drawer, w=words: d.request()["prompt"] == w)  # type: ignore[misc]
        drawer.page.evaluate(WATCH)
    for y in (0.2, 0.4, 0.6):
        one.pen_down(0.1, y)
        two.pen_down(0.1, 1 - y)
        for x in (0.3, 0.5, 0.7):
            one.move(x, y)
            two.move(x, 1 - y)
        one.pen_up()
        two.pen_up()
    one.wait_for_rest()
    two.wait_for_rest()
    seen = [drawer.page.evaluate("window.seen") for drawer in (one, two)]
    assert {request["prompt"] for request in seen[0]} == {"a red car"}
    assert {request["prompt"] for request in seen[1]} == {"a green tree"}
    sketches = [{request["image"] for request in found} for found in seen]
    assert min(map(len, sketches)) > 2
    assert not sketches[0] & sketches[1]
    assert one.picture() != two.picture()
    one.wait_until(lambda: one.stats()["num_sessions"] >= 2)
    one.wait_until(lambda: "people share" in one.page.locator("#latency").inner_text())


def test_a_duplicated_tab_is_a_session_of_its_own(
    app: AppProcess, new_context: Callable[..., BrowserContext]
) -> None:
    context = new_context()
    original = Drawer(context.new_page()).open(app.url)
    original.stroke(0.4)
    original.page.wait_for_timeout(400)
    kept = original.page.evaluate("JSON.stringify({...sessionStorage})")
    board = original.board()
    page = context.new_page()
    # what a browser does when it duplicates a tab: the same storage, another page
    page.add_init_script(
        f"if (!sessionStorage.length) Object.assign(sessionStorage, JSON.parse({kept!r}))"
    )
    copy = Drawer(page).open(app.url)
    tokens = [each.page.evaluate("sessionStorage['turbo-ui/token']") for each in (original, copy)]
    assert tokens[0] != tokens[1]
    copy.wait_until(
        lambda: (
            copy.page.evaluate("window.turboUI.shelf.tab")
            != original.page.evaluate("window.turboUI.shelf.tab")
        )
    )
    assert copy.board()["shown"] == board["shown"]
    copy.stroke(0.8)
    copy.wait_for_rest()
    copy.page.wait_for_timeout(300)
    assert original.board() == board
    original.page.bring_to_front()
    original.reload()
    assert original.board()["shown"] == board["shown"]


def test_a_killed_server_comes_back_and_frames_go_on(tmp_path: Path, open_page: OpenPage) -> None:
    app = AppProcess(tmp_path, "--device", "cpu").start()
    try:
        drawer = open_page(app.url)
        drawer.stroke(0.2)
        drawer.pen_down(0.2, 0.4)
        drawer.move(0.4, 0.4)
        board = drawer.board()
        app.kill()
        drawer.wait_until(lambda: not drawer.stats()["connected"])
        before = drawer.picture()
        assert "Reconnecting" in drawer.page.locator("[data-lane]").inner_text()
        drawer.move(0.6, 0.5)
        assert drawer.picture() == before
        app.start()
        drawer.wait_until(lambda: drawer.stats()["connected"], within_s=20)
        drawer.wait_until(lambda: drawer.picture() != before)
        frames = drawer.stats()["frames"]
        drawer.move(0.8, 0.4)
        drawer.wait_until(lambda: drawer.stats()["frames"] > frames)
        drawer.pen_up()
        after = drawer.board()
        assert after["shown"][:-1] == board["shown"]
        last = next(each for each in after["objects"] if each["id"] == after["shown"][-1])
        assert len(last["points"]) > 5
    finally:
        app.kill()


def test_the_app_stops_within_seconds(tmp_path: Path, open_page: OpenPage) -> None:
    process = AppProcess(tmp_path, "--device", "cpu").start()
    try:
        drawer = open_page(process.url)
        drawer.stroke(0.3)
        assert process.terminate() == 0, process.log
    finally:
        process.kill()
