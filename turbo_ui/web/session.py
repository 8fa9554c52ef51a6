"""One page's conversation: messages in, requests to the engine, pictures and words out.

Everything here runs on the event loop, except decoding and encoding, which run in the codec's
threads. `publish` alone is called by the engine's threads; it hands each event over to the loop.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable
from concurrent.futures import Executor
from typing import Any

from turbo_ui import imaging
from turbo_ui.errors import InvalidRequest, ProtocolError, TurboUIError
from turbo_ui.frames import Frame, FrameRequest, Sketch
from turbo_ui.live.engine import Engine
from turbo_ui.live.events import (
    Event,
    Failed,
    ModelPhase,
    ModelState,
    Published,
    SessionsChanged,
    Submission,
    Superseded,
    Taken,
)
from turbo_ui.live.turns import is_remote
from turbo_ui.settings import Settings
from turbo_ui.web.drafts import Draft, Drafts, draft_of, model_of, request_id_of
from turbo_ui.web.outbox import Header, Outbox, frame_header
from turbo_ui.web.roster import Roster
from turbo_ui.web.sheet import Patch, Sheet, is_little, patch_of
from turbo_ui.web.wire import Message
from turbo_ui.web.wishes import Wishes


class PageSession:
    """What the server knows about one connected page; forgotten when it goes."""

    def __init__(
        self,
        session_id: str,
        engine: Engine,
        roster: Roster,
        settings: Settings,
        codec: Executor,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.session_id = session_id
        self.engine = engine
        self.roster = roster
        self.settings = settings
        self.codec = codec
        self.clock = clock
        self.loop = asyncio.get_running_loop()
        self.outbox = Outbox()
        self._is_sending = False
        self._phases: dict[str, ModelPhase] = {
            each.model_id: each.state for each in roster.switchboard.states()
        }
        self.wishes = Wishes(settings.max_prompt_chars)
        self.drafts = Drafts()
        self.sheet = Sheet()
        self.sketch: Sketch | None = None
        self.refined: Sketch | None = None  # held, as somebody's latents stay: see `latents`
        self.num_replaced = 0
        self.last_frame: tuple[int, Frame] | None = None
        self._is_saving = False
        self._handlers: dict[str, Callable[[Message], None]] = {
            "frame": self._on_frame,
            "refine": self._on_refine,
            "load": self._on_load,
            "save": self._on_save,
            "ping": self._on_ping,
        }

    # ---- in

    def receive(self, message: Message) -> None:
        """Acts on one message; a wrong one is answered and changes nothing."""
        handler = self._handlers.get(message.kind)
        if handler is None:
            kinds = ", ".join(sorted(self._handlers))
            text = f"{message.kind[:40]!r} is no kind of message; there are {kinds}."
            self.error("unknown_kind", text)
            return
        request_id = message.header.get("request_id")
        try:
            handler(message)
        except InvalidRequest as error:
            self.error("invalid", error.user_text, request_id=request_id, field=error.field)
        except ProtocolError as error:
            self.error("protocol", error.user_text, request_id=request_id)
        except (OverflowError, RecursionError):  # no float, or no text, can be made of the value
            text = "A value is too large, or nested too deeply."
            self.error("protocol", text, request_id=request_id)

    def _on_frame(self, message: Message) -> None:
        draft = draft_of(message)
        if draft.is_patched:
            # before anything can be refused: the page takes what it has sent as laid
            max_px = self.settings.max_image_px
            self.sheet.put(patch_of(message.header["patch"], message.payload, max_px))
        before = self.wishes.params
        self.wishes.merge(message.header.get("params", {}))
        if self.wishes.model != before.get("model"):
            try:
                self._choose(self.wishes.model)
            except InvalidRequest:
                self.wishes.params = before
                raise
        self._take_in(draft)

    def _choose(self, model: str | None) -> None:
        """Has the model loaded that the page wants to draw with; None is the server's choice."""
        if model is not None:
            if is_remote(self.roster.spec(model)):
                allowed = "a model that may follow the hand; this one only refines"
                raise InvalidRequest("model", model, allowed)
            self.roster.ask_for(model)
        self.tell_models()

    def _on_refine(self, message: Message) -> None:
        draft = draft_of(message)
        # a wrong value is answered now, and not when its turn comes
        self.wishes.refine(self.roster.spec(draft.model), draft.params, None)
        self._take_in(draft)

    def _on_load(self, message: Message) -> None:
        self.roster.ask_for(model_of(message))
        self.tell_models()

    def _take_in(self, draft: Draft) -> None:
        for lost in self.drafts.put(draft):
            self._replaced(lost.request_id)

    def _on_save(self, message: Message) -> None:
        request_id = request_id_of(message)
        if self.last_frame is None or self.last_frame[0] != request_id:
            text = "That picture is gone: a newer one took its place. Try again."
            self.error("not_saved", text, request_id=request_id)
            return
        if self._is_saving:
            # one at a time: a page that asks and never reads must not fill the memory
            text = "The PNG asked for before is still on its way."
            self.error("not_saved", text, request_id=request_id)
            return
        self._is_saving = True
        frame = self.last_frame[1]
        future = self.loop.run_in_executor(self.codec, imaging.save_png, frame)
        name = f"turbo-ui-{frame.request.model}-{frame.request.seed}-{frame.digest[:8]}.png"
        future.add_done_callback(lambda done: self._saved(request_id, name, done))

    def _saved(self, request_id: int, name: str, done: asyncio.Future[bytes]) -> None:
        if done.cancelled() or done.exception() is not None:
            self._is_saving = False
            self.error("not_saved", "The PNG could not be made.", request_id=request_id)
            return
        self.outbox.say({"kind": "png", "request_id": request_id, "name": name}, done.result())

    def _on_ping(self, message: Message) -> None:
        at = message.header.get("at")
        self.outbox.say({"kind": "pong", "at": at if isinstance(at, int | float) else None})

    async def submit_drafts(self) -> None:
        """Decodes the newest draft and submits it, again and again: the way from page to engine."""
        while True:
            draft = await self.drafts.next()
            number = draft.request_id
            try:
                await self._submit(draft)
            except InvalidRequest as error:
                self.error("invalid", error.user_text, request_id=number, field=error.field)
            except TurboUIError as error:
                self.error("failed", error.user_text, request_id=number)

    async def _submit(self, draft: Draft) -> None:
        begun = self.clock()
        make = self._live_request if draft.kind == "live" else self._refine_request
        request = await make(draft)
        submission = Submission(
            request_id=draft.request_id,
            request=request,
            received_at=self.clock(),
            decode_ms=(self.clock() - begun) * 1000,
            kind=draft.kind,
        )
        self.engine.submit(self.session_id, submission)

    async def _live_request(self, draft: Draft) -> FrameRequest:
        spec = self.roster.serving(self.wishes.model)
        self.sketch = await self._sketch(draft, *self.wishes.size_px(spec))
        return self.wishes.request(spec, self.sketch)

    async def _refine_request(self, draft: Draft) -> FrameRequest:
        spec = self.roster.known(draft.model)
        plain = self.wishes.refine(spec, draft.params, None)
        self.refined = await self._sketch(draft, plain.width, plain.height)
        return self.wishes.refine(spec, draft.params, self.refined)

    async def _sketch(self, draft: Draft, width: int, height: int) -> Sketch | None:
        """The sketch that a draft brings, or the last one of a frame."""
        if draft.is_empty:
            return None
        if draft.is_patched:
            return await self._patched(width, height)
        if draft.picture is None:
            return self.sketch
        decode = self._decoded
        return await self.loop.run_in_executor(self.codec, decode, draft.picture, width, height)

    async def _patched(self, width: int, height: int) -> Sketch:
        """The sheet with all that has come in laid on it."""
        patches = self.sheet.take_waiting()
        if patches and is_little(patches):
            return self._laid(patches, width, height)
        return await self.loop.run_in_executor(self.codec, self._laid, patches, width, height)

    def _laid(self, patches: list[Patch], width: int, height: int) -> Sketch:
        return Sketch(imaging.fit(self.sheet.lay(patches), width, height))

    def _decoded(self, picture: bytes, width: int, height: int) -> Sketch:
        pixels = imaging.decode(picture, max_px=self.settings.max_image_px)
        return Sketch(imaging.fit(pixels, width, height))

    # ---- out

    def publish(self, event: Event) -> None:
        """Called on the engine's threads; the one place where events cross to the event loop."""
        # RuntimeError: the loop is closed, the server stops, and nobody is left to tell
        with contextlib.suppress(RuntimeError):
            self.loop.call_soon_threadsafe(self._deliver, event)

    def _deliver(self, event: Event) -> None:
        match event:
            case Taken(request_id=request_id):
                self.outbox.say({"kind": "taken", "request_id": request_id})
            case Superseded(request_id=request_id):
                self._replaced(request_id)
            case Published():
                if event.frame.is_last:
                    self.last_frame = (event.request_id, event.frame)
                for replaced in self.outbox.show(event):
                    # a reader too slow for its picture is still told that the request has ended
                    if replaced.frame.is_last and replaced.request_id != event.request_id:
                        self._replaced(replaced.request_id)
            case Failed(request_id=request_id, error=error):
                self.error("failed", error.user_text, request_id=request_id)
            case SessionsChanged(num_sessions=num_sessions):
                self.outbox.say({"kind": "sessions", "num_sessions": num_sessions})
            case ModelState():
                self.tell_models()
                self._notice_gone(event)

    def _notice_gone(self, model: ModelState) -> None:
        """Says that a model failed, or had to go: of `models` only the newest is ever sent."""
        # once: something more may become known of such a model, such as its hash
        if self._phases.get(model.model_id) != model.state and model.text:
            if model.state == "failed":
                self.notice("model", model.text, "error")
            elif model.state == "evicted":
                self.notice("model", model.text)
        self._phases[model.model_id] = model.state

    def _replaced(self, request_id: int) -> None:
        self.num_replaced += 1
        self.outbox.say(
            {"kind": "superseded", "request_id": request_id, "superseded": self.num_replaced}
        )

    def tell_models(self) -> None:
        """Tells the page which models there are, how they stand, and which one draws."""
        self.outbox.say({"kind": "models", **self.roster.to_json(self.wishes.model)})

    def notice(self, code: str, text: str, level: str = "info") -> None:
        self.outbox.say({"kind": "notice", "code": code, "text": text, "level": level})

    def error(self, code: str, text: str, *, request_id: Any = None, field: str = "") -> None:
        """Answers a message that could not be followed."""
        header: Header = {"kind": "error", "code": code, "text": text}
        if isinstance(request_id, int) and not isinstance(request_id, bool):
            header["request_id"] = request_id
        if field:
            header["field"] = field
        self.outbox.say(header)

    @property
    def has_something_to_send(self) -> bool:
        """A message waits, is being encoded or is on its way out."""
        return self._is_sending or not self.outbox.is_empty

    async def next_message(self) -> tuple[Header, bytes]:
        """Waits for what is to be sent next, pictures encoded; asked again once that was sent."""
        self._is_sending = False
        found = await self.outbox.next()
        self._is_sending = True
        if not isinstance(found, Published):
            self._is_saving = self._is_saving and found[0]["kind"] != "png"
            return found
        begun = self.clock()
        encoding = self.loop.run_in_executor(
            self.codec, imaging.encode_jpeg, found.frame.image, self.settings.jpeg_quality
        )
        header = frame_header(found, self.num_replaced)  # meanwhile: its digests take a while
        jpeg = await encoding
        header["timings"]["encode_ms"] = (self.clock() - begun) * 1000
        return header, jpeg
