"""Articles and plurals of what people draw."""

import pytest

from training.doodle.nouns import article, plural


@pytest.mark.parametrize(
    ("noun", "wanted"), [("apple", "an"), ("cat", "a"), ("owl", "an"), ("blue owl", "a")]
)
def test_articles(noun: str, wanted: str) -> None:
    assert article(noun) == wanted


@pytest.mark.parametrize(
    ("noun", "wanted"),
    [("cat", "cats"), ("box", "boxes"), ("peach", "peaches"), ("cherry", "cherries"),
     ("monkey", "monkeys"), ("glasses", "glasses"), ("fish", "fish"), ("wolf", "wolves"),
     ("hot dog", "hot dogs"), ("snowman", "snowmen"), ("woman", "women"), ("human", "humans"),
     ("tropical fish", "tropical fish"), ("bow and arrow", "bows and arrow"),
     ("face with sunglasses", "faces with sunglasses")],
)  # fmt: skip
def test_plurals(noun: str, wanted: str) -> None:
    assert plural(noun) == wanted
