"""The page as Gradio Blocks: standard components, our parts, events that stay in the browser."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import gradio as gr

from turbo_ui.catalog import DOODLE, ModelSpec
from turbo_ui.frames import MAX_SEED
from turbo_ui.live.turns import is_remote
from turbo_ui.settings import Settings
from turbo_ui.web.board import STATIC, STATIC_URL, AnyFile, PagePart

AUTO = "auto"
NO_MODEL = "none"
NAMES = (
    "prompt",
    "model",
    "refine",
    "strength",
    "seed",
    "is_seed_locked",
    "steps",
    "aspect",
    "size",
    "is_live",
    "is_refine_auto",
)
"""The components whose values the page keeps, in the order of `forGradio` in `controls.js`."""
STEPS = [("Auto", AUTO), ("1", "1"), ("2", "2"), ("3", "3"), ("4", "4")]
ASPECTS = ["1:1", "4:3", "3:4", "3:2", "2:3", "16:9", "9:16"]
"""Width by height of the board; the same as in `aspect.js`."""
TITLE = "Turbo UI"
KEYS = (
    "<kbd>B</kbd> brush &nbsp; <kbd>E</kbd> eraser<br>"
    "<kbd>[</kbd> <kbd>]</kbd> width &nbsp; <kbd>Ctrl Z</kbd> undo"
)

MODULES = tuple(sorted(path.stem for path in STATIC.glob("[!.]*.js") if "." not in path.stem))
STYLES = ("turbo", "stage", "picture", "latency", "panels", "models", "small")

HEAD = "\n".join(
    [
        *(f'<link rel="stylesheet" href="{STATIC_URL}/{name}.css">' for name in STYLES),
        # a keyboard on the screen makes the page shorter, so that the picture stays above it
        '<meta name="viewport" content="width=device-width, initial-scale=1, viewport-fit=cover, '
        'interactive-widget=resizes-content">',
        # asked for early, all at once: else each import would wait for the one before it
        *(f'<link rel="modulepreload" href="{STATIC_URL}/{name}.js">' for name in MODULES),
        f'<link rel="modulepreload" href="{STATIC_URL}/vendor/konva/konva.min.js">',
        '<link rel="modulepreload" '
        f'href="{STATIC_URL}/vendor/perfect-freehand/perfect-freehand.mjs">',
    ]
)


def build(
    models: Sequence[ModelSpec], settings: Settings, generate: Callable[..., Any]
) -> gr.Blocks:
    """The page. `generate` serves the named event `/generate`: for clients, and as a way round."""
    with gr.Blocks(title=TITLE, analytics_enabled=False, delete_cache=(3600, 3600)) as page:
        PagePart("status")
        with gr.Row(elem_id="stage"):
            with gr.Column(elem_id="left", min_width=0):
                board = PagePart("board")
                prompt = _prompt(settings.max_prompt_chars)
            with gr.Column(elem_id="right", min_width=0):
                PagePart("picture")
                PagePart("latency")
            with gr.Column(elem_id="side", min_width=0):
                controls = _controls(models)
                PagePart("examples")
        values = {"prompt": prompt, **controls}
        for name in NAMES:
            component = values[name]
            component.input(None, component, None, js=_calls(f"set('{name}', value)", "value"))
        prompt.submit(None, None, None, js=_calls("draw()"))
        shown = [values[name] for name in NAMES]
        board.sync(None, None, shown, js="() => window.turboUI.values()")
        _add_generate(generate)
    # a call of /generate that would wait behind so many others is refused
    page.queue(max_size=settings.max_connections)
    return page


def _prompt(max_chars: int) -> gr.Textbox:
    return gr.Textbox(
        label="Prompt",
        show_label=False,
        placeholder="What is it? two apples on grass",
        lines=2,
        max_lines=2,
        max_length=max_chars,
        elem_id="prompt",
        container=False,
    )


def _controls(models: Sequence[ModelSpec]) -> dict[str, Any]:
    """The panel beside the stage; its components by name."""
    with gr.Column(elem_id="controls", min_width=0):
        model_and_refine = _model_boxes(models)
        strength = gr.Slider(
            0.05, 1, value=0.6, step=0.01, label="Strength", elem_id="strength", buttons=[]
        )
        seed_row = _seed_row()
        size_row = _size_row()
        with gr.Row(elem_id="live-row"):
            live = gr.Checkbox(True, label="Live", elem_id="live", min_width=0)
            at_rest = gr.Checkbox(True, label="Refine at rest", elem_id="refine-auto", min_width=0)
        draw = gr.Button("Draw", elem_id="draw", variant="primary")
        draw.click(None, None, None, js=_calls("draw()"))
        gr.HTML(KEYS, elem_id="keys")
    own = {"strength": strength, "is_live": live, "is_refine_auto": at_rest}
    return {**model_and_refine, **seed_row, **size_row, **own}


def _model_boxes(models: Sequence[ModelSpec]) -> dict[str, Any]:
    """The model that follows the hand, and the one that refines, each with how it stands."""
    with gr.Column(elem_id="model-box", min_width=0):
        model = gr.Dropdown(
            [(spec.title, spec.id) for spec in models if not is_remote(spec)],
            value=DOODLE.id,
            label="Model",
            elem_id="model",
            filterable=False,
        )
        PagePart("model-state", "model-line")
    with gr.Column(elem_id="refine-box", min_width=0):
        with gr.Row(elem_id="refine-row"):
            refine = gr.Dropdown(
                [("Nothing", NO_MODEL), *((spec.title, spec.id) for spec in models)],
                value=NO_MODEL,
                label="Refine with",
                elem_id="refine",
                filterable=False,
                min_width=0,
            )
            now = gr.Button("Refine", elem_id="refine-now", size="sm")
            now.click(None, None, None, js=_calls("refineNow()"))
        PagePart("refine-state", "model-line")
    return {"model": model, "refine": refine}


def _seed_row() -> dict[str, Any]:
    with gr.Row(elem_id="seed-row"):
        seed = gr.Number(7, label="Seed", precision=0, minimum=0, maximum=MAX_SEED, elem_id="seed")
        lock = gr.Checkbox(True, label="Lock", elem_id="seed-lock")
        dice = gr.Button("Roll", elem_id="seed-dice", size="sm")
        dice.click(None, None, seed, js="() => window.turboUI.rollSeed()")
    return {"seed": seed, "is_seed_locked": lock}


def _size_row() -> dict[str, Any]:
    with gr.Row(elem_id="size-row"):
        steps = gr.Dropdown(STEPS, value=AUTO, label="Steps", elem_id="steps", filterable=False)
        aspect = gr.Dropdown(
            ASPECTS, value=ASPECTS[0], label="Aspect", elem_id="aspect", filterable=False
        )
        # the page adds what the chosen model draws
        size = gr.Dropdown(
            [("Auto", AUTO)], value=AUTO, label="Size", elem_id="size", filterable=False
        )
    return {"steps": steps, "aspect": aspect, "size": size}


def _add_generate(generate: Callable[..., Any]) -> None:
    """The named event `/generate`: component values in, a PNG with its request and a record out."""
    with gr.Row(visible=False):
        inputs = [
            gr.Textbox(label="prompt"),
            AnyFile(label="image", type="filepath", image_mode=None),
            gr.Number(0.6, label="strength"),
            gr.Number(0, label="seed", precision=0),
            gr.Number(0, label="num_inference_steps (0: the model's own)", precision=0),
            # sizes are not rounded here: one that is not whole is told so
            gr.Number(0, label="side of a square in pixels (0: see width and height)"),
            gr.Textbox(label="model"),
            # last: a call of a client that names arguments up to here still means the same
            gr.Number(0, label="width in pixels (0: the model's own)"),
            gr.Number(0, label="height in pixels (0: the model's own)"),
        ]
        outputs = [gr.Image(label="picture", format="png"), gr.JSON(label="record")]
        start = gr.Button("generate")
    start.click(
        generate,
        inputs,
        outputs,
        api_name="generate",
        show_progress="hidden",
        concurrency_limit=8,
        trigger_mode="always_last",
    )


def _calls(call: str, argument: str = "") -> str:
    """A client-side event that calls the page and gives nothing back to Gradio."""
    return f"({argument}) => {{ window.turboUI?.{call}; return []; }}"
