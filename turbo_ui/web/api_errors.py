"""The errors of the OpenAI-compatible API: what went wrong, in that API's own form."""

from __future__ import annotations

from starlette.responses import JSONResponse

from turbo_ui.errors import (
    InvalidRequest,
    LimitReached,
    ModelUnavailable,
    OutOfMemory,
    TurboUIError,
)


class ApiError(Exception):
    """One answer that is an error.

    Args:
        status: of HTTP.
        message: for people.
        code: for programs.
        param: the parameter that is wrong, where one is.
        headers: further ones, such as how long to wait.
    """

    def __init__(
        self,
        status: int,
        message: str,
        code: str,
        param: str | None = None,
        headers: dict[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.code = code
        self.param = param
        self.headers = headers or {}

    @property
    def type(self) -> str:
        return "server_error" if self.status >= 500 else "invalid_request_error"

    def response(self) -> JSONResponse:
        error = {
            "message": _sendable(self.message),
            "type": self.type,
            "param": None if self.param is None else _sendable(self.param),
            "code": self.code,
        }
        return JSONResponse({"error": error}, self.status, headers=self.headers)


def in_api_form(error: TurboUIError) -> ApiError:
    """An error of ours as that API would tell it."""
    if isinstance(error, InvalidRequest):
        return ApiError(400, error.user_text, "invalid_value", error.field)
    if isinstance(error, LimitReached):
        return ApiError(429, error.user_text, "rate_limit_exceeded")
    if isinstance(error, ModelUnavailable):
        return unavailable(error.user_text, "model_unavailable")
    if isinstance(error, OutOfMemory):
        # no 5xx: the official client would repeat it, and only a smaller picture helps
        return ApiError(400, error.user_text, "out_of_memory", "size")
    return ApiError(500, error.user_text, "generation_failed")


def unsupported(param: str, message: str) -> ApiError:
    return ApiError(400, message, "unsupported_value", param)


def unavailable(message: str, code: str, retry_after_s: int | None = None) -> ApiError:
    """503; without a time to wait the official client is told not to try again by itself."""
    again = {"x-should-retry": "false"}
    if retry_after_s is not None:
        again = {"retry-after": str(retry_after_s)}
    return ApiError(503, message, code, headers=again)


def _sendable(text: str) -> str:
    """What a caller wrote may hold half a character, which JSON can spell and UTF-8 cannot."""
    return text.encode("utf-8", "replace").decode()


def too_large(max_bytes: int) -> ApiError:
    return ApiError(413, f"At most {max_bytes} bytes are accepted.", "too_large")
