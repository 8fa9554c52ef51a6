"""Colours, fonts and shapes: one Gradio theme; `static/turbo.css` takes its variables from here."""

from __future__ import annotations

import gradio as gr
from gradio.themes.utils import colors, fonts, sizes

SANS = ("Inter", "ui-sans-serif", "system-ui", "-apple-system", "Segoe UI", "Roboto", "sans-serif")
MONO = ("ui-monospace", "SF Mono", "Cascadia Mono", "Menlo", "monospace")


def build() -> gr.themes.Base:
    """The theme of the page. Fonts are the system's own: nothing is fetched from elsewhere."""
    theme = gr.themes.Base(
        primary_hue=colors.indigo,
        neutral_hue=colors.zinc,
        radius_size=sizes.radius_lg,
        spacing_size=sizes.spacing_md,
        font=[fonts.Font(name) for name in SANS],
        font_mono=[fonts.Font(name) for name in MONO],
    )
    return theme.set(
        body_background_fill="#f6f6f8",
        body_background_fill_dark="#111114",
        block_background_fill="#ffffff",
        block_background_fill_dark="#1a1a1f",
        block_border_width="0px",
        block_border_width_dark="0px",
        block_border_color="#e6e6ea",
        block_border_color_dark="#2a2a31",
        border_color_primary="#e2e2e7",
        border_color_primary_dark="#2f2f37",
        block_label_background_fill="transparent",
        block_label_background_fill_dark="transparent",
        block_label_text_color="*body_text_color_subdued",
        block_title_text_color="*body_text_color_subdued",
        block_title_text_color_dark="*body_text_color_subdued",
        block_title_text_weight="500",
        block_title_text_size="*text_sm",
        body_text_color="#1c1c21",
        body_text_color_dark="#ececf1",
        body_text_color_subdued="#6d6d78",
        body_text_color_subdued_dark="#9a9aa6",
        input_background_fill="#f6f6f8",
        input_background_fill_dark="#232329",
        input_border_color="transparent",
        input_border_color_dark="transparent",
        input_border_color_focus="#6366f1",
        input_border_color_focus_dark="#818cf8",
        slider_color="#6366f1",
        slider_color_dark="#818cf8",
        color_accent="#6366f1",
        button_secondary_background_fill="#f1f1f4",
        button_secondary_background_fill_dark="#26262d",
        button_secondary_background_fill_hover="#e8e8ed",
        button_secondary_background_fill_hover_dark="#2f2f37",
        button_secondary_border_color="transparent",
        button_secondary_border_color_dark="transparent",
    )
