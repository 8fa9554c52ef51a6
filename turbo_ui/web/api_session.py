"""One call of the API as the engine sees it: a short session among those of the pages."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import time

from starlette.requests import Request

from turbo_ui.frames import Frame, FrameRequest
from turbo_ui.live.engine import Engine
from turbo_ui.live.events import Event, Failed, Published, Submission
from turbo_ui.web.api_errors import ApiError, unavailable

ANSWER_WITHIN_S = 120.0
LOADING_RETRY_S = 5


class EngineSession:
    """One call as the engine sees it: a session that asks for one picture after the other."""

    def __init__(self, engine: Engine, request: Request) -> None:
        self._engine = engine
        self._request = request
        self._id = f"api-{secrets.token_urlsafe(12)}"
        self._events: asyncio.Queue[Event | None] = asyncio.Queue()
        self._loop = asyncio.get_running_loop()
        self._num_asked = 0

    async def __aenter__(self) -> EngineSession:
        self._engine.open_session(self._id, self._publish)
        self._gone = asyncio.create_task(_until_gone(self._request))
        return self

    async def __aexit__(self, *_: object) -> None:
        self._engine.close_session(self._id)
        self._gone.cancel()
        await asyncio.gather(self._gone, return_exceptions=True)

    def stop(self) -> None:
        """The server stops: what has come is still taken, nothing more is waited for. From any
        thread."""
        self._publish(None)

    def _publish(self, event: Event | None) -> None:
        """Called on the engine's threads."""
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._events.put_nowait, event)

    async def frame(self, wanted: FrameRequest) -> Frame:
        """The picture of one request.

        Raises:
            TurboUIError: the model failed on it.
            ApiError: it took too long, another model came in between, the server stops, or nobody
                waits any more.
        """
        self._num_asked += 1
        now = time.monotonic()
        submission = Submission(request_id=self._num_asked, request=wanted, received_at=now)
        self._engine.submit(self._id, submission)
        until = now + ANSWER_WITHIN_S
        while True:
            event = await self._next_event(until - time.monotonic())
            if event is None:
                raise stopping()
            if isinstance(event, Failed):
                raise event.error
            if isinstance(event, Published) and event.frame.is_last:
                if event.frame.request.model != wanted.model:
                    text = f"{wanted.model} was unloaded meanwhile."
                    raise unavailable(text, "model_loading", LOADING_RETRY_S)
                return event.frame

    async def _next_event(self, within_s: float) -> Event | None:
        waiting = asyncio.create_task(self._events.get())
        done, _ = await asyncio.wait(
            {waiting, self._gone},
            timeout=max(0.0, within_s),
            return_when=asyncio.FIRST_COMPLETED,
        )
        if waiting in done:
            return waiting.result()
        waiting.cancel()
        if self._gone in done:
            raise ApiError(499, "The client has gone.", "client_gone")
        text = f"No picture within {ANSWER_WITHIN_S:g} s. Try again later."
        raise unavailable(text, "timeout")


def stopping() -> ApiError:
    """The server draws nothing more, and may be back soon."""
    return unavailable("The server stops.", "server_stopping", LOADING_RETRY_S)


async def _until_gone(request: Request) -> None:
    """Returns when the client hangs up; its body must have been read."""
    while (await request.receive())["type"] != "http.disconnect":
        pass
