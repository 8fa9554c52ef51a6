"""What one page is told, and how often."""

from __future__ import annotations

import asyncio
import json
import zlib
from bisect import bisect_left
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st

from tests.browser.lane_client import jpeg
from tests.fakes import FAKE, FakeBackend, InlineSwitchboard, other, ready_switchboard
from tests.web.test_outbox import finish, published
from tests.web.test_wire import framed, json_values
from turbo_ui.backends.base import LoadReport
from turbo_ui.catalog import ModelSpec
from turbo_ui.errors import ModelUnavailable, ProtocolError
from turbo_ui.live.engine import Engine
from turbo_ui.live.events import Event, ModelState
from turbo_ui.live.switchboard import Switchboard
from turbo_ui.settings import Settings
from turbo_ui.web.outbox import Header
from turbo_ui.web.roster import Roster
from turbo_ui.web.session import PageSession
from turbo_ui.web.wire import Message, pack, unpack


def with_session(
    run: Callable[[PageSession], Awaitable[None]], board: Switchboard | None = None
) -> None:
    """Runs a test on the session of a page whose engine never draws by itself."""

    async def inside() -> None:
        engine = Engine(board or ready_switchboard(FakeBackend()))
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


KINDS = ("frame", "refine", "load", "save", "ping")
ANSWERS = frozenset({"error", "frame", "refine", "png", "pong"})
INFINITE = float("inf")
BAD_NUMBERS = (-1, 0.5, 1e308, 10**400, INFINITE, -INFINITE, float("nan"), True)
RED = jpeg((220, 30, 30), 64)
garbage = json_values | st.sampled_from(BAD_NUMBERS) | st.text(st.characters())


def mostly(known: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """What the protocol knows, but for one time in eight: else no message would get far."""
    return st.integers(0, 7).flatmap(lambda turn: known if turn else garbage)


def one_of(*values: object) -> st.SearchStrategy[Any]:
    return mostly(st.sampled_from(values))


def pair(*values: int) -> st.SearchStrategy[Any]:
    return mostly(st.lists(one_of(*values), min_size=2, max_size=2))


params = st.fixed_dictionaries(
    {},
    optional={
        "prompt": one_of("a kite", "\ud83d", "x" * 2001),
        "model": one_of("fake", "fine", "far"),
        "strength": one_of(0.5, 1),
        "seed": one_of(0, 7),
        "num_inference_steps": one_of(1),
        "guidance_scale": one_of(0),
        "width": one_of(64, 128),
        "height": one_of(64, 128),
        "unknown": garbage,
    },
)
patch = st.fixed_dictionaries(
    {"sheet": pair(64), "at": pair(0, 0, 0, 8), "size": pair(64, 64, 8, 0)},
    optional={"is_first": one_of(True, True, False)},
)
headers = st.fixed_dictionaries(
    {"kind": st.sampled_from(KINDS), "request_id": one_of(1, 2)},
    optional={
        "params": mostly(params),
        "patch": mostly(patch),
        "image": one_of(None),
        "model": one_of("fake", "fine", "far"),
        "at": garbage,
    },
)
payloads = st.binary(max_size=40) | st.sampled_from(
    [b"", RED, RED[:200], zlib.compress(bytes(64 * 64 * 3)), zlib.compress(bytes(8 * 8 * 3))]
)


async def answered(session: PageSession, kind: str) -> list[Header]:
    """What a page is told until its message is answered; the engine draws what is asked for."""
    told: list[Header] = []
    last = {*ANSWERS, "models"} if kind == "load" else ANSWERS
    async with asyncio.timeout(20):
        while not any(header["kind"] in last for header in told):
            while session.engine.step() or session.engine.remote_step():
                pass
            await asyncio.sleep(0.001)
            while not session.outbox.is_empty:
                header, payload = await session.next_message()
                assert unpack(pack(header, payload)).kind == header["kind"]
                told.append(header)
    return told


async def say(session: PageSession, header: dict[str, Any], payload: bytes) -> list[Header]:
    """What a page is told of one message, which comes the way that the lane brings it."""
    written = json.dumps(header).replace("Infinity", "1e999")
    try:
        message = unpack(framed(written.encode(), payload))
    except ProtocolError as error:
        session.error("protocol", error.user_text)
    else:
        session.receive(message)
    return await answered(session, header["kind"])


@given(st.lists(st.tuples(headers, payloads), max_size=6))
@example([({"kind": "ping", "at": INFINITE}, b"")])
@example([({"kind": "frame", "request_id": 1, "params": {"strength": 10**400}}, b"")])
def test_whatever_a_page_says_is_answered_and_no_error_of_ours(
    messages: list[tuple[dict[str, Any], bytes]],
) -> None:
    async def inside() -> None:
        specs = (FAKE, other("fine"), other("far", family="remote"))
        engine = Engine(ready_switchboard(*(FakeBackend(spec) for spec in specs)))
        with ThreadPoolExecutor(1) as codec:
            session = PageSession("s", engine, Roster(engine.switchboard), Settings(), codec)
            engine.open_session("s", session.publish)
            submitting = asyncio.create_task(session.submit_drafts())
            for header, payload in messages:
                for told in await say(session, header, payload):
                    assert told["kind"] != "error" or (told["code"] and told["text"])
                assert not submitting.done(), submitting.exception()
            submitting.cancel()

    finish(inside())


def test_a_refine_of_a_model_that_is_not_known_yet_is_refused_until_it_is() -> None:
    """And not drawn at the size and steps of another."""
    unknown = other("unknown", is_provisional=True)
    known = replace(unknown, default_size_px=128, default_num_inference_steps=4, revision="abc")
    backend = FakeBackend(replace(known, is_provisional=False))

    def load(spec: ModelSpec, report: LoadReport) -> FakeBackend:
        if not is_reached:
            raise ModelUnavailable(spec.id, "the hub cannot be reached")
        report("downloading", "It is of a family.", spec=known)
        report("loading", "It is here.", spec=backend.spec)
        return backend

    async def run(session: PageSession) -> None:
        nonlocal is_reached
        board = session.roster.switchboard
        assert isinstance(board, InlineSwitchboard)
        session.engine.open_session("s", session.publish)
        submitting = asyncio.create_task(session.submit_drafts())
        wanted = {"kind": "refine", "request_id": 1, "model": "unknown", "image": None}

        async def told() -> Header:
            return next(
                each
                for each in await say(session, wanted, b"")
                if each["kind"] in ("error", "refine")
            )

        early = await told()
        assert (early["kind"], early["code"], early["request_id"]) == ("error", "failed", 1)
        assert "wait until it is ready" in early["text"]
        assert board.standings.of("unknown").state == "loading", "it is loaded meanwhile"
        board.load_next()
        assert "the hub cannot be reached" in (await told())["text"]
        assert board.standings.of("unknown").state == "failed", "and not tried again by itself"
        is_reached = True
        board.request("unknown")
        board.load_next()
        assert (await told())["kind"] == "refine"
        submitting.cancel()
        ((asked,),) = backend.calls
        assert (asked.width, asked.height) == (128, 128)
        assert (asked.num_inference_steps, asked.revision) == (4, "abc")

    is_reached = False
    with_session(run, InlineSwitchboard([unknown], load))


def test_what_is_nested_about_as_deeply_as_can_be_read_is_answered() -> None:
    def read(depth: int) -> Message | None:
        seed = b"[" * depth + b"]" * depth
        header = b'{"kind":"frame","request_id":1,"params":{"seed":' + seed + b"}}"
        try:
            return unpack(framed(header))
        except ProtocolError:
            return None

    async def run(session: PageSession) -> None:
        too_deep = bisect_left(range(100_000), True, key=lambda depth: read(depth) is None)
        # more can be read here than in there, which is farther down the stack
        for depth in range(too_deep - 20, too_deep + 20):
            message = read(depth)
            if message is not None:
                session.receive(message)
                [told] = await heard(session)
                assert (told["kind"], told["request_id"]) == ("error", 1)
                assert told["text"]

    with_session(run)
