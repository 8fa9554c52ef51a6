"""The mailbox: the newest wins, and nothing is lost without being named."""

from __future__ import annotations

from turbo_ui.frames import FrameRequest
from turbo_ui.live.events import Submission, SubmissionKind
from turbo_ui.live.mailbox import Mailbox


def submission(request_id: int, kind: SubmissionKind = "live") -> Submission:
    return Submission(request_id=request_id, request=FrameRequest(), received_at=0.0, kind=kind)


def test_the_newest_wins_and_the_replaced_one_is_named() -> None:
    box = Mailbox()
    assert box.put(submission(1), 0.0) == []
    assert [old.request_id for old in box.put(submission(2), 0.1)] == [1]
    assert [old.request_id for old in box.put(submission(3), 0.2)] == [2]
    assert box.take_live().request_id == 3
    assert box.live is None
    assert box.num_superseded == 2


def test_it_tells_which_models_are_waited_for() -> None:
    box = Mailbox()
    assert box.model_ids == []
    box.put(submission(1), 0.0)
    box.put(submission(2, "refine"), 0.1)
    assert box.model_ids == [FrameRequest().model] * 2
    box.take_live()
    assert box.model_ids == [FrameRequest().model]


def test_a_thousand_strokes_leave_one() -> None:
    box = Mailbox()
    for number in range(1000):
        box.put(submission(number), number / 1000)
    assert box.num_superseded == 999
    assert box.take_live().request_id == 999


def test_being_replaced_does_not_lose_the_turn() -> None:
    box = Mailbox()
    box.put(submission(1), 5.0)
    box.put(submission(2), 6.0)
    assert box.waiting_since == 5.0
    assert box.last_put_at == 6.0
    box.take_live()
    box.put(submission(3), 7.0)
    assert box.waiting_since == 7.0


def test_a_stroke_throws_out_a_waiting_refine() -> None:
    box = Mailbox()
    box.put(submission(1, "refine"), 0.0)
    assert [old.request_id for old in box.put(submission(2), 0.1)] == [1]
    assert box.refine is None


def test_a_refine_waits_behind_a_stroke() -> None:
    box = Mailbox()
    box.put(submission(1), 0.0)
    assert box.put(submission(2, "refine"), 0.1) == []
    assert box.take_live().request_id == 1
    assert box.take_refine().request_id == 2


def test_a_refine_replaces_a_refine() -> None:
    box = Mailbox()
    box.put(submission(1, "refine"), 0.0)
    assert [old.request_id for old in box.put(submission(2, "refine"), 0.1)] == [1]


def test_a_refine_that_yielded_comes_back_unless_something_newer_waits() -> None:
    box = Mailbox()
    assert box.put_back(submission(1, "refine"))
    assert not box.put_back(submission(0, "refine"))
    box.take_refine()
    box.put(submission(2), 0.0)
    assert not box.put_back(submission(1, "refine"))
