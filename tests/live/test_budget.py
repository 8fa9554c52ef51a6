"""The budget: a session has only so many pictures of a model that costs money."""

from __future__ import annotations

import pytest

from tests.fakes import FakeBackend, FakeClock, Inbox, other, ready_switchboard
from turbo_ui.errors import BackendFailure, InvalidRequest, LimitReached
from turbo_ui.frames import FrameRequest
from turbo_ui.live import budget
from turbo_ui.live.budget import Budget
from turbo_ui.live.engine import Engine
from turbo_ui.live.events import Failed, Published, Submission


def test_each_session_has_its_own() -> None:
    kept = Budget(2)
    for session_id in ("a", "a", "b"):
        kept.spend(session_id)
    for _ in range(3):
        with pytest.raises(LimitReached) as caught:
            kept.spend("a")
    assert "TURBO_UI_MAX_REMOTE_IMAGES_PER_SESSION" in caught.value.user_text
    kept.spend("b")
    with pytest.raises(LimitReached):
        kept.spend("b")


def test_none_is_none() -> None:
    with pytest.raises(LimitReached):
        Budget(0).spend("a")


def test_only_the_latest_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(budget, "MAX_ACCOUNTS", 2)
    kept = Budget(1)
    for session_id in ("a", "b", "c", "a"):
        kept.spend(session_id)
    with pytest.raises(LimitReached):
        kept.spend("c")


def test_what_could_not_be_sent_is_given_back() -> None:
    kept = Budget(1)
    give_back = kept.spend("a")
    with pytest.raises(LimitReached):
        kept.spend("a")
    give_back()
    kept.spend("a")
    with pytest.raises(LimitReached):
        kept.spend("a")


def test_the_engine_heeds_it_for_remote_models_only() -> None:
    clock = FakeClock()
    far = FakeBackend(spec=other("far", family="remote"), clock=clock)
    near = FakeBackend(spec=other("near"), clock=clock)
    engine = Engine(ready_switchboard(near, far), clock, budget=Budget(2))
    inbox = Inbox()

    def refine(request_id: int, model: str) -> None:
        request = FrameRequest(model=model, prompt="a kite", width=64, height=64)
        submission = Submission(
            request_id=request_id, request=request, received_at=clock(), kind="refine"
        )
        engine.submit("page", submission)
        engine.remote_step()
        engine.step()

    engine.open_session("page", inbox)
    for request_id in range(1, 5):
        refine(request_id, "far")
    refine(5, "near")
    assert [event.request_id for event in inbox.of(Published)] == [1, 2, 5]
    failed = inbox.of(Failed)
    assert [event.request_id for event in failed] == [3, 4]
    assert isinstance(failed[0].error, LimitReached)
    assert far.steps_run == 2
    engine.close_session("page")
    engine.open_session("page", inbox)  # a reload does not fill it up again
    refine(6, "far")
    assert far.steps_run == 2


def test_sessions_of_one_account_share_its_pictures() -> None:
    clock = FakeClock()
    far = FakeBackend(spec=other("far", family="remote"), clock=clock)
    engine = Engine(ready_switchboard(far), clock, budget=Budget(1))
    request = FrameRequest(model="far", prompt="a kite", width=64, height=64)
    accounts = {"one": "address 1", "two": "address 1", "three": "address 2", "address 2": None}
    pictures = 0
    for session_id, account in accounts.items():
        inbox = Inbox()
        engine.open_session(session_id, inbox, account)
        engine.submit(session_id, Submission(request_id=1, request=request, received_at=clock()))
        engine.remote_step()
        engine.close_session(session_id)
        pictures += len(inbox.of(Published))
    assert pictures == 3, "a page cannot pass for an address by what it calls itself"


def test_what_was_never_sent_is_not_counted() -> None:
    clock = FakeClock()
    far = FakeBackend(spec=other("far", family="remote"), clock=clock, bad_prompt="fail")
    engine = Engine(ready_switchboard(far), clock, budget=Budget(2))
    inbox = Inbox()
    engine.open_session("page", inbox)
    refused: list[Exception | None] = [InvalidRequest("prompt", "", "words"), BackendFailure("no")]
    far.errors += refused * 3
    prompts = ["not sent"] * 6 + ["fail", "sent", "one too many"]
    for request_id, prompt in enumerate(prompts, start=1):
        request = FrameRequest(model="far", prompt=prompt, width=64, height=64)
        submission = Submission(
            request_id=request_id, request=request, received_at=clock(), kind="refine"
        )
        engine.submit("page", submission)
        engine.remote_step()
    assert [event.request_id for event in inbox.of(Published)] == [8]
    last = inbox.of(Failed)[-1]
    assert last.request_id == 9, "the one that failed was sent, and may have to be paid"
    assert isinstance(last.error, LimitReached)
