"""Settings: flags before environment before defaults; nothing is dropped in silence."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest
from pydantic import SecretStr

from turbo_ui import remote_settings, settings
from turbo_ui.errors import InvalidSetting
from turbo_ui.frames import MAX_SIZE_PX, MIN_SIZE_PX, SIZE_STEP_PX
from turbo_ui.remote_settings import RemoteSettings

DOCUMENT = Path(__file__).parent.parent / "docs" / "settings.md"


@pytest.fixture(autouse=True)
def bare_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith(("TURBO_UI_", "GRADIO_SERVER_")) or name == "SPACE_ID":
            monkeypatch.delenv(name)


def test_defaults() -> None:
    read = settings.read([])
    assert (read.host, read.port, read.model) == ("127.0.0.1", 7860, None)
    assert (read.debounce_ms, read.settle_ms) == (60, 500)
    assert read.max_message_bytes == 4 * 1024 * 1024
    assert read.max_image_px == 4096
    assert read.max_prompt_chars == 2000


def test_flags_come_before_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TURBO_UI_SETTLE_MS", "300")
    assert settings.read([]).settle_ms == 300
    assert settings.read(["--settle-ms", "200"]).settle_ms == 200


def test_every_setting_can_be_given_both_ways(monkeypatch: pytest.MonkeyPatch) -> None:
    given = {
        "auth": "me:secret",
        "device": "cpu",
        "dtype": "bf16",
        "vae": "tiny",
        "remote_base_url": "https://api.example.com/v1",
        "remote_fields": "seed, strength",
        "max_device_memory_bytes": "8000000000",
    }
    for row in settings.table():
        value = given.get(row.name, row.default if row.default != "–" else "text")
        assert getattr(settings.read([row.flag, value]), row.name) is not None
        monkeypatch.setenv(row.env, value)
        read = getattr(settings.read([]), row.name)
        assert str(read.get_secret_value() if isinstance(read, SecretStr) else read) == value
        monkeypatch.delenv(row.env)


@pytest.mark.parametrize(
    ("flag", "value", "name"),
    [
        ("--port", "x", "port"),
        ("--port", "70000", "port"),
        ("--device", "tpu", "device"),
        ("--dtype", "fp8", "dtype"),
        ("--vae", "none", "vae"),
        ("--quantization", "int4", "quantization"),
        ("--jpeg-quality", "100", "jpeg_quality"),
        ("--max-image-px", "100000", "max_image_px"),
        ("--settle-ms", "-1", "settle_ms"),
        ("--max-stop-s", "0", "max_stop_s"),
        ("--api", "closed", "api"),
        ("--remote-base-url", "ftp://api.example.com", "remote_base_url"),
        ("--remote-base-url", "https://api.example.com/v1?key=1", "remote_base_url"),
        ("--remote-size-px", "1001", "remote_size_px"),
        ("--remote-size-px", "56", "remote_size_px"),
        ("--remote-size-px", "2056x1024", "remote_size_px"),
        ("--remote-size-px", "1536x", "remote_size_px"),
        ("--remote-size-px", "1536 x 1024", "remote_size_px"),
        ("--remote-size-px", "wide", "remote_size_px"),
        ("--remote-size-px", "1024, 1536x1001", "remote_size_px"),
        ("--remote-size-px", ",", "remote_size_px"),
        ("--remote-sketch", "maybe", "remote_sketch"),
        ("--remote-fields", "seed, steps", "remote_fields"),
        ("--remote-timeout-s", "0", "remote_timeout_s"),
    ],
)
def test_a_wrong_value_is_named(flag: str, value: str, name: str) -> None:
    with pytest.raises(InvalidSetting) as caught:
        settings.read([flag, value])
    assert caught.value.field == name
    assert value in str(caught.value)


@pytest.mark.parametrize(
    ("flag", "value", "allowed"),
    [
        ("--port", "x", "a whole number from 0 to 65535"),
        ("--port", "70000", "a whole number from 0 to 65535"),
        ("--max-stop-s", "0", "a number above 0 and up to 60"),
        ("--max-device-memory-bytes", "5", "a whole number of at least 1000000"),
        ("--vae", "none", "auto, full, tiny"),
        ("--api-key", "", "text, not empty"),
        ("--remote-model", "", "name, at most 200 characters, not empty"),
        ("--remote-base-url", "ftp://a.example", "http or https address, no login, no ? in it"),
        (
            "--remote-fields",
            "steps",
            "names, by commas (steps is none of strength, seed, num_inference_steps)",
        ),
    ],
)
def test_what_a_setting_may_be_is_said_in_words(flag: str, value: str, allowed: str) -> None:
    with pytest.raises(InvalidSetting) as caught:
        settings.read([flag, value])
    assert caught.value.allowed == allowed


@pytest.mark.parametrize(
    ("value", "sizes_px"),
    [
        ("1024", ((1024, 1024),)),
        ("1536x1024", ((1536, 1024),)),
        ("64x2048", ((64, 2048),)),
        ("1024, 1536x1024,1024x1536", ((1024, 1024), (1536, 1024), (1024, 1536))),
    ],
)
def test_a_remote_size_is_a_square_or_width_by_height_or_several(
    value: str, sizes_px: tuple[tuple[int, int], ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert settings.read(["--remote-size-px", value]).remote_sizes_px == sizes_px
    monkeypatch.setenv("TURBO_UI_REMOTE_SIZE_PX", value)
    assert settings.read([]).remote_sizes_px == sizes_px


def test_a_remote_size_may_be_a_plain_number_and_says_what_it_may_be() -> None:
    assert RemoteSettings(remote_size_px=512).remote_sizes_px == ((512, 512),)  # type: ignore[arg-type]
    with pytest.raises(InvalidSetting) as caught:
        settings.read(["--remote-size-px", "1536x1001"])
    text = str(caught.value)
    assert "1536x1001" in text
    assert "px or WIDTHxHEIGHT, by commas" in text
    assert "1001 is not a multiple of 8 from 64 to 2048" in text
    assert (remote_settings.MIN_SIZE_PX, remote_settings.MAX_SIZE_PX) == (MIN_SIZE_PX, MAX_SIZE_PX)
    assert remote_settings.SIZE_STEP_PX == SIZE_STEP_PX


def test_a_misspelt_variable_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TURBO_UI_SETLE_MS", "300")
    with pytest.raises(InvalidSetting, match="TURBO_UI_SETLE_MS"):
        settings.read([])


def test_an_unknown_flag_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        settings.read(["--colour", "red"])
    assert "--colour" in capsys.readouterr().err


def test_a_password_is_never_shown() -> None:
    read = settings.read(["--auth", "me:secret:with colons"])
    assert read.login == ("me", "secret:with colons")
    assert "secret" not in repr(read)
    with pytest.raises(InvalidSetting) as caught:
        settings.read(["--auth", "secret"])
    assert "secret" not in str(caught.value)


def test_a_key_is_never_shown() -> None:
    for flag in ("--api-key", "--remote-api-key"):
        read = settings.read([flag, "sk-secret"])
        assert "sk-secret" not in repr(read) + str(read)
        with pytest.raises(InvalidSetting) as caught:
            settings.read([flag, ""])
        assert "***" in str(caught.value)


def test_a_base_url_that_holds_a_password_is_refused_and_not_shown() -> None:
    with pytest.raises(InvalidSetting) as caught:
        settings.read(["--remote-base-url", "https://me:secret@api.example.com/v1"])
    assert caught.value.field == "remote_base_url"
    assert "secret" not in str(caught.value)


def test_what_a_host_of_gradio_apps_sets_is_heeded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRADIO_SERVER_NAME", "0.0.0.0")
    monkeypatch.setenv("GRADIO_SERVER_PORT", "7000")
    assert (settings.read([]).host, settings.read([]).port) == ("0.0.0.0", 7000)
    monkeypatch.setenv("TURBO_UI_PORT", "7001")
    assert settings.read([]).port == 7001
    assert settings.read(["--port", "7002"]).port == 7002


def test_a_space_listens_to_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPACE_ID", "someone/turbo-ui")
    assert settings.read([]).host == "0.0.0.0"
    assert settings.read(["--host", "127.0.0.1"]).host == "127.0.0.1"


def test_proxies_are_addresses_or_networks(monkeypatch: pytest.MonkeyPatch) -> None:
    assert settings.read([]).proxies == ("127.0.0.1", "::1")
    assert settings.read(["--trusted-proxies", "10.0.0.0/8, ::1"]).proxies == ("10.0.0.0/8", "::1")
    for wrong in ("my.proxy", "10.0.0.5/8", "*"):
        with pytest.raises(InvalidSetting, match=rf"trusted_proxies is '{re.escape(wrong)}'"):
            settings.read(["--trusted-proxies", wrong])
    monkeypatch.setenv("SPACE_ID", "someone/turbo-ui")
    assert "10.0.0.0/8" in settings.read([]).proxies
    monkeypatch.setenv("TURBO_UI_TRUSTED_PROXIES", "10.2.3.4")
    assert settings.read([]).proxies == ("10.2.3.4",)


def test_origins_are_a_list_by_commas() -> None:
    read = settings.read(["--allowed-origins", "https://a.example/, https://b.example"])
    assert read.origins == ("https://a.example", "https://b.example")
    assert settings.read([]).origins == ()


def test_settings_cannot_be_changed_later() -> None:
    with pytest.raises(ValueError, match="frozen"):
        settings.read([]).port = 1


def test_the_document_shows_the_table() -> None:
    assert settings.markdown_table() in DOCUMENT.read_text(encoding="utf-8")
    for row in settings.table():
        assert row.help.endswith("."), row.name
        assert row.unit, row.name


def test_help_names_every_flag() -> None:
    text = settings.parser().format_help()
    for row in settings.table():
        assert row.flag in text
