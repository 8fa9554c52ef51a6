"""The live lane: a WebSocket beside Gradio on the same port, one connection for each page."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
import time
from collections import Counter
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from typing import Any

from starlette.requests import HTTPConnection, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from turbo_ui.errors import ProtocolError
from turbo_ui.live.budget import Address
from turbo_ui.live.engine import Engine
from turbo_ui.settings import Settings
from turbo_ui.web.guard import Guard, Pace, Refusal, address_of, counted_as
from turbo_ui.web.roster import Roster
from turbo_ui.web.session import PageSession
from turbo_ui.web.wire import Message, pack, unpack

log = logging.getLogger(__name__)

PATH = "/live"
PROTOCOL = 1
HELLO_WITHIN_S = 10.0
DRAIN_WITHIN_S = 0.5
"""How long a stop waits for what is being encoded and sent."""
SEND_WITHIN_S = 20.0
"""A page that takes nothing for this long is gone, whatever its socket says."""
MAX_NAME_CHARS = 100
FLOOD_S = 100
"""So many seconds' worth of messages too fast, without a pause, end the connection."""
NUM_CODEC_THREADS = 4

TOO_FAST = Refusal(
    "too_fast", "Too many connections were begun from this address just now. Wait a moment."
)

CLOSE_POLICY = 1008
CLOSE_GOING_AWAY = 1001
CLOSE_TAKEN_OVER = 4001


@dataclass(eq=False)
class Connection:
    """One open WebSocket and the session that it carries."""

    socket: WebSocket
    page: str
    token: str
    session: PageSession
    task: asyncio.Task[None] | None = None


class Lane:
    """All open connections. `routes` go to Gradio's app; `stop` says goodbye to every page.

    Attributes:
        num_refused: how many connections were refused, by the refusal's code.
    """

    def __init__(self, engine: Engine, roster: Roster, settings: Settings) -> None:
        self.engine = engine
        self.roster = roster
        self.settings = settings
        self.guard = Guard(settings)
        self.codec = ThreadPoolExecutor(NUM_CODEC_THREADS, thread_name_prefix="codec")
        self.connections: dict[str, Connection] = {}
        self.num_refused: Counter[str] = Counter()
        self.loop: asyncio.AbstractEventLoop | None = None
        self.is_stopping = False
        self.routes = [WebSocketRoute(PATH, self._serve), Route(PATH, self._explain)]

    # ---- one connection

    async def _explain(self, request: Request) -> Response:
        """Why the lane was not opened: a page is told nothing of a WebSocket that was refused."""
        refusal = self._refusal(request, request.query_params.get("origin"))
        # asking is free: it must not take the place of the connection that it is about
        if refusal is None and self.guard.would_come_too_fast(counted_as(address_of(request))):
            refusal = TOO_FAST
        if refusal is None:
            answer = {"code": "open", "text": "This is the live lane, a WebSocket."}
            return JSONResponse(answer, status_code=426, headers={"Upgrade": "websocket"})
        return JSONResponse(asdict(refusal), status_code=403)

    def _refusal(self, connection: HTTPConnection, origin: str | None = None) -> Refusal | None:
        if self.is_stopping:
            return Refusal("stopping", "The server stops.")
        return self.guard.refusal(connection, origin)

    async def _serve(self, socket: WebSocket) -> None:
        self.loop = asyncio.get_running_loop()
        address = counted_as(address_of(socket))
        refusal = self._refusal(socket)
        # what is refused uses up nothing: another site's page must not lock this visitor out
        if refusal is None and self.guard.comes_too_fast(address):
            refusal = TOO_FAST
        if refusal is not None:
            self.num_refused[refusal.code] += 1
            log.info("refused a connection: %s", refusal.text)
            await socket.close(CLOSE_POLICY, refusal.text)
            return
        self.guard.enter(address)
        try:
            await socket.accept()
            hello = await self._hello(socket)
            if hello is not None:
                await self._converse(socket, hello, address)
        except WebSocketDisconnect:
            pass
        finally:
            self.guard.leave(address)

    async def _hello(self, socket: WebSocket) -> Message | None:
        """The page's first message; whatever else comes before it is answered with an error."""
        pace = Pace(self.settings.max_messages_per_s)
        until = time.monotonic() + HELLO_WITHIN_S
        while True:
            try:
                async with asyncio.timeout(max(0.0, until - time.monotonic())):
                    data = await _receive(socket)
            except TimeoutError:
                await socket.close(CLOSE_POLICY, "No hello came.")
                return None
            try:
                message = unpack(data)
                if message.kind == "hello":
                    return message
                text = "The first message must be a hello."
            except ProtocolError as error:
                text = error.user_text
            if pace.takes(time.monotonic()):
                await socket.send_bytes(pack({"kind": "error", "code": "protocol", "text": text}))

    async def _converse(self, socket: WebSocket, hello: Message, host: str) -> None:
        page, token = _name(hello.header.get("page")), _name(hello.header.get("token"))
        token = await self._token_for(page, token)
        session = PageSession(token, self.engine, self.roster, self.settings, self.codec)
        connection = Connection(socket, page, token, session, asyncio.current_task())
        self.connections[token] = connection
        address = Address(host, self.settings.max_connections_per_address)
        self.engine.open_session(token, session.publish, address=address)
        try:
            session.outbox.say(self._welcome(connection))
            await _first_to_end(
                self._read(connection), self._write(connection), session.submit_drafts()
            )
        finally:
            self.engine.close_session(token)
            if self.connections.get(token) is connection:
                del self.connections[token]

    async def _token_for(self, page: str, token: str) -> str:
        """The page's own token where nobody else uses it, else a new one.

        A page that comes back before its old connection is known to be dead takes that one's place.
        A duplicated tab comes with the same token but is another page: it gets one of its own.
        """
        if not token:
            return secrets.token_urlsafe(16)
        other = self.connections.get(token)
        if other is None:
            return token
        if other.page != page or not page:
            return secrets.token_urlsafe(16)
        with contextlib.suppress(RuntimeError):
            await other.socket.close(CLOSE_TAKEN_OVER, "The page connected anew.")
        if other.task is not None:
            other.task.cancel()
            await asyncio.wait([other.task], timeout=1)
        return token if token not in self.connections else secrets.token_urlsafe(16)

    def _welcome(self, connection: Connection) -> dict[str, Any]:
        settings = self.settings
        return {
            "kind": "welcome",
            "protocol": PROTOCOL,
            "token": connection.token,
            "num_sessions": len(self.connections),
            "limits": {
                "debounce_ms": settings.debounce_ms,
                "settle_ms": settings.settle_ms,
                "max_message_bytes": settings.max_message_bytes,
                "max_messages_per_s": settings.max_messages_per_s,
                "max_image_px": settings.max_image_px,
                "max_prompt_chars": settings.max_prompt_chars,
            },
            "refine_model": self.roster.refining,
            **self.roster.to_json(None),
        }

    async def _read(self, connection: Connection) -> None:
        session = connection.session
        pace = Pace(self.settings.max_messages_per_s)
        while True:
            data = await _receive(connection.socket)
            is_in_time = pace.takes(time.monotonic())
            if pace.num_over > FLOOD_S * self.settings.max_messages_per_s:
                await connection.socket.close(CLOSE_POLICY, "Too many messages.")
                return
            try:
                message = unpack(data)
                # too fast: the newest wish still counts, as it costs nothing until it is drawn
                if is_in_time or message.kind == "frame":
                    session.receive(message)
            except ProtocolError as error:
                if is_in_time:
                    session.error("protocol", error.user_text)
            if pace.num_over == 1:
                limit = self.settings.max_messages_per_s
                session.error("too_fast", f"At most {limit} messages a second are answered.")
            if not is_in_time:
                await asyncio.sleep(0)  # a flood must not keep the others from their turn

    async def _write(self, connection: Connection) -> None:
        while True:
            header, payload = await connection.session.next_message()
            async with asyncio.timeout(SEND_WITHIN_S):
                await connection.socket.send_bytes(pack(header, payload))

    # ---- all connections

    def announce_stop(self) -> None:
        """Tells all pages that the server stops. From any thread; new connections are refused."""
        self.is_stopping = True
        if self.loop is None or self.loop.is_closed():
            return
        text = "The server stops. Draw on: the board is kept here and sent when it is back."
        with contextlib.suppress(RuntimeError):
            self.loop.call_soon_threadsafe(
                lambda: [
                    each.session.notice("stopping", text) for each in self.connections.values()
                ]
            )

    def stop(self, timeout_s: float) -> None:
        """Closes all connections. Called on another thread than the event loop's."""
        self.is_stopping = True
        if self.loop is not None and not self.loop.is_closed():
            with contextlib.suppress(TimeoutError, RuntimeError):
                closing = asyncio.run_coroutine_threadsafe(self._close_all(), self.loop)
                closing.result(timeout_s)
        self.codec.shutdown(wait=False, cancel_futures=True)

    async def _close_all(self) -> None:
        # the frame in flight has ended, but may still be on its way through the encoder
        until = time.monotonic() + DRAIN_WITHIN_S
        while time.monotonic() < until and any(
            each.session.has_something_to_send for each in self.connections.values()
        ):
            await asyncio.sleep(0.01)
        sockets = [connection.socket for connection in self.connections.values()]
        closings = [socket.close(CLOSE_GOING_AWAY, "The server stops.") for socket in sockets]
        await asyncio.gather(*closings, return_exceptions=True)


async def _receive(socket: WebSocket) -> bytes:
    """The next message; a text message counts as bytes, and then as one that cannot be read."""
    received = await socket.receive()
    if received["type"] == "websocket.disconnect":
        raise WebSocketDisconnect(received.get("code", 1006))
    data = received.get("bytes")
    return data if data is not None else (received.get("text") or "").encode()


async def _first_to_end(*parts: Coroutine[Any, Any, None]) -> None:
    """Runs all parts until one ends or fails, then ends the others."""
    tasks = [asyncio.create_task(part) for part in parts]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            error = task.exception()
            if error is not None and not isinstance(error, WebSocketDisconnect | TimeoutError):
                log.error("a connection failed", exc_info=error)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _name(value: object) -> str:
    return value[:MAX_NAME_CHARS] if isinstance(value, str) else ""
