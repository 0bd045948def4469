"""What the consultant learns from, and how its examination judges."""

from pathlib import Path

import pytest

from bot.quality import overlap
from bot.records import Passage, Question
from ingest.readers.reading import Reading
from workers.style.consultant import card, companies, examining, exercises, public
from workers.style.consultant.__main__ import material
from workers.style.consultant.exercises import Exercise, Material
from workers.style.lessons import Lesson

TEXT = (
    "The Normans gave their name to Normandy, a region in France. Their leader Rollo swore fealty in 911, which the "
    "king had asked for in a long letter. France is a country."
)


def asked(question: str, *answers: str) -> Question:
    return Question("q", question, answers, ("normans",), answerable=True)


@pytest.mark.parametrize(
    ("question", "answer", "sentence"),
    [
        (
            "Where is the region of Normandy?",
            "France",
            "The Normans gave their name to Normandy, a region in **France**.",
        ),
        ("When did Rollo swear fealty?", "911", "Their leader Rollo swore fealty in **911**."),
        ("Who is Rollo?", "Their leader Rollo swore fealty in", "Their leader Rollo swore fealty in 911."),
    ],
)
def test_an_answer_is_pointed_at_in_the_sentence_that_says_it(question: str, answer: str, sentence: str) -> None:
    assert (public.pointed_at(asked(question, answer), TEXT) or "").startswith(sentence[:-1])


def test_what_stands_in_no_sentence_is_not_learned() -> None:
    assert public.pointed_at(asked("What is Fra?", "Fra"), TEXT) is None
    assert public.told(asked("Why?", "Because the moon is made of cheese."), TEXT) is None
    assert public.told(asked("What is France?", "France is a country."), TEXT) == "France is a country."


def test_the_answer_gets_the_number_of_the_excerpt_of_its_document_that_bears_it_out() -> None:
    one = Exercise("When?", "It closes at **nine**.", "hours.md", "")
    shown = [_excerpt("cafe.md", "The cafe opens at ten."), _excerpt("hours.md", "It closes at nine.")]
    assert exercises.cited(one, shown) == "It closes at **nine** [2]."
    assert exercises.cited(one, shown[:1]) == ""


def test_a_part_that_stays_open_needs_no_number() -> None:
    one = Exercise(
        "When, and is there tea?", "It closes at **nine**. Our documents do not say whether there is tea.", "a", ""
    )
    said = exercises.cited(one, [_excerpt("a", "It closes at nine.")])
    assert said == "It closes at **nine** [1]. Our documents do not say whether there is tea."


def test_questions_that_the_sample_asks_are_left_out() -> None:
    ours = Exercise("How much is the large tent?", "", "", "")
    other = Exercise("Who founded the school in Ashford?", "", "", "")
    assert exercises.apart(Material([], [ours, other]), ["how much is the large tent"]).exercises == [other]


def test_companies_become_documents_in_a_folder_each() -> None:
    found = material(companies.companies(3, 2))
    assert {place.partition("/")[0] for place, _ in found.readings} == {"company-0", "company-1"}
    assert all(isinstance(reading, Reading) and reading.blocks for _, reading in found.readings)
    places = {place for place, _ in found.readings}
    assert all(one.document in places and one.document.startswith(f"{one.folder}/") for one in found.exercises)


def test_the_same_articles_are_held_out_again() -> None:
    places = [f"{article}::{n}" for article in "abcdefgh" for n in range(3)]
    held = public.held_out("squad2", places, 1)
    assert held == public.held_out("squad2", places, 1) and len(held) == 6
    assert {place.partition("::")[0] for place in held}.isdisjoint(
        place.partition("::")[0] for place in places if place not in held
    )


def test_an_examination_tells_the_words_that_answer_from_the_rest() -> None:
    prompt = ({"role": "user", "content": "[1] Hours\nIt closes at nine.\n\nQuestion: When?"},)
    lesson = Lesson(prompt, exercises.pointed_out("It closes at **nine** [1]."))
    assert lesson.answer == "It closes at nine [1].\n**nine**"
    f1, recall, cited, supported, words = examining.judged(lesson, lesson.answer)
    assert (f1, recall, cited, supported, words) == (1, 1, 1, 1, 4)
    f1, recall, cited, supported, _ = examining.judged(lesson, "Elephants sing at nine [2].")
    assert (recall, cited, supported) == (1, 0, 0)
    assert f1 == overlap.token_f1("Elephants sing at nine", ["nine"])


def test_instructions_are_checked_as_they_were_given() -> None:
    check = examining.CHECKS
    assert check["punctuation:no_comma"]("no comma", {}) and not check["punctuation:no_comma"]("a, b", {})
    at_least = {"relation": "at least", "num_words": 3}
    assert check["length_constraints:number_words"]("one two three", at_least)
    assert not check["length_constraints:number_words"]("one two", at_least)
    assert check["length_constraints:number_words"]("one two", at_least | {"relation": "less than"})


def test_the_card_says_what_was_learned_and_what_was_lost(tmp_path: Path) -> None:
    figures = {"questions": 2, "span_f1": 0.1, "span_recall": 0.2, "cited": 0.3, "supported": 0.4, "words": 12.0}
    one = {
        "companies": figures,
        "companies alone": figures,
        "instructions": {"tasks": 9, "followed": 0.5},
        "perplexity": 12.5,
    }
    stage = {
        "rank": 16, "alpha": 32, "learning_rate": 6e-4, "epochs": 1, "seed": 1, "tokens": 1000, "device": "cpu",
        "seconds": 61, "held_out_companies": 6, "lessons": {"companies": 10, "companies alone": 5},
        "words_that_answer": "behind",
    }  # fmt: skip
    made = {"base": "small", "stages": [stage], "before": one, "after": one | {"perplexity": 13}}
    text = card.written(made)
    assert "| companies | 2 | 10 → 10 |" in text and "| companies alone | 2 |" in text
    assert "10 of companies, 5 of companies alone" in text and text.count("our own generator") == 1
    assert "| perplexity on plain English | 12.5 | 13 |" in text


def _excerpt(document: str, text: str) -> Passage:
    return Passage(document, 1, document, document, "", None, text, 1.0)
