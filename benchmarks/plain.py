"""The baseline: what one writes in Gradio in ten lines, `gr.Sketchpad.change → gr.Image`.

Everything is as Gradio has it by default. It runs the same stand-in as the app beside it:
`python -m benchmarks.plain --port 7860 --frame-ms 10`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import gradio as gr
import numpy as np

from benchmarks.standin import SIZE_PX, SPEC, Sleeper, arguments
from turbo_ui import imaging
from turbo_ui.frames import FrameRequest


def build(frame_ms: float) -> gr.Blocks:
    """The plain app."""
    backend = Sleeper(frame_ms)

    def draw(drawn: dict[str, Any] | None) -> np.ndarray | None:
        if drawn is None or drawn["composite"] is None:
            return None
        pixels = imaging.flatten(drawn["composite"])
        request = FrameRequest(
            model=SPEC.id,
            prompt="",
            image=imaging.fit(pixels, SIZE_PX, SIZE_PX),
            width=SIZE_PX,
            height=SIZE_PX,
        )
        return backend.generate([request])[0].image

    with gr.Blocks() as blocks:
        with gr.Row():
            board = gr.Sketchpad(canvas_size=(SIZE_PX, SIZE_PX), elem_id="board")
            picture = gr.Image(elem_id="picture")
        board.change(draw, board, picture)
    return blocks


def main(argv: Sequence[str] | None = None) -> int:
    known = arguments(argv, "Run the plain Gradio app on a backend that only sleeps.")
    build(known.frame_ms).launch(server_name="127.0.0.1", server_port=known.port, quiet=True)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
