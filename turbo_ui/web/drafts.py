"""What a page asked for and nobody has decoded yet: the newest frame, the newest refine."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from turbo_ui.errors import InvalidRequest, ProtocolError
from turbo_ui.live.events import SubmissionKind
from turbo_ui.web.wire import Message


@dataclass
class Draft:
    """One request as it came.

    Attributes:
        picture: the sketch's bytes; None where it does not come as a picture.
        is_patched: the sketch is the page's sheet, whose patches wait there.
        is_empty: nothing is drawn: text-to-image.
        model: of a refine: the model that draws it.
        params: of a refine: the parameters that are its own.
    """

    request_id: int
    picture: bytes | None = None
    is_patched: bool = False
    is_empty: bool = False
    kind: SubmissionKind = "live"
    model: str = ""
    params: Mapping[str, Any] = field(default_factory=dict)

    @property
    def brings_sketch(self) -> bool:
        """It says what is drawn; else the last sketch still stands."""
        return self.picture is not None or self.is_patched or self.is_empty

    def inherit(self, older: Draft) -> None:
        """Draws the sketch that an older draft brought."""
        self.picture, self.is_patched = older.picture, older.is_patched
        self.is_empty = older.is_empty


class Drafts:
    """At most one of each kind waits; a newer one takes its place. Used on the event loop only."""

    def __init__(self) -> None:
        self._live: Draft | None = None
        self._refine: Draft | None = None
        self._has_any = asyncio.Event()

    def put(self, draft: Draft) -> list[Draft]:
        """Takes one in and returns those that lost their place.

        A frame throws out a refine, which would show the board as it was. Its sketch may be the
        newest there is, as a change of prompt sends none: then it inherits the replaced one's.
        """
        lost = [] if self._refine is None else [self._refine]
        self._refine = None
        if draft.kind == "refine":
            self._refine = draft
        else:
            if self._live is not None:
                lost.append(self._live)
                if not draft.brings_sketch:
                    draft.inherit(self._live)
            self._live = draft
        self._has_any.set()
        return lost

    async def next(self) -> Draft:
        """Waits for what is to be decoded next; frames go before refines."""
        while True:
            if self._live is not None:
                draft, self._live = self._live, None
                return draft
            if self._refine is not None:
                draft, self._refine = self._refine, None
                return draft
            self._has_any.clear()
            await self._has_any.wait()


def draft_of(message: Message) -> Draft:
    """What a `frame` or a `refine` asks for.

    Raises:
        ProtocolError: it has no number.
        InvalidRequest: a refine that names no model.
    """
    header = message.header
    is_patched = "patch" in header
    draft = Draft(
        request_id=request_id_of(message),
        picture=None if is_patched else message.payload or None,
        is_patched=is_patched,
        is_empty="image" in header and header["image"] is None,
    )
    if message.kind == "refine":
        if is_patched:
            raise InvalidRequest(
                "patch", header["patch"], "none in a refine: a picture, or nothing"
            )
        draft.kind = "refine"
        draft.model = model_of(message)
        draft.params = header.get("params", {})
    return draft


def request_id_of(message: Message) -> int:
    """The number that the page gave to its request.

    Raises:
        ProtocolError: there is none.
    """
    request_id = message.header.get("request_id")
    if not isinstance(request_id, int) or isinstance(request_id, bool):
        request_id = -1
    if not 0 <= request_id < 2**53:
        raise ProtocolError("request_id must be a whole number from 0 to 2^53 - 1.")
    return request_id


def model_of(message: Message) -> str:
    """The model that a message names.

    Raises:
        InvalidRequest: it names none.
    """
    model = message.header.get("model")
    if not isinstance(model, str):
        raise InvalidRequest("model", model, "the id of a model")
    return model
