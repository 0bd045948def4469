"""Only what a reviewer approved trains, and only as it was approved."""

import pytest
import sqlalchemy as sa

from bot import conversations, db, feedback
from bot.errors import NotAllowed
from bot.records import Answer, Passage, Timings

PASSAGE = Passage("c1", 1, "returns.md", "Returns", "", None, "You have 45 days.", 1.0)


def an_answer(answer_id: str = "a1") -> Answer:
    timings = Timings(1, 2, 3)
    return Answer(
        answer_id, "How long?", "You have 45 days [1].", False, False, (), (PASSAGE,), (), "m", None, "p", {}, timings
    )


def test_a_thumb_alone_never_trains(engine: sa.Engine) -> None:
    for n in range(100):
        feedback.rate(engine, an_answer(f"a{n}"), 1)
    assert feedback.trainable(engine) == []


def test_an_approved_rewrite_trains(engine: sa.Engine) -> None:
    row = feedback.rate(engine, an_answer(), 0, "Wrong tone", "too dry")
    feedback.approve(engine, row, "ann", "Happy to help: you have 45 days [1].")
    assert [one.rewrite for one in feedback.trainable(engine)] == ["Happy to help: you have 45 days [1]."]


def test_an_edit_after_approval_voids_it(engine: sa.Engine) -> None:
    row = feedback.rate(engine, an_answer(), 1)
    feedback.approve(engine, row, "ann")
    with db.writing(engine) as connection:
        connection.execute(sa.update(db.feedback).values(rewrite="You have 90 days [1]."))
    assert feedback.trainable(engine) == []


def test_rejected_and_reopened_rows_do_not_train(engine: sa.Engine) -> None:
    row = feedback.rate(engine, an_answer(), 1)
    feedback.approve(engine, row, "ann")
    feedback.reopen(engine, row)
    assert feedback.trainable(engine) == []
    feedback.reject(engine, row, "ann", "not ours to say")
    assert feedback.find(engine, row).note == "not ours to say"


def test_rating_again_replaces_the_rating_until_a_reviewer_has_decided(engine: sa.Engine) -> None:
    row = feedback.rate(engine, an_answer(), 1)
    assert feedback.rate(engine, an_answer(), 0, "Wrong") == row
    assert feedback.find(engine, row).rating == 0
    feedback.reject(engine, row, "ann")
    feedback.rate(engine, an_answer(), 1)
    assert feedback.find(engine, row).rating == 0


def test_another_customers_answer_looks_like_one_that_does_not_exist(engine: sa.Engine) -> None:
    theirs = conversations.start(engine, "customer-1")
    conversations.keep(engine, an_answer("a1"), theirs)
    assert conversations.answer(engine, "a1", "customer-1").answer_id == "a1"
    with pytest.raises(NotAllowed) as exists:
        conversations.answer(engine, "a1", "customer-2")
    with pytest.raises(NotAllowed) as missing:
        conversations.answer(engine, "a2", "customer-2")
    assert str(exists.value).replace("a1", "a2") == str(missing.value)
    assert conversations.answers(engine, theirs, "customer-2") == []


def test_an_answer_comes_back_as_it_was_kept(engine: sa.Engine) -> None:
    conversations.keep(engine, an_answer(), None)
    assert conversations.answer(engine, "a1") == an_answer()
