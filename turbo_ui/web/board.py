"""The page's own Gradio components: status line, board, picture, examples, latency strip.

Each of these is a `gr.HTML` with a constant template and a script that hands the mounted element to
our page modules. Everything that changes is drawn by those, so Gradio never renders a part again,
and no text of a user ever goes through a template.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gradio as gr

from turbo_ui.errors import InvalidRequest

STATIC = Path(__file__).parent / "static"
STATIC_URL = "turbo-ui/static"

_MOUNT = """
const page = new URL("{url}/page.js", document.baseURI);
import(page.href).then((module) => module.mount("{name}", element, trigger));
"""

_EVENTS = {"board": ("sync",)}
"""The events that the page triggers; Gradio finds them by their quoted names in the script."""


class PagePart(gr.HTML):
    """One part of the page, by its name in `page.js`; `template`, in `static/parts`, has that name,
    too, unless another is given."""

    def __init__(self, name: str, template: str = "", **kwargs: Any) -> None:
        events = "".join(f'// triggers "{event}"\n' for event in _EVENTS.get(name, ()))
        super().__init__(
            value="",
            html_template=(STATIC / "parts" / f"{template or name}.html").read_text("utf-8"),
            js_on_load=events + _MOUNT.replace("{url}", STATIC_URL).replace("{name}", name),
            apply_default_css=False,
            elem_id=name,
            **kwargs,
        )

    def preprocess(self, payload: Any) -> None:
        """Nothing: the page's parts are no inputs, whatever a client sends."""
        return

    def get_block_name(self) -> str:
        return "html"


class AnyFile(gr.Image):
    """Gradio's image, but what it is given is not opened: of a file that is no picture Gradio tells
    clients Python's own words, and the event has better ones."""

    is_template = True  # the page and clients see an image

    def preprocess(self, payload: Any) -> Any:
        """The file's path; None where there is none.

        Args:
            payload: Gradio's `ImageData`, or None.

        Raises:
            gr.Error: a data URL that holds no picture, which Gradio opens.
        """
        if payload is None or (payload.url or "").startswith("data:"):
            try:
                return super().preprocess(payload)
            except (OSError, ValueError):
                error = InvalidRequest("image", "a data URL", "one of a JPEG, PNG or WebP picture")
                raise gr.Error(error.user_text, print_exception=False) from None
        return payload.path
