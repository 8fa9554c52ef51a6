"""Pens, fingers and palms on the board, and a mouse's pointer: as the browser tells of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import BrowserContext

from harness.app_process import AppProcess
from harness.drawer import Drawer, OpenPage

PALM_MS = 3000
"""For so long after a pen, `board.js` takes what touches for the hand that holds it."""


class Hand:
    """Pens and fingers, which Playwright has not: sent by Chromium's own protocol."""

    def __init__(self, drawer: Drawer) -> None:
        self.drawer = drawer
        self.session = drawer.page.context.new_cdp_session(drawer.page)

    def pen(self, kind: str, x: float, y: float, force: float = 0.5) -> None:
        at_x, at_y = self.drawer.point(x, y)
        is_down = kind != "mouseReleased"
        event: dict[str, Any] = {"type": kind, "x": at_x, "y": at_y, "pointerType": "pen"}
        event |= {"button": "left", "buttons": int(is_down), "force": force, "clickCount": 1}
        self.session.send("Input.dispatchMouseEvent", event)

    def pen_stroke(self, y: float) -> None:
        self.pen("mousePressed", 0.2, y, 0.2)
        for step in range(1, 6):
            self.pen("mouseMoved", 0.2 + 0.1 * step, y, 0.2 + 0.1 * step)
        self.pen("mouseReleased", 0.7, y)

    def finger(self, kind: str, *points: tuple[float, float]) -> None:
        at = [dict(zip("xy", self.drawer.point(*point), strict=True)) for point in points]
        self.session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": at})

    def finger_stroke(self, y: float) -> None:
        self.finger("touchStart", (0.2, y))
        for step in range(1, 5):
            self.finger("touchMove", (0.2 + 0.1 * step, y))
        self.finger("touchEnd")

    def wait_until_the_palm_is_gone(self) -> None:
        self.drawer.page.wait_for_timeout(PALM_MS + 100)


@pytest.fixture
def hand(open_page: OpenPage) -> Hand:
    drawer = open_page(has_touch=True)
    drawer.wait_for_rest()
    drawer.page.locator('[data-do="clear"]').click()
    return Hand(drawer)


def strokes(drawer: Drawer) -> list[dict[str, Any]]:
    board = drawer.board()
    return [each for each in board["objects"] if each["id"] in board["shown"]]


def test_a_pen_draws_with_its_pressure_and_the_picture_follows(hand: Hand) -> None:
    before = hand.drawer.picture()
    hand.pen_stroke(0.4)
    (stroke,) = strokes(hand.drawer)
    assert stroke["pressure"] == "pen"
    forces = [point[2] for point in stroke["points"]]
    assert forces == sorted(forces)
    assert forces[-1] > forces[0]
    hand.drawer.wait_until(lambda: hand.drawer.picture() != before)
    assert hand.drawer.complaints == []


def test_a_finger_draws_and_a_second_one_is_left_alone(hand: Hand) -> None:
    hand.finger_stroke(0.3)
    (stroke,) = strokes(hand.drawer)
    assert stroke["pressure"] == "simulated"
    assert len(stroke["points"]) == 5
    hand.finger("touchStart", (0.2, 0.6))
    hand.finger("touchStart", (0.2, 0.6), (0.8, 0.2))
    hand.finger("touchMove", (0.4, 0.6), (0.8, 0.4))
    hand.finger("touchEnd")
    ys = {point[1] for point in strokes(hand.drawer)[-1]["points"]}
    assert len(strokes(hand.drawer)) == 2
    assert max(ys) - min(ys) < 2


def test_a_palm_beside_the_pen_draws_nothing(hand: Hand) -> None:
    hand.pen_stroke(0.4)
    hand.finger_stroke(0.8)
    assert len(strokes(hand.drawer)) == 1
    hand.wait_until_the_palm_is_gone()
    hand.finger_stroke(0.8)
    assert len(strokes(hand.drawer)) == 2, "a finger draws again once the pen is away"


def test_a_palm_that_lay_there_first_makes_way_for_the_pen(hand: Hand) -> None:
    hand.finger("touchStart", (0.8, 0.9))
    hand.finger("touchMove", (0.81, 0.9))
    hand.pen_stroke(0.4)
    (stroke,) = strokes(hand.drawer)
    assert stroke["pressure"] == "pen"
    assert all(abs(y - 0.4 * 512) < 2 for _, y, _ in stroke["points"])
    hand.finger("touchEnd")
    assert len(strokes(hand.drawer)) == 1


def test_a_hovering_pen_keeps_the_palm_away(hand: Hand) -> None:
    hand.pen("mouseMoved", 0.5, 0.5)
    hand.finger_stroke(0.8)
    assert strokes(hand.drawer) == []


@pytest.mark.parametrize("key", ["]", "e", "b"])
def test_the_brush_is_seen_after_a_key(open_page: OpenPage, key: str) -> None:
    drawer = open_page()
    drawer.page.mouse.move(*drawer.point(0.5, 0.5))
    cursor = drawer.page.locator(".board-cursor")
    assert cursor.is_visible()
    width = cursor.bounding_box()
    drawer.page.keyboard.press(key)
    assert cursor.is_visible()
    if key == "]":
        assert width is not None
        wider = cursor.bounding_box()
        assert wider is not None
        assert wider["width"] > width["width"]
    drawer.page.mouse.move(5, 5)
    assert not cursor.is_visible()


def test_without_early_pointer_events_a_mouse_draws_all_the_same(
    server: AppProcess, new_context: Callable[..., BrowserContext]
) -> None:
    page = new_context().new_page()
    # as a page that is not secure has it, and browsers that do not know these events
    page.add_init_script(
        "for (let at = window; at; at = Object.getPrototypeOf(at)) delete at.onpointerrawupdate;"
    )
    drawer = Drawer(page).open(server.url)
    assert page.evaluate("'onpointerrawupdate' in window") is False
    drawer.wait_for_rest()
    before, num = drawer.picture(), drawer.num_objects()
    drawer.stroke(0.5)
    assert drawer.num_objects() == num + 1
    drawer.wait_until(lambda: drawer.picture() != before)


def test_where_there_are_early_pointer_events_each_point_is_kept_once(
    open_page: OpenPage,
) -> None:
    drawer = open_page()
    assert drawer.page.evaluate("'onpointerrawupdate' in window") is True
    drawer.pen_down(0.2, 0.2)
    for step in range(1, 9):
        drawer.page.mouse.move(*drawer.point(0.2 + 0.05 * step, 0.2))
    drawer.pen_up()
    points = strokes(drawer)[-1]["points"]
    assert len(points) == 9
    assert [x for x, *_ in points] == sorted({x for x, *_ in points})


def test_a_pointer_that_is_lost_ends_its_stroke(open_page: OpenPage) -> None:
    drawer = open_page()
    num = drawer.num_objects()
    drawer.pen_down(0.2, 0.2)
    drawer.move(0.4, 0.2)
    drawer.page.evaluate(
        "() => { const { board } = window.turboUI;"
        " board.host.releasePointerCapture(board.pointerId); }"
    )
    drawer.move(0.6, 0.2)  # the browser tells of the loss with the next event
    drawer.wait_until(lambda: drawer.num_objects() == num + 1)
    drawer.pen_up()
    drawer.stroke(0.6)
    assert drawer.num_objects() == num + 2
