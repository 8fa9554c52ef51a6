"""The named Gradio event `/generate`: one request in, one picture out; also the page's way round.

It goes through the same engine as the live lane, as a session of one request: fair to everybody who
draws at the same time.
"""

from __future__ import annotations

import queue
import secrets
import time
from pathlib import Path
from typing import Any

import gradio as gr
from gradio.processing_utils import save_bytes_to_cache
from gradio.utils import get_upload_folder

from turbo_ui import imaging
from turbo_ui.errors import BackendFailure, InvalidRequest, TurboUIError
from turbo_ui.frames import Frame, FrameRequest, Sketch
from turbo_ui.live.engine import Engine
from turbo_ui.live.events import Event, Failed, Published, Submission
from turbo_ui.settings import Settings
from turbo_ui.web.guard import counted_as
from turbo_ui.web.roster import Roster
from turbo_ui.web.wishes import Wishes

ANSWER_WITHIN_S = 120.0
UNKNOWN_ADDRESS = "unknown"


class Generate:
    """The event's function; Gradio calls it on a thread of its own pool."""

    def __init__(self, engine: Engine, roster: Roster, settings: Settings) -> None:
        self.engine = engine
        self.roster = roster
        self.settings = settings

    def __call__(
        self,
        prompt: str = "",
        image: str | None = None,
        strength: float = 0.6,
        seed: float = 0,
        num_inference_steps: float | None = 0,
        size_px: float | None = 0,
        model: str | None = None,
        width: float | None = 0,
        height: float | None = 0,
        request: gr.Request | None = None,
    ) -> tuple[str, dict[str, Any]]:
        """One picture: the path of a PNG that holds its request, and a record of how it was made.

        Args:
            prompt: what the picture shows.
            image: path of a sketch; None, or one with nothing on it, is text-to-image.
            strength: in (0, 1], how far the picture may leave the sketch.
            seed: a whole number; the same request gives the same picture.
            num_inference_steps: 0 is the model's own.
            size_px: the side of a square, for callers that name no width and height; 0 is none.
            model: id; empty is the one that serves now.
            width, height: in pixels, held to what the model can draw; 0 is the model's own.
            request: given by Gradio; remote pictures are counted for the address that it is from.
        """
        wishes = Wishes(self.settings.max_prompt_chars)
        try:
            wishes.merge(
                {
                    "prompt": prompt or "",
                    "strength": strength,
                    "seed": _whole(seed),
                    "num_inference_steps": _whole(num_inference_steps) or None,
                    "model": model or None,
                    **_size(_whole(size_px), _whole(width), _whole(height)),
                }
            )
            if wishes.model is not None:
                self.roster.ask_for(wishes.model)
            frame = self._frame(wishes, image, account_of(request))
        except TurboUIError as error:
            raise gr.Error(error.user_text, print_exception=False) from error
        png = imaging.save_png(frame)
        path = save_bytes_to_cache(png, f"{frame.digest[:16]}.png", get_upload_folder())
        return path, self._record(frame)

    def _frame(self, wishes: Wishes, image: str | None, account: str) -> Frame:
        spec = self.roster.serving(wishes.model)
        begun = time.monotonic()
        sketch = None
        if image is not None:
            data = _read(image, self.settings.max_message_bytes)
            pixels = imaging.decode(data, max_px=self.settings.max_image_px)
            sketch = Sketch(imaging.fit(pixels, *wishes.size_px(spec)))
        submission = Submission(
            request_id=1,
            request=wishes.request(spec, sketch),
            received_at=time.monotonic(),
            decode_ms=(time.monotonic() - begun) * 1000,
        )
        return self._answer(submission, account)

    def _answer(self, submission: Submission, account: str) -> Frame:
        session_id = f"event-{secrets.token_urlsafe(12)}"
        events: queue.SimpleQueue[Event] = queue.SimpleQueue()
        self.engine.open_session(session_id, events.put, account)
        try:
            self.engine.submit(session_id, submission)
            until = time.monotonic() + ANSWER_WITHIN_S
            while True:
                event = events.get(timeout=max(0.0, until - time.monotonic()))
                if isinstance(event, Published) and event.frame.is_last:
                    return event.frame
                if isinstance(event, Failed):
                    raise event.error
        except queue.Empty:
            raise BackendFailure(
                f"no frame within {ANSWER_WITHIN_S:g} s", "The picture took too long. Try again."
            ) from None
        finally:
            self.engine.close_session(session_id)

    def _record(self, frame: Frame) -> dict[str, Any]:
        return {
            "request": frame.request.to_json(),
            "timings": frame.timings.to_json(),
            "made_by": frame.path,
            "digest": frame.digest,
            "num_denoising_steps": frame.num_denoising_steps,
        }


def account_of(request: gr.Request | None) -> str:
    """Whom a call's remote pictures are counted for: the network address that it comes from.

    Not Gradio's session: each call may name one of its own, and none need be named. An address can
    be made up, too, but from this machine only: uvicorn believes the X-Forwarded-For of a proxy
    here, which must not pass on what callers wrote there.
    """
    client = getattr(request, "client", None)
    return f"address {counted_as(client.host) if client else UNKNOWN_ADDRESS}"


def _read(path: str, max_bytes: int) -> bytes:
    size = Path(path).stat().st_size
    if size > max_bytes:
        raise InvalidRequest("image", f"{size} bytes", f"a picture of at most {max_bytes} bytes")
    return Path(path).read_bytes()


def _size(side: float | None, width: float | None, height: float | None) -> dict[str, float | None]:
    """Width and height as `Wishes` takes them: those named, else a square's side."""
    if side and (width or height):
        raise InvalidRequest("size_px", side, "0 where width or height is given")
    if side:
        square: dict[str, Any] = {"width": side, "height": side}
        try:
            FrameRequest(**square)
        except InvalidRequest as error:
            raise InvalidRequest("size_px", side, error.allowed) from None
    return {"width": width or side or None, "height": height or side or None}


def _whole(value: float | None) -> int | float | None:
    """Gradio's numbers arrive as floats; what is not whole is left for the check to name."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value
