"""The OpenAI-compatible images API under /v1, beside Gradio on the same port.

A call is a short session of its own in the engine: it takes turns with everybody who draws.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import logging
import secrets
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Mount, Route

from turbo_ui import imaging
from turbo_ui.catalog import ModelSpec
from turbo_ui.errors import TurboUIError
from turbo_ui.frames import Frame, Sketch
from turbo_ui.live.engine import Engine
from turbo_ui.live.events import ModelState
from turbo_ui.live.turns import is_remote
from turbo_ui.settings import Settings
from turbo_ui.web.api_access import Access
from turbo_ui.web.api_bodies import read_body, read_form, read_json
from turbo_ui.web.api_errors import ApiError, in_api_form, too_large, unavailable
from turbo_ui.web.api_parameters import Wanted, read
from turbo_ui.web.api_session import LOADING_RETRY_S, EngineSession, stopping
from turbo_ui.web.guard import address_of
from turbo_ui.web.roster import Roster

log = logging.getLogger(__name__)

PREFIX = "/v1"
MAX_JSON_BYTES = 1024 * 1024
"""Far more than a request needs: a prompt that is much too long is to be told so by its name."""
MARGIN_BYTES = 128 * 1024
"""A form's other fields on top of a picture of `max_message_bytes`."""
BUSY_RETRY_S = 2

Handler = Callable[[Request], Awaitable[Response]]
METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE"]


class ImagesApi:
    """All of the API; `route` goes to Gradio's app."""

    def __init__(self, engine: Engine, roster: Roster, settings: Settings) -> None:
        self.engine = engine
        self.roster = roster
        self.settings = settings
        self.access = Access(settings)
        self.num_running: Counter[str] = Counter()
        self._sessions: set[EngineSession] = set()
        self._is_stopping = False
        self._started_at = int(time.time())
        self._known: dict[str, str] = {}
        routes: list[BaseRoute] = [
            self._route("POST", "/images/generations", self._generations),
            self._route("POST", "/images/edits", self._edits),
            self._route("GET", "/models", self._models),
            self._route("GET", "/models/{model:path}", self._model),
            Route("/{path:path}", self._answered(self._nothing), methods=METHODS),
        ]
        self.route = Mount(PREFIX, routes=routes)

    def stop(self) -> None:
        """Answers the calls that wait for a picture, and refuses new ones. From any thread."""
        self._is_stopping = True
        for session in list(self._sessions):
            session.stop()

    def _route(self, method: str, path: str, handler: Handler) -> Route:
        self._known[path] = method
        return Route(path, self._answered(handler), methods=[method])

    def _answered(self, handler: Handler) -> Handler:
        """The handler behind the door, its errors told in the API's form."""

        async def answer(request: Request) -> Response:
            request_id = f"req_{secrets.token_hex(12)}"
            try:
                self.access.check(request)
                with self._counted(address_of(request)):
                    response = await handler(request)
            except ApiError as error:
                response = error.response()
            except TurboUIError as error:
                response = in_api_form(error).response()
            except Exception:
                log.exception("request %s failed", request_id)
                response = ApiError(500, "The server failed on this.", "server_error").response()
            response.headers["x-request-id"] = request_id
            return response

        return answer

    @contextlib.contextmanager
    def _counted(self, address: str) -> Any:
        """Holds the number of calls at once to the limits of the lane's connections."""
        settings = self.settings
        is_full = (
            self.num_running.total() >= settings.max_connections
            or self.num_running[address] >= settings.max_connections_per_address
        )
        if is_full:
            again = {"retry-after": str(BUSY_RETRY_S)}
            text = "Too many requests at once. Try again soon."
            raise ApiError(429, text, "rate_limit_exceeded", headers=again)
        self.num_running[address] += 1
        try:
            yield
        finally:
            self.num_running[address] -= 1
            if not self.num_running[address]:
                del self.num_running[address]

    # --- what can be asked for

    async def _generations(self, request: Request) -> Response:
        body = await read_body(request, MAX_JSON_BYTES)
        wanted = self._read(read_json(body), is_edit=False)
        return await self._draw(request, wanted, None)

    async def _edits(self, request: Request) -> Response:
        limit = self.settings.max_message_bytes + MARGIN_BYTES
        fields, picture = await read_form(request, await read_body(request, limit))
        wanted = self._read(fields, is_edit=True)
        if len(picture) > self.settings.max_message_bytes:
            raise too_large(self.settings.max_message_bytes)
        return await self._draw(request, wanted, picture)

    async def _models(self, request: Request) -> Response:
        states = {state.model_id: state for state in self.roster.switchboard.states()}
        specs = self.roster.switchboard.catalog
        listed = [self._described(spec, states[spec.id]) for spec in specs]
        return JSONResponse({"object": "list", "data": listed})

    async def _model(self, request: Request) -> Response:
        spec = self._spec(request.path_params["model"])
        return JSONResponse(self._described(spec, self._state(spec.id)))

    async def _nothing(self, request: Request) -> Response:
        path = f"/{request.path_params['path']}"
        if path in self._known:
            text = f"{request.method} is not how {PREFIX}{path} is asked; {self._known[path]} is."
            raise ApiError(405, text, "method_not_allowed", headers={"allow": self._known[path]})
        text = f"Invalid URL ({request.method} {PREFIX}{path[:100]})"
        raise ApiError(404, text, "unknown_url")

    # --- models

    def _spec(self, model_id: str) -> ModelSpec:
        for spec in self.roster.switchboard.catalog:
            if spec.id == model_id:
                return spec
        text = f"The model '{model_id[:100]}' does not exist; GET {PREFIX}/models lists them."
        raise ApiError(404, text, "model_not_found", "model")

    def _state(self, model_id: str) -> ModelState:
        states = self.roster.switchboard.states()
        return next(state for state in states if state.model_id == model_id)

    def _described(self, spec: ModelSpec, state: ModelState) -> dict[str, Any]:
        size = "x".join(map(str, spec.default_size))
        return {
            "id": spec.id,
            "object": "model",
            "created": self._started_at,
            "owned_by": "remote" if is_remote(spec) else "turbo-ui",
            "title": spec.title,
            "state": state.state,
            "state_text": state.text,
            # until its files are here, a hub model of one's own only passes for another
            "default_size": None if spec.is_provisional else size,
            "licence": spec.licence,
        }

    def _chosen(self, wanted: Wanted) -> ModelSpec:
        """The model that draws, which is ready."""
        spec = self.roster.serving(None) if wanted.model is None else self._spec(wanted.model)
        if is_remote(spec):
            text = f"'{spec.id}' is drawn by another server, and paid for; it is not passed on."
            raise ApiError(403, text, "model_not_served", "model")
        if self.roster.switchboard.ready(spec.id) is None:
            state = self._state(spec.id)
            if state.state == "failed":
                raise unavailable(state.text or f"{spec.id} is not available.", "model_failed")
            self.roster.ask_for(spec.id)
            text = f"{spec.id} is not ready yet. {self._state(spec.id).text}".strip()
            raise unavailable(text, "model_loading", LOADING_RETRY_S)
        return spec

    # --- pictures

    def _read(self, values: Mapping[str, Any], *, is_edit: bool) -> Wanted:
        limit = self.settings.max_prompt_chars
        return read(values, is_edit=is_edit, max_prompt_chars=limit)

    async def _draw(self, request: Request, wanted: Wanted, picture: bytes | None) -> Response:
        spec = self._chosen(wanted)
        width, height = wanted.size_px(spec)
        sketch = None
        if picture is not None:
            sketch = await asyncio.to_thread(self._sketch, picture, width, height)
        items: list[dict[str, Any]] = []
        async with self._session(request) as session:
            for number in range(wanted.n):
                frame = await session.frame(wanted.request(spec, sketch, number))
                packed = await asyncio.to_thread(_packed, frame, wanted.jpeg_quality)
                items.append({"b64_json": packed, "seed": frame.request.seed})
        return JSONResponse(
            {
                "created": int(time.time()),
                "data": items,
                "background": "opaque",
                "output_format": "png" if wanted.jpeg_quality is None else "jpeg",
                "size": f"{width}x{height}",
                "model": spec.id,
            }
        )

    @contextlib.asynccontextmanager
    async def _session(self, request: Request) -> AsyncIterator[EngineSession]:
        async with EngineSession(self.engine, request) as session:
            self._sessions.add(session)
            try:
                if self._is_stopping:  # asked after it can be found by `stop`
                    raise stopping()
                yield session
            finally:
                self._sessions.discard(session)

    def _sketch(self, picture: bytes, width: int, height: int) -> Sketch:
        pixels = imaging.decode(picture, max_px=self.settings.max_image_px)
        return Sketch(imaging.fit(pixels, width, height))


def _packed(frame: Frame, jpeg_quality: int | None) -> str:
    """The picture in base64; a PNG holds its request, as every PNG that is saved here."""
    if jpeg_quality is None:
        data = imaging.save_png(frame)
    else:
        data = imaging.encode_jpeg(frame.image, jpeg_quality)
    return base64.b64encode(data).decode("ascii")
