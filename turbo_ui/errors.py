"""Every error that this project raises on purpose.

    TurboUIError                 something went wrong that can be said to the user
    ├── InvalidRequest           a value is wrong: names the field, the value and what is allowed
    │   └── InvalidSetting       the same, for a flag or an environment variable
    ├── ModelUnavailable         a model cannot be had: says which, why, and what to do
    ├── BackendFailure           a model failed while making a frame
    │   └── OutOfMemory          the device's memory did not suffice
    ├── LimitReached             as many pictures were made as are allowed
    ├── SessionClosed            a submission for a session that is gone
    └── ProtocolError            a message of the live lane that cannot be read

`str(error)` is for logs and developers, `error.user_text` for the person at the board.
"""

from __future__ import annotations

MAX_SHOWN_CHARS = 80
"""A wrong value is shown up to this length: it may be a prompt of a million characters."""


class TurboUIError(Exception):
    """Base of all; `user_text` is one or two plain sentences, fit for the page."""

    def __init__(self, message: str, user_text: str | None = None) -> None:
        super().__init__(message)
        self.user_text = message if user_text is None else user_text


class InvalidRequest(TurboUIError):
    """A value outside what is allowed.

    Args:
        field: the name of the field, as the caller knows it.
        value: what was given; shown shortened.
        allowed: what would have been right, as text.
    """

    def __init__(self, field: str, value: object, allowed: str) -> None:
        self.field = field
        self.value = value
        self.allowed = allowed
        super().__init__(f"{field} is {shown(value)}; allowed: {allowed}")


class InvalidSetting(InvalidRequest):
    """A flag or an environment variable holds what it may not."""


class ModelUnavailable(TurboUIError):
    """A model cannot be had.

    Args:
        model: the id, folder or file that was asked for.
        reason: why, as a clause: "the folder does not exist".
        remedy: what the user can do, as a sentence; may be empty.
    """

    def __init__(self, model: str, reason: str, remedy: str = "") -> None:
        self.model = model
        self.reason = reason
        self.remedy = remedy
        super().__init__(f"{model} is not available: {reason}.{' ' + remedy if remedy else ''}")


class BackendFailure(TurboUIError):
    """A model failed while making a frame; the next frame may well succeed."""

    def __init__(self, message: str, user_text: str | None = None) -> None:
        super().__init__(message, user_text or "The model failed on this frame. The board is kept.")


class OutOfMemory(BackendFailure):
    """The device's memory did not suffice for a frame or a model."""

    def __init__(self, message: str) -> None:
        super().__init__(
            message,
            "The device ran out of memory. Choose a smaller size or a smaller model.",
        )


class LimitReached(TurboUIError):
    """As many pictures were made as a setting allows."""


class SessionClosed(TurboUIError):
    """A session that was never opened, or is closed."""

    def __init__(self, session_id: str) -> None:
        self.session_id = session_id
        super().__init__(
            f"session {shown(session_id)} is not open",
            "This page's session has ended. Reload the page; the board is kept.",
        )


class ProtocolError(TurboUIError):
    """A message that is not what the protocol says."""


def causes(error: BaseException) -> list[BaseException]:
    """The error, what caused it, what caused that, and so on."""
    chain = [error]
    while (cause := chain[-1].__cause__) is not None and cause not in chain:
        chain.append(cause)
    return chain


def shown(value: object) -> str:
    """`repr(value)`, shortened so that it fits into a message."""
    try:
        text = repr(value[: MAX_SHOWN_CHARS + 1] if isinstance(value, str | bytes) else value)
    except (RecursionError, ValueError):  # nested too deeply, or a number of thousands of digits
        text = f"a {type(value).__name__} that cannot be shown"
    return text if len(text) <= MAX_SHOWN_CHARS else text[: MAX_SHOWN_CHARS - 1] + "…"
