"""Drawings of the first hand: filled blobs of colour with a few lines on top.

Every function draws one object into the pen's box of 100 x 100 units (x right, y down).
"""

from __future__ import annotations

from training.doodle.drawings.strokes import Pen

BLACK, WHITE, GREY, DARK = "#1c1c1c", "#ffffff", "#9aa0a8", "#44484f"
RED, GREEN, LEAF, BLUE, SKY = "#e0282e", "#3fae49", "#2e8b3d", "#2f6fde", "#7cc4f5"
YELLOW, ORANGE, BROWN = "#f9cf2e", "#f5882a", "#8a5a34"
PINK, PURPLE, CREAM = "#f58fb4", "#7d4bc4", "#fdf1d6"


def red_apple(p: Pen) -> None:
    p.smooth(RED, 50, 28, 68, 20, 88, 32, 88, 58, 72, 88, 50, 86, 28, 88, 12, 58, 12, 32, 32, 20)
    p.curve(BROWN, 50, 30, 51, 18, 57, 8)
    p.smooth(GREEN, 56, 17, 68, 6, 82, 8, 72, 18)


def automobile(p: Pen) -> None:
    p.poly(RED, 22, 48, 34, 24, 68, 24, 82, 48, 97, 52, 97, 72, 3, 72, 3, 52)
    p.poly(SKY, 29, 47, 37, 31, 49, 31, 49, 47)
    p.poly(SKY, 54, 47, 54, 31, 65, 31, 74, 47)
    for x in (24, 76):
        p.oval(BLACK, x, 73, 11)
        p.oval(GREY, x, 73, 4)


def house(p: Pen) -> None:
    p.poly("#f2c98f", 16, 46, 84, 46, 84, 92, 16, 92)
    p.poly(RED, 4, 48, 50, 10, 96, 48)
    p.poly(BROWN, 43, 62, 59, 62, 59, 92, 43, 92)
    p.poly(SKY, 23, 58, 36, 58, 36, 72, 23, 72)
    p.poly(SKY, 66, 58, 79, 58, 79, 72, 66, 72)


def deciduous_tree(p: Pen) -> None:
    p.poly(BROWN, 43, 55, 57, 55, 60, 97, 40, 97)
    p.smooth(GREEN, 50, 4, 74, 12, 88, 34, 80, 58, 58, 68, 34, 66, 14, 54, 12, 30, 28, 10)


def sailboat(p: Pen) -> None:
    p.line(BROWN, 50, 6, 50, 72, width=9)
    p.poly("#f7a928", 54, 10, 92, 66, 54, 66)
    p.poly("#fbdc84", 45, 18, 45, 66, 12, 66)
    p.poly(BROWN, 6, 73, 94, 73, 80, 92, 22, 92)


def fish(p: Pen) -> None:
    p.poly(BLUE, 70, 50, 97, 26, 92, 50, 97, 76)
    p.smooth("#49a3f0", 4, 52, 22, 30, 48, 24, 76, 48, 78, 54, 50, 78, 22, 74)
    p.smooth(BLUE, 36, 27, 54, 10, 62, 32)
    p.oval(WHITE, 22, 46, 6)
    p.oval(BLACK, 21, 46, 3)


def sunflower(p: Pen) -> None:
    p.curve(LEAF, 50, 50, 52, 75, 50, 98, width=14)
    p.smooth(GREEN, 52, 84, 66, 70, 82, 72, 68, 84)
    for cx, cy in ((50, 10), (70, 18), (78, 37), (70, 56), (50, 64), (30, 56), (22, 37), (30, 18)):
        p.oval(YELLOW, cx, cy, 13)
    p.oval("#6b4021", 50, 37, 17)


def snowman(p: Pen) -> None:
    p.oval("#dfe9f3", 50, 72, 30, 26)
    p.oval("#e9f1f8", 50, 34, 21)
    p.poly(DARK, 32, 18, 68, 18, 68, 13, 61, 13, 60, -4, 40, -4, 39, 13, 32, 13)
    p.line(RED, 31, 50, 69, 50, width=22)
    p.dots(BLACK, 42, 30, 58, 30, 50, 66, 50, 78, radius=2.6)
    p.poly(ORANGE, 49, 35, 49, 41, 66, 40)
    p.line(BROWN, 22, 66, 4, 52)
    p.line(BROWN, 78, 66, 96, 52)


def birthday_cake(p: Pen) -> None:
    p.poly("#f3c583", 8, 52, 92, 52, 92, 92, 8, 92)
    p.smooth(
        "#fff0c9", 6, 48, 50, 40, 94, 48, 92, 64, 80, 60, 66, 68, 50, 60, 34, 68, 20, 60, 8, 66
    )
    p.line("#e99a4c", 9, 78, 91, 78, width=14)
    for x in (26, 50, 74):
        p.line(BLUE, x, 44, x, 24, width=13)
        p.oval(ORANGE, x, 15, 4, 7)


def rocket(p: Pen) -> None:
    p.smooth(ORANGE, 38, 76, 62, 76, 50, 99)
    p.poly(RED, 34, 50, 12, 78, 36, 74)
    p.poly(RED, 66, 50, 88, 78, 64, 74)
    p.smooth("#e6e8ee", 50, 2, 66, 26, 68, 52, 64, 78, 36, 78, 32, 52, 34, 26)
    p.smooth(RED, 50, 1, 62, 20, 50, 24, 38, 20)
    p.oval(BLUE, 50, 42, 9)


def penguin(p: Pen) -> None:
    p.smooth("#33343f", 50, 4, 72, 18, 82, 56, 70, 90, 30, 90, 18, 56, 28, 18)
    p.smooth(WHITE, 50, 30, 66, 26, 68, 60, 60, 84, 40, 84, 32, 60, 34, 26)
    p.dots(BLACK, 42, 32, 58, 32, radius=3)
    p.poly(YELLOW, 43, 40, 57, 40, 50, 49)
    p.oval(ORANGE, 38, 92, 10, 5)
    p.oval(ORANGE, 62, 92, 10, 5)


def frog(p: Pen) -> None:
    p.oval(GREEN, 27, 24, 16)
    p.oval(GREEN, 73, 24, 16)
    p.oval(GREEN, 50, 56, 44, 34)
    for x in (27, 73):
        p.oval(WHITE, x, 23, 10)
        p.oval(BLACK, x, 24, 5)
    p.curve("#1e5c2a", 24, 62, 50, 76, 76, 62)


def pig_face(p: Pen) -> None:
    p.poly("#ee7fa0", 14, 12, 40, 20, 20, 42)
    p.poly("#ee7fa0", 86, 12, 60, 20, 80, 42)
    p.oval("#f7a8c0", 50, 55, 42, 38)
    p.oval("#ea6f95", 50, 64, 18, 13)
    p.dots("#8e2f50", 43, 64, 57, 64, radius=3)
    p.dots(BLACK, 30, 46, 70, 46, radius=4)


def mushroom(p: Pen) -> None:
    p.smooth("#f0e2d0", 38, 52, 62, 52, 64, 90, 50, 96, 36, 90)
    p.smooth(RED, 50, 6, 82, 22, 95, 52, 70, 60, 30, 60, 5, 52, 18, 22)
    for x, y, r in ((30, 38, 8), (54, 22, 7), (74, 42, 8)):
        p.oval(WHITE, x, y, r)


def watermelon(p: Pen) -> None:
    p.smooth(GREEN, 4, 34, 30, 40, 70, 40, 96, 34, 84, 70, 50, 90, 16, 70)
    p.smooth("#ef3b52", 10, 34, 50, 36, 90, 34, 80, 62, 50, 79, 20, 62)
    p.dots(BLACK, 32, 48, 46, 54, 60, 47, 74, 50, 40, 66, 58, 65, radius=2.3)


def strawberry(p: Pen) -> None:
    p.smooth("#e8293f", 50, 24, 78, 22, 88, 42, 72, 76, 50, 97, 28, 76, 12, 42, 22, 22)
    p.poly(GREEN, 50, 4, 58, 18, 78, 14, 66, 28, 74, 38, 50, 30, 26, 38, 34, 28, 22, 14, 42, 18)
    p.dots("#ffe08a", 34, 48, 50, 44, 66, 48, 42, 62, 58, 62, 50, 77, radius=1.9)


def hamburger(p: Pen) -> None:
    p.smooth("#dd9440", 10, 76, 50, 74, 90, 76, 84, 92, 50, 94, 16, 92)
    p.poly("#6f3f22", 8, 62, 92, 62, 92, 77, 8, 77)
    p.poly(YELLOW, 8, 56, 92, 56, 80, 64, 64, 58, 48, 66, 30, 58)
    p.line(GREEN, 6, 52, 20, 57, 36, 51, 52, 57, 68, 51, 82, 57, 95, 52, width=22)
    p.smooth("#e39b45", 8, 47, 14, 22, 50, 8, 86, 22, 92, 47, 50, 50)
    p.dots(CREAM, 34, 24, 50, 18, 66, 25, 56, 32, radius=1.8)


def soft_ice_cream(p: Pen) -> None:
    p.poly("#e0a358", 30, 54, 70, 54, 55, 99, 45, 99)
    p.oval("#fde7c4", 50, 50, 29, 12)
    p.oval("#fff1d8", 51, 34, 22, 11)
    p.smooth("#fde7c4", 36, 22, 50, 2, 64, 22, 50, 30)


def bus(p: Pen) -> None:
    p.poly("#f7b52b", 3, 22, 95, 22, 98, 50, 97, 76, 3, 76)
    for x in (9, 28, 47):
        p.poly(SKY, x, 31, x + 14, 31, x + 14, 50, x, 50)
    p.poly(SKY, 68, 31, 90, 31, 93, 52, 68, 52)
    for x in (24, 75):
        p.oval(BLACK, x, 77, 10)


def grinning_face(p: Pen) -> None:
    p.oval("#fbc52d", 50, 50, 45)
    p.oval(BLACK, 35, 38, 5, 8)
    p.oval(BLACK, 65, 38, 5, 8)
    p.smooth("#7a1f24", 22, 55, 50, 60, 78, 55, 68, 78, 50, 84, 32, 78)


def owl(p: Pen) -> None:
    p.poly("#7a4b28", 18, 4, 42, 18, 20, 36)
    p.poly("#7a4b28", 82, 4, 58, 18, 80, 36)
    p.smooth("#8a5a34", 50, 12, 80, 18, 88, 56, 74, 92, 26, 92, 12, 56, 20, 18)
    p.smooth("#d9b183", 50, 54, 68, 60, 66, 86, 34, 86, 32, 60)
    for x in (33, 67):
        p.oval("#fff2cc", x, 36, 16)
        p.oval(BLACK, x, 37, 8)
    p.poly(ORANGE, 44, 48, 56, 48, 50, 60)


def turtle(p: Pen) -> None:
    p.oval("#79c353", 88, 50, 12, 10)
    p.oval("#79c353", 26, 74, 9, 8)
    p.oval("#79c353", 70, 74, 9, 8)
    p.poly("#79c353", 4, 62, 16, 58, 16, 68)
    p.smooth("#3c8a3f", 12, 68, 16, 40, 46, 22, 74, 36, 84, 68, 48, 72)
    p.line("#2a6630", 32, 30, 36, 68)
    p.line("#2a6630", 62, 30, 60, 68)
    p.dots(BLACK, 91, 47, radius=2.2)


def butterfly(p: Pen) -> None:
    p.smooth(ORANGE, 48, 48, 30, 10, 6, 12, 6, 40, 24, 54)
    p.smooth(ORANGE, 52, 48, 70, 10, 94, 12, 94, 40, 76, 54)
    p.smooth("#ef6b2a", 48, 52, 20, 54, 14, 78, 32, 88, 46, 66)
    p.smooth("#ef6b2a", 52, 52, 80, 54, 86, 78, 68, 88, 54, 66)
    p.line("#2c2335", 50, 30, 50, 80, width=22)
    p.curve("#2c2335", 50, 30, 42, 18, 36, 14)
    p.curve("#2c2335", 50, 30, 58, 18, 64, 14)


def cactus(p: Pen) -> None:
    p.smooth(GREEN, 50, 4, 62, 14, 62, 60, 60, 96, 40, 96, 38, 60, 38, 14)
    p.curve(GREEN, 42, 62, 18, 60, 16, 34, width=44)
    p.curve(GREEN, 58, 52, 82, 52, 84, 26, width=44)


def pizza(p: Pen) -> None:
    p.poly("#f8c33c", 12, 18, 90, 22, 42, 97)
    p.curve("#c9772f", 8, 18, 48, 8, 93, 22, width=38)
    for x, y in ((36, 34), (62, 40), (44, 62)):
        p.oval("#d6342c", x, y, 8)
    p.dots(LEAF, 50, 48, 74, 32, radius=2.5)


def jack_o_lantern(p: Pen) -> None:
    p.curve(LEAF, 50, 22, 48, 12, 56, 4, width=22)
    p.oval("#f07f1e", 28, 58, 24, 34)
    p.oval("#f07f1e", 72, 58, 24, 34)
    p.oval("#f6912e", 50, 57, 27, 37)
    p.poly("#3a1d0c", 24, 50, 42, 50, 33, 36)
    p.poly("#3a1d0c", 58, 50, 76, 50, 67, 36)
    p.poly("#3a1d0c", 22, 62, 40, 67, 50, 62, 60, 67, 78, 62, 66, 80, 50, 76, 34, 80)


def whale(p: Pen) -> None:
    p.smooth(
        "#3f97e8", 6, 56, 18, 32, 46, 30, 70, 54, 84, 46, 82, 28, 97, 24, 98, 44, 86, 74,
        52, 88, 18, 82
    )  # fmt: skip
    p.smooth("#d4e9fb", 8, 64, 34, 74, 62, 74, 46, 87, 18, 81)
    p.dots(BLACK, 24, 54, radius=3)
    p.curve(SKY, 32, 26, 30, 12, 20, 8)
    p.curve(SKY, 34, 26, 38, 12, 48, 8)


def honeybee(p: Pen) -> None:
    p.oval("#cfe6f7", 44, 24, 12, 20, turn=-20)
    p.oval("#cfe6f7", 64, 24, 12, 20, turn=20)
    p.oval(YELLOW, 52, 58, 38, 27)
    for x, half in ((42, 24), (60, 25), (76, 17)):
        p.line(BLACK, x, 58 - half, x, 58 + half, width=26)
    p.oval(BLACK, 16, 56, 14)
    p.dots(WHITE, 12, 52, radius=3)


def ringed_planet(p: Pen) -> None:
    p.oval("#f0a63c", 50, 50, 30)
    p.arc("#d98a2b", 50, 44, 27, 8, 0, 180)
    p.curve("#f7d27c", 24, 38, 4, 42, 14, 56, 50, 62, 88, 50, 97, 38, 76, 36, width=20)


def lady_beetle(p: Pen) -> None:
    p.oval(BLACK, 50, 20, 20, 15)
    p.oval(RED, 50, 58, 40, 38)
    p.line(BLACK, 50, 22, 50, 95)
    p.dots(BLACK, 30, 44, 70, 44, 26, 68, 74, 68, 40, 84, 62, 84, radius=5.5)
    p.dots(WHITE, 42, 14, 58, 14, radius=3)
