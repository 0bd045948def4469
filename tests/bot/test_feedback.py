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


# reviewers who disagree


def test_two_who_disagree_leave_a_row_disputed_and_a_third_decides(engine: sa.Engine) -> None:
    row = feedback.rate(engine, an_answer(), 1)
    feedback.approve(engine, row, "ann", "Happy to help: you have 45 days [1].")
    feedback.reject(engine, row, "bob", "too chummy")
    assert feedback.find(engine, row).state == "disputed"
    assert feedback.trainable(engine) == []
    feedback.approve(engine, row, "cleo")
    (learned,) = feedback.trainable(engine)
    assert learned.rewrite == "Happy to help: you have 45 days [1]."
    assert [(one.reviewer, one.verdict) for one in feedback.opinions(engine, row)] == [
        ("ann", "approve"),
        ("bob", "reject"),
        ("cleo", "approve"),
    ]


def test_a_reviewer_who_changes_their_mind_disputes_nothing(engine: sa.Engine) -> None:
    row = feedback.rate(engine, an_answer(), 1)
    feedback.approve(engine, row, "ann")
    feedback.reject(engine, row, "ann", "on second thoughts")
    assert feedback.find(engine, row).state == "rejected"


def test_undoing_takes_back_ones_own_opinion_alone(engine: sa.Engine) -> None:
    row = feedback.rate(engine, an_answer(), 1)
    feedback.approve(engine, row, "ann")
    feedback.reject(engine, row, "bob")
    feedback.undo(engine, row, "bob")
    assert feedback.find(engine, row).state == "approved"
    assert len(feedback.trainable(engine)) == 1
    feedback.undo(engine, row, "ann")
    assert feedback.find(engine, row).state == "pending"
    assert feedback.opinions(engine, row) == []


def test_what_is_not_fit_to_learn_from_is_rejected_whatever_reviewers_said(engine: sa.Engine) -> None:
    row = feedback.rate(engine, an_answer(), 1)
    feedback.approve(engine, row, "ann")
    feedback.hand_back(engine, row, "Frontdesk", "It says the same as row 7.")
    assert feedback.find(engine, row).state == "rejected"
    assert feedback.trainable(engine) == []


def test_rows_are_assigned_and_everybody_who_reviews_is_known(engine: sa.Engine) -> None:
    rows = [feedback.rate(engine, an_answer(name), 1) for name in ("a1", "a2")]
    feedback.assign(engine, rows, "bob")
    feedback.approve(engine, rows[0], "ann")
    assert [row.assignee for row in feedback.listing(engine)] == ["bob", "bob"]
    assert feedback.reviewers(engine) == ["ann", "bob"]


def test_a_wrong_fact_is_reported_until_it_is_seen_to(engine: sa.Engine) -> None:
    row = feedback.rate(engine, an_answer(), 0)
    feedback.reject(engine, row, "ann", "It is 30 days now.", "wrong fact", "Maria Lind")
    (report,) = feedback.reports(engine)
    assert (report.feedback_id, report.owner) == (row, "Maria Lind")
    feedback.settle_report(engine, row, "bob")
    assert feedback.reports(engine) == []


def test_a_customer_can_be_told_what_became_of_an_opinion(engine: sa.Engine) -> None:
    row = feedback.rate(engine, an_answer(), 1)
    assert feedback.learned_in(engine, ["a1"]) == {}
    with db.writing(engine) as connection:
        feedback.mark_trained(connection, [row], "style-v2")
    assert feedback.learned_in(engine, ["a1", "a2"]) == {"a1": "style-v2"}
