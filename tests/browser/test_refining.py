"""Draft and refine, and models that are on their way or cannot be had, as a person sees them."""

from __future__ import annotations

from pathlib import Path

from harness.drawer import Drawer, OpenPage
from turbo_ui import imaging


def stage(drawer: Drawer) -> str:
    """Which of the two the page says it shows."""
    return drawer.page.evaluate("document.querySelector('[data-badge]').dataset.stage")


def wait_for_stage(drawer: Drawer, name: str) -> None:
    drawer.wait_for(f"document.querySelector('[data-badge]').dataset.stage === '{name}'")


def wait_for_state(drawer: Drawer, line: str, state: str) -> None:
    drawer.wait_for(f"document.querySelector('#{line} .model-line').dataset.state === '{state}'")


def test_a_hand_that_rests_gets_a_refined_picture_and_a_stroke_a_draft(
    open_page: OpenPage,
) -> None:
    drawer = open_page()
    drawer.wait_for_rest()
    assert not drawer.page.locator("[data-badge]").is_visible(), "nothing refines by default"
    draft = drawer.request()
    drawer.page.evaluate(
        "() => { window.seen = []; const badge = document.querySelector('[data-badge]');"
        " new MutationObserver(() => window.seen.push(badge.textContent))"
        " .observe(badge, {childList: true, characterData: true, subtree: true}); }"
    )
    drawer.choose("#refine", "Fine")
    wait_for_stage(drawer, "refined")
    drawer.wait_until(lambda: drawer.request()["model"] == "fine")
    own = {"model": "fine", "width": 512, "height": 512, "num_inference_steps": 4}
    assert drawer.request() == {**draft, **own, "image": drawer.request()["image"]}
    assert drawer.page.evaluate("document.querySelector('#picture canvas').width") == 512
    seen = drawer.page.evaluate("window.seen")
    steps = [text for text in seen if "step" in text]
    assert steps, seen
    assert steps == sorted(steps)
    assert "Powered by a stand-in" in drawer.page.locator("[data-caption]").inner_text()
    drawer.pen_down(0.2, 0.3)
    drawer.move(0.5, 0.4)
    wait_for_stage(drawer, "draft")
    drawer.wait_until(lambda: drawer.request()["model"] == "doodle")
    drawer.pen_up()
    wait_for_stage(drawer, "refined")
    assert drawer.complaints == []


def test_a_stroke_while_it_refines_wins_and_the_old_board_never_comes_back(
    open_page: OpenPage,
) -> None:
    drawer = open_page()
    drawer.choose("#refine", "Fine")
    for y in (0.2, 0.4, 0.6):
        wait_for_stage(drawer, "refining")
        drawer.stroke(y)
        drawer.wait_until(lambda: drawer.request()["model"] == "doodle")
    wait_for_stage(drawer, "refined")
    drawer.wait_until(lambda: drawer.request()["model"] == "fine")
    assert drawer.stats()["superseded"] >= 1
    newest = "window.turboUI.painted.request_id === window.turboUI.session.loop.nextId - 1"
    assert drawer.page.evaluate(newest), "what is shown is the newest request of all"


def test_refining_can_wait_for_the_button(open_page: OpenPage) -> None:
    drawer = open_page()
    drawer.choose("#refine", "Fine")
    drawer.page.locator("#refine-auto input").uncheck()
    wait_for_state(drawer, "refine-state", "ready")
    drawer.stroke(0.4)
    drawer.wait_for_rest()
    drawer.page.wait_for_timeout(1000)
    assert stage(drawer) == "draft"
    drawer.page.locator("#refine-now").click()
    wait_for_stage(drawer, "refined")
    drawer.wait_until(lambda: drawer.request()["model"] == "fine")


def test_the_png_of_a_refined_picture_carries_the_request_that_made_it(
    open_page: OpenPage,
) -> None:
    drawer = open_page()
    drawer.choose("#refine", "Fine")
    drawer.wait_for("window.turboUI.picture.isPreview")
    with drawer.page.expect_download() as download:  # pressed while it is still being refined
        drawer.page.locator("[data-download]").click()
    saved = imaging.open_png(Path(download.value.path()).read_bytes())
    assert saved.request.model == "fine"
    assert saved.request.to_json() == drawer.request()
    assert saved.request.sketch is not None
    assert saved.request.sketch.width == 512


def test_a_model_that_fails_says_why_and_can_be_tried_again(open_page: OpenPage) -> None:
    drawer = open_page()
    drawer.choose("#refine", "Shaky")
    wait_for_state(drawer, "refine-state", "failed")
    line = drawer.page.locator("#refine-state")
    assert "the download broke off" in line.inner_text()
    assert "Powered by a stand-in" in line.inner_text()
    drawer.page.locator("[data-model]").first.click()
    row = drawer.page.locator(".model-row[data-id=shaky]")
    assert "the download broke off" in row.inner_text()
    assert "accept its licence" in row.inner_text()
    assert row.locator("a").first.get_attribute("href") == "https://example.org/licence"
    drawer.page.keyboard.press("Escape")
    drawer.stroke(0.3)
    drawer.wait_for_rest()
    assert stage(drawer) == "draft", "drawing goes on"
    line.locator("[data-ask]").click()
    wait_for_state(drawer, "refine-state", "ready")
    wait_for_stage(drawer, "refined")
    assert drawer.complaints == []


def test_a_model_that_runs_elsewhere_refines_and_is_no_choice_to_draw_with(
    open_page: OpenPage,
) -> None:
    drawer = open_page()
    drawer.page.locator("#model input").click()
    assert drawer.page.get_by_role("option", name="Large").count() == 1
    assert drawer.page.get_by_role("option", name="Far away").count() == 0
    drawer.page.keyboard.press("Escape")
    drawer.choose("#refine", "Far away")
    wait_for_stage(drawer, "refined")
    drawer.wait_until(lambda: drawer.request()["model"] == "far")
    assert drawer.request()["image"] is None
    assert "board is not sent" in drawer.page.locator("#refine-state").inner_text()


def test_a_model_that_turns_out_to_take_no_board_is_shown_whole_at_once(
    open_page: OpenPage,
) -> None:
    """Its picture is not cut to the board that it never saw, and the PNG holds no sketch."""
    drawer = open_page()
    drawer.choose("#refine", "Unsure")
    drawer.wait_until(lambda: drawer.request()["model"] == "unsure")
    assert drawer.request()["image"] is None
    size = "[document.querySelector('#picture canvas')].map((c) => [c.width, c.height])[0]"
    assert drawer.page.evaluate(size) == [640, 384], "the board is square"
    line = drawer.page.locator("#refine-state")
    drawer.wait_until(lambda: "board is not sent" in line.inner_text())
    with drawer.page.expect_download() as download:
        drawer.page.locator("[data-download]").click()
    saved = imaging.open_png(Path(download.value.path()).read_bytes())
    assert saved.request.sketch is None
    assert saved.request.to_json() == drawer.request()
    drawer.stroke(0.4)
    drawer.wait_until(lambda: drawer.request()["model"] == "doodle")
    drawer.wait_until(lambda: drawer.request()["model"] == "unsure")
    assert drawer.page.evaluate(size) == [640, 384]
    assert drawer.complaints == []


def test_the_refine_model_is_kept_over_a_reload(open_page: OpenPage) -> None:
    drawer = open_page()
    drawer.choose("#refine", "Fine")
    wait_for_stage(drawer, "refined")
    drawer.page.wait_for_timeout(400)
    drawer.reload()
    wait_for_stage(drawer, "refined")
    assert drawer.page.locator("#refine input").input_value() == "Fine"
