"""What has to go so that one more model fits."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.fakes import other
from turbo_ui.catalog import ModelSpec
from turbo_ui.errors import ModelUnavailable
from turbo_ui.live.room import Room, may_go

GB = 1_000_000_000


def model(name: str, size_gb: float) -> ModelSpec:
    return other(name, memory_bytes=int(size_gb * GB))


DOODLE = replace(model("doodle", 0.1), is_embedded=True)
REMOTE = model("remote", 0)
SMALL, MIDDLE, LARGE = model("small", 3), model("middle", 8), model("large", 30)
SUPPLE = model("supple", 30)
NEEDS_BYTES = {"supple": [19 * GB, 12 * GB, 7 * GB]}
"""What its plans take: as good as in full, without T5, with parts that take turns."""


@pytest.mark.parametrize(
    ("max_gb", "loaded", "wanted", "gone"),
    [
        (24, [DOODLE], SMALL, []),
        (24, [DOODLE, SMALL], MIDDLE, []),
        (10, [DOODLE, SMALL], MIDDLE, [SMALL]),
        (12, [DOODLE, SMALL, MIDDLE], model("new", 2), [SMALL]),
        (12, [DOODLE, MIDDLE, SMALL], model("new", 2), [MIDDLE]),
        (80, [DOODLE, SMALL, MIDDLE], LARGE, []),
        (40, [DOODLE, SMALL, MIDDLE], LARGE, [SMALL]),
        (31, [DOODLE, SMALL, MIDDLE], LARGE, [SMALL, MIDDLE]),
        (23, [DOODLE, SMALL], SUPPLE, []),
        (23, [DOODLE, MIDDLE], SUPPLE, [MIDDLE]),
        (23, [DOODLE, MIDDLE, model("tiny", 1)], SUPPLE, [MIDDLE]),
        (18, [DOODLE, SMALL], SUPPLE, []),
        (14, [DOODLE, SMALL], SUPPLE, [SMALL]),
        (12, [DOODLE, SMALL], SUPPLE, []),
        (12, [DOODLE, MIDDLE, SMALL], SUPPLE, [MIDDLE]),
        (10, [DOODLE, LARGE], REMOTE, []),
        (10, [SMALL], model("new", 5), []),
        (10, [SMALL, REMOTE], MIDDLE, [SMALL]),
    ],
)
def test_the_least_recently_used_go_and_no_more_than_must(
    max_gb: float, loaded: list[ModelSpec], wanted: ModelSpec, gone: list[ModelSpec]
) -> None:
    room = Room(int(max_gb * GB))
    assert room.to_evict(wanted, loaded, NEEDS_BYTES.get(wanted.id)) == gone


@pytest.mark.parametrize(
    ("max_gb", "loaded", "wanted", "said"),
    [
        (10, [SMALL], MIDDLE, ["8.0 GB", "7.0 GB for it beside Small"]),
        (5, [DOODLE, SMALL], SUPPLE, ["7.0 GB", "4.9 GB for it beside Doodle"]),
        (2, [], SMALL, ["3.0 GB", "2.0 GB for it"]),
    ],
)
def test_what_cannot_fit_says_how_much_is_missing_and_nothing_goes(
    max_gb: float, loaded: list[ModelSpec], wanted: ModelSpec, said: list[str]
) -> None:
    with pytest.raises(ModelUnavailable) as caught:
        Room(int(max_gb * GB)).to_evict(wanted, loaded, NEEDS_BYTES.get(wanted.id))
    for text in said:
        assert text in caught.value.reason
    assert "max_device_memory_bytes" in caught.value.remedy


def test_sizes_are_scaled_to_the_number_type() -> None:
    room = Room(10 * GB, scale=2.0)
    assert room.to_evict(SMALL, [DOODLE]) == []
    with pytest.raises(ModelUnavailable):
        room.to_evict(MIDDLE, [DOODLE])


def test_what_a_model_can_be_made_to_fit_is_not_scaled() -> None:
    """Its plan knows the number type already; on a CPU, half of its parts are in 8 bits."""
    room = Room(20 * GB, scale=2.0)
    assert room.to_evict(SUPPLE, [DOODLE], [int(18.1 * GB)]) == []
    with pytest.raises(ModelUnavailable, match=r"needs 19\.9 GB of memory and there are 19\.8 GB"):
        room.to_evict(SUPPLE, [DOODLE], [int(19.9 * GB)])
    beside = Room(42 * GB, scale=2.0)
    needs = [int(21.1 * GB), int(18.1 * GB)]
    assert beside.to_evict(SUPPLE, [DOODLE, MIDDLE], needs) == [], "it was 38 GB"


def test_nothing_goes_for_room_that_is_out_of_reach() -> None:
    """Without torchao a CPU would have to have all in full: the plan is the same with less."""
    room = Room(50 * GB, scale=2.0)
    needs = [int(60.9 * GB), int(41.9 * GB)]
    assert room.to_evict(SUPPLE, [DOODLE, SMALL], needs) == []
    assert room.to_evict(SUPPLE, [DOODLE, MIDDLE], needs) == [MIDDLE]


def test_the_only_model_that_works_stays() -> None:
    assert may_go([SMALL]) == []
    assert may_go([SMALL, MIDDLE]) == [SMALL]
    assert may_go([DOODLE, SMALL]) == [SMALL]
    assert may_go([DOODLE]) == []
