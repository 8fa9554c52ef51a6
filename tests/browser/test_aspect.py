"""Boards of every shape: what is drawn stays and lies in the picture where it was drawn."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import BrowserContext

from harness.app_process import AppProcess
from harness.drawer import Drawer, OpenPage
from turbo_ui import imaging
from turbo_ui.web import ui

SHAPES = {"16:9": 16 / 9, "9:16": 9 / 16, "4:3": 4 / 3}
PARTS = "['#board', '#picture', '#prompt', '#latency', '#controls', '#examples', '#aspect']"
BOXES = f"""{PARTS}.map((id) => {{
  const box = document.querySelector(id).getBoundingClientRect();
  return [id, box.x, box.y, box.width, box.height].map(String).join(' ');
}})"""
"""Where everything on the page is."""
SIZE_FOR = """async ([model, side, aspect]) => {
  const { sizeFor } = await import(new URL('turbo-ui/static/size.js', document.baseURI).href);
  const [min_size_px, max_size_px, size_step_px] = model;
  const only_sizes_px = Array.isArray(min_size_px) ? model : null;
  return sizeFor({ min_size_px, max_size_px, size_step_px, only_sizes_px }, side, aspect);
}"""
SKETCH_PIXEL = """([width, height, x, y]) => {
  const { board, sketcher } = window.turboUI;
  const { ink, paper } = sketcher.takePatch(board, width, height);
  const sheet = new OffscreenCanvas(width, height).getContext('2d');
  sheet.fillStyle = paper; sheet.fillRect(0, 0, width, height); sheet.drawImage(ink, 0, 0);
  sketcher.forget();
  return [...sheet.getImageData(x, y, 1, 1).data.slice(0, 3)];
}"""
"""The colour of a pixel of the sketch as it would be sent at a size."""
SD_TURBO = (256, 1024, 64)
SD3_LARGE = (512, 1024, 64)
THREE = ((1024, 1024), (1536, 1024), (1024, 1536))
"""The only sizes of a model, and not sides with a step."""


def shown(drawer: Drawer) -> np.ndarray:
    """The picture's pixels as they are shown, `(H, W, 3) uint8 RGB`."""
    data = base64.b64decode(drawer.picture().split(",")[1])
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))


def shape_of(drawer: Drawer, selector: str) -> float:
    box = drawer.page.locator(selector).bounding_box()
    assert box is not None
    return box["width"] / box["height"]


def draw_with(drawer: Drawer, model: str) -> None:
    drawer.choose("#model", model)
    drawer.wait_until(lambda: drawer.stats()["model"] == model.lower())
    drawer.wait_for_rest()


def reshape(drawer: Drawer, aspect: str) -> None:
    drawer.choose("#aspect", aspect)
    drawer.wait_until(lambda: drawer.board()["aspect"] == aspect)
    drawer.wait_for_rest()


def dot(drawer: Drawer, x: float, y: float) -> None:
    drawer.page.locator("#board [data-width]").fill("40")
    drawer.pen_down(x, y)
    drawer.pen_up()
    drawer.wait_for_rest()


def is_dark(pixels: np.ndarray, x: float, y: float) -> bool:
    """Whether there is ink, by the stand-in's mixture of ink and a tint."""
    height, width = pixels.shape[:2]
    return int(pixels[int(y * height), int(x * width)].max()) < 110


@pytest.mark.parametrize("aspect", SHAPES)
@pytest.mark.parametrize("model", ["Doodle", "Large"])
def test_what_is_drawn_lies_in_the_picture_where_it_was_drawn(
    open_page: OpenPage, model: str, aspect: str
) -> None:
    drawer = open_page()
    draw_with(drawer, model)
    drawer.tool("clear").click()
    reshape(drawer, aspect)
    corner = (0.93, 0.9)
    dot(drawer, *corner)
    pixels = shown(drawer)
    assert is_dark(pixels, *corner)
    assert not any(is_dark(pixels, *at) for at in ((0.07, 0.9), (0.93, 0.1), (0.5, 0.5)))
    for sheet in (".board-host", "#picture canvas"):
        assert shape_of(drawer, sheet) == pytest.approx(SHAPES[aspect], rel=0.01)
    assert pixels.shape[1] / pixels.shape[0] == pytest.approx(SHAPES[aspect], rel=0.08)
    assert drawer.complaints == []


def test_a_change_of_shape_can_be_undone_and_loses_no_stroke(open_page: OpenPage) -> None:
    drawer = open_page()
    draw_with(drawer, "Large")
    drawer.tool("clear").click()
    square = drawer.board()
    reshape(drawer, "16:9")
    dot(drawer, 0.03, 0.5)
    wide, picture = drawer.board(), drawer.picture()
    reshape(drawer, "9:16")
    assert drawer.board()["shown"] == wide["shown"], "what is beyond the edges is still there"
    assert not any(is_dark(shown(drawer), x, 0.5) for x in (0.03, 0.5, 0.97))
    drawer.page.keyboard.press("Control+z")
    drawer.wait_until(lambda: drawer.picture() == picture)
    assert drawer.page.locator("#aspect input").input_value() == "16:9"
    drawer.page.keyboard.press("Control+z")
    drawer.page.keyboard.press("Control+z")
    drawer.wait_until(lambda: drawer.page.locator("#aspect input").input_value() == "1:1")
    assert drawer.board()["shown"] == square["shown"]
    for _ in range(2):
        drawer.page.keyboard.press("Control+Shift+z")
    drawer.wait_until(lambda: drawer.picture() == picture)
    assert drawer.complaints == []


def test_the_shape_is_kept_over_a_reload_and_can_be_undone_after_it(open_page: OpenPage) -> None:
    drawer = open_page()
    reshape(drawer, "3:2")
    drawer.stroke(0.4)
    drawer.wait_for_rest()
    drawer.page.wait_for_timeout(400)
    board, picture = drawer.board(), drawer.picture()
    drawer.reload()
    assert drawer.board() == board
    drawer.wait_until(lambda: drawer.picture() == picture)
    drawer.wait_until(lambda: drawer.page.locator("#aspect input").input_value() == "3:2")
    for _ in range(2):
        drawer.page.keyboard.press("Control+z")
    assert drawer.board()["aspect"] == "1:1"


@pytest.mark.parametrize("kept", [None, "21:9", 5])
def test_a_kept_board_of_no_known_shape_is_square_and_whole(
    open_page: OpenPage, kept: object
) -> None:
    drawer = open_page()
    drawer.stroke(0.4)
    drawer.page.wait_for_timeout(400)
    board = drawer.board()
    drawer.page.evaluate(
        "(aspect) => { const key = Object.keys(localStorage).find((key) => /board/.test(key));"
        " const state = JSON.parse(localStorage[key]); delete state.board.aspect;"
        " if (aspect !== null) state.board.aspect = aspect;"
        " window.turboUI.keeping.now = () => {}; localStorage[key] = JSON.stringify(state); }",
        kept,
    )
    drawer.reload()
    assert drawer.board() == board


def test_a_model_of_one_size_draws_the_board_in_the_middle_and_says_so(
    open_page: OpenPage,
) -> None:
    drawer = open_page()
    line = drawer.page.locator("#model-state [data-text]")
    assert "only" not in line.inner_text()
    reshape(drawer, "16:9")
    assert line.inner_text() == "Draws 256×256 only"
    assert (drawer.request()["width"], drawer.request()["height"]) == (256, 256)
    assert shown(drawer).shape == (144, 256, 3)
    assert "256×144" in drawer.page.locator("[data-caption]").inner_text()
    with drawer.page.expect_download() as download:
        drawer.page.locator("[data-download]").click()
    file = Path(download.value.path()).read_bytes()
    assert np.array_equal(imaging.decode(file).shape, (144, 256, 3))
    assert "Size: 256x256" in Image.open(io.BytesIO(file)).text["parameters"]  # type: ignore[attr-defined]
    saved = imaging.open_png(file)
    assert saved.request.to_json() == drawer.request()
    assert saved.request.sketch is not None
    draw_with(drawer, "Large")
    drawer.wait_until(lambda: drawer.request()["width"] == 704)
    assert "only" not in line.inner_text()
    assert drawer.complaints == []


def test_what_was_drawn_from_the_prompt_alone_is_shown_whole(open_page: OpenPage) -> None:
    drawer = open_page()
    reshape(drawer, "9:16")
    assert shown(drawer).shape == (256, 144, 3)
    drawer.tool("clear").click()
    drawer.wait_until(lambda: drawer.request()["image"] is None)
    assert shown(drawer).shape == (256, 256, 3)
    assert "256×256" in drawer.page.locator("[data-caption]").inner_text()


def test_what_was_rubbed_out_is_drawn_from_the_prompt_alone(open_page: OpenPage) -> None:
    drawer = open_page()
    drawer.tool("clear").click()
    reshape(drawer, "9:16")
    drawer.page.locator("#board [data-width]").fill("8")
    drawer.pen_down(0.5, 0.5)
    drawer.pen_up()
    drawer.wait_until(lambda: drawer.request()["image"] is not None)
    assert shown(drawer).shape == (256, 144, 3)
    drawer.tool("eraser").click()
    dot(drawer, 0.5, 0.5)
    assert drawer.num_objects() == 2
    drawer.wait_until(lambda: drawer.request()["image"] is None)
    assert shown(drawer).shape == (256, 256, 3)


def test_draft_and_refined_picture_have_the_boards_shape(open_page: OpenPage) -> None:
    drawer = open_page()
    reshape(drawer, "9:16")
    draft = drawer.page.locator("#picture canvas").bounding_box()
    drawer.choose("#refine", "Fine")
    drawer.wait_until(lambda: drawer.request()["model"] == "fine")
    assert (drawer.request()["width"], drawer.request()["height"]) == (384, 704)
    assert shown(drawer).shape == (704, 384, 3)
    assert drawer.page.locator("#picture canvas").bounding_box() == draft, "nothing jumps"
    drawer.stroke(0.4)
    drawer.wait_until(lambda: drawer.request()["model"] == "doodle")
    assert drawer.page.locator("#picture canvas").bounding_box() == draft
    assert drawer.complaints == []


@pytest.mark.parametrize(
    ("aspect", "size", "seen"),
    [
        ("3:2", (640, 384), (384, 576)),
        ("16:9", (640, 384), (384, 640)),
        ("9:16", (384, 640), (640, 384)),
        ("1:1", (640, 384), (384, 384)),
    ],
)
def test_of_a_few_sizes_the_one_nearest_to_the_board_is_refined_at(
    open_page: OpenPage, aspect: str, size: tuple[int, int], seen: tuple[int, int]
) -> None:
    """Where its shape is another one still, the board lies in its middle, and that is shown."""
    drawer = open_page()
    drawer.tool("clear").click()
    if aspect != "1:1":
        reshape(drawer, aspect)
    dot(drawer, 0.93, 0.9)
    drawer.choose("#refine", "Wide")
    drawer.wait_until(lambda: drawer.request()["model"] == "wide")
    assert (drawer.request()["width"], drawer.request()["height"]) == size
    pixels = shown(drawer)
    assert pixels.shape == (*seen, 3)
    assert is_dark(pixels, 0.93, 0.9)
    assert drawer.board()["aspect"] == aspect
    with drawer.page.expect_download() as download:
        drawer.page.locator("[data-download]").click()
    file = Path(download.value.path()).read_bytes()
    assert imaging.decode(file).shape == (*seen, 3)
    saved = imaging.open_png(file)
    assert saved.request.to_json() == drawer.request()
    assert saved.request.sketch is not None
    assert (saved.request.sketch.width, saved.request.sketch.height) == size
    assert drawer.complaints == []


def test_the_sizes_that_a_model_draws_are_listed(open_page: OpenPage) -> None:
    facts = open_page().page.locator(".model-row[data-id=wide] .model-facts")
    assert "640×384, 384×640 px" in (facts.text_content() or "")


def test_of_a_model_that_is_not_known_yet_no_sizes_are_listed(open_page: OpenPage) -> None:
    row = open_page().page.locator(".model-row[data-id=absent]")
    assert row.locator(".model-title").text_content() == "Absent"
    assert row.locator(".model-facts").text_content() == ""


@pytest.mark.parametrize(
    ("model", "side", "aspect", "size"),
    [
        (SD_TURBO, 512, "1:1", [512, 512]),
        (SD_TURBO, 512, "16:9", [704, 384]),
        (SD_TURBO, 512, "9:16", [384, 704]),
        (SD_TURBO, 512, "4:3", [576, 448]),
        (SD_TURBO, 512, "3:2", [576, 384]),
        (SD_TURBO, 256, "16:9", [448, 256]),
        (SD_TURBO, 576, "1:1", [576, 576]),
        (SD_TURBO, 2000, "1:1", [1024, 1024]),
        (SD3_LARGE, 1024, "1:1", [1024, 1024]),
        (SD3_LARGE, 1024, "16:9", [1024, 576]),
        (SD3_LARGE, 768, "16:9", [1024, 576]),
        (SD3_LARGE, 768, "2:3", [640, 960]),
        (SD3_LARGE, 256, "3:4", [512, 704]),
        ((256, 256, 64), 768, "16:9", [256, 256]),
        ((64, 2048, 8), 512, "16:9", [680, 384]),
        (THREE, 1024, "1:1", [1024, 1024]),
        (THREE, 1024, "4:3", [1536, 1024]),
        (THREE, 1024, "16:9", [1536, 1024]),
        (THREE, 1024, "9:16", [1024, 1536]),
        (THREE[1:], 1254, "1:1", [1536, 1024]),
        (THREE[:0:-1], 1254, "1:1", [1024, 1536]),
        (((512, 512), (1024, 1024)), 512, "3:2", [512, 512]),
    ],
)
def test_a_size_is_as_many_pixels_in_every_shape_where_the_model_can(
    open_page: OpenPage, model: tuple[Any, ...], side: int, aspect: str, size: list[int]
) -> None:
    assert open_page().page.evaluate(SIZE_FOR, [model, side, aspect]) == size


def test_sizes_go_in_steps_of_64_and_the_shape_holds_for_each(open_page: OpenPage) -> None:
    drawer = open_page()
    draw_with(drawer, "Large")
    drawer.choose("#size", "576")
    drawer.wait_until(lambda: drawer.request()["width"] == 576)
    reshape(drawer, "16:9")
    assert (drawer.request()["width"], drawer.request()["height"]) == (768, 448)
    drawer.choose("#model", "Doodle")
    drawer.wait_until(lambda: drawer.request()["model"] == "doodle")
    assert drawer.page.locator("#size input").input_value() == "576", "kept for the next model"


def test_an_examples_background_goes_on_to_the_edges(open_page: OpenPage) -> None:
    drawer = open_page()
    drawer.page.locator(".example[title*='orange fish']").click()
    sea = drawer.page.evaluate(SKETCH_PIXEL, [512, 512, 1, 1])
    assert sea != [255, 255, 255]
    reshape(drawer, "16:9")
    for at in ([704, 384, 1, 1], [704, 384, 702, 382], [256, 256, 1, 1]):
        assert drawer.page.evaluate(SKETCH_PIXEL, at) == pytest.approx(sea, abs=2), at
    drawer.tool("clear").click()
    drawer.stroke(0.5)
    assert drawer.page.evaluate(SKETCH_PIXEL, [256, 256, 1, 1]) == [255, 255, 255]


def test_a_shape_is_chosen_by_keyboard(open_page: OpenPage) -> None:
    drawer = open_page()
    box = drawer.page.get_by_label("Aspect", exact=True)
    box.focus()
    drawer.wait_for("document.querySelector('[role=listbox]')")
    drawer.page.keyboard.press("ArrowDown")
    drawer.page.keyboard.press("Enter")
    drawer.wait_until(lambda: drawer.board()["aspect"] != "1:1")
    assert box.input_value() == drawer.board()["aspect"]


@pytest.mark.parametrize("width", [1600, 1280, 820])
def test_beside_each_other_nothing_moves_with_the_shape(open_page: OpenPage, width: int) -> None:
    drawer = open_page(viewport={"width": width, "height": 900})
    drawer.page.wait_for_timeout(1500)  # Gradio puts its components in one by one
    drawer.page.locator("#aspect").scroll_into_view_if_needed()
    before = drawer.page.evaluate(BOXES)
    for aspect in ui.ASPECTS[::-1]:
        reshape(drawer, aspect)
        assert drawer.page.evaluate(BOXES) == before, aspect


def test_on_a_phone_a_wide_board_leaves_room_and_its_box_stays_under_the_hand(
    open_page: OpenPage, shots: Path
) -> None:
    drawer = open_page(viewport={"width": 390, "height": 844}, has_touch=True)
    drawer.page.wait_for_timeout(1500)
    box = drawer.page.locator("#aspect")
    box.scroll_into_view_if_needed()
    top = box.bounding_box()["y"]  # type: ignore[index]
    for aspect in ("16:9", "9:16", "1:1", "16:9"):
        reshape(drawer, aspect)
        assert box.bounding_box()["y"] == pytest.approx(top, abs=2), aspect  # type: ignore[index]
    drawer.page.evaluate("scrollTo(0, 0)")
    prompt = drawer.page.locator("#prompt").bounding_box()
    assert prompt is not None
    assert prompt["y"] + prompt["height"] < 844
    assert drawer.page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    drawer.page.screenshot(path=shots / "phone-wide.png")
    dot(drawer, 0.1, 0.1)
    assert is_dark(shown(drawer), 0.1, 0.1)


def test_a_shape_can_be_asked_for_where_websockets_do_not_work(
    server: AppProcess, new_context: Callable[..., BrowserContext]
) -> None:
    page = new_context().new_page()
    page.add_init_script(
        "const { postMessage } = Worker.prototype;"
        " Worker.prototype.postMessage = function (task, ...rest) {"
        "   if (task.url) task.url = task.url.replace('/live', '/nowhere');"
        "   return postMessage.call(this, task, ...rest); }"
    )
    drawer = Drawer(page).open(server.url)
    assert drawer.stats()["lane"] == "event"
    drawer.choose("#model", "Large")
    drawer.choose("#size", "512")
    drawer.wait_until(lambda: drawer.request()["model"] == "large")
    drawer.wait_until(lambda: drawer.request()["width"] == 512)
    reshape(drawer, "16:9")
    drawer.wait_until(lambda: drawer.request()["width"] == 704)
    assert drawer.request()["height"] == 384
    dot(drawer, 0.93, 0.9)
    assert shown(drawer).shape == (384, 704, 3)
    assert is_dark(shown(drawer), 0.93, 0.9)
    with page.expect_download() as download:
        page.locator("[data-download]").click()
    file = Path(download.value.path()).read_bytes()
    assert imaging.decode(file).shape == (384, 704, 3)
    assert imaging.open_png(file).request.to_json() == drawer.request()


def test_a_picture_asked_for_in_another_shape_keeps_its_own(open_page: OpenPage) -> None:
    drawer = open_page()
    draw_with(drawer, "Large")
    drawer.page.locator("#live input").uncheck()
    square = drawer.picture()
    drawer.choose("#aspect", "16:9")
    drawer.wait_until(lambda: drawer.board()["aspect"] == "16:9")
    drawer.page.wait_for_timeout(300)
    assert drawer.picture() == square
    assert shape_of(drawer, "#picture canvas") == pytest.approx(1, rel=0.01)
    drawer.page.locator("#draw").click()
    drawer.wait_until(lambda: drawer.request()["width"] == 704)
    assert shape_of(drawer, "#picture canvas") == pytest.approx(16 / 9, rel=0.01)


def test_the_history_of_shapes_travels_as_plain_data(open_page: OpenPage) -> None:
    drawer = open_page()
    reshape(drawer, "2:3")
    data: dict[str, Any] = json.loads(json.dumps(drawer.board()))
    assert data["aspect"] == "2:3"
    assert data["done"][-1] == [[], [], ["1:1", "2:3"]]
