"""The wire: what is packed comes back; what comes in is a message or an error, nothing else."""

from __future__ import annotations

import json

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from turbo_ui.errors import ProtocolError
from turbo_ui.web.wire import MAX_HEADER_BYTES, pack, unpack

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)  # fmt: skip


def framed(header: bytes, payload: bytes = b"") -> bytes:
    return len(header).to_bytes(4, "big") + header + payload


@given(st.dictionaries(st.text(), json_values), st.text(), st.binary())
def test_what_is_packed_comes_back(fields: dict[str, object], kind: str, payload: bytes) -> None:
    header = {**fields, "kind": kind}
    message = unpack(pack(header, payload))
    assert message.payload == payload
    assert message.header == header
    assert message.kind == kind
    # equal values may differ in kind: True is 1, and so is 1.0
    assert json.dumps(message.header) == json.dumps(header)


def test_half_a_character_travels_as_a_question_mark() -> None:
    assert unpack(pack({"kind": "error", "text": "a\ud83d"})).header["text"] == "a?"


@given(st.binary(max_size=400))
@example(b"")
@example(b"\x00\x00\x00\x02{}")
@example(b"\xff\xff\xff\xff{}")
@example(framed(b"[" * 60_000))
@example(framed(b'{"kind":' + b"9" * 6000 + b"}"))
@example(framed(b'{"kind":"frame","x":NaN}'))
@example(framed(b'{"kind":1}'))
@example(framed(b"null"))
def test_garbage_is_a_message_or_a_protocol_error(data: bytes) -> None:
    try:
        message = unpack(data)
    except ProtocolError:
        return
    assert isinstance(message.kind, str)


@given(json_values, st.binary(max_size=20))
def test_any_json_is_a_message_or_a_protocol_error(header: object, payload: bytes) -> None:
    try:
        message = unpack(framed(json.dumps(header).encode(), payload))
    except ProtocolError:
        return
    assert message.payload == payload


def test_a_huge_header_is_refused_before_it_is_read() -> None:
    data = framed(b'{"kind":"' + b"x" * MAX_HEADER_BYTES + b'"}')
    with pytest.raises(ProtocolError, match="at most"):
        unpack(data)


@pytest.mark.parametrize("number", ["1e999", "-1e999", "NaN", "Infinity", "-Infinity"])
def test_a_number_that_is_not_finite_is_named(number: str) -> None:
    with pytest.raises(ProtocolError, match=f"{number}, which is no finite number"):
        unpack(framed(f'{{"kind":"ping","at":[{number}]}}'.encode()))
