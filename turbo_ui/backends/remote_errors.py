"""What a remote server's refusals, and its silence, mean for the person at the board, and what
can be done.

The server's own words are quoted where they help, shortened, and never with the key in them.
"""

from __future__ import annotations

import re

import httpx2
import openai

from turbo_ui.errors import BackendFailure, LimitReached, ModelUnavailable, TurboUIError
from turbo_ui.remote_settings import RemoteSettings

MAX_QUOTED_CHARS = 200

SETTING_OF = {
    "model": "TURBO_UI_REMOTE_MODEL",
    "size": "TURBO_UI_REMOTE_SIZE_PX",
    "strength": "TURBO_UI_REMOTE_FIELDS",
    "seed": "TURBO_UI_REMOTE_FIELDS",
    "num_inference_steps": "TURBO_UI_REMOTE_FIELDS",
    "image": "TURBO_UI_REMOTE_SKETCH",
}
"""Which setting decides on a parameter of the API."""

POLICY = re.compile(r"content.?(policy|filter)|moderation|safety", re.IGNORECASE)
NOT_SUPPORTED = re.compile(
    r"not.{0,20}support|unsupported|unknown|unrecognized|not.{0,9}implement|invalid url|no such",
    re.IGNORECASE,
)
ABOUT_A_SKETCH = re.compile(r"edit|image|multipart|form-data", re.IGNORECASE)


def in_words(error: openai.OpenAIError, settings: RemoteSettings) -> TurboUIError:
    """The error of ours that says the same."""
    if isinstance(error, openai.APITimeoutError):
        return _failure("did not let us in in time", "Try again later.")
    if isinstance(error, openai.APIConnectionError):
        reason = quoted(str(error.__cause__ or error), settings)
        remedy = "Check TURBO_UI_REMOTE_BASE_URL and the network."
        return _failure(f"cannot be reached ({reason})", remedy)
    if isinstance(error, openai.APIStatusError):
        return _of_status(error, settings)
    return _failure(f"gave no answer that can be read ({type(error).__name__})", "Try again.")


def _of_status(error: openai.APIStatusError, settings: RemoteSettings) -> TurboUIError:
    status, words = error.status_code, quoted(_message(error), settings)
    if is_policy(error):
        remedy = f"Change the prompt or the board. It says: {words}"
        return _failure("does not draw this: its rules forbid it", remedy)
    if status == 401:
        return _no_key(settings)
    if status == 402 or error.code == "insufficient_quota":
        return _failure("gives no more pictures on this account", f"It says: {words}")
    if status == 403:
        remedy = "Ask its provider, or choose another TURBO_UI_REMOTE_MODEL. It says: "
        return _failure("does not let this key use this model", remedy + words)
    if status == 404:
        return _not_found(error, settings, words)
    if status == 429:
        return _failure("has too much to do", _when(error))
    if status >= 500:
        return _failure(f"has trouble of its own ({status})", "Try again later.")
    if 300 <= status < 400:
        remedy = "Set TURBO_UI_REMOTE_BASE_URL to the new address."
        return _failure("has moved", remedy)
    parameter = (error.param or "").removesuffix("[]")
    setting = SETTING_OF.get(parameter)
    remedy = f"See {setting}. " if setting else ""
    about = f" for its {parameter}" if parameter else ""
    return _failure(f"refused the request{about} ({status})", f"{remedy}It says: {words}")


def _no_key(settings: RemoteSettings) -> TurboUIError:
    # the server's words are left out: they may repeat a part of the key
    if settings.remote_api_key is None:
        return _failure("asks for a key", "Set TURBO_UI_REMOTE_API_KEY.")
    return _failure("does not accept the key", "Check TURBO_UI_REMOTE_API_KEY.")


def _not_found(error: openai.APIStatusError, settings: RemoteSettings, words: str) -> TurboUIError:
    if is_about_the_model(error):
        reason = f"the remote server does not have it: {words}"
        return ModelUnavailable(settings.remote_model, reason, "Check TURBO_UI_REMOTE_MODEL.")
    remedy = "Check TURBO_UI_REMOTE_BASE_URL; most end in /v1."
    return _failure("knows no such address (404)", remedy)


def _when(error: openai.APIStatusError) -> str:
    seconds = retry_after_s(error.response)
    return "Try again later." if seconds is None else f"Try again in {seconds:.0f} s."


def retry_after_s(response: httpx2.Response) -> float | None:
    """How many seconds the server asks to wait, where it says so in seconds."""
    try:
        return float(response.headers["retry-after"])
    except (KeyError, ValueError):
        return None


def is_policy(error: openai.APIStatusError) -> bool:
    """The words or the sketch were refused, not the request."""
    said = f"{error.code} {error.type} {_message(error)}"
    return error.status_code in (400, 403, 422) and POLICY.search(said) is not None


def is_about_the_model(error: openai.APIStatusError) -> bool:
    said = f"{error.code} {error.param} {_message(error)}"
    return "model" in said.lower()


def has_no_sketch_input(error: openai.APIStatusError) -> bool:
    """The answer to a sketch says that there is no way to send one."""
    if is_policy(error):
        return False
    if error.status_code in (404, 405, 501):
        return True
    if error.status_code not in (400, 415, 422):
        return False
    said = f"{error.param} {_message(error)}"
    return NOT_SUPPORTED.search(said) is not None and ABOUT_A_SKETCH.search(said) is not None


def quoted(text: str, settings: RemoteSettings) -> str:
    """A stranger's text for the page: one line, short, without the key."""
    key = settings.remote_api_key
    if key is not None:
        text = text.replace(key.get_secret_value(), "***")
    line = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return line if len(line) <= MAX_QUOTED_CHARS else line[: MAX_QUOTED_CHARS - 1] + "…"


def _message(error: openai.APIStatusError) -> str:
    """The server's own words where it sent some in the usual form."""
    body = error.body
    if isinstance(body, dict):
        for name in ("message", "detail", "error"):
            if isinstance(body.get(name), str):
                return body[name]
    return body if isinstance(body, str) else error.message


def timed_out(limit_s: float) -> BackendFailure:
    return _failure(
        f"gave no picture within {limit_s:g} s",
        "Try again, or let it take longer (TURBO_UI_REMOTE_TIMEOUT_S).",
    )


def lost(error: Exception) -> BackendFailure:
    """A request was sent, and the connection or the answer broke."""
    return _failure(
        f"took the request and broke off ({type(error).__name__})",
        "The picture may have to be paid, so it is not asked for again by itself.",
    )


def not_again(status: int, limit: LimitReached) -> BackendFailure:
    """The server failed on a request, and there is no picture left for a further try."""
    return _failure(f"has trouble of its own ({status}), and is not asked again", limit.user_text)


def too_long(max_bytes: int) -> BackendFailure:
    return _failure(f"gave an answer of more than {max_bytes} bytes", "That is no picture.")


def not_fetched(reason: str) -> BackendFailure:
    """The server answered with an address, and the file cannot be had."""
    return _failure(f"drew a picture that could not be fetched ({reason})", "Try again.")


def bad_address(reason: str) -> BackendFailure:
    """The server answered with an address of which nothing is fetched."""
    return BackendFailure(
        f"the remote server named a file that is not fetched: {reason}",
        f"The remote server drew a picture, but it is not fetched: {reason}.",
    )


def _failure(what: str, remedy: str) -> BackendFailure:
    return BackendFailure(f"the remote server {what}", f"The remote server {what}. {remedy}")
