"""The limits of the embedded model, and the tables of its card."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

BEGIN, END = "<!-- eval:begin -->", "<!-- eval:end -->"
DASH = "–"


class Limit(NamedTuple):
    """One promise: where the number stands in the results, and what it must be.

    Attributes:
        key: short name.
        title: for people.
        path: keys down to the number; for a quality the painter's name comes before them.
        sign: "≥" or "≤".
        bound: what it must be.
        digits: decimals shown.
        of_painter: measured for the baselines too.
    """

    key: str
    title: str
    path: tuple[str, ...]
    sign: str
    bound: float
    digits: int = 1
    of_painter: bool = True


LIMITS = (
    Limit("size", "size on disk, MB", ("machine", "size_mb"), "≤", 60, 1, False),
    Limit(
        "memory", "peak memory of a process, MB", ("machine", "peak_memory_mb"), "≤", 1200, 0, False
    ),
    Limit(
        "speed", "frames/s, sketch to picture", ("machine", "frames_per_second"), "≥", 8, 1, False
    ),
    Limit("text_top1", "text alone: top-1, %", ("text", "top1"), "≥", 75),
    Limit("text_top5", "text alone: top-5, %", ("text", "top5"), "≥", 92),
    Limit("sketch_top1", "sketch + text: top-1, %", ("sketch", "top1"), "≥", 85),
    Limit("sketch_top5", "sketch + text: top-5, %", ("sketch", "top5"), "≥", 95),
    Limit("sketch_iou", "sketch + text: IoU with the sketch", ("sketch", "iou"), "≥", 0.75, 3),
    Limit("drawings_top5", "drawings by hand: top-5, %", ("drawings", "top5"), "≥", 80),
    Limit("drawings_iou", "drawings by hand: IoU", ("drawings", "iou"), "≥", 0.65, 3),
    Limit("pairs", "two objects: both at their places, %", ("pairs", "both_top1"), "≥", 70),
    Limit("synonyms_top5", "words kept from training: top-5, %", ("synonyms", "top5"), "≥", 60),
    Limit("calm", "change far from an added stroke, /255", ("calm",), "≤", 4, 2),
)


def limits(results: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Each limit with the measured number, the baselines' numbers and whether it is met.

    The number is judged as it was measured: 59.96 does not meet "at least 60".

    Args:
        results: what the evaluation measured.
    """
    rows = []
    for limit in LIMITS:
        names = ("model", "identity", "paste") if limit.of_painter else (None,)
        found = [_walk(results, ((name,) if name else ()) + limit.path) for name in names]
        is_met = found[0] >= limit.bound if limit.sign == "≥" else found[0] <= limit.bound
        rows.append(
            {
                "key": limit.key,
                "title": limit.title,
                "limit": f"{limit.sign} {limit.bound:g}",
                "value": found[0],
                "is_met": is_met,
                "identity": found[1] if limit.of_painter else None,
                "paste": found[2] if limit.of_painter else None,
                "digits": limit.digits,
            }
        )
    return rows


def _walk(results: Mapping[str, Any], path: tuple[str, ...]) -> float:
    value: Any = results
    for key in path:
        value = value[key]
    return value


def _table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    lines = [head, ("---",) + ("--:",) * (len(head) - 1), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _show(value: float | None, digits: int) -> str:
    return DASH if value is None else f"{value:.{digits}f}"


def _show_measured(row: Mapping[str, Any]) -> str:
    """The number, rounded; where that would turn a miss into the bound itself, one digit off it."""
    text, (sign, bound) = _show(row["value"], row["digits"]), row["limit"].split()
    if row["is_met"] or float(text) != float(bound):
        return text
    step = 10 ** -row["digits"]
    return _show(float(bound) + (step if sign == "≤" else -step), row["digits"])


def markdown(results: Mapping[str, Any]) -> str:
    """The card's evaluation tables."""
    parts = [
        _settings(results),
        _limits_table(results["limits"]),
        _groups_table(results),
        _strengths_table(results["strengths"]),
        _sharpness_table(results),
        "The examples, and what becomes of them:",
        "![Example sketches and their pictures at four strengths](contact_sheet.jpg)",
    ]
    if results["is_quick"]:
        parts.insert(0, "**A quick run over an eighth of the questions; not the card's numbers.**")
    return "\n\n".join(parts)


def _settings(results: Mapping[str, Any]) -> str:
    card, machine = results["card"], results["machine"]
    stages = ", ".join(
        f"{title} {machine[key]:.0f}"
        for title, key in (
            ("sketch in", "vae_encode_ms"),
            ("denoise", "denoise_ms"),
            ("picture out", "vae_decode_ms"),
        )
    )
    runs = machine["frame_ms_runs"]
    return (
        f"Speed: {_where(results['speed_card'])}. In the median of {len(runs)} processes a frame "
        f"takes {machine['frame_ms_p50']:.0f} ms ({runs[0]:.0f} to {runs[-1]:.0f}; p95 within one "
        f"{machine['frame_ms_p95']:.0f}; {stages}); loading takes {machine['load_s']:.1f} s.\n\n"
        f"Qualities: {_where(card)}. All at strength {card['strength']}, recognised among "
        f"{results['num_renders']} renders. *Identity* is the sketch itself, *paste* the render "
        "most like the sketch put in its place."
    )


def _where(card: Mapping[str, Any]) -> str:
    versions = ", ".join(f"{name} {number}" for name, number in card["versions"].items())
    return (
        f"{card['processor']}, {card['cores']} cores, {card['system']}, Python {card['python']}, "
        f"{versions}; {card['path']}; load average before it {card['load_average']}"
    )


def _limits_table(rows: list[dict[str, Any]]) -> str:
    body = [
        (
            row["title"],
            row["limit"],
            f"**{_show_measured(row)}**",
            "yes" if row["is_met"] else "**no**",
            _show(row["identity"], row["digits"]),
            _show(row["paste"], row["digits"]),
        )
        for row in rows
    ]
    return _table(("limit", "must be", "doodle", "met", "identity", "paste"), body)


def _groups_table(results: Mapping[str, Any]) -> str:
    titles = {
        "text": "text alone",
        "sketch": "sketch + text",
        "drawings": "drawings by hand",
        "drawings: blobs": "· coloured blobs",
        "drawings: pen": "· one pen",
        "drawings: brush": "· thick brush",
        "noto": "sketches of Noto emoji",
        "synonyms": "words kept from training, alone",
        "synonyms beside a sketch": "words kept from training + sketch",
        "other word": "another word than what is drawn",
        "no words": "sketch without words",
        "drawings without words": "drawings by hand without words",
        "no meaning": "words of no thing + sketch",
        "wider words": "wider words + sketch",
    }
    others = ("identity", "paste", "scene", "autoencoder")
    body = []
    for group, title in titles.items():
        own = results["model"][group]
        follows = (_show(own["iou"], 3), _show(own["lab"], 1))
        body.append(
            (
                title,
                str(own["num"]),
                _show(own["top1"], 1),
                _show(own["top5"], 1),
                *(DASH if group == "other word" else each for each in follows),
                *(_brief(results[name].get(group)) for name in others),
            )
        )
    head = ("questions", "number", "top-1 %", "top-5 %", "IoU", "Lab", *others)
    pairs = [_show(results[name]["pairs"]["both_top1"], 1) for name in ("scene", "autoencoder")]
    digits = {"num": 0}
    half = {
        key: _show(value, digits.get(key, 1))
        for key, value in results["model"]["half named"].items()
    }
    return _table(head, body) + (
        "\n\nIoU: what is drawn against what is painted. Lab: mean distance between the "
        "colours of the sketch's regions and the picture's there. Baselines: top-5 % / IoU. "
        "*Scene*: the render that the sketch was made from, the best that can be expected; "
        "*autoencoder*: the same after the model's autoencoder alone. "
        f"Two objects at their places: {pairs[0]} % of the scenes, {pairs[1]} % of these after the "
        "autoencoder alone. "
        f"Where two things are drawn and the left one is named ({half['num']} times), that one is "
        "recognised at its place in "
        f"{half['left_top1']} %, the other in {half['right_top1']} % "
        f"(top-5 {half['right_top5']} %). "
        "Sketches of Noto emoji (Apache-2.0) are made from another artist's pictures, none of "
        "which was trained on; sketches of other sets were. "
        '*Words of no thing*: "something", "asdf"; no caption said them. *Wider words* are tags of '
        'three things or more, such as "animal"; what is drawn tells which is meant. '
        "Words kept from training were in no caption; most are on the list of 59,000 words whose "
        "meaning the text encoder learns."
    )


def _brief(group: Mapping[str, Any] | None) -> str:
    return DASH if group is None else f"{_show(group['top5'], 1)} / {_show(group['iou'], 2)}"


def _sharpness_table(results: Mapping[str, Any]) -> str:
    columns = {
        "text": "text alone",
        "sketch": "sketch + text",
        "drawings": "drawings by hand",
        "noto": "sketches of Noto emoji",
    }
    rows = {"doodle": "model", "autoencoder alone": "autoencoder", "scene": "scene"}
    body = [
        (title, *(_show(results[name].get(group, {}).get("sharpness"), 2) for group in columns))
        for title, name in rows.items()
    ]
    return _table(("sharpness", *columns.values()), body) + (
        "\n\nRoot mean square gradient of lightness in and around what is painted, L* per pixel (a "
        "straight edge gives at most 50). –: no scene lies behind these questions."
    )


def _strengths_table(strengths: Mapping[str, Any]) -> str:
    body = []
    for strength, groups in strengths.items():
        numbers = [
            _show(groups[group][key], digits)
            for group in ("sketch", "drawings")
            for key, digits in (("top1", 1), ("top5", 1), ("iou", 3), ("lab", 1))
        ]
        body.append((strength, *numbers))
    one = ("top-1 %", "top-5 %", "IoU", "Lab")
    head = ("strength", *(f"sketch: {x}" for x in one), *(f"by hand: {x}" for x in one))
    return _table(head, body)


def write_block(file: Path, text: str) -> None:
    """Put text between the markers of a Markdown file; a file without them gets them at its end."""
    old = file.read_text(encoding="utf-8") if file.exists() else "# doodle\n"
    if BEGIN not in old:
        old = f"{old.rstrip()}\n\n{BEGIN}\n{END}\n"
    head, rest = old.split(BEGIN, 1)
    tail = rest.split(END, 1)[1]
    file.write_text(f"{head}{BEGIN}\n{text}\n{END}{tail}", encoding="utf-8")
