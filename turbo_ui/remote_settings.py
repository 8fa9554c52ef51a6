"""The settings of the remote backend, a part of the table in `settings`."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

ENV_PREFIX = "TURBO_UI_"
REMOTE_FIELDS = ("strength", "seed", "num_inference_steps")
"""What a remote server may be sent beyond its API's own parameters."""


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
        "http or https address",
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
    remote_size_px: int = setting(
        1024, "px", "Width and height of the pictures asked of it.", ge=64, le=2048, multiple_of=8
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
