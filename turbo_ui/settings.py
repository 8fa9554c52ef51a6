"""Every setting, in one table: name, default, unit, help.

A value is taken from the command line (`--settle-ms 300`), else from the environment
(`TURBO_UI_SETTLE_MS=300`), else it is the default. `docs/settings.md` shows the same table, and a
test compares the two.
"""

from __future__ import annotations

import argparse
import ipaddress
import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, cast

from pydantic import SecretStr, ValidationError, field_validator

from turbo_ui import bounds
from turbo_ui.errors import InvalidSetting
from turbo_ui.remote_settings import ENV_PREFIX, RemoteSettings, by_commas, setting

TEST_PREFIX = "TURBO_UI_TEST_"
"""Variables with this prefix steer the tests and are none of the app's business."""
SECRETS = frozenset({"auth", "api_key", "remote_api_key"})
"""Never shown, not even where they are wrong."""
PRIVATE_NETWORKS = ("127.0.0.1", "::1", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16")
"""From where a host's own proxy reaches a Space; visitors come from elsewhere."""


class Settings(RemoteSettings):
    """The table. Frozen: settings are read once, when the app starts."""

    model: str | None = setting(
        None,
        "id, hub id, folder or file",
        "The preferred model. The app starts on doodle at once; this one loads behind it and takes "
        "over. By default sd-turbo on a CUDA device, else none.",
    )
    refine_model: str | None = setting(
        None,
        "id, hub id, folder or file",
        "The model that refines the picture when the hand rests, for pages that chose none.",
    )
    device: str = setting(
        "auto",
        "auto, cpu, cuda, cuda:N, mps",
        "Where models run. auto: the first CUDA device, else Apple's, else the CPU.",
        pattern=r"^(auto|cpu|mps|cuda(:\d+)?)$",
    )
    dtype: Literal["auto", "fp32", "fp16", "bf16"] = setting(
        "auto",
        "auto, fp32, fp16, bf16",
        "Number type of the models. auto: fp32 on a CPU, fp16 on a GPU; Stable Diffusion 3.5 takes "
        "bf16 where the GPU computes in it. A UNet, VAE or CLIP that overflows in fp16 is put into "
        "bf16, else fp32.",
    )
    vae: Literal["auto", "full", "tiny"] = setting(
        "auto",
        "auto, full, tiny",
        "Which VAE. tiny: the small stand-in of the model's family, much faster. "
        "auto: the model's own.",
    )
    max_device_memory_bytes: int | None = setting(
        None,
        "bytes",
        "The most memory that all models together may take on the device. By default 90 % of it; "
        "on a CPU, of main memory.",
        ge=1_000_000,
    )
    quantization: Literal["auto", "none", "int8", "fp8"] = setting(
        "auto",
        "auto, none, int8, fp8",
        "In which bits Stable Diffusion 3.5 is kept. auto: in full; T5 and the transformer in "
        "fewer where memory is short. none: nothing in fewer bits; where memory is short, parts "
        "wait in main memory, or T5 is left out. int8, fp8: the transformer in these 8 bits. "
        "Fewer bits take torchao.",
    )
    text_encoders: str = setting(
        "",
        "files or folders, by commas",
        "Where the text encoders are of a Stable Diffusion 3.5 in a single file, which holds none: "
        "clip_l.safetensors, clip_g.safetensors and T5; or a diffusers folder.",
    )
    max_batch: int = setting(
        4, "frames", "The most frames of different sessions that run together.", ge=1, le=64
    )
    host: str = setting(
        "127.0.0.1",
        "address",
        "The address to listen on; 0.0.0.0 for all. On a Hugging Face Space 0.0.0.0.",
    )
    port: int = setting(7860, "port", "The port to listen on; 0 takes a free one.", ge=0, le=65535)
    auth: str | None = setting(
        None,
        "user:password",
        "Ask for this login. Better given in the environment than as a flag.",
        pattern=r"^[^:]+:.+$",
        repr=False,  # settings are logged
    )
    allowed_origins: str = setting(
        "",
        "addresses, by commas",
        "Other sites whose pages may use the live lane, such as https://example.org.",
    )
    trusted_proxies: str = setting(
        "127.0.0.1,::1",
        "addresses or networks, by commas",
        "Proxies in front of the app, whose X-Forwarded-For says where a visitor is. On a Hugging "
        "Face Space private networks, too.",
    )
    debounce_ms: int = setting(
        60, "ms", "Typing rests this long before it makes a frame.", ge=0, le=5000
    )
    settle_ms: int = setting(
        500, "ms", "The hand rests this long before a refine model draws.", ge=0, le=60_000
    )
    jpeg_quality: int = setting(
        85, "1 to 95", "Quality of the pictures that travel to the page.", ge=1, le=95
    )
    max_connections: int = setting(
        64, "connections", "The most pages that may be connected at once.", ge=1, le=10_000
    )
    max_connections_per_address: int = setting(
        16,
        "connections",
        "The most pages from one network address. All that come from there have the remote "
        "pictures of so many pages a day.",
        ge=1,
        le=10_000,
    )
    max_new_connections_per_s: int = setting(
        20,
        "connections/s",
        "The most connections that one network address may begin in a second.",
        ge=1,
        le=1000,
    )
    max_messages_per_s: int = setting(
        200, "messages/s", "The most messages a page may send in a second.", ge=1, le=10_000
    )
    max_message_bytes: int = setting(
        4 * 1024 * 1024,
        "bytes",
        "The longest message of the live lane.",
        ge=1024,
        le=64 * 1024 * 1024,
    )
    max_image_px: int = setting(
        4096, "px", "The longest side of a picture that is accepted.", ge=64, le=4096
    )
    max_prompt_chars: int = setting(2000, "characters", "The longest prompt.", ge=1, le=2000)
    max_stop_s: float = setting(
        5.0,
        "s",
        "The longest that a stop takes; the frame in flight may take all but its last second.",
        gt=0,
        le=60,
    )

    api: Literal["auto", "open", "off"] = setting(
        "auto",
        "auto, open, off",
        "The OpenAI-compatible API under /v1. auto: for the key where one is set, else only for "
        "this machine. open: for everybody, without a key. off: not at all.",
    )
    api_key: SecretStr | None = setting(
        None,
        "text",
        "The key that the API under /v1 asks for. Better given in the environment than as a flag.",
        min_length=1,
    )

    @property
    def origins(self) -> tuple[str, ...]:
        """`allowed_origins` as a tuple."""
        return tuple(part.rstrip("/") for part in by_commas(self.allowed_origins))

    @property
    def proxies(self) -> tuple[str, ...]:
        """`trusted_proxies` as a tuple."""
        return by_commas(self.trusted_proxies)

    @field_validator("trusted_proxies")
    @classmethod
    def _check_proxies(cls, value: str) -> str:
        for part in by_commas(value):
            ipaddress.ip_network(part)  # one with bits of a host in it would match nothing
        return value

    @property
    def login(self) -> tuple[str, str] | None:
        """`auth` as (user, password), as Gradio takes it; None where no login is asked for."""
        if self.auth is None:
            return None
        user, _, password = self.auth.partition(":")
        return user, password


@dataclass(frozen=True)
class Row:
    """One setting, as the documentation shows it."""

    name: str
    flag: str
    env: str
    default: str
    unit: str
    help: str


def table() -> list[Row]:
    """All settings in their order."""
    rows: list[Row] = []
    known = Settings.model_fields
    for name in sorted(known, key=lambda name: name in RemoteSettings.model_fields):
        info = known[name]
        default = "–" if info.default in (None, "") else str(info.default)
        rows.append(
            Row(
                name=name,
                flag="--" + name.replace("_", "-"),
                env=ENV_PREFIX + name.upper(),
                default=default,
                unit=_unit(name),
                help=info.description or "",
            )
        )
    return rows


def markdown_table() -> str:
    """The table of `docs/settings.md`."""
    lines = ["| flag | environment | default | unit | what it does |", "|---|---|---|---|---|"]
    lines += [
        f"| `{row.flag}` | `{row.env}` | {row.default} | {row.unit} | {row.help} |"
        for row in table()
    ]
    return "\n".join(lines) + "\n"


def read(arguments: Sequence[str] = ()) -> Settings:
    """The settings from flags, environment and defaults.

    Args:
        arguments: the command line without the program's name.

    Raises:
        InvalidSetting: names the setting, its value and what is allowed.
        SystemExit: for `--help` and unknown flags, as command lines do.
    """
    given = {
        name: value
        for name, value in vars(parser().parse_args(arguments)).items()
        if value is not None
    }
    _refuse_unknown_variables()
    values: dict[str, Any] = {**_hosted_defaults(), **given}
    try:
        return Settings(**values)
    except ValidationError as error:
        raise _invalid(error) from None


def parser() -> argparse.ArgumentParser:
    """The command line's parser, made from the table."""
    answer = argparse.ArgumentParser(
        prog="app.py", description="Turbo UI: draw and type, and the picture follows."
    )
    for row in table():
        text = f"{row.help} ({row.unit}; default {row.default}; {row.env})"
        answer.add_argument(row.flag, dest=row.name, metavar="X", help=text.replace("%", "%%"))
    return answer


def _hosted_defaults() -> dict[str, str]:
    """Where Gradio's hosts say what to listen on; our own variables win."""
    answer: dict[str, str] = {}
    gradio = {"host": "GRADIO_SERVER_NAME", "port": "GRADIO_SERVER_PORT"}
    for name, variable in gradio.items():
        value = os.environ.get(variable)
        if value and not os.environ.get(ENV_PREFIX + name.upper()):
            answer[name] = value
    if "host" not in answer and os.environ.get("SPACE_ID"):
        answer["host"] = os.environ.get(ENV_PREFIX + "HOST", "0.0.0.0")
    if os.environ.get("SPACE_ID") and ENV_PREFIX + "TRUSTED_PROXIES" not in os.environ:
        answer["trusted_proxies"] = ",".join(PRIVATE_NETWORKS)
    return answer


def _unit(name: str) -> str:
    extra = cast("dict[str, Any]", Settings.model_fields[name].json_schema_extra)
    return str(extra["unit"])


def _refuse_unknown_variables() -> None:
    """A misspelt variable is said, not dropped."""
    for variable in sorted(os.environ):
        if not variable.startswith(ENV_PREFIX) or variable.startswith(TEST_PREFIX):
            continue
        if variable.removeprefix(ENV_PREFIX).lower() not in Settings.model_fields:
            known = ", ".join(row.env for row in table())
            raise InvalidSetting(variable, os.environ[variable], f"one of {known}")


def _invalid(error: ValidationError) -> InvalidSetting:
    first = error.errors()[0]
    name = str(first["loc"][0]) if first["loc"] else "settings"
    name = name.lower().removeprefix(ENV_PREFIX.lower())
    # a password must not end up in a log
    is_secret = name in SECRETS or "@" in str(first["input"])
    value = "***" if is_secret else first["input"]
    if name not in Settings.model_fields:
        return InvalidSetting(name, value, first["msg"])
    allowed = bounds.allowed(Settings.model_fields[name], _unit(name))
    # of a validator of ours, which knows the reason, and may say the value
    own_words = None if is_secret else first.get("ctx", {}).get("error")
    return InvalidSetting(name, value, f"{allowed} ({own_words})" if own_words else allowed)
