"""What the reader that ships finds, and that what is read stays in its place."""

import pytest

from bot import reading, sentences
from bot.records import Passage
from bot.serving import reader
from bot.serving.reader import Reader
from bot.settings import load_settings

HIKE = (
    "Thank you for choosing the Ember 2, model number LL-E2. The Ember 2 weighs 385 g. It was designed by Ida Brandt "
    "in Bergen. The burner may be used below a canopy."
)


@pytest.fixture(scope="module")
def reads() -> Reader:
    return reader.shipped(load_settings())


def passage(text: str) -> Passage:
    return Passage("c1", 1, "ember.md", "Ember 2", "The stove", None, text, 1.0)


@pytest.mark.parametrize(
    ("question", "words"),
    [
        ("How heavy is the Ember 2?", "385 g"),
        ("Who designed the stove?", "Ida Brandt"),
        ("In which city was the Ember 2 designed?", "Bergen"),
    ],
)
def test_the_sentence_that_answers_is_found_with_its_words(reads: Reader, question: str, words: str) -> None:
    (found,) = reading.read(reads, question, [passage(HIKE)])

    best = max(range(len(found)), key=lambda n: found[n].odds)
    assert words in found[best].words and words in sentences.split(HIKE)[best]


def test_a_text_about_something_else_answers_less(reads: Reader) -> None:
    hike, shop = reading.read(reads, "Who designed the stove?", [passage(HIKE), passage("The shop opens at nine.")])

    assert max(shop).odds < max(hike).odds


def test_every_sentence_has_its_own_words_also_in_a_long_text(reads: Reader) -> None:
    text = "\n".join(f"Item: Tent {n}; Price: €{n}0" for n in range(1, 60))

    (found,) = reading.read(reads, "What does tent 57 cost?", [passage(text)])

    assert len(found) == len(sentences.split(text)) == 59
    assert all(one.words in sentence for one, sentence in zip(found, sentences.split(text), strict=True))


def test_nothing_is_read_of_nothing(reads: Reader) -> None:
    assert reading.read(reads, "", [passage("")]) == [[]]
    assert reading.read(reads, "Who?", []) == []
    ((found,),) = reading.read(reads, "", [passage("🜁")])
    assert -reading.SURE <= found.odds <= reading.SURE
