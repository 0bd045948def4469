"""Splitting text into sentences."""

import pytest

from bot import sentences


def test_sentences_end_at_punctuation_and_lines() -> None:
    text = "We are open. Costs approx. €5.90 per day! See p. 3 for more.\nZone: A; Price: €4.90\nLast"
    assert sentences.split(text) == [
        "We are open.",
        "Costs approx. €5.90 per day!",
        "See p. 3 for more.",
        "Zone: A; Price: €4.90",
        "Last",
    ]


def test_every_sentence_is_an_exact_substring() -> None:
    text = 'He said “Come in.” Then [1] Dr. Oakes left (at 5 p.m. sharp). "Really?" Yes.'
    assert all(sentence in text for sentence in sentences.split(text))


def test_a_citation_marker_stays_with_its_sentence() -> None:
    assert sentences.split("You can return it [1]. We pay. [2] Bye.") == [
        "You can return it [1].",
        "We pay. [2]",
        "Bye.",
    ]
    assert sentences.markers("We pay. [2][13]") == [2, 13]
    assert sentences.without_markers("We pay [2].") == "We pay."


def test_what_is_emphasised_is_taken_out_and_told() -> None:
    assert sentences.emphasised("It is in **France** [1].") == ("It is in France [1].", "France")
    assert sentences.emphasised("It is in **France [1].**") == ("It is in France [1].", "France")
    assert sentences.emphasised("**At most 5 days**, unless it rains.")[1] == "At most 5 days"


@pytest.mark.parametrize(
    "said",
    ["**France** and **Spain**.", "In **France", "In ****France.", "**All of it.**", "**All of it** [1].", "No."],
)
def test_without_exactly_one_part_set_off_nothing_is_emphasised(said: str) -> None:
    plain, key = sentences.emphasised(said)
    assert key == "" and plain == said.replace("**", "")


def test_marks_of_emphasis_do_not_hide_the_end_of_a_sentence() -> None:
    said = [
        "It is in **France.**",
        "**Paris** is its capital [1].",
        "Ask **Dr. Oakes.** [2]",
        '"**Who** is it?"',
        "Bye.",
    ]
    assert sentences.split(" ".join(said)) == said
    for size in (1, 2, 3, 7):
        text = " ".join(said)
        assert list(sentences.stream(text[at : at + size] for at in range(0, len(text), size))) == said


def test_emphasised_words_are_found_as_whole_words() -> None:
    assert sentences.span("5", "15 days, or 5 weeks.") == (12, 13)
    assert sentences.span("", "15 days.") == sentences.span("6", "15 days.") == (0, 0)


def test_a_citation_stands_before_one_full_stop() -> None:
    assert sentences.with_marker(sentences.without_markers("Until 5 p.m. [2]."), 1) == "Until 5 p.m [1]."


def test_a_stream_gives_the_same_sentences_as_the_whole_text() -> None:
    text = "You have 45 days [1]. Send it back in its box. Then we pay within 5 days. [2] Anything else?"
    for size in (1, 2, 3, 7, 50):
        pieces = [text[at : at + size] for at in range(0, len(text), size)]
        assert list(sentences.stream(pieces)) == sentences.split(text)
