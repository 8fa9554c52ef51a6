"""A client of the live lane for tests: says what it is told and remembers what it heard."""

from __future__ import annotations

import contextlib
import io
import time
import zlib
from typing import Any, Self

import numpy as np
from PIL import Image
from websockets.sync.client import ClientConnection, connect

from turbo_ui.web.wire import Message, pack, unpack


def jpeg(color: tuple[int, int, int], side: int = 256) -> bytes:
    """A white sheet with a square of one colour."""
    pixels = np.full((side, side, 3), 255, np.uint8)
    pixels[side // 4 : side // 2, side // 4 : side // 2] = color
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG")
    return buffer.getvalue()


class LaneClient:
    """One connection; `hello` is said on entering unless told otherwise."""

    def __init__(self, url: str, *, hello: bool = True, token: str | None = None, page: str = "p",
                 headers: dict[str, str] | None = None) -> None:  # fmt: skip
        self.heard: list[Message] = []
        self.stack = contextlib.ExitStack()
        opened = connect(url, max_size=None, compression=None, additional_headers=headers)
        self.socket: ClientConnection = self.stack.enter_context(opened)
        self.welcome: dict[str, Any] = {}
        if hello:
            self.say({"kind": "hello", "protocol": 1, "page": page, "token": token})
            self.welcome = dict(self.until("welcome").header)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stack.close()

    def say(self, header: dict[str, Any], payload: bytes = b"") -> None:
        self.socket.send(pack(header, payload))

    def draw(self, request_id: int, payload: bytes = b"", **params: Any) -> None:
        self.say({"kind": "frame", "request_id": request_id, "params": params}, payload)

    def patch(self, request_id: int, at: tuple[int, int], pixels: np.ndarray, *,
              sheet: int = 256, is_first: bool = False) -> None:  # fmt: skip
        """Lays `(H, W, 3)` pixels on the sheet."""
        size = [pixels.shape[1], pixels.shape[0]]
        patch = {"sheet": [sheet, sheet], "at": at, "size": size, "is_first": is_first}
        header = {"kind": "frame", "request_id": request_id, "patch": patch}
        self.say(header, zlib.compress(pixels.tobytes()))

    def until(self, *kinds: str, request_id: int | None = None, within_s: float = 15) -> Message:
        """The next message of one of these kinds (and this number), passing over others."""
        deadline = time.monotonic() + within_s
        while True:
            data = self.socket.recv(timeout=max(0.0, deadline - time.monotonic()))
            assert isinstance(data, bytes)
            message = unpack(data)
            self.heard.append(message)
            if message.kind in kinds and request_id in (None, message.header.get("request_id")):
                return message

    def picture(self, request_id: int) -> Message:
        return self.until("frame", request_id=request_id)
