"""Every kind of mistake is found where it is made, and only there."""

from typing import Any

import pytest

from bot.quality import mistakes
from bot.quality.outcomes import repetition
from bot.quality.spelling import speller
from tests.quality.given_answers import outcome, silent


def test_a_right_answer_and_a_right_silence_are_no_mistakes() -> None:
    assert mistakes.made_in(outcome()) == ()
    assert mistakes.made_in(silent(answerable=False, wanted=(), found=False, gold="")) == ()


@pytest.mark.parametrize(
    ("facts", "kind"),
    [
        ({"cited": ("gifts.md",)}, "wrong_document"),
        ({"holds": False}, "wrong_passage"),
        ({"found": False}, "not_found"),
        ({"span_recall": 0.3}, "incomplete"),
        ({"answerable": False, "wanted": (), "gold": ""}, "missed_abstention"),
        ({"quoted": True}, "quoted"),
        ({"words": 60}, "too_long"),
        ({"repeated": "once and once more"}, "repetition"),
        ({"misspelt": ("recieve",)}, "misspelling"),
    ],
)
def test_an_answer_shows_its_mistake(facts: dict[str, Any], kind: str) -> None:
    assert mistakes.made_in(outcome(**facts)) == (kind,)


def test_silence_is_needless_where_the_documents_say_it() -> None:
    assert mistakes.made_in(silent()) == ("needless_abstention",)
    assert mistakes.made_in(silent(dropped=("You have 90 days.",))) == ("needless_abstention", "unsupported")


def test_a_sentence_held_back_beside_one_that_was_shown_is_no_mistake() -> None:
    assert mistakes.made_in(outcome(dropped=("You have 90 days.",))) == ()
    assert mistakes.made_in(outcome(dropped=("You have 90 days.",), quoted=True)) == ("unsupported", "quoted")


def test_a_long_answer_is_right_for_a_long_question() -> None:
    assert mistakes.made_in(outcome(words=60, gold_words=50)) == ()


def test_mistakes_are_counted_the_most_frequent_first_with_examples() -> None:
    made = mistakes.count([*(silent(str(number)) for number in range(7)), outcome("x", words=60), outcome("y")])
    assert [(one.kind, one.count) for one in made[:2]] == [("needless_abstention", 7), ("too_long", 1)]
    assert len(made) == len(mistakes.KINDS) and made[-1].count == 0
    assert [one.question_id for one in made[0].examples] == ["0", "1", "2", "3", "4"]
    assert made[0].share.low < 7 / 9 < made[0].share.high


def test_words_said_twice_are_found() -> None:
    twice = "You get the money within five days, and you get the money within five days."
    assert repetition(twice) == "you get money within five"
    assert repetition("Washing Washing a blanket is easy.") == "washing washing"
    assert repetition("You get the money that that card paid, within five days of the return.") == ""


def test_a_word_is_misspelt_where_neither_english_nor_the_documents_know_it() -> None:
    misspelt = speller(["The Ember 2 stove fits Brindle Heath cartridges."])
    assert misspelt("We recieve the Ember at Brindle Heath, and that's our favourite colour.", "") == ("recieve",)
    assert misspelt("Ask Xaviera about the organised litres.", "May I ask Xaviera?") == ()
