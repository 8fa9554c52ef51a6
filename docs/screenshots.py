"""Makes the README's screenshots from the running app: `python -m docs.screenshots`."""

from __future__ import annotations

import tempfile
from pathlib import Path

from playwright.sync_api import sync_playwright

from harness import chromium
from harness.app_process import AppProcess
from harness.drawer import Drawer

IMAGES = Path(__file__).parent / "images"
EXAMPLE = "a house and the sun"
"""What the prompt of the example on the board holds."""

SCREENS = {
    "light": {"viewport": {"width": 1600, "height": 1000}},
    "dark": {"viewport": {"width": 1600, "height": 1000}, "color_scheme": "dark"},
    "phone": {"viewport": {"width": 390, "height": 844}, "device_scale_factor": 2},
}


def main() -> None:
    path = chromium.find()
    if path is None:
        raise SystemExit("there is no Chromium or Chrome; `make browser` installs one")
    IMAGES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        app = AppProcess(Path(folder)).start()
        browser = playwright.chromium.launch(executable_path=path, args=chromium.ARGUMENTS)
        try:
            for name, options in SCREENS.items():
                context = browser.new_context(**options)  # type: ignore[arg-type]
                drawer = Drawer(context.new_page()).open(app.url)
                drawer.page.locator(f".example[title*='{EXAMPLE}']").click()
                # one stroke that fits the picture, so that the strip has something to show
                drawer.page.locator("#board .swatch[data-color='#46a758']").click()
                drawer.stroke(0.9, 0.25)
                drawer.wait_for_rest()
                drawer.page.mouse.move(2, 2)
                drawer.page.evaluate("scrollTo(0, 0)")  # choosing an example scrolls a phone
                drawer.page.wait_for_timeout(400)
                drawer.page.screenshot(path=IMAGES / f"{name}.png")
                context.close()
                print(IMAGES / f"{name}.png")
        finally:
            browser.close()
            app.kill()


if __name__ == "__main__":
    main()
