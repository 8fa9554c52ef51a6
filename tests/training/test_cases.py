"""The questions are repeatable and say what they claim; the other emoji set unpacks whole."""

import io
import math
import tarfile
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from tests.training.gallery import small_gallery
from training.doodle import cases, contact_sheet, other_set
from training.doodle.data import Concept
from training.doodle.drawings.scenes import examples
from training.doodle.features import foreground
from training.doodle.kept import IDLE_ASKED
from training.doodle.measures import iou
from training.doodle.painters import identity


@pytest.fixture(scope="module")
def concepts() -> list[Concept]:
    gallery = small_gallery()
    return [
        Concept(index, name, name, f"1F{index:03X}", image, held_out_synonyms=(f"{name} too",))
        for index, (name, image) in enumerate(zip(gallery.names, gallery.renders, strict=True))
    ][:6]


def test_questions_are_the_same_each_time_and_their_seeds_differ(concepts: list[Concept]) -> None:
    first, second = cases.sketch_cases(concepts), cases.sketch_cases(concepts)
    for a, b in zip(first, second, strict=True):
        assert a.sketch is not None
        assert b.sketch is not None
        assert (a.sketch == b.sketch).all()
    asked = [*first, *cases.sketch_cases(concepts, family=2), *cases.text_cases(concepts)]
    seeds = [case.seed for case in asked]
    assert len(set(seeds)) == len(seeds)
    assert max(seeds) < 2**32


def test_the_scene_lies_where_its_sketch_does(concepts: list[Concept]) -> None:
    overlaps = []
    for case in cases.sketch_cases(concepts):
        assert case.sketch is not None
        assert case.scene is not None
        assert case.sketch.shape == case.scene.shape == (256, 256, 3)
        overlaps.append(iou(foreground(case.sketch), foreground(case.scene)))
    assert np.mean(overlaps) > 0.5


def test_text_alone_has_an_empty_board_and_held_out_words_name_the_thing(
    concepts: list[Concept],
) -> None:
    assert cases.text_cases(concepts)[0].prompt == "a red apple"
    assert all(case.sketch is None for case in cases.text_cases(concepts))
    asked = cases.synonym_cases(concepts, with_sketch=False)
    assert [case.prompt for case in asked] == [f"{c.label} too" for c in concepts]
    assert [case.name for case in asked] == [c.hexcode for c in concepts]
    assert all(c.sketch is not None for c in cases.synonym_cases(concepts, with_sketch=True))


def test_another_word_than_is_drawn_is_asked_for(concepts: list[Concept]) -> None:
    asked = cases.other_word_cases(concepts)
    assert [case.name for case in asked] == [c.hexcode for c in concepts]
    for case, concept in zip(asked, concepts, strict=True):
        assert case.prompt.endswith(concept.name)
    drawn = [case.sketch for case in asked]
    own, _ = cases.sketch_alone(cases._dice(9, concepts[0].index), concepts[len(concepts) // 2])
    np.testing.assert_array_equal(drawn[0], own)


def test_of_a_half_named_pair_the_left_thing_has_a_word(concepts: list[Concept]) -> None:
    pairs = cases.pair_cases(concepts, num=4)
    for (left, right), (left_too, right_too) in zip(
        pairs, cases.half_named_cases(concepts, pairs), strict=True
    ):
        assert left_too.prompt == right_too.prompt != left.prompt
        assert left_too.prompt.endswith(left.label)
        assert (left_too.name, right_too.name) == (left.name, right.name)
        assert left_too.sketch is left.sketch


def test_without_a_word_that_names_it_the_same_sketch_is_asked_for(
    concepts: list[Concept], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cases, "drawing_cases", lambda _: {"blobs": cases.text_cases(concepts)})
    shared = [replace(c, shared_tags=("animal", "farm") if c.index < 4 else ()) for c in concepts]
    shared[0] = replace(shared[0], shared_tags=("animal",))
    few = shared[::2]
    asked = cases.vague_cases(few, shared)
    assert [case.name for case in asked["no words"]] == [concept.hexcode for concept in few]
    for words, meaningless in zip(asked["no words"], asked["no meaning"], strict=True):
        assert words == replace(meaningless, prompt="")
        assert words.sketch is not None
        assert (words.sketch != 255).any()
    assert [case.prompt for case in asked["no meaning"]] == [*IDLE_ASKED[: len(few)]]
    wider = [(case.name, case.prompt) for case in asked["wider words"]]
    assert wider == [(few[0].hexcode, "animal"), (few[1].hexcode, "farm")], "kept ones first"
    assert [case.prompt for case in asked["drawings without words"]] == [""] * len(concepts)
    again = cases.vague_cases(few, shared)["no words"]
    for case, other in zip(asked["no words"], again, strict=True):
        np.testing.assert_array_equal(case.sketch, other.sketch)
    seeds = [case.seed for case in (*asked["no words"], *cases.sketch_cases(concepts))]
    assert len(set(seeds)) == len(seeds)


def test_each_thing_of_a_pair_keeps_to_its_half(concepts: list[Concept]) -> None:
    for left, right in cases.pair_cases(concepts, num=8):
        assert left.label != right.label
        assert left.prompt == right.prompt
        assert left.prompt.index(left.label) < left.prompt.index(right.label)
        assert left.sketch is right.sketch
        assert left.scene is not None
        assert not foreground(left.scene)[:, 122:134].any()


def test_a_random_stroke_stays_on_the_board() -> None:
    for seed in range(20):
        stroke = cases._random_stroke(np.random.default_rng(seed))
        points = np.asarray(stroke["points"])
        assert points.min() >= 0
        assert points.max() <= 511
        assert 8 <= stroke["width"] <= 24


def test_the_contact_sheet_shows_every_example() -> None:
    asked = []

    def painter(
        prompt: str, sketch: np.ndarray | None, strength: float = 0.6, seed: int = 0
    ) -> np.ndarray:
        asked.append((prompt, strength))
        return identity(prompt, sketch, strength, seed)

    sheet = contact_sheet.contact_sheet(painter)
    prompts = [example["prompt"] for example in examples().values()]
    assert asked == [(prompt, s) for prompt in prompts for s in contact_sheet.STRENGTHS]
    cell, caption = contact_sheet.CELL_PX + contact_sheet.GAP_PX, contact_sheet.CAPTION_PX
    num_rows = math.ceil(len(prompts) / contact_sheet.NUM_BLOCKS)
    row, width = cell + caption, (1 + len(contact_sheet.STRENGTHS)) * cell
    block = width + 3 * contact_sheet.GAP_PX
    assert sheet.dtype == np.uint8
    assert sheet.shape[0] == caption + num_rows * row
    assert sheet.shape[1:] == (contact_sheet.NUM_BLOCKS * block - 3 * contact_sheet.GAP_PX, 3)
    for index in range(len(prompts)):
        top, left = caption + index % num_rows * row, index // num_rows * block
        assert (sheet[top : top + cell, left : left + width] != 255).any(), "no place is empty"


def test_the_other_set_unpacks_small_pictures_and_notices_only(
    tmp_path: Path, concepts: list[Concept]
) -> None:
    picture = np.zeros((64, 64, 4), np.uint8)
    picture[8:56, 8:56] = (200, 40, 30, 255)
    png = cv2.imencode(".png", cv2.cvtColor(picture, cv2.COLOR_RGBA2BGRA))[1].tobytes()
    archive = tmp_path / "set.tgz"
    with tarfile.open(archive, "w:gz") as tar:
        for name, data in {
            "package/img/google/64/1f000.png": png,
            "package/img/google/64/1f001-fe0f.png": png,
            "package/img/google/sheets/64.png": png,
            "package/LICENSE": b"licence",
        }.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            tar.addfile(entry, io.BytesIO(data))
    folder = tmp_path / other_set.FOLDER
    other_set.unpack(archive, folder)
    found = {path.name for path in folder.iterdir()}
    assert found == {"1f000.png", "1f001-fe0f.png", "LICENSE"}
    concepts[0].drawn_by = (concepts[1],)
    redrawn = other_set.redrawn(concepts, tmp_path)
    assert redrawn[0].drawn_by == (), "the dice of its sketches stay what they were"
    assert [concept.label for concept in redrawn] == [concept.label for concept in concepts[:2]]
    assert redrawn[0].image.shape == (256, 256, 4)
    assert tuple(redrawn[0].image[128, 128]) == (200, 40, 30, 255)


def test_a_missing_other_set_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="make doodle-data"):
        other_set.redrawn([], tmp_path)
