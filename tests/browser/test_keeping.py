"""Nothing drawn is lost, and nobody sees somebody else's: reload, restart, duplicates, fallback."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, Route

from harness.app_process import AppProcess
from harness.drawer import Drawer, OpenPage
from tests.browser import STANDIN
from turbo_ui import imaging

NewContext = Callable[..., BrowserContext]


def test_a_reload_loses_nothing(open_page: OpenPage) -> None:
    drawer = open_page()
    drawer.prompt().fill("kept words")
    drawer.page.locator("#strength input[type=number]").fill("0.8")
    drawer.stroke(0.3)
    drawer.stroke(0.6)
    drawer.wait_until(lambda: drawer.request()["strength"] == 0.8)
    drawer.wait_for_rest()
    board, picture = drawer.board(), drawer.picture()
    drawer.reload()
    assert drawer.board() == board
    drawer.wait_until(lambda: drawer.picture() == picture)
    assert drawer.prompt().input_value() == "kept words"
    assert drawer.page.locator("#strength input[type=number]").input_value() == "0.8"
    drawer.page.keyboard.press("Control+z")
    assert drawer.num_objects() == len(board["shown"]) - 1
    assert drawer.complaints == []


def test_a_server_that_takes_small_sketches_gets_small_ones(
    tmp_path: Path, open_page: OpenPage
) -> None:
    app = AppProcess(tmp_path, "--max-image-px", "96", program=STANDIN).start()
    try:
        drawer = open_page(app.url)
        before = drawer.picture()
        drawer.stroke(0.3)
        drawer.wait_until(lambda: drawer.picture() != before)
        drawer.wait_for_rest()
        assert drawer.request()["width"] > 96
        assert not (drawer.page.locator("[data-notice]").text_content() or "").strip()

        # a page that asks for too much is told so once, and does not ask again by itself
        drawer.page.evaluate("window.turboUI.sketcher.maxPx = 4096")
        drawer.stroke(0.6)
        notice = "document.querySelector('[data-notice]').textContent.includes('patch.sheet')"
        drawer.wait_for(notice)
        drawer.page.wait_for_timeout(300)
        sent = drawer.page.evaluate("window.turboUI.session.loop.nextId")
        drawer.page.wait_for_timeout(700)
        assert drawer.page.evaluate("window.turboUI.session.loop.nextId") == sent
        assert drawer.stats()["connected"] is True
    finally:
        app.kill()


def test_the_board_is_not_written_under_the_moving_pen(open_page: OpenPage) -> None:
    drawer = open_page()
    drawer.wait_for_rest()
    drawer.stroke(0.3)
    drawer.pen_down(0.2, 0.6)
    unsaved = "window.turboUI.keeping.isUnsaved"
    drawer.page.wait_for_timeout(500)
    assert drawer.page.evaluate(unsaved) is True
    drawer.pen_up()
    drawer.wait_for(f"!{unsaved}")
    board = drawer.board()
    drawer.reload()
    assert drawer.board() == board


def test_without_a_websocket_frames_take_the_named_event_until_there_is_one(
    server: AppProcess, new_context: NewContext
) -> None:
    page = new_context().new_page()
    page.add_init_script(
        "const { postMessage } = Worker.prototype;"
        " Worker.prototype.postMessage = function (task, ...rest) {"
        "   if (task.url && !window.isPassed) task.url = task.url.replace('/live', '/nowhere');"
        "   return postMessage.call(this, task, ...rest); }"
    )
    drawer = Drawer(page).open(server.url)
    assert drawer.stats()["lane"] == "event"
    assert "slow way" in page.locator("[data-lane]").inner_text()
    assert "no model refines" in (page.locator("[data-notice]").text_content() or "")
    drawer.choose("#refine", "Fine")
    drawer.wait_for("/cannot refine/i.test(document.querySelector('#refine-state').textContent)")
    before = drawer.picture()
    drawer.stroke(0.5)
    drawer.wait_until(lambda: drawer.picture() != before)
    drawer.prompt().fill("by event")
    drawer.wait_until(lambda: drawer.request()["prompt"] == "by event")
    drawer.wait_for_rest()
    with page.expect_download() as waiting:
        page.locator("#picture [data-download]").click()
    saved = imaging.open_png(waiting.value.path().read_bytes())
    assert saved.request.prompt == "by event"
    drawer.stroke(0.7)
    board = drawer.board()
    page.evaluate("window.isPassed = true")
    drawer.wait_until(lambda: drawer.stats()["lane"] == "websocket")
    drawer.prompt().fill("by lane")
    drawer.wait_until(lambda: drawer.request()["prompt"] == "by lane")
    assert drawer.board() == board


def test_a_page_that_is_not_let_in_says_why_and_comes_in_later(
    tmp_path: Path, open_page: OpenPage, new_context: NewContext
) -> None:
    app = AppProcess(tmp_path, "--max-connections", "1", program=STANDIN).start()
    try:
        first = open_page(app.url)
        page = new_context().new_page()
        page.goto(app.url)
        second = Drawer(page)
        second.wait_for("window.turboUI")
        second.wait_for("/As many pages/.test(document.querySelector('[data-notice]').textContent)")
        assert "Not let in" in page.locator("[data-lane]").inner_text()
        assert second.stats()["lane"] == "none"
        assert second.stats()["frames"] == 0
        first.page.close()
        second.wait_until(lambda: second.stats()["lane"] == "websocket")
        second.wait_until(lambda: second.stats()["frames"] > 0)
    finally:
        app.kill()


def test_a_page_that_went_round_a_full_server_waits_for_a_place_and_comes_in(
    tmp_path: Path, open_page: OpenPage, new_context: NewContext
) -> None:
    """As a place was free just when it asked why the lane stays closed."""
    app = AppProcess(tmp_path, "--max-connections", "1", program=STANDIN).start()
    try:
        first = open_page(app.url)
        page = new_context().new_page()
        asked: list[str] = []
        num_free = math.inf  # so often still it is told that a place is free

        def answer(route: Route) -> None:
            nonlocal num_free
            asked.append(route.request.url)
            num_free -= 1
            if num_free >= 0:
                route.fulfill(status=426, json={"code": "open", "text": "A place is free."})
            else:
                route.continue_()

        def try_until(condition: Callable[[], bool]) -> None:
            """Does not wait for the lane's own next try."""

            def is_true() -> bool:
                page.evaluate("window.dispatchEvent(new Event('online'))")
                return condition()

            second.wait_until(is_true)

        page.route("**/live?*", answer)
        second = Drawer(page).open(app.url)
        assert second.stats()["lane"] == "event"
        num_free = 0
        pill = page.locator("[data-lane]")
        try_until(lambda: "Not let in" in pill.inner_text())
        assert second.stats()["lane"] == "none"
        second.stroke(0.3)

        # nor does it go to and fro where places come and go
        num_free, num = 2, len(asked)
        try_until(lambda: len(asked) >= num + 2)
        page.wait_for_timeout(300)
        assert "Not let in" in pill.inner_text()

        board = second.board()
        first.page.close()
        second.wait_until(lambda: second.stats()["lane"] == "websocket")
        second.wait_for_rest()
        assert second.board() == board
        assert second.request()["image"] is not None
    finally:
        app.kill()


def test_a_worker_that_could_not_be_loaded_is_tried_again(
    server: AppProcess, new_context: NewContext
) -> None:
    page = new_context().new_page()
    refused = []

    def refuse_once(route: Route) -> None:
        refused.append(route.request.url)
        route.abort() if len(refused) == 1 else route.continue_()

    page.route("**/lane.worker.js", refuse_once)
    drawer = Drawer(page).open(server.url)
    assert drawer.stats()["lane"] == "websocket"
    assert len(refused) == 2


def test_what_was_taken_for_the_event_is_sent_whole_where_the_lane_opened_meanwhile(
    open_page: OpenPage,
) -> None:
    drawer = open_page()
    drawer.wait_for_rest()
    before = drawer.request()["image"]
    drawer.page.evaluate(
        "() => { const { board, session, sketcher } = window.turboUI; const { take } = sketcher;"
        " sketcher.take = async (...size) => { const taken = await take.apply(sketcher, size);"
        "   session.way = 'websocket'; return taken; };"
        " session.way = 'event'; session.sentSketch = undefined; sketcher.forget();"
        " board.document.add({type: 'stroke', tool: 'brush', color: '#ff0000', width: 99,"
        "   pressure: 'none', fill: false, points: [[200, 200, 1], [800, 800, 1]]});"
        " session.loop.touch(); }"
    )
    drawer.wait_until(lambda: drawer.request()["image"] != before)
    assert drawer.request()["image"] is not None


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("light", {"viewport": {"width": 1600, "height": 1000}}),
        ("dark", {"viewport": {"width": 1600, "height": 1000}, "color_scheme": "dark"}),
        ("laptop", {"viewport": {"width": 1280, "height": 720}}),
        ("tablet", {"viewport": {"width": 820, "height": 1180}, "has_touch": True}),
        ("phone", {"viewport": {"width": 390, "height": 844}, "has_touch": True}),
        ("phone-dark", {"viewport": {"width": 390, "height": 844}, "color_scheme": "dark"}),
    ],
)
def test_every_screen_shows_board_and_picture_and_nothing_jumps(
    open_page: OpenPage, shots: Path, name: str, options: dict[str, object]
) -> None:
    drawer = open_page(**options)
    drawer.wait_for_rest()
    where = (
        "['#board', '#picture', '#prompt', '#latency', '#controls', '#examples'].map((id) => {"
        " const box = document.querySelector(id).getBoundingClientRect();"
        " return [id, box.x, box.y, box.width, box.height].join(' '); })"
    )

    def is_mounted() -> bool:  # Gradio puts its components in one by one
        early = drawer.page.evaluate(where)
        drawer.page.wait_for_timeout(500)
        return drawer.page.evaluate(where) == early

    drawer.wait_until(is_mounted)
    before = drawer.page.evaluate(where)
    drawer.stroke(0.3)
    drawer.wait_for_rest()
    drawer.page.wait_for_timeout(250)
    assert drawer.page.evaluate(where) == before
    drawer.page.screenshot(path=shots / f"{name}.png")
    width = drawer.page.evaluate("document.documentElement.scrollWidth")
    assert width <= drawer.page.evaluate("innerWidth")
    for part in ("#board", "#picture"):
        box = drawer.page.locator(f"{part} .sheet").bounding_box()
        assert box is not None
        assert box["width"] >= 260
        assert box["y"] + box["height"] <= drawer.page.viewport_size["height"]  # type: ignore[index]
    assert drawer.complaints == []
