"""Messages of the live lane: four bytes of length (big-endian), a JSON header, a payload.

`docs/protocol.md` describes every message. Nothing in here knows what a message means.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from turbo_ui.errors import MAX_SHOWN_CHARS, ProtocolError

LENGTH_BYTES = 4
MAX_HEADER_BYTES = 1024 * 1024
"""Far more than a header needs: a prompt that is much too long is to be told so by its name."""


@dataclass(frozen=True)
class Message:
    """One message: what it says, and the bytes that come with it."""

    header: Mapping[str, Any]
    payload: bytes = b""

    @property
    def kind(self) -> str:
        return str(self.header["kind"])


def pack(header: Mapping[str, Any], payload: bytes = b"") -> bytes:
    """One message as bytes."""
    text = json.dumps(header, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    encoded = text.encode("utf-8", "replace")
    return len(encoded).to_bytes(LENGTH_BYTES, "big") + encoded + payload


def unpack(data: bytes) -> Message:
    """The message in `data`.

    Raises:
        ProtocolError: anything that is not one; never another exception, whatever the bytes.
    """
    if len(data) < LENGTH_BYTES:
        raise ProtocolError(
            f"A message has at least {LENGTH_BYTES} bytes; this one has {len(data)}."
        )
    length = int.from_bytes(data[:LENGTH_BYTES], "big")
    if length > MAX_HEADER_BYTES:
        raise ProtocolError(
            f"The header claims {length} bytes; at most {MAX_HEADER_BYTES} are read."
        )
    end = LENGTH_BYTES + length
    if end > len(data):
        raise ProtocolError(f"The header claims {length} bytes; {len(data) - LENGTH_BYTES} came.")
    try:
        header = json.loads(data[LENGTH_BYTES:end], parse_float=_finite, parse_constant=_finite)
    except (ValueError, RecursionError):
        # ValueError covers bad JSON, bad UTF-8 and whole numbers of too many digits
        raise ProtocolError("The header is not JSON.") from None
    if not isinstance(header, dict):
        raise ProtocolError("The header is not a JSON object.")
    if not isinstance(header.get("kind"), str):
        raise ProtocolError("The header has no kind.")
    return Message(header, data[end:])


def _finite(text: str) -> float:
    """A number, which may be no NaN and not infinite: JSON has no word for these, so that no answer
    could carry them, but 1e999 is read as one."""
    number = float(text)
    if not math.isfinite(number):
        shown = text[:MAX_SHOWN_CHARS]
        raise ProtocolError(f"The header holds {shown}, which is no finite number.")
    return number
