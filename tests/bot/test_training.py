"""When the next training run is due, and why not now."""

import pytest
import sqlalchemy as sa

from bot import adapters, db, feedback, jobs, preferences, training
from bot.settings import Settings
from tests.bot.test_feedback import an_answer

SETTINGS = Settings(train_min_rows=4)
DAY = 86_400


def approve(engine: sa.Engine, *names: str) -> list[int]:
    rows = [feedback.rate(engine, an_answer(name), 1) for name in names]
    for row in rows:
        feedback.approve(engine, row, "ann", f"Happy to help: {row} [1].")
    return rows


@pytest.fixture
def learned(engine: sa.Engine) -> sa.Engine:
    """A run that has ended a moment ago, from whose rows a version learned."""
    rows = approve(engine, "a", "b", "c", "d")
    with db.writing(engine) as connection:
        jobs.enqueue(connection, "train", feedback.digest(engine), jobs.GPU)
    (job,) = jobs.claim(engine, jobs.GPU)
    with db.writing(engine) as connection:
        adapters.register(connection, "style-v1", "/x", base="b", meta={}, report={}, state="candidate")
        adapters.judge(connection, "style-v1", {}, "active")
        adapters.learned(connection, "style-v1", rows)
        feedback.mark_trained(connection, rows, "style-v1")
        jobs.finish(connection, job)
    return engine


def long_ago(engine: sa.Engine, days: float) -> None:
    with db.writing(engine) as connection:
        connection.execute(sa.update(db.jobs).values(finished_at=db.now() - days * DAY))


def test_enough_new_rows_start_a_run(engine: sa.Engine) -> None:
    approve(engine, "a", "b", "c")
    few = training.outlook(SETTINGS, engine)
    assert (few.due, few.new, few.reason) == (
        False,
        3,
        "1 more approved row is missing; then the next run starts by itself.",
    )
    approve(engine, "d")
    assert training.outlook(SETTINGS, engine).reason == "The next run starts within 10 minutes."
    assert training.is_due(SETTINGS, engine)


def test_a_run_that_is_on_is_waited_for(engine: sa.Engine) -> None:
    approve(engine, "a", "b", "c", "d")
    with db.writing(engine) as connection:
        jobs.enqueue(connection, "train", feedback.digest(engine), jobs.GPU)
    assert "A run is on" in training.outlook(SETTINGS, engine).reason
    assert not training.is_due(SETTINGS, engine)


def test_the_same_rows_are_not_tried_twice(engine: sa.Engine) -> None:
    approve(engine, "a", "b", "c", "d")
    with db.writing(engine) as connection:
        jobs.enqueue(connection, "train", feedback.digest(engine), jobs.GPU)
    (job,) = jobs.claim(engine, jobs.GPU)
    with db.writing(engine) as connection:
        jobs.finish(connection, job, "failed", "no luck")
    assert "tried these rows already" in training.outlook(SETTINGS, engine).reason
    assert not training.is_due(SETTINGS, engine)


def test_few_new_rows_are_learned_from_when_enough_days_have_passed(learned: sa.Engine) -> None:
    assert "nothing new to learn" in training.outlook(SETTINGS, learned).reason
    approve(learned, "e")
    waiting = training.outlook(SETTINGS, learned)
    assert not waiting.due and waiting.late_at and "14 days after the last one" in waiting.reason
    long_ago(learned, 13.9)
    assert not training.is_due(SETTINGS, learned)
    long_ago(learned, 14.1)
    assert training.is_due(SETTINGS, learned)


def test_the_staff_can_set_the_days(learned: sa.Engine) -> None:
    approve(learned, "e")
    long_ago(learned, 5)
    preferences.put(learned, preferences.TRAIN_DAYS, 4, "ann")
    assert training.is_due(SETTINGS, learned)


def test_without_anything_new_no_time_is_long_enough(learned: sa.Engine) -> None:
    long_ago(learned, 400)
    assert not training.is_due(SETTINGS, learned)


def test_what_the_speaking_version_learned_and_was_erased_since_starts_a_run(learned: sa.Engine) -> None:
    rows = approve(learned, "e")
    with db.writing(learned) as connection:
        adapters.mark_stale(connection, [1], "Erased.")
    assert len(rows) == 1
    assert training.is_due(SETTINGS, learned)
