"""What may be said without a source: courtesy that cannot hold a fact, and nothing else."""

import pytest

from bot import courtesy, ground
from bot.records import Passage

RETURNS = Passage("c1", 1, "returns.md", "Returns", "", None, "Returns are free for 45 days.", 1.0)


@pytest.mark.parametrize(
    "sentence",
    [
        "Hello!",
        "Hello, happy to help.",
        "Thanks for asking.",
        "Thank you very much for your patience.",
        "Please let us know if you have any other questions.",
        "We're happy to help you with that!",
    ],
)
def test_courtesy_says_nothing_and_needs_no_source(sentence: str) -> None:
    assert courtesy.is_all(sentence)
    assert ground.unsupported(f"Returns are free for 45 days. {sentence}", [RETURNS]) == []


@pytest.mark.parametrize(
    "sentence",
    [
        "",
        "You can.",
        "Yes, please.",
        "Sure, happy to.",
        "Happy to help, you can.",
        "Happy to help: it's free.",
        "We're not happy to help you with that.",
        "Thanks, no.",
        "Thanks, there is more.",
        "Let us know within 3 days.",
        "Let us know if you have 3 questions.",
        "Let us know if you have paid.",
        "Thank Dr Hart.",
        "Hello Ann!",
        "Please ask Ann if you have questions.",
    ],
)
def test_what_could_answer_something_is_no_courtesy(sentence: str) -> None:
    assert not courtesy.is_all(sentence)


@pytest.mark.parametrize(
    ("sentence", "opening"),
    [
        ("Happy to help: it is free.", "Happy to help:"),
        ("Hello, happy to help: it is free, and at once.", "Hello, happy to help:"),
        ("Thanks for asking, it is free.", "Thanks for asking,"),
        ("Free of charge: it is.", ""),
        ("It is free.", ""),
    ],
)
def test_a_sentence_may_open_with_courtesy(sentence: str, opening: str) -> None:
    assert courtesy.opening(sentence) == opening


def test_no_word_of_an_answer_hides_in_courtesy() -> None:
    answers = "yes no not never none sure certainly can may must will free one two first all only before after 3 Ann"
    turns = ("Happy to help", "Thanks", "Hello", "Let us know if you have questions")
    said = [text for turn in turns for word in answers.split() for text in (f"{turn} {word}.", f"{word} {turn}.")]
    assert not [text for text in said if courtesy.is_all(text)]
