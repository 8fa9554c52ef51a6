"""Drawings of the third hand: a thick brush, a few strokes of colour, little detail."""

from __future__ import annotations

from training.doodle.drawings.strokes import Pen

BLACK, RED, ORANGE, YELLOW = "#202020", "#e23330", "#f4862a", "#f7cf32"
GREEN, FOREST, BLUE, PURPLE = "#43b04a", "#2c8444", "#3478e0", "#8250c8"
BROWN, PINK, SKY, GREY = "#85552f", "#f486b0", "#74bff2", "#8d949c"


def banana(p: Pen) -> None:
    p.curve(YELLOW, 24, 10, 26, 46, 50, 74, 90, 76, width=64)
    p.line(BROWN, 24, 6, 24, 12, width=26)


def rainbow(p: Pen) -> None:
    for radius, color in ((44, RED), (36, ORANGE), (28, YELLOW), (20, GREEN), (12, BLUE)):
        p.arc(color, 50, 72, radius, radius * 1.15, 180, 360, width=34)


def snake(p: Pen) -> None:
    p.curve(
        GREEN, 96, 80, 70, 88, 62, 66, 40, 58, 26, 74, 8, 66, 12, 40, 36, 30, 34, 16, 18,
        14, width=46
    )  # fmt: skip
    p.dots(BLACK, 20, 12, radius=2.2)
    p.line(RED, 12, 15, 3, 19, width=10)


def palm_tree(p: Pen) -> None:
    p.curve(BROWN, 50, 32, 54, 66, 46, 98, width=36)
    for x, y in ((6, 40), (10, 14), (90, 14), (95, 40), (52, 4)):
        p.curve(GREEN, 50, 30, (x + 50) / 2, y - 6 if abs(x - 50) > 10 else 18, x, y, width=34)


def evergreen_tree(p: Pen) -> None:
    p.line(BROWN, 50, 78, 50, 98, width=46)
    p.line(FOREST, 50, 8, 38, 28, 62, 30, 30, 48, 70, 50, 22, 70, 80, 72, width=46)


def tulip(p: Pen) -> None:
    p.line(GREEN, 50, 48, 50, 98, width=26)
    p.curve(GREEN, 50, 92, 26, 76, 22, 58, width=30)
    p.curve(GREEN, 50, 92, 74, 76, 78, 58, width=30)
    p.line(PINK, 34, 10, 38, 38, 50, 6, 50, 42, 66, 10, 60, 38, width=44)


def candle(p: Pen) -> None:
    p.line("#f3e3b4", 50, 44, 50, 92, width=110)
    p.line(BLACK, 50, 40, 50, 28, width=10)
    p.line(ORANGE, 50, 24, 50, 12, width=42)


def lollipop(p: Pen) -> None:
    p.line("#d8d8dc", 50, 55, 50, 98, width=22)
    p.oval(RED, 50, 32, 25, width=34)
    p.oval(YELLOW, 50, 32, 16, width=34)
    p.oval(BLUE, 50, 32, 7, width=34)


def high_voltage(p: Pen) -> None:
    p.line(ORANGE, 64, 6, 34, 50, 62, 50, 36, 94, width=48)


def fire(p: Pen) -> None:
    p.curve("#ee5a24", 26, 60, 38, 36, 50, 12, 60, 38, 74, 58, 66, 80, 34, 80, 26, 60, width=48)
    p.line(YELLOW, 50, 52, 50, 78, width=76)


def droplet(p: Pen) -> None:
    p.curve(BLUE, 50, 10, 34, 40, 26, 62, 38, 84, 62, 84, 74, 62, 66, 40, 50, 10)
    p.scribble(SKY, 50, 62, 20, 22, turns=5)


def musical_note(p: Pen) -> None:
    p.line(BLACK, 36, 78, 36, 18, 84, 10, 84, 70)
    p.line(BLACK, 36, 30, 84, 22)
    p.dots(BLACK, 26, 80, 74, 72, radius=11)


def cherries(p: Pen) -> None:
    p.curve(GREEN, 30, 66, 40, 34, 62, 8, width=20)
    p.curve(GREEN, 72, 70, 74, 40, 62, 8, width=20)
    p.dots(RED, 28, 74, 72, 78, radius=19)
    p.curve(FOREST, 64, 10, 80, 4, 94, 14, width=34)


def grapes(p: Pen) -> None:
    p.curve(BROWN, 52, 26, 50, 12, 58, 4, width=20)
    p.dots(
        PURPLE, 28, 36, 50, 34, 72, 36, 38, 54, 62, 54, 50, 72, 50, 88, 30, 50, 70, 50, radius=12
    )
    p.line(GREEN, 56, 18, 80, 10, width=40)


def flamingo(p: Pen) -> None:
    p.curve(PINK, 22, 24, 30, 8, 42, 18, 36, 36, 40, 54, width=26)
    p.scribble(PINK, 60, 56, 26, 14, turns=4)
    p.line(PINK, 58, 68, 58, 98, width=14)
    p.line(PINK, 68, 68, 54, 82, 66, 86, width=14)
    p.line(BLACK, 22, 24, 17, 32, width=20)


def crab(p: Pen) -> None:
    p.scribble(RED, 50, 60, 28, 20, turns=5)
    for side in (-1, 1):
        p.curve(RED, 50 + 28 * side, 52, 50 + 42 * side, 40, 50 + 36 * side, 22, width=28)
        p.line(RED, 50 + 36 * side, 22, 50 + 26 * side, 12, width=24)
        p.line(RED, 50 + 36 * side, 22, 50 + 46 * side, 10, width=24)
        for y in (66, 76):
            p.line(RED, 50 + 26 * side, y, 50 + 46 * side, y + 12, width=18)
    p.dots(BLACK, 42, 46, 58, 46, radius=4)


def octopus(p: Pen) -> None:
    for x, foot in ((28, 8), (40, 32), (60, 68), (72, 92)):
        p.curve(ORANGE, x, 52, (x + foot) / 2 - 3, 76, foot, 92, width=40)
    p.dots(ORANGE, 50, 36, radius=32)
    p.dots(BLACK, 40, 36, 60, 36, radius=4.5)


def hot_pepper(p: Pen) -> None:
    p.curve(RED, 68, 26, 68, 56, 46, 80, 16, 88, width=66)
    p.curve(GREEN, 66, 18, 68, 8, 76, 4, width=34)


def magnet(p: Pen) -> None:
    p.line(RED, 22, 68, 22, 40, width=64)
    p.arc(RED, 50, 40, 28, 26, 180, 360, width=64)
    p.line(RED, 78, 40, 78, 68, width=64)
    p.line(GREY, 22, 80, 22, 86, width=64)
    p.line(GREY, 78, 80, 78, 86, width=64)


def sun(p: Pen) -> None:
    p.scribble("#fbb72c", 50, 50, 22, 22, turns=5)
    for x, y in (
        (1, 0),
        (0.7, 0.7),
        (0, 1),
        (-0.7, 0.7),
        (-1, 0),
        (-0.7, -0.7),
        (0, -1),
        (0.7, -0.7),
    ):
        p.line("#fbb72c", 50 + 36 * x, 50 + 36 * y, 50 + 46 * x, 50 + 46 * y, width=24)


def alarm_clock(p: Pen) -> None:
    p.dots(RED, 24, 16, 76, 16, radius=12)
    p.oval(RED, 50, 54, 34, width=36)
    p.line(BLACK, 50, 34, 50, 54, 64, 60, width=14)
    p.line(RED, 28, 84, 18, 96, width=26)
    p.line(RED, 72, 84, 82, 96, width=26)


def pear(p: Pen) -> None:
    p.dots("#b5c934", 50, 66, radius=29)
    p.line("#b5c934", 50, 32, 50, 60, width=118)
    p.line(BROWN, 50, 16, 56, 4, width=18)


def ladder(p: Pen) -> None:
    p.line(BROWN, 30, 4, 24, 96, width=24)
    p.line(BROWN, 70, 4, 76, 96, width=24)
    for y in (20, 40, 60, 80):
        p.line(BROWN, 29, y, 71, y, width=20)


def broom(p: Pen) -> None:
    p.line(BROWN, 90, 6, 48, 56, width=24)
    p.line("#e6a53c", 46, 54, 16, 70, 50, 66, 20, 86, 58, 72, 36, 92, width=26)


def potted_plant(p: Pen) -> None:
    p.line(GREEN, 50, 66, 50, 22, width=18)
    for x, y in ((24, 40), (76, 34), (28, 14), (70, 8)):
        p.line(GREEN, 50, y + 18, x, y, width=40)
    p.line("#c8693a", 28, 68, 72, 68, width=36)
    p.line("#c8693a", 36, 80, 64, 80, 60, 92, 40, 92, width=32)
