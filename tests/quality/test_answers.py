"""What is measured of answers, each measure where it must differ from the others."""

import threading
import time
from dataclasses import replace
from typing import Any

import pytest
import sqlalchemy as sa

from bot.quality import answers, consistency, outcomes, overlap
from bot.quality.answers import AnswerReport
from bot.records import Answer, Question
from ingest import sample
from ingest.questions import load_questions
from tests.quality.given_answers import asked, desk_of, indexed, outcome, said, silence


def measured(engine: sa.Engine, *pairs: tuple[Question, Answer]) -> AnswerReport:
    return answers.report(desk_of(engine), [question for question, _ in pairs], [answer for _, answer in pairs])


def test_answerable_and_unanswerable_questions_are_told_apart(engine: sa.Engine) -> None:
    passage = indexed(engine)
    right = said(passage, "Anything unused may be returned within 45 days [1].")
    report = measured(
        engine,
        (asked("How long?", "within 45 days", number="1"), right),
        (asked("How long at most?", "45 days", number="2"), silence(passage)),
        (asked("Who won?", number="3"), silence(passage)),
        (asked("Who lost?", number="4"), right),
        (asked("Who drew?", number="5"), silence(passage)),
    )
    assert (report.questions, report.answered, report.answered_unanswerable) == (5, 0.5, 0.3333)
    assert (report.abstention_precision, report.abstention_recall, report.abstention_f1) == (0.6667, 0.6667, 0.6667)
    assert report.f1_answered == pytest.approx(2 * report.f1, abs=0.001)
    assert report.intervals["answered"].low == 0 and report.intervals["answered"].high == 1


def test_questions_are_asked_so_many_at_a_time_and_reported_in_their_order(
    engine: sa.Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    # given answers that come two by two, the later question's first
    passage, both = indexed(engine), threading.Barrier(2)

    def ask(_: Any, text: str, *__: Any) -> Answer:
        both.wait(timeout=30)
        time.sleep(0.1 * (int(text) % 2))
        return said(passage, f"Answer {text} [1].")

    monkeypatch.setattr(answers.consult, "ask", ask)
    questions = [asked(str(number), "45 days", number=str(number)) for number in (1, 2, 3, 4)]
    told = list[str]()
    (report,) = answers.side_by_side(desk_of(engine), questions, [""], told.append, together=2)
    # then each is with its question
    assert [one.text for one in report.answers] == [f"Answer {number} [1]." for number in (1, 2, 3, 4)]
    assert told == [f"asking {number} of 4" for number in (1, 2, 3, 4)]


def test_two_voices_are_asked_each_question_in_turn_and_reported_apart(
    engine: sa.Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    passage, in_turn = indexed(engine), list[tuple[str, str]]()

    def ask(_: Any, text: str, __: Any, adapter: str) -> Answer:
        in_turn.append((text, adapter))
        return said(passage, f"{adapter or 'The base'} says {text} [1].")

    monkeypatch.setattr(answers.consult, "ask", ask)
    questions = [asked(str(number), "45 days", number=str(number)) for number in (1, 2)]
    base, voice = answers.side_by_side(desk_of(engine), questions, ["", "style-v1"])
    assert in_turn == [("1", ""), ("1", "style-v1"), ("2", ""), ("2", "style-v1")]
    assert [one.text for one in base.answers] == ["The base says 1 [1].", "The base says 2 [1]."]
    assert [one.text for one in voice.answers] == ["style-v1 says 1 [1].", "style-v1 says 2 [1]."]


def test_who_gives_up_asks_no_further(engine: sa.Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    passage, begun = indexed(engine), list[str]()

    def ask(_: Any, text: str, *__: Any) -> Answer:
        begun.append(text)
        time.sleep(0.05)
        return said(passage, "Anything unused may be returned within 45 days [1].")

    def tell(text: str) -> None:
        if text == "asking 3 of 60":
            raise KeyError(text)

    monkeypatch.setattr(answers.consult, "ask", ask)
    with pytest.raises(KeyError):
        answers.side_by_side(desk_of(engine), [asked("How long?", "45 days")] * 60, [""], tell, together=2)
    assert len(begun) < 60


def test_the_right_document_at_the_wrong_place_does_not_hold_the_answer(engine: sa.Engine) -> None:
    passage = indexed(engine)
    report = measured(
        engine, (asked("How heavy?", "at most 25 kg"), said(passage, "The refund takes 5 working days [1]."))
    )
    assert (report.citation_precision, report.passage_precision) == (1.0, 0.0)


def test_a_sentence_counts_as_supported_only_where_its_citation_bears_it_out(engine: sa.Engine) -> None:
    passage = indexed(engine)
    question = asked("How long?", "45 days")
    report = measured(
        engine,
        (question, said(passage, "Anything unused may be returned within 45 days [1].")),
        (question, said(passage, "Anything unused may be returned within 90 days [1].")),
        (question, said(passage, "Anything unused may be returned within 45 days.")),
        (question, said(passage, "Anything unused may be returned within 45 days [1].", quote="not in the document")),
    )
    assert report.supported == 0.25
    assert report.intervals["supported"].of == 4


def test_a_sentence_that_leaves_a_part_of_the_question_open_needs_no_citation(engine: sa.Engine) -> None:
    text = "Anything unused may be returned within 45 days [1]. Our documents do not say who pays the postage."
    answer = said(indexed(engine), text, question="How long do I have, and who pays the postage?")
    report = measured(engine, (asked("How long?", "45 days"), answer))
    assert (report.supported, report.intervals["supported"].of) == (1.0, 2)


def test_the_words_that_answer_are_measured_where_they_are_set_off(engine: sa.Engine) -> None:
    passage = indexed(engine)
    question = asked("How long?", "45 days")
    whole = said(passage, "Anything unused may be returned within 45 days [1].")
    report = measured(
        engine, (question, replace(whole, keys=("45 days",))), (question, whole), (question, silence(passage))
    )
    assert report.outcomes[0].span_f1 == 1 and report.outcomes[1].span_f1 == report.outcomes[1].f1 < 1
    assert report.span_f1 == pytest.approx((1 + report.outcomes[1].f1) / 2, abs=0.001)


def test_a_row_that_was_kept_without_emphasis_still_loads() -> None:
    kept = outcomes.row(outcome(f1=0.8))
    del kept["key_f1"]
    assert outcomes.from_row(kept).span_f1 == 0.8


def test_a_quotation_is_not_in_own_words_and_is_not_spell_checked(engine: sa.Engine) -> None:
    passage = indexed(engine)
    quoted = said(passage, "Returns says: “Anythingg” [1]", quote="Anything", quoted=True)
    report = measured(engine, (asked("How long?", "45 days"), quoted))
    assert (report.own_words, report.supported) == (0.0, 1.0)
    assert report.outcomes[0].misspelt == ()


def test_a_set_without_unanswerable_questions_has_no_figure_for_them(engine: sa.Engine) -> None:
    report = measured(engine, (asked("How long?", "45 days"), said(indexed(engine), "Within 45 days [1].")))
    assert not report.intervals["answered_unanswerable"].measured
    assert report.intervals["answered"].measured


def test_no_question_gives_no_figure_and_no_error(engine: sa.Engine) -> None:
    report = measured(engine)
    assert report.questions == 0
    assert not any(interval.measured for interval in report.intervals.values())


def test_evidence_that_knows_better_than_similarity_has_the_smaller_area(engine: sa.Engine) -> None:
    passage = indexed(engine)
    right, wrong = asked("How long?", "45 days"), asked("Who won?")
    sure = [{"evidence": 0.9 - number / 100, "cosine": 0.5 + number / 100} for number in range(10)]
    pairs = [(right, said(passage, "45 days [1].", parameters=signs)) for signs in sure]
    pairs += [(wrong, said(passage, "5 days [1].", parameters={"evidence": 0.2, "cosine": 0.9}))] * 10
    risk = measured(engine, *pairs).risk
    assert risk is not None and risk.evidence.value == 0.25 and risk.similarity.value > 0.7
    assert risk.evidence.high < risk.similarity.low


def test_a_short_answer_must_stand_in_the_passage_as_it_is_and_a_long_one_nearly() -> None:
    assert overlap.holds("It may be returned within 45 days, if unused.", ["The 45 days"])
    assert not overlap.holds("It may be returned within 45 working days.", ["45 days"])
    long = "Anything that was not used may be returned to any of our shops within 45 days of delivery"
    assert overlap.holds("Within 45 days of delivery anything not used may be returned to any shop.", [long])
    assert not overlap.holds("Gift cards are sent by post on the day of delivery.", [long])


def test_an_answer_is_complete_where_one_sentence_says_it() -> None:
    assert overlap.sentence_recall("We do. It costs €5 a week [1].", ["€5 a week"]) == 1
    assert overlap.sentence_recall("It costs €5. Ask us next week.", ["€5 a week"]) == 0.5


def test_paraphrases_are_compared_by_decision_document_and_words(engine: sa.Engine) -> None:
    passage = indexed(engine)
    other = indexed(engine, "outlet.md", "Outlet goods go back within 45 days, no longer.")
    ways = [asked(text, "45 days", number=text) for text in ("How long?", "By when?", "Until when?")]
    alone = asked("How heavy?", "25 kg", number="alone")
    assert consistency.paraphrased([ways[0], alone, *ways[1:]]) == ways
    report = measured(
        engine,
        (ways[0], said(passage, "Within 45 days [1].")),
        (ways[1], said(other, "Within 45 days [1].")),
        (ways[2], silence(passage)),
        (alone, silence(passage)),
    )
    found = report.consistency
    assert found is not None and (found.groups, found.questions) == (1, 3)
    assert found.same_decision.value == pytest.approx(1 / 3, abs=0.001)
    assert (found.same_document.value, found.alike.value) == (0.0, 1.0)


def test_the_sample_company_is_asked_the_same_in_three_ways() -> None:
    ways = load_questions(sample.FOLDER / "paraphrases.jsonl")
    known = {question.question_id: question for question in sample.questions()}
    assert consistency.paraphrased(ways) == ways and len(ways) % 3 == 0
    for first, second, third in zip(ways[::3], ways[1::3], ways[2::3], strict=True):
        assert first == known[first.question_id] and first.answers == second.answers == third.answers
        assert len({first.text, second.text, third.text}) == 3


def test_a_set_without_paraphrases_has_no_consistency(engine: sa.Engine) -> None:
    assert measured(engine, (asked("Who won?"), silence(indexed(engine)))).consistency is None
