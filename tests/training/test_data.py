"""Pictures and words: what is held out stays out, colours change, regions are cut."""

import colorsys
import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from tests.training.things import ball, box
from training.doodle import data


def write_packages(root: Path, names: dict[str, tuple[str, list[str]]]) -> None:
    """A tiny copy of both packages: label → hexcode and tags."""
    pictures = root / "fluent-emoji-3d" / "assets"
    words = root / "emojibase-data" / "en"
    pictures.mkdir(parents=True)
    words.mkdir(parents=True)
    entries = []
    for label, (hexcode, tags) in names.items():
        cv2.imwrite(
            str(pictures / f"{hexcode.lower()}.webp"), cv2.cvtColor(ball(), cv2.COLOR_RGBA2BGRA)
        )
        entries.append({"label": label, "hexcode": hexcode, "group": 1, "tags": tags})
    entries.append({"label": "regional indicator", "hexcode": "1F1E6"})
    (words / "data.json").write_text(json.dumps(entries), "utf-8")


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    words = [f"word{index}" for index in range(200)]
    write_packages(tmp_path, {"dog face": ("1F436", [*words, "pet"]), "cat": ("1F431", ["pet"])})
    listed = tmp_path / "concepts.txt"
    listed.write_text("# things\ndog face = dog face; puppy\ncat = cat; dog\n", "utf-8")
    monkeypatch.setattr(data, "CONCEPTS_FILE", listed)
    return tmp_path


def test_a_fifth_of_the_tags_is_held_out_for_good(root: Path) -> None:
    dog, cat = data.load_concepts(root)
    held_out, kept = set(dog.held_out_synonyms), set(dog.synonyms)
    assert not held_out & kept
    assert 20 <= len(held_out) <= 60
    assert len(held_out | kept) == 201, "200 tags and the name of its own"
    assert data.load_concepts(root)[0].held_out_synonyms == dog.held_out_synonyms
    assert "pet" not in held_out | kept | {*cat.synonyms}, "a tag of two things names neither"


def test_what_a_name_says_is_no_question(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Captions say "a pine tree", whatever the hash of the tag "pine"."""
    monkeypatch.setattr(data, "is_held_out", lambda word: True)
    listed = root / "concepts.txt"
    listed.write_text("dog face = word1 hound; word2; word3s\ncat = cat; word4-puss\n", "utf-8")
    dog, _ = data.load_concepts(root)
    assert {"word1", "word2", "word3", "word4"}.isdisjoint(dog.held_out_synonyms)
    assert {"word1", "word3", "word4"} <= set(dog.synonyms)
    assert {"word5", "word10", "word30"} <= set(dog.held_out_synonyms)


def test_what_captions_say_of_anything_is_no_tag(tmp_path: Path) -> None:
    names = {"camel": ("camel",), "house": ("house",)}
    entries = {
        "camel": {"tags": ["two", "hump", "left", "orange"]},
        "house": {"tags": ["near", "cute", "home", "4k", "night"]},
    }
    assert data.own_tags(names, entries) == {"camel": ["hump", "orange"], "house": ["home"]}


def test_a_word_with_a_hyphen_is_said_whole_and_in_pieces() -> None:
    said = data.said_by(["high-heeled shoe"])
    assert {"high-heeled", "high", "heeled", "shoe", "shoes"} <= said


def test_a_face_may_be_called_by_its_animal_beside_a_sketch_only_if_that_is_taken(
    root: Path,
) -> None:
    dog, cat = data.load_concepts(root)
    assert dog.sketch_only_names == ("dog",)
    assert cat.sketch_only_names == ()
    assert (dog.name, dog.synonyms[0]) == ("dog face", "puppy")
    assert dog.image.shape == (256, 256, 4)


def test_entries_without_a_group_are_no_things(root: Path) -> None:
    assert [entry["label"] for entry in data.read_emojibase(root)] == ["dog face", "cat"]


def test_missing_data_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SystemExit, match="make doodle-data"):
        data.read_emojibase(tmp_path)
    monkeypatch.setenv("PATH", "")
    with pytest.raises(SystemExit, match="npm is needed"):
        data.fetch(tmp_path)


def test_a_missing_picture_names_its_concept(root: Path) -> None:
    (root / "fluent-emoji-3d" / "assets" / "1f431.webp").unlink()
    with pytest.raises(SystemExit, match="'cat'"):
        data.load_concepts(root)


def test_the_list_of_concepts_is_long_and_each_name_is_one_things() -> None:
    names = data.read_names()
    assert len(names) >= 300
    first = [words[0] for words in names.values()]
    assert len(set(first)) == len(first)


def test_a_main_colour_is_found_and_changed_and_other_colours_stay() -> None:
    hue = data.dominant_hue(ball())
    assert hue is not None
    assert min(hue, 360 - hue) < 15
    blue = data.recolour(ball(), hue, "blue").astype(int)
    assert blue[128, 160, 2] > blue[128, 160, 0] + 80
    assert np.abs(blue[96, 96, :3] - ball()[96, 96, :3].astype(int)).max() <= 2, "the white spot"
    np.testing.assert_array_equal(blue[..., 3], ball()[..., 3])
    grey = box()
    grey[..., :3] = 128
    assert data.dominant_hue(grey) is None


@pytest.mark.parametrize("word", data.COLOURS)
def test_each_colour_word_makes_its_colour(word: str) -> None:
    changed = data.recolour(ball(), 0.0, word)
    hue, saturation, _ = colorsys.rgb_to_hsv(*(changed[128, 160, :3] / 255))
    assert saturation > 0.25
    nearest = min(
        data.COLOURS, key=lambda w: abs((hue * 360 - data.COLOURS[w][0] + 180) % 360 - 180)
    )
    assert nearest == word


@pytest.mark.parametrize("num", [2, 3, 5])
def test_regions_cover_the_thing_and_nothing_else(num: int) -> None:
    regions = data.cut_regions(ball(), num)
    opaque = cv2.resize(ball()[..., 3], (64, 64), interpolation=cv2.INTER_AREA) > 100
    assert ((regions.labels >= 0) == opaque).all()
    assert regions.labels.max() < num
    np.testing.assert_array_equal(regions.labels, data.cut_regions(ball(), num).labels)


def test_two_regions_are_the_ball_and_its_spot() -> None:
    labels = data.cut_regions(ball(), 2).labels
    assert labels[24, 24] != labels[32, 40]
