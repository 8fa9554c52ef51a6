"""What one page is told, and how often."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

from tests.fakes import FakeBackend, ready_switchboard
from tests.web.test_outbox import finish, published
from turbo_ui.live.engine import Engine
from turbo_ui.live.events import Event, ModelState
from turbo_ui.settings import Settings
from turbo_ui.web.outbox import Header
from turbo_ui.web.roster import Roster
from turbo_ui.web.session import PageSession


def with_session(run: Callable[[PageSession], Awaitable[None]]) -> None:
    """Runs a test on the session of a page whose engine never draws."""

    async def inside() -> None:
        engine = Engine(ready_switchboard(FakeBackend()))
        with ThreadPoolExecutor(1) as codec:
            await run(PageSession("s", engine, Roster(engine.switchboard), Settings(), codec))

    finish(inside())


async def heard(session: PageSession, *events: Event) -> list[Header]:
    """What a page that has read nothing for a while is told of these events."""
    for event in events:
        session.publish(event)
    await asyncio.sleep(0)  # they cross to this loop
    found: list[Header] = []
    while not session.outbox.is_empty:
        header, _ = await asyncio.wait_for(session.next_message(), 5)
        found.append(header)
    return found


def test_a_slow_reader_learns_what_became_of_its_requests() -> None:
    """Else a page would take a request that is over for one that still runs."""

    def told(headers: list[Header]) -> list[tuple[str, Any]]:
        return [(header["kind"], header["request_id"]) for header in headers]

    async def run(session: PageSession) -> None:
        preview = published(2, "refine", is_last=False)
        refined = told(await heard(session, published(1), preview, published(2, "refine")))
        assert refined == [("frame", 1), ("refine", 2)], "the draft is not lost to its refine"
        preview = published(3, is_last=False)
        drawn = told(await heard(session, preview, published(3), published(4)))
        assert drawn == [("superseded", 3), ("frame", 4)]
        assert session.num_replaced == 1, "a preview that gave way to its own picture is none"

    with_session(run)


def test_a_model_that_is_put_away_is_noticed_once_though_more_is_told_before_it_is_read() -> None:
    text = "Fake was put away to make room for Other."
    gone = ModelState(model_id="fake", state="evicted", text=text)
    later = ModelState(model_id="fake", state="evicted", text=text, file_hash="FB64610BF8")

    async def run(session: PageSession) -> None:
        headers = await heard(session, gone, later)
        notices = [header for header in headers if header["kind"] == "notice"]
        assert notices == [{"kind": "notice", "code": "model", "text": text, "level": "info"}]

    with_session(run)


def test_what_became_of_a_model_before_the_page_came_is_no_news() -> None:
    failed = ModelState(model_id="fake", state="failed", text="It is gated.")

    async def run(session: PageSession) -> None:
        session.roster.switchboard.standings.set(failed)
        late = PageSession("late", session.engine, session.roster, Settings(), session.codec)
        headers = await heard(late, replace(failed, file_hash="FB64610BF8"))
        assert [header["kind"] for header in headers] == ["models"]

    with_session(run)


def test_a_failure_is_noticed_once_and_again_when_it_fails_again() -> None:
    failed = ModelState(model_id="fake", state="failed", text="It is gated.")
    again = ModelState(model_id="fake", state="loading", text="Loading.")

    async def notices(session: PageSession, *events: Event) -> list[str]:
        headers = await heard(session, *events)
        assert [header["kind"] for header in headers].count("models") == 1
        return [header["text"] for header in headers if header["kind"] == "notice"]

    async def run(session: PageSession) -> None:
        named = replace(failed, file_hash="FB64610BF8")
        assert await notices(session, failed) == ["It is gated."]
        assert await notices(session, named) == []
        assert await notices(session, again, named) == ["It is gated."]

    with_session(run)
