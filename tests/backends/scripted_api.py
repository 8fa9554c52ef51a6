"""An images API on this machine that answers as a test says, and remembers what it was asked."""

from __future__ import annotations

import base64
import json
import select
import socket
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from email import message_from_bytes
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

import numpy as np

from turbo_ui import imaging

GENERATIONS = "/v1/images/generations"
EDITS = "/v1/images/edits"


def picture(colour: tuple[int, int, int] = (200, 30, 40), side: int = 64) -> bytes:
    return imaging.encode_png(np.full((side, side, 3), colour, dtype=np.uint8))


@dataclass
class Answer:
    """One answer; `hold` keeps it back until the test sets it. Status 0 hangs up without one."""

    status: int = 200
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)
    hold: threading.Event | None = None

    @property
    def content(self) -> bytes:
        return self.body if isinstance(self.body, bytes) else json.dumps(self.body).encode()


def b64(data: bytes | None = None) -> Answer:
    """The usual answer with the picture inside."""
    packed = base64.b64encode(picture() if data is None else data).decode()
    return Answer(body={"created": 1763700000, "data": [{"b64_json": packed}]})


def link(url: str) -> Answer:
    """The usual answer with the picture elsewhere."""
    return Answer(body={"created": 1763700000, "data": [{"revised_prompt": "a", "url": url}]})


def refusal(
    status: int,
    message: str,
    *,
    code: str | None = None,
    param: str | None = None,
    kind: str = "invalid_request_error",
    headers: Mapping[str, str] | None = None,
) -> Answer:
    """An error in that API's form."""
    error = {"message": message, "type": kind, "param": param, "code": code}
    return Answer(status, {"error": error}, headers or {})


@dataclass
class Asked:
    """One request as it came."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> dict[str, Any]:
        return json.loads(self.body)

    @property
    def form(self) -> dict[str, bytes]:
        """The parts of a multipart body by name."""
        head = f"Content-Type: {self.headers['content-type']}\r\n\r\n".encode()
        parts = message_from_bytes(head + self.body).get_payload()
        assert isinstance(parts, list)
        return {
            str(part.get_param("name", header="content-disposition")): part.get_payload(decode=True)  # type: ignore[union-attr,misc]
            for part in parts
        }


class ScriptedApi:
    """Answers a path with what was told for it, one after the other; the last one stays.

    Attributes:
        asked: what came.
        left: what was hung up on before its answer.
    """

    def __init__(self) -> None:
        self.asked: list[Asked] = []
        self.left: list[Asked] = []
        self._answers: dict[str, list[Answer]] = {}
        api = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                api.serve(self)

            do_POST = do_GET  # noqa: N815
            do_CONNECT = do_GET  # noqa: N815

            def log_message(self, format: str, *args: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    @property
    def port(self) -> int:
        return self._server.server_port

    def tell(self, path: str, *answers: Answer) -> None:
        self._answers[path] = list(answers)

    def asked_for(self, path: str) -> list[Asked]:
        return [asked for asked in self.asked if asked.path == path]

    def serve(self, handler: BaseHTTPRequestHandler) -> None:
        length = int(handler.headers.get("content-length") or 0)
        headers = {name.lower(): value for name, value in handler.headers.items()}
        body = handler.rfile.read(length)
        asked = Asked(handler.command, handler.path, headers, body)
        self.asked.append(asked)
        answers = self._answers.get(handler.path, [refusal(404, f"Invalid URL ({handler.path})")])
        answer = answers.pop(0) if len(answers) > 1 else answers[0]
        if answer.hold is not None and not self._hold(handler, answer.hold):
            self.left.append(asked)
            handler.close_connection = True
            return
        if not answer.status:
            handler.close_connection = True
            return
        content = answer.content
        try:
            handler.send_response(answer.status)
            for name, value in {"content-type": "application/json", **answer.headers}.items():
                handler.send_header(name, value)
            handler.send_header("content-length", str(len(content)))
            handler.end_headers()
            handler.wfile.write(content)
        except OSError:
            handler.close_connection = True  # nobody waits for it any more

    def _hold(self, handler: BaseHTTPRequestHandler, let_go: threading.Event) -> bool:
        """Waits until the answer is let go; False where whoever asked went away."""
        until = time.monotonic() + 30
        while not let_go.wait(0.01):
            assert time.monotonic() < until, "the test never let the answer go"
            if select.select([handler.connection], [], [], 0)[0]:
                try:
                    is_gone = not handler.connection.recv(1, socket.MSG_PEEK)
                except OSError:
                    is_gone = True
                if is_gone:
                    return False
        return True

    def close(self) -> None:
        """Nobody listens any more; what has come is still answered. Twice does no harm."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
