"""When the next training run is due, and why not now; and how one is stopped."""

from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from bot import adapters, db, feedback, jobs, preferences, training
from bot.errors import LeaseLost, NotAllowed
from bot.records import Job
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


def begin(engine: sa.Engine, progress: dict[str, Any]) -> Job:
    """A run on the approved rows that a worker has begun."""
    with db.writing(engine) as connection:
        jobs.enqueue(connection, "train", feedback.digest(engine), jobs.GPU)
    (job,) = jobs.claim(engine, jobs.GPU)
    jobs.report(engine, job, progress)
    return job


def test_a_run_that_waits_is_stopped_before_it_begins(engine: sa.Engine) -> None:
    with db.writing(engine) as connection:
        jobs.enqueue(connection, "train", "rows", jobs.GPU)
    stopped = training.stop(engine, "ann")
    assert (stopped.state, stopped.error) == ("stopped", "Stopped by ann before it began.")
    assert jobs.claim(engine, jobs.GPU) == []


@pytest.mark.parametrize(
    ("progress", "where"),
    [
        ({"stage": "training", "step": 12, "steps": 27}, "at step 12 of 27"),
        ({"stage": "checking", "step": 3, "steps": 96}, "while it was checking"),
        ({}, "while it was starting"),
    ],
)
def test_a_stopped_run_says_how_far_it_was(engine: sa.Engine, progress: dict[str, Any], where: str) -> None:
    job = begin(engine, progress)
    assert training.stop(engine, "ann").error == f"Stopped by ann {where}."
    with pytest.raises(LeaseLost):
        jobs.renew(engine, job)


def test_what_has_ended_cannot_be_stopped(engine: sa.Engine) -> None:
    with pytest.raises(NotAllowed, match="nothing to stop"):
        training.stop(engine, "ann")
    job = begin(engine, {})
    with db.writing(engine) as connection:
        jobs.finish(connection, job)
    with pytest.raises(NotAllowed, match="nothing to stop"):
        training.stop(engine, "ann")
    ended = jobs.find(engine, job.job_id)
    assert ended and ended.state == "done"


def test_a_stopped_run_is_left_until_the_rows_are_others(engine: sa.Engine) -> None:
    approve(engine, "a", "b", "c", "d")
    begin(engine, {})
    training.stop(engine, "ann")
    assert "was stopped" in training.outlook(SETTINGS, engine).reason
    assert not training.is_due(SETTINGS, engine)
    approve(engine, "e")
    assert training.is_due(SETTINGS, engine)


def test_a_run_that_handed_back_rows_has_tried_those_that_it_kept(engine: sa.Engine) -> None:
    approve(engine, "a", "b", "c", "d")
    [bad] = approve(engine, "e")
    job = begin(engine, {})
    feedback.hand_back(engine, bad, "Frontdesk", "It invents.")
    jobs.report(engine, job, {"rows": feedback.digest(engine)})
    with db.writing(engine) as connection:
        jobs.finish(connection, job)
    assert "tried these rows already" in training.outlook(SETTINGS, engine).reason
    assert not training.is_due(SETTINGS, engine)


def test_nothing_is_gone_on_from_where_nothing_was_kept(engine: sa.Engine, tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path)
    begin(engine, {"stage": "training", "step": 2, "steps": 27})
    training.stop(engine, "ann")
    assert training.goes_on_from(settings, engine) is None
    training.checkpoint(settings).parent.mkdir(parents=True)
    training.checkpoint(settings).write_bytes(b"cut off")
    assert training.goes_on_from(settings, engine) is None


def test_what_a_run_has_left_is_erased_once_one_has_ended_well(learned: sa.Engine, tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path)
    left = training.checkpoint(settings)
    left.parent.mkdir(parents=True)
    left.write_bytes(b"left")
    training.drop_outdated(settings, learned)
    assert not left.exists()
