"""Errors carry what a user can be told."""

from __future__ import annotations

import pytest

from turbo_ui import errors


def test_an_invalid_request_names_field_value_and_allowed() -> None:
    error = errors.InvalidRequest("strength", 3, "a number above 0 and at most 1")
    assert (error.field, error.value, error.allowed) == (
        "strength",
        3,
        "a number above 0 and at most 1",
    )
    assert error.user_text == "strength is 3; allowed: a number above 0 and at most 1"


def nested(depth: int) -> list:
    value: list = []
    for _ in range(depth):
        value = [value]
    return value


HUGE = ["x" * 10**6, b"y" * 10**6, list(range(10**5)), 10**5000, nested(10**5)]


@pytest.mark.parametrize("value", HUGE, ids=lambda value: type(value).__name__)
def test_a_huge_value_is_shown_short(value: object) -> None:
    assert len(str(errors.InvalidRequest("prompt", value, "less"))) < 200


def test_a_missing_model_says_why_and_what_to_do() -> None:
    error = errors.ModelUnavailable("sd-turbo", "the hub cannot be reached", "Go online.")
    assert error.user_text == "sd-turbo is not available: the hub cannot be reached. Go online."


def test_a_failure_does_not_show_its_insides_to_the_user() -> None:
    error = errors.BackendFailure("tensor a (3) must match tensor b (4)")
    assert "tensor" in str(error)
    assert "tensor" not in error.user_text
    assert "memory" in errors.OutOfMemory("CUDA out of memory").user_text


def test_the_tree_is_the_one_that_is_drawn() -> None:
    drawn = errors.__doc__ or ""
    classes = [
        thing
        for thing in vars(errors).values()
        if isinstance(thing, type) and issubclass(thing, Exception)
    ]
    for thing in classes:
        assert thing.__name__ in drawn
        assert issubclass(thing, errors.TurboUIError)


def test_what_caused_an_error_is_followed_to_its_end_and_no_further() -> None:
    first, second, third = ValueError("1"), OSError("2"), RuntimeError("3")
    first.__cause__, second.__cause__ = second, third
    assert errors.causes(first) == [first, second, third]
    third.__cause__ = first
    assert errors.causes(first) == [first, second, third]
