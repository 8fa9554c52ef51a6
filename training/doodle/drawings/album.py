"""Which things each hand draws: the words typed beside them, their place, size and turn."""

from __future__ import annotations

from collections.abc import Callable

from training.doodle.drawings import blobs, brush, outlines
from training.doodle.drawings.strokes import Pen

Entry = tuple[str, Callable[[Pen], None], tuple[int, int], int, int]
"""Prompt, what draws it, the centre of its box on the board in px, the side of the box in px, and
its turn in degrees, clockwise."""

BLOBS: dict[str, Entry] = {
    "red apple": ("an apple", blobs.red_apple, (256, 262), 330, 0),
    "automobile": ("a red car", blobs.automobile, (250, 290), 430, 0),
    "house": ("a house", blobs.house, (262, 256), 400, 0),
    "deciduous tree": ("a tree", blobs.deciduous_tree, (180, 270), 380, 0),
    "sailboat": ("a sailboat", blobs.sailboat, (300, 240), 340, 0),
    "fish": ("a blue fish", blobs.fish, (256, 250), 400, -6),
    "sunflower": ("a sunflower", blobs.sunflower, (240, 262), 430, 0),
    "snowman without snow": ("a snowman", blobs.snowman, (256, 276), 400, 0),
    "birthday cake": ("a birthday cake", blobs.birthday_cake, (256, 250), 370, 0),
    "rocket": ("a rocket", blobs.rocket, (290, 240), 400, 28),
    "penguin": ("a penguin", blobs.penguin, (200, 270), 350, 0),
    "frog": ("a frog", blobs.frog, (256, 256), 360, 0),
    "pig face": ("a pig face", blobs.pig_face, (340, 330), 260, 0),
    "mushroom": ("a mushroom", blobs.mushroom, (256, 256), 340, 0),
    "watermelon": ("a slice of watermelon", blobs.watermelon, (256, 250), 380, 8),
    "strawberry": ("a strawberry", blobs.strawberry, (170, 180), 260, 0),
    "hamburger": ("a hamburger", blobs.hamburger, (256, 270), 360, 0),
    "soft ice cream": ("soft ice cream", blobs.soft_ice_cream, (256, 256), 420, 0),
    "bus": ("a yellow bus", blobs.bus, (256, 270), 430, 0),
    "grinning face": ("a grinning face", blobs.grinning_face, (256, 256), 340, 0),
    "owl": ("an owl", blobs.owl, (256, 262), 380, 0),
    "turtle": ("a turtle", blobs.turtle, (240, 320), 360, 0),
    "butterfly": ("a butterfly", blobs.butterfly, (256, 236), 390, 6),
    "cactus": ("a cactus", blobs.cactus, (350, 256), 320, 0),
    "pizza": ("a slice of pizza", blobs.pizza, (256, 256), 380, 0),
    "jack-o-lantern": ("a halloween pumpkin", blobs.jack_o_lantern, (256, 250), 360, 0),
    "whale": ("a whale", blobs.whale, (256, 270), 400, 0),
    "honeybee": ("a bee", blobs.honeybee, (220, 200), 300, 0),
    "ringed planet": ("a planet", blobs.ringed_planet, (256, 256), 400, 0),
    "lady beetle": ("a ladybug", blobs.lady_beetle, (256, 256), 320, 20),
}

OUTLINES: dict[str, Entry] = {
    "cat face": ("a cat face", outlines.cat_face, (256, 256), 360, 0),
    "rabbit face": ("a rabbit", outlines.rabbit_face, (200, 262), 340, 0),
    "bicycle": ("a bicycle", outlines.bicycle, (256, 256), 430, 0),
    "umbrella": ("a purple umbrella", outlines.umbrella, (256, 256), 380, 8),
    "star": ("a yellow star", outlines.star, (256, 250), 360, 0),
    "red heart": ("a red heart", outlines.red_heart, (256, 256), 330, 0),
    "cloud": ("a cloud", outlines.cloud, (256, 180), 380, 0),
    "crescent moon": ("a yellow moon", outlines.crescent_moon, (330, 200), 300, 0),
    "key": ("a golden key", outlines.key, (256, 256), 340, 0),
    "scissors": ("scissors with red handles", outlines.scissors, (256, 256), 340, 0),
    "glasses": ("glasses", outlines.glasses, (256, 256), 400, 0),
    "envelope": ("an envelope", outlines.envelope, (256, 256), 360, 0),
    "airplane": ("a blue airplane", outlines.airplane, (256, 256), 400, 148),
    "bell": ("a golden bell", outlines.bell, (256, 262), 320, 0),
    "light bulb": ("a light bulb", outlines.light_bulb, (300, 250), 360, 0),
    "crown": ("a golden crown", outlines.crown, (256, 262), 360, 0),
    "t-shirt": ("a green t-shirt", outlines.t_shirt, (256, 262), 370, 0),
    "elephant": ("an elephant", outlines.elephant, (256, 256), 400, 0),
    "giraffe": ("a giraffe", outlines.giraffe, (256, 262), 430, 0),
    "snail": ("a snail", outlines.snail, (270, 290), 360, 0),
    "cupcake": ("a pink cupcake", outlines.cupcake, (256, 256), 350, 0),
    "hot beverage": ("a cup of coffee", outlines.hot_beverage, (260, 256), 360, 0),
    "teapot": ("a red teapot", outlines.teapot, (256, 256), 380, 0),
    "anchor": ("an anchor", outlines.anchor, (256, 256), 360, 0),
    "pencil": ("a pencil", outlines.pencil, (256, 256), 340, 0),
    "camera": ("a camera", outlines.camera, (256, 256), 370, 0),
    "spider": ("a spider", outlines.spider, (180, 300), 300, 0),
    "castle": ("a castle", outlines.castle, (256, 262), 400, 0),
}

BRUSH: dict[str, Entry] = {
    "banana": ("a banana", brush.banana, (256, 256), 340, 0),
    "rainbow": ("a rainbow", brush.rainbow, (256, 256), 400, 0),
    "snake": ("a green snake", brush.snake, (256, 256), 400, 0),
    "palm tree": ("a palm tree", brush.palm_tree, (200, 262), 390, 0),
    "evergreen tree": ("a pine tree", brush.evergreen_tree, (256, 256), 390, 0),
    "tulip": ("a pink tulip", brush.tulip, (300, 262), 360, 0),
    "candle": ("a candle", brush.candle, (256, 256), 360, 0),
    "lollipop": ("a lollipop", brush.lollipop, (256, 262), 380, 30),
    "high voltage": ("a lightning bolt", brush.high_voltage, (256, 256), 340, 0),
    "fire": ("fire", brush.fire, (256, 256), 360, 0),
    "droplet": ("a drop of water", brush.droplet, (180, 300), 280, 0),
    "musical note": ("a musical note", brush.musical_note, (256, 256), 330, 0),
    "cherries": ("two cherries", brush.cherries, (256, 256), 350, 0),
    "grapes": ("grapes", brush.grapes, (256, 256), 360, 0),
    "flamingo": ("a pink flamingo", brush.flamingo, (256, 262), 400, 0),
    "crab": ("a crab", brush.crab, (256, 300), 370, 0),
    "octopus": ("an octopus", brush.octopus, (256, 256), 350, 0),
    "hot pepper": ("a red hot pepper", brush.hot_pepper, (256, 256), 340, 0),
    "magnet": ("a magnet", brush.magnet, (330, 200), 260, 0),
    "sun": ("the sun", brush.sun, (170, 170), 300, 0),
    "alarm clock": ("a red alarm clock", brush.alarm_clock, (256, 256), 350, 0),
    "pear": ("a pear", brush.pear, (256, 256), 360, 0),
    "ladder": ("a ladder", brush.ladder, (256, 256), 380, 12),
    "broom": ("a broom", brush.broom, (256, 256), 360, 0),
    "potted plant": ("a potted plant", brush.potted_plant, (256, 256), 370, 0),
}
