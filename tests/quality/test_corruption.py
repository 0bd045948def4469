"""Corrupted sentences differ from true ones in one fact, and the verification tells them apart."""

import random

import pytest

from bot import ground
from bot.quality import corruption, paraphrase, verification
from bot.records import Question
from ingest import sample, scratch

DOCUMENT = (
    "The workshop in Elmstow repairs tents from May to July. Repairs cost €25 and take 12 days. "
    "Kayaks are rented in Brindle since 2009. Outlet items cannot be exchanged. "
    "Oars are checked by Thomas Wilde in 2014."
)
TRUE = {
    "number": "Repairs cost €25 and take 12 days.",
    "date": "Kayaks are rented in Brindle since 2009.",
    "name": "Kayaks are rented in Brindle since 2009.",
    "negation": "Outlet items cannot be exchanged.",
    "roles": "The workshop in Elmstow repairs tents from May to July.",
    "word": "The workshop in Elmstow repairs tents from May to July.",
}


@pytest.mark.parametrize("kind", TRUE)
def test_one_fact_of_the_kind_is_exchanged_and_what_it_was_is_recorded(kind: str) -> None:
    made = corruption.corrupt(TRUE[kind], DOCUMENT, kind, random.Random(3))
    assert made is not None and made.kind == kind
    assert made.sentence != TRUE[kind]
    assert made.was in TRUE[kind] and made.now in made.sentence


def test_a_value_of_the_same_document_is_taken_where_there_is_one() -> None:
    made = corruption.corrupt(TRUE["name"], DOCUMENT, "name", random.Random(1))
    assert made is not None and made.now in {"Elmstow", "Thomas Wilde"}


def test_a_sentence_without_such_a_fact_is_left_alone() -> None:
    assert corruption.corrupt("Outlet items cannot be exchanged.", DOCUMENT, "number", random.Random(0)) is None


def test_the_same_seed_makes_the_same_corruption() -> None:
    one, other = (corruption.corrupt(TRUE["number"], DOCUMENT, "number", random.Random(7)) for _ in range(2))
    assert one == other


def test_a_question_and_its_short_answer_become_a_sentence() -> None:
    assert paraphrase.stated("Who painted the ceiling?", "Anna Marsh") == "Anna Marsh painted the ceiling."
    assert paraphrase.stated("When did it rain?", "in May") is None


def test_a_paraphrase_keeps_the_facts() -> None:
    sentence = "In 2009, the ferry carried 12 guests for €25."
    made = {paraphrase.paraphrase(sentence, random.Random(seed)) for seed in range(20)}
    assert len(made) > 2
    assert all(said and "2009" in said and ("12" in said or "twelve" in said) and "25" in said for said in made)


def test_the_interval_of_a_share_is_wilsons() -> None:
    assert verification.wilson(0, 0) == (0.0, 1.0)
    assert verification.wilson(475, 500) == pytest.approx((0.9272, 0.9659), abs=1e-3)


def test_of_the_sample_companys_sentences_the_false_ones_are_stopped_and_the_true_ones_pass() -> None:
    readings = scratch.from_files([path for path in sample.paths() if path.suffix in {".md", ".txt"}])
    texts = [(name, reading.title, "\n".join(block.text for block in reading.blocks)) for name, reading in readings]
    report = verification.evaluate(None, verification.cases(texts, sample.questions(), limit=60))
    assert report.corrupted.cases == report.true.cases == 60
    assert report.corrupted.share >= 0.95
    assert report.true.share <= 0.05
    by_kind = {one.kind: one for one in report.kinds}
    assert by_kind["foreign"].share >= 0.95
    assert len(report.missed) == report.corrupted.cases - report.corrupted.stopped
    assert report.sweep[0].bar == ground.BAR


def test_a_question_set_without_answers_has_no_answer_sentences() -> None:
    questions = [Question("q", "Where?", (), ("d",), True)]
    judged = verification.cases([("d", "Kayaks", DOCUMENT)], questions, limit=6)
    assert judged and all(case.source != "answer" for case in judged)
