"""Which version is preferred, how sure that is, and which two to compare next."""

import random
from dataclasses import replace

import pytest
import sqlalchemy as sa

from bot import adapters, arena, conversations, db
from bot.arena import Choice, Rating
from bot.errors import NotAllowed
from tests.bot.test_feedback import an_answer


@pytest.fixture
def versions(engine: sa.Engine) -> sa.Engine:
    for name in ("style-v1", "style-v2"):
        with db.writing(engine) as connection:
            adapters.register(connection, name, "/x", base="b", meta={}, report={}, state="candidate")
    return engine


def vote(engine: sa.Engine, left: str, right: str, choice: Choice, count: int = 1) -> None:
    for _ in range(count):
        contest = arena.put(engine, "a1", (left, right), (an_answer("l"), an_answer("r")), "ann")
        arena.vote(engine, contest.contest_id, choice, "ann")


def rated(engine: sa.Engine) -> dict[str, Rating]:
    return {one.name: one for one in arena.ratings(engine)}


def test_who_wins_more_is_rated_higher_wherever_it_stood(versions: sa.Engine) -> None:
    vote(versions, "style-v2", "style-v1", "left", 12)
    vote(versions, "style-v1", "style-v2", "right", 12)
    vote(versions, "style-v1", "style-v2", "left", 2)
    first, second = arena.ratings(versions)
    assert (first.name, second.name, first.votes) == ("style-v2", "style-v1", 26)
    assert first.low > 0.5 > second.high


def test_the_strengths_are_those_of_bradley_and_terry(versions: sa.Engine) -> None:
    # given many votes of which three in four go to one: its odds against the other are 3, each side's to the middle √3
    vote(versions, "style-v1", "style-v2", "left", 75)
    vote(versions, "style-v1", "style-v2", "right", 25)
    strong, weak = rated(versions)["style-v1"], rated(versions)["style-v2"]
    odds = strong.share / (1 - strong.share) / (weak.share / (1 - weak.share))
    assert odds == pytest.approx(3, rel=0.05)


def test_equal_and_both_bad_votes_pull_neither_way(versions: sa.Engine) -> None:
    vote(versions, "style-v1", "style-v2", "equal", 5)
    vote(versions, "style-v1", "style-v2", "both bad", 5)
    assert [one.share for one in arena.ratings(versions)] == pytest.approx([0.5, 0.5])


def test_more_votes_make_narrower_intervals(versions: sa.Engine) -> None:
    def width() -> float:
        one = rated(versions)["style-v1"]
        return one.high - one.low

    vote(versions, "style-v1", "style-v2", "left", 2)
    vote(versions, "style-v1", "style-v2", "right", 2)
    few = width()
    vote(versions, "style-v1", "style-v2", "left", 20)
    vote(versions, "style-v1", "style-v2", "right", 20)
    assert width() < few / 1.5


def test_the_intervals_hold_the_truth_about_as_often_as_they_say() -> None:
    # given three of known strengths, and forty votes on pairs at random, many times over
    dice, truth = random.Random(1), {"a": -0.7, "b": 0.0, "c": 0.7}
    inside = whole = 0
    for _ in range(100):
        votes = []
        for _ in range(40):
            left, right = dice.sample(list(truth), 2)
            votes.append((left, right, float(dice.random() < arena._chance(truth[left] - truth[right]))))
        fit = arena._fit(list(truth), votes)
        for i, j in ((0, 1), (0, 2), (1, 2)):
            error = (fit.covariance[i, i] + fit.covariance[j, j] - 2 * fit.covariance[i, j]) ** 0.5
            off = fit.strengths[i] - fit.strengths[j] - (truth["abc"[i]] - truth["abc"[j]])
            inside += abs(off) <= arena.SURE * error
            whole += 1
    assert inside / whole > 0.92


def test_the_pair_about_which_least_is_known_is_suggested(versions: sa.Engine) -> None:
    assert arena.suggested(versions)
    vote(versions, "", "style-v1", "left", 10)
    vote(versions, "", "style-v1", "right", 10)
    pair = arena.suggested(versions)
    assert pair and "style-v2" in pair


def test_a_pair_whose_outcome_is_clear_is_suggested_no_more(versions: sa.Engine) -> None:
    vote(versions, "style-v2", "", "left", 40)
    vote(versions, "style-v1", "", "left", 40)
    assert set(arena.suggested(versions) or ()) == {"style-v1", "style-v2"}


def test_the_first_vote_counts_and_a_rejected_version_is_not_compared(versions: sa.Engine) -> None:
    contest = arena.put(versions, "a1", ("style-v1", ""), (an_answer("l"), an_answer("r")), "ann")
    assert arena.waiting(versions, "ann") == contest
    assert arena.waiting(versions, "bob") is None
    arena.vote(versions, contest.contest_id, "left", "ann")
    assert arena.vote(versions, contest.contest_id, "right", "bob").choice == "left"
    assert arena.waiting(versions, "ann") is None
    with db.writing(versions) as connection:
        adapters.judge(connection, "style-v2", {}, "rejected")
    assert arena.contestants(versions) == ["", "style-v1"]


def test_only_what_customers_asked_and_the_model_answered_is_compared(versions: sa.Engine) -> None:
    with pytest.raises(NotAllowed, match="nothing to compare"):
        arena._next_source(versions, ("", "style-v1"), random.Random(0))
    told = {
        "a1": {"question": "How long?"},
        "a2": {"question": "Who won?", "abstained": True},
        "a3": {"question": "Pinned?", "pin": 3},
        "a4": {"question": "Until when?"},
    }
    for name, changes in told.items():
        given = replace(an_answer(name), **changes)  # type: ignore[arg-type]
        conversations.keep(versions, given, conversations.start(versions, "somebody"))
    conversations.keep(versions, replace(an_answer("a5"), question="Asked by the staff?"), None)
    assert set(arena.questions(versions).values()) == {"a1", "a4"}


def test_a_pair_gets_a_question_that_it_has_not_had(versions: sa.Engine) -> None:
    for name, question in (("a1", "How long?"), ("a4", "Until when?")):
        given = replace(an_answer(name), question=question)
        conversations.keep(versions, given, conversations.start(versions, "somebody"))
    vote(versions, "style-v1", "", "left")  # on "How long?"
    assert {arena._next_source(versions, ("", "style-v1"), random.Random(seed)) for seed in range(9)} == {"a4"}
