"""What a setting may be, in words, read from its pydantic field."""

from __future__ import annotations

from typing import Any, get_args

from pydantic.fields import FieldInfo


def allowed(field: FieldInfo, unit: str) -> str:
    """The values of a field: "a whole number from 0 to 5000", "auto, full, tiny".

    Args:
        field: of a number, a text, or one of several words.
        unit: what a field that is no number may be, in words; a number's name tells its unit.
    """
    kinds = {field.annotation, *get_args(field.annotation)}
    if int in kinds or float in kinds:
        return f"{'a whole number' if int in kinds else 'a number'} {_range(field)}"
    most = _bound(field, "max_length")
    at_most = f", at most {most} characters" if most else ""
    return f"{unit}{at_most}{', not empty' if _bound(field, 'min_length') else ''}"


def _range(field: FieldInfo) -> str:
    above, least, most = (_bound(field, name) for name in ("gt", "ge", "le"))
    if least is not None and most is not None:
        return f"from {least} to {most}"
    parts = {"above": above, "of at least": least, "up to": most}
    return " and ".join(f"{words} {bound}" for words, bound in parts.items() if bound is not None)


def _bound(field: FieldInfo, name: str) -> Any:
    return next((getattr(each, name) for each in field.metadata if hasattr(each, name)), None)
