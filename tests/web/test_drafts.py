"""Drafts: the newest of each kind waits, and a change of prompt never loses a sketch."""

from __future__ import annotations

import asyncio

import pytest

from tests.web.test_outbox import finish
from turbo_ui.errors import InvalidRequest, ProtocolError
from turbo_ui.web.drafts import Draft, Drafts, draft_of, model_of
from turbo_ui.web.wire import Message


def ids(drafts: list[Draft]) -> list[int]:
    return [draft.request_id for draft in drafts]


def test_the_newest_frame_waits_and_frames_go_before_refines() -> None:
    async def run() -> None:
        drafts = Drafts()
        assert drafts.put(Draft(1)) == []
        assert ids(drafts.put(Draft(2))) == [1]
        assert drafts.put(Draft(3, kind="refine")) == []
        assert ids(drafts.put(Draft(4, kind="refine"))) == [3]
        found = [await asyncio.wait_for(drafts.next(), 1) for _ in range(2)]
        assert ids(found) == [2, 4]

    finish(run())


def test_a_frame_throws_out_a_refine_of_the_board_as_it_was() -> None:
    async def run() -> None:
        drafts = Drafts()
        drafts.put(Draft(1, kind="refine"))
        assert ids(drafts.put(Draft(2))) == [1]
        assert ids([await drafts.next()]) == [2]

    finish(run())


@pytest.mark.parametrize(
    ("newer", "picture", "is_empty"),
    [
        (Draft(2), b"first", False),  # only the prompt changed
        (Draft(2, picture=b"second"), b"second", False),
        (Draft(2, is_empty=True), None, True),
    ],
)
def test_a_replaced_sketch_is_inherited_unless_a_newer_one_came(
    newer: Draft, picture: bytes | None, is_empty: bool
) -> None:
    async def run() -> None:
        drafts = Drafts()
        drafts.put(Draft(1, picture=b"first"))
        drafts.put(newer)
        found = await drafts.next()
        assert (found.picture, found.is_empty) == (picture, is_empty)

    finish(run())


def test_a_sketch_that_came_in_patches_is_inherited_too() -> None:
    async def run() -> None:
        drafts = Drafts()
        drafts.put(Draft(1, is_patched=True))
        drafts.put(Draft(2))
        assert (await drafts.next()).is_patched
        drafts.put(Draft(3, is_patched=True))
        drafts.put(Draft(4, is_empty=True))
        assert not (await drafts.next()).is_patched

    finish(run())


def test_a_refine_takes_no_patch() -> None:
    header = {"kind": "refine", "request_id": 2, "model": "m", "patch": {}}
    with pytest.raises(InvalidRequest, match="refine"):
        draft_of(Message(header))


def test_messages_become_drafts() -> None:
    frame = draft_of(Message({"kind": "frame", "request_id": 1, "image": None}))
    assert (frame.kind, frame.is_empty, frame.picture) == ("live", True, None)
    header = {"kind": "refine", "request_id": 2, "model": "m", "params": {"seed": 1}}
    refine = draft_of(Message(header, b"x"))
    assert (refine.kind, refine.model, refine.picture) == ("refine", "m", b"x")
    assert refine.params == {"seed": 1}


@pytest.mark.parametrize("request_id", [None, "1", True, -1, 2**53, 1.0])
def test_a_request_without_a_number_is_refused(request_id: object) -> None:
    with pytest.raises(ProtocolError):
        draft_of(Message({"kind": "frame", "request_id": request_id}))


@pytest.mark.parametrize("model", [None, 3, ["m"]])
def test_a_model_must_be_named(model: object) -> None:
    with pytest.raises(InvalidRequest) as caught:
        model_of(Message({"kind": "load", "model": model}))
    assert caught.value.field == "model"
