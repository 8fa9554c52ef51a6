"""What the page offers beside the board: examples, words, sizes, a picture that stays in sight."""

from __future__ import annotations

import pytest
from playwright.sync_api import Locator

from harness.drawer import Drawer, OpenPage


def example(drawer: Drawer, index: int) -> Locator:
    return drawer.page.locator(".example").nth(index)


def words(drawer: Drawer) -> Locator:
    return drawer.page.locator("#model-state [data-words]")


def offered(drawer: Drawer, box: str) -> list[str]:
    """The titles in the list of a box."""
    drawer.page.locator(f"{box} input").click()
    titles = drawer.page.locator(f"{box} [role=option]").all_inner_texts()
    drawer.page.keyboard.press("Tab")
    return [title.replace("✓", "").strip() for title in titles]


def test_undo_takes_an_example_back_together_with_its_words(open_page: OpenPage) -> None:
    drawer = open_page()
    own = "my own words"
    drawer.prompt().fill(own)
    drawer.wait_until(lambda: drawer.request()["prompt"] == own)
    board = drawer.board()["shown"]
    example(drawer, 3).click()
    drawer.wait_until(lambda: drawer.prompt().input_value() != own)
    theirs = drawer.prompt().input_value()
    drawer.tool("undo").click()
    drawer.wait_until(lambda: drawer.prompt().input_value() == own)
    assert drawer.board()["shown"] == board
    drawer.wait_until(lambda: drawer.request()["prompt"] == own)
    drawer.tool("redo").click()
    drawer.wait_until(lambda: drawer.prompt().input_value() == theirs)
    drawer.page.wait_for_timeout(400)
    drawer.reload()
    drawer.tool("undo").click()
    drawer.wait_until(lambda: drawer.prompt().input_value() == own)
    assert drawer.complaints == []


def test_words_that_were_typed_since_come_back_with_redo(open_page: OpenPage) -> None:
    drawer = open_page()
    drawer.prompt().fill("typed before")
    drawer.wait_until(lambda: drawer.request()["prompt"] == "typed before")
    example(drawer, 3).click()
    drawer.wait_until(lambda: drawer.request()["prompt"] == drawer.prompt().input_value())
    drawer.prompt().fill("typed later")
    drawer.wait_until(lambda: drawer.request()["prompt"] == "typed later")
    for button, words in (("undo", "typed before"), ("redo", "typed later")) * 2:
        drawer.tool(button).click()
        drawer.wait_until(lambda words=words: drawer.prompt().input_value() == words)
        drawer.wait_until(lambda words=words: drawer.request()["prompt"] == words)


def test_words_that_were_typed_stay_where_there_were_none_before(open_page: OpenPage) -> None:
    drawer = open_page()
    drawer.prompt().fill("typed over the first example")
    drawer.page.wait_for_timeout(200)
    drawer.tool("undo").click()
    drawer.wait_until(lambda: drawer.num_objects() == 0)
    drawer.page.wait_for_timeout(300)
    assert drawer.prompt().input_value() == "typed over the first example"


def test_the_same_example_again_is_no_step(open_page: OpenPage) -> None:
    drawer = open_page()
    opening = drawer.board()["shown"]
    for _ in range(3):
        example(drawer, 3).click()
        drawer.page.wait_for_timeout(100)
    drawer.tool("undo").click()
    assert drawer.board()["shown"] == opening


@pytest.mark.parametrize(
    "asked",
    [3, [], [1], [{}], [None, {}], [{"prompt": 5}, {"prompt": ["x"]}], [{"model": "x"}, {}]],
)
def test_a_kept_step_with_damaged_words_can_be_undone(open_page: OpenPage, asked: object) -> None:
    drawer = open_page()
    example(drawer, 3).click()
    drawer.page.wait_for_timeout(500)
    drawer.page.evaluate(
        "(asked) => { const key = Object.keys(localStorage).find((key) => /board/.test(key));"
        " const state = JSON.parse(localStorage[key]); state.board.done.at(-1)[3] = asked;"
        " window.turboUI.keeping.now = () => {}; localStorage[key] = JSON.stringify(state); }",
        asked,
    )
    drawer.reload()
    objects = drawer.num_objects()
    drawer.tool("undo").click()
    drawer.wait_until(lambda: drawer.num_objects() != objects)
    drawer.wait_for_rest()
    drawer.tool("redo").click()
    drawer.wait_until(lambda: drawer.num_objects() == objects)
    drawer.wait_for_rest()
    assert drawer.stats()["model"] == "doodle"
    assert drawer.complaints == []


def test_what_the_model_knows_is_one_click_from_the_prompt(open_page: OpenPage) -> None:
    drawer = open_page()
    words(drawer).click()
    dialog = drawer.page.locator(".word-list")
    dialog.get_by_role("heading", name="What Doodle knows").wait_for()
    assert dialog.locator("[data-word]").count() > 300
    dialog.locator("[data-find]").fill("Ice")
    found = dialog.locator("[data-word]:visible").all_inner_texts()
    assert found == ["ice cream", "ice cream cone"]
    none = dialog.get_by_text("Nothing here begins with")
    assert not none.is_visible()
    dialog.locator("[data-find]").fill("dragonfruit")
    assert none.inner_text() == "Nothing here begins with “dragonfruit”."
    assert dialog.locator("[data-word]:visible").count() == 0
    box = dialog.locator("[data-find]").bounding_box()
    assert box is not None
    drawer.page.mouse.move(box["x"] + 20, box["y"] + box["height"] / 2)
    drawer.page.mouse.down()  # selects what was typed, and ends beside the sheet
    drawer.page.mouse.move(2, 300)
    drawer.page.mouse.up()
    assert dialog.is_visible()
    drawer.page.mouse.click(2, 300)
    assert not dialog.is_visible()
    words(drawer).click()
    dialog.locator("[data-close]").focus()
    drawer.page.keyboard.press("e")
    assert drawer.page.evaluate("window.turboUI.board.tool.tool") == "brush", "keys are the list's"
    drawer.page.keyboard.press("Escape")
    assert not dialog.is_visible()
    opening = drawer.prompt().input_value()
    asked = (
        ("owl", "owl"),
        ("on grass", "owl on grass"),
        ("night sky", "owl, night sky"),
        ("fox", "fox"),
    )
    for word, prompt in asked:
        words(drawer).click()
        dialog.locator(f"[data-word='{word}']").click()
        assert not dialog.is_visible()
        drawer.wait_until(lambda prompt=prompt: drawer.request()["prompt"] == prompt)
        assert drawer.prompt().input_value() == prompt
    for prompt in (*reversed([prompt for _, prompt in asked[:-1]]), opening):
        drawer.tool("undo").click()
        drawer.wait_until(lambda prompt=prompt: drawer.request()["prompt"] == prompt)
        assert drawer.prompt().input_value() == prompt
    assert drawer.complaints == []


def test_a_place_goes_behind_what_is_said_and_takes_the_place_of_another(
    open_page: OpenPage,
) -> None:
    behind = """async ([prompt, word]) => {
      const modules = [...document.querySelectorAll("link[rel=modulepreload]")];
      const url = modules.map(({ href }) => href).find((href) => href.endsWith("/words.js"));
      const { behind } = await import(url);
      return behind(prompt, word, ["on grass", "at sunset", "night sky"]);
    }"""
    page = open_page().page
    for prompt, word, together in (
        ("", "night sky", "night sky"),
        ("a cat", "on grass", "a cat on grass"),
        ("a cat. ", "night sky", "a cat, night sky"),
        ("a cat, night sky", "at sunset", "a cat at sunset"),
        ("on grass", "night sky", "night sky"),
        ("a cat on grass and a dog", "at sunset", "a cat on grass and a dog at sunset"),
    ):
        assert page.evaluate(behind, [prompt, word]) == together


def test_a_list_of_words_that_does_not_come_is_told(open_page: OpenPage) -> None:
    drawer = open_page()
    drawer.page.route("**/words.json", lambda route: route.fulfill(status=503))
    words(drawer).click()
    drawer.page.get_by_text("What Doodle knows could not be loaded (503).").wait_for()
    assert not drawer.page.locator(".word-list").is_visible()
    drawer.page.unroute("**/words.json")
    words(drawer).click()
    drawer.page.locator(".word-list [data-word]").nth(300).wait_for()


def test_sizes_and_words_are_those_of_the_model(open_page: OpenPage) -> None:
    drawer = open_page()
    assert offered(drawer, "#size") == ["Auto", "256"]
    drawer.choose("#model", "Large")
    drawer.wait_until(lambda: drawer.stats()["model"] == "large")
    sides = offered(drawer, "#size")
    assert sides[:3] == ["Auto", "256", "320"]
    assert sides[-1] == "1024"
    assert not words(drawer).is_visible()
    drawer.choose("#size", "576")
    drawer.wait_until(lambda: drawer.request()["width"] == 576)
    drawer.choose("#model", "Doodle")
    drawer.wait_until(lambda: drawer.stats()["model"] == "doodle")
    assert offered(drawer, "#size") == ["Auto", "256", "576"], "a wish stays until another one"
    assert drawer.page.locator("#size input").input_value() == "576"
    drawer.choose("#size", "Auto")
    assert offered(drawer, "#size") == ["Auto", "256"]
    assert drawer.complaints == []


def test_refining_at_rest_is_offered_beside_a_model_that_refines(open_page: OpenPage) -> None:
    drawer = open_page()
    at_rest = drawer.page.locator("#refine-auto")
    assert not at_rest.is_visible()
    drawer.choose("#refine", "Fine")
    at_rest.wait_for()
    drawer.choose("#refine", "Nothing")
    at_rest.wait_for(state="hidden")


PHONE = {"viewport": {"width": 390, "height": 780}, "has_touch": True, "is_mobile": True}


def edges(drawer: Drawer, of: str) -> tuple[float, float]:
    """Where it begins and ends on the screen, from above."""
    box = drawer.page.locator(of).bounding_box()
    assert box is not None
    return box["y"], box["y"] + box["height"]


@pytest.mark.parametrize("keyboard_px", [230, 330, 420])
def test_on_a_phone_the_picture_stays_in_sight_while_words_are_typed(
    open_page: OpenPage, keyboard_px: int
) -> None:
    drawer = open_page(**PHONE)
    drawer.prompt().tap()
    height = 780 - keyboard_px
    drawer.page.set_viewport_size({"width": 390, "height": height})
    drawer.wait_until(lambda: edges(drawer, "#prompt textarea")[1] <= height)
    (top, bottom), (prompt_top, _) = edges(drawer, "#picture"), edges(drawer, "#prompt")
    assert 0 <= top < bottom <= prompt_top
    assert bottom - top > 130
    drawer.page.set_viewport_size({"width": 390, "height": 780})
    drawer.page.locator(".board-host").tap(position={"x": 200, "y": 250})
    drawer.page.wait_for_timeout(200)
    assert edges(drawer, "#picture")[1] <= edges(drawer, "#board")[0], "under the hand is the board"


def test_on_a_phone_the_picture_stays_in_sight_while_settings_are_changed(
    open_page: OpenPage,
) -> None:
    drawer = open_page(**PHONE)
    drawer.page.locator("#strength input[type=range]").focus()
    drawer.wait_for("document.elementFromPoint(195, 100).closest('#picture') !== null")
    assert edges(drawer, "#strength")[0] > edges(drawer, "#picture")[1]
    assert drawer.page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_a_phone_on_its_side_has_board_and_picture_beside_each_other(open_page: OpenPage) -> None:
    drawer = open_page(viewport={"width": 667, "height": 330}, has_touch=True, is_mobile=True)
    assert edges(drawer, "#board")[0] == pytest.approx(edges(drawer, "#picture")[0], abs=2)
    assert drawer.page.evaluate("document.documentElement.scrollWidth <= innerWidth")


@pytest.mark.parametrize("width", [320, 390, 700])
def test_the_tools_fit_below_the_board(open_page: OpenPage, width: int) -> None:
    drawer = open_page(viewport={"width": width, "height": 400}, has_touch=True, is_mobile=True)
    outside = """() => {
      const card = document.querySelector("#board").getBoundingClientRect();
      const sheet = document.querySelector(".board-sheet").getBoundingClientRect();
      const isOutside = ({ left, right, top, bottom }) =>
        left < card.left || right > card.right || top < sheet.bottom - 1 || bottom > card.bottom;
      return [...document.querySelectorAll(".board-tools :is(button, label, [type=range])")]
        .filter((each) => isOutside(each.getBoundingClientRect()))
        .map((each) => each.outerHTML.slice(0, 80));
    }"""
    assert drawer.page.evaluate(outside) == []
