"""The settings of the remote backend, a part of the table in `settings`."""

from __future__ import annotations

import re
from typing import Any, Literal

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

ENV_PREFIX = "TURBO_UI_"
REMOTE_FIELDS = ("strength", "seed", "num_inference_steps")
"""What a remote server may be sent beyond its API's own parameters."""
SIZE = re.compile(r"(\d{1,5})(?:x(\d{1,5}))?", re.ASCII)
MIN_SIZE_PX, MAX_SIZE_PX, SIZE_STEP_PX = 64, 2048, 8
"""Of what a side of a remote picture may be; the same as of every picture."""


def setting(default: Any, unit: str, text: str, **bounds: Any) -> Any:
    """One row of the table."""
    return Field(
        default=default,
        description=text,
        json_schema_extra={"unit": unit},
        **bounds,
    )


class RemoteSettings(BaseSettings):
    """An OpenAI-compatible images API that draws for us, and how much it may. Frozen."""

    model_config = SettingsConfigDict(env_prefix=ENV_PREFIX, frozen=True, extra="forbid")

    remote_base_url: str | None = setting(
        None,
        "http or https address, no login, no ? in it",
        "An OpenAI-compatible images API, such as https://api.example.com/v1. Where it is set, the "
        "model remote is on offer.",
        pattern=r"^https?://[^/?#@\s]+(/[^?#@\s]*)?$",
    )
    remote_api_key: SecretStr | None = setting(
        None,
        "text",
        "The key for that API. Better given in the environment than as a flag.",
        min_length=1,
    )
    remote_model: str = setting(
        "stable-diffusion-3.5-large-turbo",
        "name",
        "The model's name at that API.",
        min_length=1,
        max_length=200,
    )
    remote_size_px: str = setting(
        "1024",
        "px or WIDTHxHEIGHT, by commas",
        "Size of the pictures asked of it; a single number is a square. Of several, such as "
        "1024, 1536x1024, 1024x1536, the one whose shape is nearest to the board's.",
    )
    remote_sketch: Literal["auto", "on", "off"] = setting(
        "auto",
        "auto, on, off",
        "Whether the board is sent to it (images/edits). auto: where the server has that.",
    )
    remote_fields: str = setting(
        "",
        "names, by commas",
        "What it takes beyond the API's own parameters: strength, seed, num_inference_steps.",
    )
    remote_timeout_s: float = setting(
        120.0, "s", "How long one picture of it is waited for, tries included.", gt=0, le=3600
    )
    remote_max_retries: int = setting(
        2, "tries", "How often a request is sent again that it was too busy for.", ge=0, le=10
    )
    max_remote_images_per_session: int = setting(
        20,
        "pictures",
        "The most remote pictures for one page, and for one network address by way of the event "
        "/generate; 0 is none.",
        ge=0,
        le=100_000,
    )
    max_remote_images_per_hour: int = setting(
        100, "pictures", "The most remote pictures for all together.", ge=0, le=1_000_000
    )

    @property
    def remote_sizes_px(self) -> tuple[tuple[int, int], ...]:
        """`remote_size_px` as width and height of each, at least one."""
        return tuple(_size_px(part) for part in by_commas(self.remote_size_px))

    @field_validator("remote_size_px", mode="before")
    @classmethod
    def _number_as_text(cls, value: object) -> object:
        return str(value) if type(value) is int else value

    @field_validator("remote_size_px")
    @classmethod
    def _known_sizes(cls, value: str) -> str:
        parts = by_commas(value)
        if not parts:
            raise ValueError("there is none")
        for part in parts:
            _size_px(part)
        return value

    @field_validator("remote_fields")
    @classmethod
    def _known_fields(cls, value: str) -> str:
        unknown = [name for name in by_commas(value) if name not in REMOTE_FIELDS]
        if unknown:
            raise ValueError(f"{unknown[0]} is none of {', '.join(REMOTE_FIELDS)}")
        return value


def by_commas(text: str) -> tuple[str, ...]:
    """The parts of a list that is written with commas."""
    parts = (part.strip() for part in text.split(","))
    return tuple(part for part in parts if part)


def _size_px(text: str) -> tuple[int, int]:
    """Width and height of "1024" or "1536x1024".

    Raises:
        ValueError: neither of the two, or a side that no picture can have.
    """
    found = SIZE.fullmatch(text)
    if found is None:
        raise ValueError(f"{text[:40]} is neither a number of pixels nor WIDTHxHEIGHT")
    width, height = int(found[1]), int(found[2] or found[1])
    for side in (width, height):
        if not MIN_SIZE_PX <= side <= MAX_SIZE_PX or side % SIZE_STEP_PX:
            allowed = f"a multiple of {SIZE_STEP_PX} from {MIN_SIZE_PX} to {MAX_SIZE_PX}"
            raise ValueError(f"the side {side} is not {allowed}")
    return width, height
