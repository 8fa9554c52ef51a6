"""What the engine tells a session, and what a session submits: small frozen messages.

They are published on the worker thread (or, for model states, on a loading thread); whoever
receives them must not block it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from turbo_ui.errors import TurboUIError
from turbo_ui.frames import Frame, FrameRequest

SubmissionKind = Literal["live", "refine"]
ModelPhase = Literal["absent", "downloading", "loading", "warming", "ready", "evicted", "failed"]


@dataclass(frozen=True, kw_only=True)
class Submission:
    """One request on its way through the engine.

    Attributes:
        request_id: the page's own number; comes back in every event about this request.
        request: what to draw.
        received_at: when the server had it in full, on the engine's clock, in seconds.
        decode_ms: what decoding its sketch took, carried into the frame's timings.
        kind: "live" follows the hand; "refine" is the slow model's picture after a rest and always
            yields.
    """

    request_id: int
    request: FrameRequest
    received_at: float
    decode_ms: float = 0.0
    kind: SubmissionKind = "live"


@dataclass(frozen=True, kw_only=True)
class Taken:
    """The request left the mailbox and runs now: the page may send its next one."""

    request_id: int
    kind: SubmissionKind = "live"


@dataclass(frozen=True, kw_only=True)
class Published:
    """A picture: a preview between two steps, or the final one.

    Attributes:
        frame: with all timings but `encode_ms`, which whoever encodes it adds.
        kind: "live" or "refine", as submitted; whether it is a preview is in `frame.kind`.
        superseded: how many of this session's requests were replaced unseen, so far.
        queue_wait_ms: from received to taken.
    """

    request_id: int
    frame: Frame
    kind: SubmissionKind = "live"
    superseded: int = 0
    queue_wait_ms: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Superseded:
    """A newer request took this one's place: in the mailbox, or (`was_running`) as it ran."""

    request_id: int
    kind: SubmissionKind = "live"
    was_running: bool = False


@dataclass(frozen=True, kw_only=True)
class Failed:
    """The request gave no picture; `error.user_text` says why in plain words."""

    request_id: int
    error: TurboUIError
    kind: SubmissionKind = "live"


@dataclass(frozen=True, kw_only=True)
class ModelState:
    """Where one model stands.

    Attributes:
        text: for people: what is going on, or why it failed.
        progress: 0 to 1 while downloading or loading, where known.
        num_bytes, total_bytes: while downloading, where known.
        bytes_per_s: the mean speed of the download, where known.
        file_hash: of a single file: the first 10 hex digits of its SHA-256, in capitals, once it
            is computed.
    """

    model_id: str
    state: ModelPhase
    text: str = ""
    progress: float | None = None
    num_bytes: int | None = None
    total_bytes: int | None = None
    bytes_per_s: float | None = None
    file_hash: str | None = None


@dataclass(frozen=True, kw_only=True)
class SessionsChanged:
    """How many sessions share the device now."""

    num_sessions: int


Event = Taken | Published | Superseded | Failed | ModelState | SessionsChanged
