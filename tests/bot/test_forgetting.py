"""A customer's conversation is erased with all that came of it, and nobody else's."""

from dataclasses import replace
from pathlib import Path

import pytest
import sqlalchemy as sa

from bot import adapters, arena, conversations, db, feedback, forgetting, gaps, handoffs, jobs, training
from bot.errors import NotAllowed
from bot.manners import labels
from bot.settings import Settings
from tests.bot.test_feedback import an_answer

SECRET = "Where is my order 4711?"
MODEL = "all-minilm-l6-v2"


def asked(engine: sa.Engine, answer_id: str, question: str = SECRET) -> str:
    """A conversation of one answer."""
    conversation_id = conversations.start(engine, "somebody")
    conversations.keep(engine, replace(an_answer(answer_id), question=question), conversation_id)
    return conversation_id


@pytest.fixture
def used(engine: sa.Engine) -> str:
    """A conversation of which everything was made that can be."""
    conversation_id = asked(engine, "a1")
    given = conversations.answer(engine, "a1")
    row = feedback.rate(engine, given, 0, "Wrong tone", "order 4711!")
    feedback.approve(engine, row, "ann", "Happy to help: you have 45 days [1].")
    labels.put(engine, SECRET, {"urgency": "urgent"}, "ann")
    gaps.record(engine, given, [1.0, 0.0], MODEL)
    handoffs.request(engine, given, conversation_id, "call me on 0170 1234567")
    conversations.keep(engine, replace(given, answer_id="again"), None)
    contest = arena.put(engine, "a1", ("style-v1", ""), (given, given), "ann")
    arena.vote(engine, contest.contest_id, "left", "ann")
    with db.writing(engine) as connection:
        for name, state in (("style-v1", "active"), ("style-v2", "rejected")):
            adapters.register(connection, name, "/x", base="b", meta={}, report={}, state="candidate")
            adapters.judge(connection, name, {}, state)  # type: ignore[arg-type]
        adapters.learned(connection, "style-v1", [row])
        adapters.learned(connection, "style-v2", [row + 1_000])
        feedback.mark_trained(connection, [row], "style-v1")
        jobs.enqueue(connection, "train", "rows", jobs.GPU)
    (job,) = jobs.claim(engine, jobs.GPU)
    jobs.report(engine, job, {"stage": "training", "samples": [{"question": SECRET, "answer": "Soon."}]})
    training.stop(engine, "ann")
    return conversation_id


def everything(engine: sa.Engine) -> str:
    """All that the database holds, as text."""
    with db.reading(engine) as connection:
        return "\n".join(
            str(row) for table in db.metadata.sorted_tables for row in connection.execute(sa.select(table)).all()
        )


def test_nothing_of_it_is_left_and_what_was_erased_is_counted(engine: sa.Engine, used: str) -> None:
    assert "4711" in everything(engine)
    gone = forgetting.forget(engine, used)
    assert "4711" not in everything(engine) and "1234567" not in everything(engine) and used not in everything(engine)
    assert gone == forgetting.Forgotten(
        conversation_id=used,
        answers=2,
        feedback=1,
        labels=1,
        gaps=1,
        handoffs=1,
        comparisons=1,
        adapters=("style-v1",),
    )


def test_a_version_that_learned_from_it_is_marked_and_a_run_without_it_is_due(engine: sa.Engine, used: str) -> None:
    for number in range(4):
        row = feedback.rate(engine, an_answer(f"other {number}"), 1)
        feedback.approve(engine, row, "ann", f"Happy to help {number} [1].")
        with db.writing(engine) as connection:
            feedback.mark_trained(connection, [row], "style-v1")
    settings = Settings(train_min_rows=4)
    assert not training.is_due(settings, engine)
    forgetting.forget(engine, used)
    assert "erased" in adapters.find(engine, "style-v1").stale
    assert adapters.history(engine)[0].step == "stale"
    assert not adapters.find(engine, "style-v2").stale
    assert training.is_due(settings, engine)
    assert "erased in part" in training.outlook(settings, engine).reason


def test_what_others_said_stays_also_in_the_same_words(engine: sa.Engine, used: str) -> None:
    theirs = asked(engine, "a2")
    forgetting.forget(engine, used)
    assert [one.answer_id for one in conversations.answers(engine, theirs, "somebody")] == ["a2"]
    assert labels.said(engine) == {SECRET: {"urgency": "urgent"}}


def test_a_conversation_that_does_not_exist_is_said_so(engine: sa.Engine) -> None:
    with pytest.raises(NotAllowed, match="no conversation 'nope'"):
        forgetting.forget(engine, "nope")


def test_a_conversation_is_found_by_one_of_its_answers(engine: sa.Engine, used: str) -> None:
    assert forgetting.forget(engine, "a1").conversation_id == used


def test_on_sqlite_the_file_itself_holds_nothing_of_it(engine: sa.Engine, used: str) -> None:
    place = engine.url.database
    assert place
    forgetting.forget(engine, used)
    engine.dispose()
    assert b"4711" not in Path(place).read_bytes()
