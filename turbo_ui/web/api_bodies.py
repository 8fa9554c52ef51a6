"""What a call of the API carries: a JSON object, or a form with a picture; within limits."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.formparsers import MultiPartException
from starlette.requests import Request
from starlette.types import Message

from turbo_ui.web.api_errors import ApiError, too_large, unsupported

MAX_FIELD_BYTES = 1024 * 1024
"""As much as a JSON body may have: a prompt that is much too long is to be told so by its name."""
MAX_FIELDS = 32
BODY_WITHIN_S = 60.0


async def read_body(request: Request, max_bytes: int) -> bytes:
    """The whole body.

    Raises:
        ApiError: it is longer, or does not come.
    """
    length = request.headers.get("content-length", "")
    if length.isdecimal() and int(length[:20]) > max_bytes:
        raise too_large(max_bytes)
    parts: list[bytes] = []
    num_bytes = 0
    try:
        async with asyncio.timeout(BODY_WITHIN_S):
            async for part in request.stream():
                num_bytes += len(part)
                if num_bytes > max_bytes:
                    raise too_large(max_bytes)
                parts.append(part)
    except TimeoutError:
        raise ApiError(408, "The body did not come in time.", "timeout") from None
    return b"".join(parts)


def read_json(body: bytes) -> dict[str, Any]:
    try:
        values = json.loads(body)
    except (ValueError, RecursionError):
        raise ApiError(400, "The body is not JSON.", "invalid_json") from None
    if not isinstance(values, dict):
        raise ApiError(400, "The body is not a JSON object.", "invalid_json")
    return values


async def read_form(request: Request, body: bytes) -> tuple[dict[str, str], bytes]:
    """The text fields and the one picture of a multipart form."""
    if not request.headers.get("content-type", "").lower().startswith("multipart/form-data"):
        text = "The body must be multipart/form-data with the sketch as the file 'image'."
        raise ApiError(400, text, "invalid_content_type")

    async def replay() -> Message:
        return {"type": "http.request", "body": body, "more_body": False}

    fields: dict[str, str] = {}
    pictures: list[bytes] = []
    try:
        parsed = Request(request.scope, replay).form(
            max_files=MAX_FIELDS, max_fields=MAX_FIELDS, max_part_size=MAX_FIELD_BYTES
        )
        async with parsed as form:
            for name, value in form.multi_items():
                if name in ("image", "image[]"):
                    is_file = isinstance(value, UploadFile)
                    pictures.append(await value.read() if is_file else b"")
                else:
                    fields[name] = "" if isinstance(value, UploadFile) else value
    except (HTTPException, MultiPartException, ValueError, KeyError) as error:
        detail = getattr(error, "detail", None) or getattr(error, "message", None) or "it is cut"
        raise ApiError(400, f"The form cannot be read: {detail}", "invalid_form") from None
    if not pictures:
        text = "Missing required parameter: 'image'."
        raise ApiError(400, text, "missing_required_parameter", "image")
    if len(pictures) > 1:
        raise unsupported("image", f"One sketch is drawn from; {len(pictures)} were sent.")
    return fields, pictures[0]
