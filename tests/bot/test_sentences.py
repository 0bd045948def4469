"""Splitting text into sentences."""

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


def test_a_stream_gives_the_same_sentences_as_the_whole_text() -> None:
    text = "You have 45 days [1]. Send it back in its box. Then we pay within 5 days. [2] Anything else?"
    for size in (1, 2, 3, 7, 50):
        pieces = [text[at : at + size] for at in range(0, len(text), size)]
        assert list(sentences.stream(pieces)) == sentences.split(text)
