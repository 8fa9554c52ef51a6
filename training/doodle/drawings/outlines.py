"""Drawings of the second hand: outlines with one pen of one colour, nothing filled."""

from __future__ import annotations

from training.doodle.drawings.strokes import Pen

INK, NAVY, MAROON, FOREST = "#222222", "#23418f", "#9c2b2b", "#2d6b35"


def cat_face(p: Pen) -> None:
    p.curve(INK, 16, 44, 14, 8, 36, 24)
    p.curve(INK, 64, 24, 86, 8, 84, 44)
    p.curve(INK, 36, 24, 50, 21, 64, 24)
    p.curve(INK, 16, 44, 14, 66, 30, 86, 50, 90, 70, 86, 86, 66, 84, 44)
    p.dots(INK, 35, 50, 65, 50, radius=3.5)
    p.poly(INK, 46, 62, 54, 62, 50, 67)
    p.curve(INK, 50, 67, 44, 75, 37, 71)
    p.curve(INK, 50, 67, 56, 75, 63, 71)
    for y in (62, 70):
        p.line(INK, 26, y, 4, y - 4)
        p.line(INK, 74, y, 96, y - 4)


def rabbit_face(p: Pen) -> None:
    p.curve(INK, 36, 40, 24, 12, 34, 2, 44, 14, 46, 36)
    p.curve(INK, 54, 36, 56, 14, 66, 2, 76, 12, 64, 40)
    p.oval(INK, 50, 66, 33, 30)
    p.dots(INK, 38, 60, 62, 60, radius=3.2)
    p.poly(INK, 46, 70, 54, 70, 50, 75)
    p.curve(INK, 38, 80, 44, 83, 50, 75, 56, 83, 62, 80)


def bicycle(p: Pen) -> None:
    p.oval(NAVY, 22, 66, 20)
    p.oval(NAVY, 78, 66, 20)
    p.line(NAVY, 22, 66, 38, 38, 68, 38, 48, 66, 22, 66)
    p.line(NAVY, 48, 66, 36, 31)
    p.line(NAVY, 28, 30, 43, 30)
    p.line(NAVY, 78, 66, 66, 24, 78, 20)


def umbrella(p: Pen) -> None:
    p.arc(NAVY, 50, 46, 45, 38, 180, 360)
    p.curve(NAVY, 5, 46, 20, 38, 35, 46)
    p.curve(NAVY, 35, 46, 50, 38, 65, 46)
    p.curve(NAVY, 65, 46, 80, 38, 95, 46)
    p.curve(NAVY, 50, 42, 50, 84, 43, 94, 35, 86)
    p.line(NAVY, 50, 8, 50, 1)


def star(p: Pen) -> None:
    p.poly(INK, 50, 4, 62, 38, 97, 38, 69, 59, 79, 94, 50, 73, 21, 94, 31, 59, 3, 38, 38, 38)


def red_heart(p: Pen) -> None:
    red = "#d8232a"
    p.curve(
        red, 50, 30, 36, 10, 10, 16, 8, 42, 26, 68, 50, 92, 74, 68, 92, 42, 90, 16, 64, 10, 50, 30
    )


def cloud(p: Pen) -> None:
    p.curve(NAVY, 20, 76, 4, 66, 6, 50, 20, 46)
    p.curve(NAVY, 20, 46, 20, 26, 40, 20, 52, 32)
    p.curve(NAVY, 52, 32, 66, 24, 80, 34, 80, 48)
    p.curve(NAVY, 80, 48, 96, 50, 98, 68, 82, 76, 50, 77, 20, 76)


def crescent_moon(p: Pen) -> None:
    p.arc(INK, 46, 50, 42, 44, 60, 300)
    p.curve(INK, 67, 12, 46, 32, 44, 60, 67, 88)


def key(p: Pen) -> None:
    p.oval(INK, 24, 28, 20)
    p.oval(INK, 21, 25, 7)
    p.line(INK, 34, 46, 82, 92, 94, 92, 94, 80, 84, 80, 84, 72, 76, 72, 70, 64, 44, 39)


def scissors(p: Pen) -> None:
    p.oval(INK, 26, 80, 15)
    p.oval(INK, 74, 80, 15)
    p.line(INK, 35, 68, 72, 4)
    p.line(INK, 65, 68, 28, 4)
    p.dots(INK, 50, 42, radius=2.5)


def glasses(p: Pen) -> None:
    p.oval(INK, 26, 54, 20, 17)
    p.oval(INK, 74, 54, 20, 17)
    p.arc(INK, 50, 53, 6, 6, 180, 360)
    p.line(INK, 6, 50, 0, 38)
    p.line(INK, 94, 50, 100, 38)


def envelope(p: Pen) -> None:
    p.poly(INK, 4, 24, 96, 24, 96, 80, 4, 80)
    p.line(INK, 4, 24, 50, 56, 96, 24)


def airplane(p: Pen) -> None:
    p.smooth(NAVY, 2, 50, 14, 42, 60, 43, 94, 44, 97, 50, 94, 56, 60, 57, 14, 58)
    p.line(NAVY, 40, 43, 58, 8, 68, 8, 62, 43)
    p.line(NAVY, 40, 57, 58, 92, 68, 92, 62, 57)
    p.line(NAVY, 82, 44, 90, 28, 97, 28, 94, 44)
    p.line(NAVY, 82, 56, 90, 72, 97, 72, 94, 56)


def bell(p: Pen) -> None:
    p.curve(INK, 10, 76, 26, 60, 28, 30, 50, 14, 72, 30, 74, 60, 90, 76)
    p.line(INK, 10, 76, 90, 76)
    p.arc(INK, 50, 78, 11, 11, 0, 180)
    p.oval(INK, 50, 9, 5)


def light_bulb(p: Pen) -> None:
    p.curve(INK, 38, 72, 34, 58, 16, 42, 24, 14, 50, 4, 76, 14, 84, 42, 66, 58, 62, 72)
    p.line(INK, 38, 72, 62, 72, 60, 92, 40, 92, 38, 72)
    p.line(INK, 38, 79, 62, 79)
    p.line(INK, 39, 86, 61, 86)
    p.line(INK, 45, 71, 40, 46, 50, 54, 60, 46, 55, 71)


def crown(p: Pen) -> None:
    p.poly(INK, 12, 84, 4, 30, 28, 52, 50, 14, 72, 52, 96, 30, 88, 84)
    p.line(INK, 14, 72, 86, 72)
    for x, y in ((4, 25), (50, 9), (96, 25)):
        p.oval(INK, x, y, 5)


def t_shirt(p: Pen) -> None:
    p.poly(
        FOREST, 34, 12, 12, 20, 0, 46, 18, 54, 25, 44, 25, 92, 75, 92, 75, 44, 82, 54, 100,
        46, 88, 20, 66, 12
    )  # fmt: skip
    p.arc(FOREST, 50, 12, 16, 13, 0, 180)


def elephant(p: Pen) -> None:
    p.curve(INK, 34, 30, 60, 18, 90, 30, 94, 56, 92, 88)
    p.line(INK, 92, 88, 78, 88, 76, 68)
    p.curve(INK, 76, 68, 64, 72, 54, 68)
    p.line(INK, 54, 68, 54, 88, 40, 88, 38, 62)
    p.curve(INK, 38, 62, 28, 60, 20, 66, 20, 82, 8, 84)
    p.curve(INK, 8, 84, 8, 66, 6, 46, 14, 28, 34, 26)
    p.curve(INK, 34, 28, 52, 30, 50, 52, 36, 56, 30, 44)
    p.curve(INK, 94, 44, 99, 52, 98, 62)
    p.dots(INK, 19, 40, radius=2.4)


def giraffe(p: Pen) -> None:
    brown = "#7d5320"
    p.line(brown, 26, 20, 8, 26, 8, 34, 24, 34)
    p.line(brown, 24, 34, 32, 62, 30, 98, 38, 98, 42, 72)
    p.line(brown, 42, 72, 70, 72, 72, 98, 80, 98, 82, 60)
    p.curve(brown, 82, 60, 74, 52, 48, 50, 36, 18, 26, 20)
    p.line(brown, 28, 20, 26, 8)
    p.line(brown, 34, 20, 34, 8)
    p.curve(brown, 82, 60, 90, 66, 88, 78)
    p.dots(brown, 20, 26, radius=1.6)
    for x, y in ((34, 34), (38, 48), (50, 60), (62, 58), (72, 64), (44, 66)):
        p.oval(brown, x, y, 3.5)


def snail(p: Pen) -> None:
    p.curve(
        MAROON, 62, 50, 56, 42, 46, 50, 54, 64, 72, 58, 72, 34, 50, 26, 32, 42, 34, 68, 54,
        78, 76, 74, 84, 52
    )  # fmt: skip
    p.curve(MAROON, 34, 66, 22, 62, 20, 38, 10, 36, 4, 48, 8, 70, 26, 84, 60, 86, 97, 86, 80, 72)
    p.line(MAROON, 10, 36, 4, 18)
    p.line(MAROON, 18, 36, 22, 18)
    p.dots(MAROON, 4, 16, 22, 16, radius=2.5)


def cupcake(p: Pen) -> None:
    p.poly(MAROON, 20, 54, 80, 54, 70, 95, 30, 95)
    for top, bottom in ((35, 40), (50, 50), (65, 60)):
        p.line(MAROON, top, 54, bottom, 95)
    p.curve(
        MAROON, 18, 54, 8, 42, 24, 34, 24, 20, 44, 18, 50, 8, 58, 18, 76, 22, 76, 34, 92, 42, 82, 54
    )
    p.oval(MAROON, 50, 5, 5)


def hot_beverage(p: Pen) -> None:
    p.line(INK, 12, 40, 18, 86, 64, 86, 72, 40)
    p.oval(INK, 42, 40, 30, 7)
    p.curve(INK, 70, 50, 92, 46, 92, 70, 66, 74)
    for x in (30, 44, 58):
        p.curve(INK, x, 28, x - 5, 20, x + 4, 12, x, 4)


def teapot(p: Pen) -> None:
    p.oval(NAVY, 50, 58, 30, 28)
    p.curve(NAVY, 22, 66, 10, 56, 10, 42, 0, 36, 12, 34, 20, 40, 27, 44)
    p.curve(NAVY, 74, 42, 97, 34, 97, 62, 78, 72)
    p.arc(NAVY, 50, 32, 17, 9, 180, 360)
    p.oval(NAVY, 50, 18, 5)


def anchor(p: Pen) -> None:
    p.oval(NAVY, 50, 12, 9)
    p.line(NAVY, 50, 21, 50, 94)
    p.line(NAVY, 28, 34, 72, 34)
    p.curve(NAVY, 8, 60, 18, 84, 50, 94, 82, 84, 92, 60)
    p.line(NAVY, 2, 70, 8, 58, 20, 66)
    p.line(NAVY, 80, 66, 92, 58, 98, 70)


def pencil(p: Pen) -> None:
    p.line(INK, 4, 96, 10, 72, 76, 6, 94, 24, 28, 90, 4, 96)
    p.line(INK, 10, 72, 28, 90)
    p.line(INK, 68, 14, 86, 32)


def camera(p: Pen) -> None:
    p.poly(INK, 4, 32, 30, 32, 36, 20, 64, 20, 70, 32, 96, 32, 96, 82, 4, 82)
    p.oval(INK, 50, 56, 19)
    p.oval(INK, 50, 56, 10)
    p.oval(INK, 84, 42, 4)


def spider(p: Pen) -> None:
    p.oval(INK, 50, 60, 20)
    p.oval(INK, 50, 34, 11)
    for side in (-1, 1):
        for y, knee, foot in ((36, 14, 4), (42, 34, 30), (48, 56, 66), (54, 70, 92)):
            p.line(INK, 50 + 11 * side, y, 50 + 33 * side, knee, 50 + 47 * side, foot)
    p.dots(INK, 46, 32, 54, 32, radius=2)


def castle(p: Pen) -> None:
    p.line(INK, 4, 94, 4, 34, 32, 34, 32, 94)
    p.line(INK, 68, 94, 68, 34, 96, 34, 96, 94)
    p.poly(INK, 0, 34, 18, 6, 36, 34)
    p.poly(INK, 64, 34, 82, 6, 100, 34)
    p.line(INK, 32, 56, 38, 56, 38, 48, 46, 48, 46, 56, 54, 56, 54, 48, 62, 48, 62, 56, 68, 56)
    p.line(INK, 4, 94, 96, 94)
    p.curve(INK, 41, 94, 42, 74, 50, 68, 58, 74, 59, 94)
    p.poly(INK, 14, 48, 22, 48, 22, 60, 14, 60)
    p.poly(INK, 78, 48, 86, 48, 86, 60, 78, 60)
