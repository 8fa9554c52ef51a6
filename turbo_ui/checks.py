"""Checks of single values: each gives the value back in its plain type, or says what is allowed."""

from __future__ import annotations

import math
from typing import Any, cast

import numpy as np

from turbo_ui.errors import InvalidRequest


def text(field: str, value: object, max_chars: int, min_chars: int = 0) -> str:
    """A `str` of so many characters, each of them whole: a lone surrogate, half a character, can
    be neither encoded nor drawn from."""
    span = f"{min_chars} to {max_chars}" if min_chars else f"at most {max_chars}"
    allowed = f"a text of {span} characters"
    if not isinstance(value, str):
        raise InvalidRequest(field, value, allowed)
    if not min_chars <= len(value) <= max_chars:
        raise InvalidRequest(field, f"a text of {len(value)} characters", allowed)
    try:
        value.encode()
    except UnicodeEncodeError:
        raise InvalidRequest(field, value, f"{allowed}, none of them half a character") from None
    return value


def integer(field: str, value: Any, low: int, high: int, step: int = 1) -> int:
    """A whole number, Python's or numpy's, from `low` to `high`, a multiple of `step`."""
    kind = "a whole number" if step == 1 else f"a multiple of {step}"
    allowed = f"{kind} from {low} to {high}"
    if isinstance(value, bool) or not isinstance(value, int | np.integer):
        raise InvalidRequest(field, value, allowed)
    number = int(cast("int", value))
    if not low <= number <= high or number % step:
        raise InvalidRequest(field, number, allowed)
    return number


def number(
    field: str, value: Any, low: float, high: float, *, is_low_allowed: bool = True
) -> float:
    """A finite number, Python's or numpy's, from `low` (or above it) to `high`."""
    allowed = f"a number from {low:g} to {high:g}"
    if not is_low_allowed:
        allowed = f"a number above {low:g} and at most {high:g}"
    if isinstance(value, bool) or not isinstance(value, int | float | np.integer | np.floating):
        raise InvalidRequest(field, value, allowed)
    try:
        answer = float(cast("float", value))
    except OverflowError:  # a whole number of hundreds of digits
        raise InvalidRequest(field, cast("int", value), allowed) from None
    is_too_low = answer < low or (answer == low and not is_low_allowed)
    if not math.isfinite(answer) or is_too_low or answer > high:
        raise InvalidRequest(field, answer, allowed)
    return answer


def one_of(field: str, value: object, allowed: tuple[object, ...]) -> None:
    """One of these."""
    if value not in allowed:
        raise InvalidRequest(field, value, ", ".join(str(item) for item in allowed))
