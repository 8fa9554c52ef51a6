"""An OpenAI-compatible images API as one object: draw this request, and what can you do."""

from __future__ import annotations

import base64
import binascii
import json
import logging
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import openai

from turbo_ui import imaging
from turbo_ui.backends.remote_call import current
from turbo_ui.backends.remote_errors import has_no_sketch_input, in_words, is_about_the_model
from turbo_ui.backends.remote_wire import Wire
from turbo_ui.errors import BackendFailure, InvalidRequest, ModelUnavailable
from turbo_ui.frames import MAX_SKETCH_PX, FrameRequest, Pixels
from turbo_ui.remote_settings import RemoteSettings, by_commas

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Drawn:
    """A picture of the server, and whether it has seen the sketch."""

    image: Pixels
    is_from_sketch: bool


class Server:
    """The server that the settings name. Its methods run within a `Call`.

    Attributes:
        takes_sketch: whether the board can be sent to it; None until that is known.

    Raises:
        ModelUnavailable: no server is named, or the key cannot be sent.
    """

    def __init__(self, settings: RemoteSettings) -> None:
        name, base_url = settings.remote_model, settings.remote_base_url
        if base_url is None:
            raise ModelUnavailable(name, "no server is named", "Set TURBO_UI_REMOTE_BASE_URL.")
        self._settings = settings
        self._fields = by_commas(settings.remote_fields)
        self._wire = Wire(base_url, has_key=settings.remote_api_key is not None)
        self._client = _client(settings, self._wire)
        self.takes_sketch = {"on": True, "off": False}.get(settings.remote_sketch)

    def close(self) -> None:
        """Closes what connections are left."""
        # RuntimeError: some are in use; they end with their calls
        with suppress(RuntimeError):
            self._wire.close()

    def draw(self, request: FrameRequest) -> Drawn:
        """The server's picture for a request, at the request's size.

        Raises:
            ModelUnavailable: it does not have the model.
            BackendFailure: it gave no picture; the text says why and what to do.
        """
        try:
            if request.is_text_to_image or self.takes_sketch is False:
                return Drawn(self._picture(self._from_prompt(request)), False)
            return self._from_board(request)
        except openai.OpenAIError as error:
            raise in_words(error, self._settings) from None

    def _from_board(self, request: FrameRequest) -> Drawn:
        """From the sketch, or from the prompt where the server turns out to take no sketch."""
        try:
            answer = self._from_sketch(request)
            self.takes_sketch = True
            return Drawn(self._picture(answer), True)
        except openai.APIStatusError as error:
            # another page's request may have found out meanwhile that it takes none
            if self.takes_sketch is True or not has_no_sketch_input(error):
                raise
        answer = self._from_prompt(request)
        self.takes_sketch = False
        log.warning("the remote server takes no sketch: it is sent the prompt alone")
        return Drawn(self._picture(answer), False)

    def _from_prompt(self, request: FrameRequest) -> bytes:
        raw = self._client.images.with_raw_response.generate(
            **self._parameters(request),
            extra_body=self._extra(request, is_from_sketch=False),
        )
        return raw.content

    def _from_sketch(self, request: FrameRequest) -> bytes:
        assert request.sketch is not None
        pixels = imaging.fit(request.sketch.pixels, request.width, request.height)
        sketch = imaging.encode_png(pixels)
        raw = self._client.images.with_raw_response.edit(
            **self._parameters(request),
            image=("sketch.png", sketch, "image/png"),
            extra_body=self._extra(request, is_from_sketch=True),
        )
        return raw.content

    def _parameters(self, request: FrameRequest) -> dict[str, Any]:
        return {
            "model": self._settings.remote_model,
            "prompt": request.prompt,
            "n": 1,
            "size": f"{request.width}x{request.height}",
        }

    def _extra(self, request: FrameRequest, *, is_from_sketch: bool) -> dict[str, object]:
        """Diffusers' parameters, those that the server takes and that mean something here."""
        values: dict[str, object] = {
            "strength": request.strength if is_from_sketch else None,
            "seed": request.seed,
            "num_inference_steps": request.num_inference_steps,
        }
        return {name: values[name] for name in self._fields if values[name] is not None}

    def _picture(self, answer: bytes) -> Pixels:
        data = picture_data(answer)
        content = self._wire.fetch(data) if isinstance(data, str) else data
        try:
            return imaging.decode(content, max_px=MAX_SKETCH_PX)
        except InvalidRequest as error:
            raise _unreadable(f"what came is no picture: {error}") from None

    def probe(self) -> None:
        """Asks, without having anything drawn, whether it lets us in and has a sketch input.

        Raises:
            BackendFailure: it cannot be reached or does not accept the key.
        """
        client = self._client.with_options(max_retries=0)
        try:
            client.models.with_raw_response.list()
        except (openai.AuthenticationError, openai.APIConnectionError) as error:
            raise in_words(error, self._settings) from None
        except openai.APIError as error:
            log.info("the remote server lists no models (%s)", type(error).__name__)
        if self.takes_sketch is None:
            # a request that lacks all it needs: nothing is drawn, and the way it is refused tells
            try:
                client.post("/images/edits", body={}, cast_to=object)
            except openai.APIStatusError as error:
                is_missing = error.status_code in (404, 405, 501) and not is_about_the_model(error)
                self.takes_sketch = False if is_missing else None
            except openai.APIError as error:
                log.info("the remote server was not asked for edits (%s)", type(error).__name__)


class Client(openai.OpenAI):
    """The official client, without the headers that `OPENAI_CUSTOM_HEADERS` holds: they may be the
    keys of another server's gateway. Its pauses end when the call is given up."""

    def __init__(self, *, default_headers: Mapping[str, Any] | None = None, **options: Any) -> None:
        super().__init__(default_headers=default_headers, **options)
        self._custom_headers = dict(default_headers or {})

    def _sleep_for_retry(
        self, *, retries_taken: int, max_retries: int, options: Any, response: Any
    ) -> None:
        headers = None if response is None else response.headers
        seconds = self._calculate_retry_timeout(max_retries - retries_taken, options, headers)
        current().pause(seconds)


def picture_data(answer: bytes) -> bytes | str:
    """The first picture of an answer, or the address where it is.

    Raises:
        BackendFailure: the answer holds neither.
    """
    try:
        said = json.loads(answer)
    except (ValueError, RecursionError):
        raise _unreadable("the answer is not JSON") from None
    items = said.get("data") if isinstance(said, Mapping) else None
    first = items[0] if isinstance(items, list) and items else None
    if not isinstance(first, Mapping):
        raise _unreadable("the answer holds no picture")
    packed, url = first.get("b64_json"), first.get("url")
    if isinstance(packed, str) and packed:
        try:
            return base64.b64decode(packed.rpartition("base64,")[2], validate=True)
        except (binascii.Error, ValueError):
            raise _unreadable("b64_json is not base64") from None
    if isinstance(url, str) and url:
        return url
    raise _unreadable("the answer holds neither b64_json nor url")


def _unreadable(reason: str) -> BackendFailure:
    return BackendFailure(
        f"the remote server's answer cannot be used: {reason}",
        f"The remote server's answer cannot be used: {reason}. Is TURBO_UI_REMOTE_BASE_URL the "
        "address of an images API?",
    )


def _client(settings: RemoteSettings, wire: Wire) -> openai.OpenAI:
    """The official client, kept from what the environment holds for other servers."""
    key = settings.remote_api_key
    secret = key.get_secret_value() if key is not None else ""
    if not (secret.isascii() and secret.isprintable()):
        reason = "its key holds something else than plain characters"
        raise ModelUnavailable(settings.remote_model, reason, "Check TURBO_UI_REMOTE_API_KEY.")
    omitted = openai.Omit()
    headers: Any = {
        "Authorization": f"Bearer {secret or 'none'}",
        "OpenAI-Organization": omitted,
        "OpenAI-Project": omitted,
    }
    return Client(
        api_key=secret or "none",
        base_url=settings.remote_base_url,
        max_retries=settings.remote_max_retries,
        http_client=wire,
        default_headers=headers,
    )
