"""The row is the truth: whatever happens to messages and workers, work is done once."""

import pytest
import sqlalchemy as sa

from bot import db, jobs
from bot.errors import LeaseLost


@pytest.fixture
def job_id(engine: sa.Engine) -> int:
    with db.writing(engine) as connection:
        return jobs.enqueue(connection, "ingest", "7")


def expire_lease(engine: sa.Engine, job_id: int) -> None:
    with db.writing(engine) as connection:
        connection.execute(sa.update(db.jobs).where(db.jobs.c.job_id == job_id).values(lease_until=db.now() - 1))


def test_a_bell_that_rings_five_times_is_answered_once(engine: sa.Engine, job_id: int) -> None:
    assert [len(jobs.claim(engine, jobs.FAST)) for _ in range(5)] == [1, 0, 0, 0, 0]


def test_asking_twice_for_the_same_work_makes_one_job(engine: sa.Engine, job_id: int) -> None:
    with db.writing(engine) as connection:
        assert jobs.enqueue(connection, "ingest", "7") == job_id


def test_a_worker_whose_lease_ran_out_cannot_publish(engine: sa.Engine, job_id: int) -> None:
    (slow,) = jobs.claim(engine, jobs.FAST)
    expire_lease(engine, job_id)
    (quick,) = jobs.claim(engine, jobs.FAST)
    assert quick.fence > slow.fence
    with pytest.raises(LeaseLost), db.writing(engine) as connection:
        jobs.finish(connection, slow)
    with db.writing(engine) as connection:
        jobs.finish(connection, quick)
    assert jobs.claim(engine, jobs.FAST) == []


def test_a_job_of_a_dead_worker_is_rung_for_again(engine: sa.Engine, job_id: int) -> None:
    jobs.claim(engine, jobs.FAST)
    assert jobs.overdue(engine) == []
    expire_lease(engine, job_id)
    assert jobs.overdue(engine) == [jobs.FAST]


def test_a_job_whose_bell_was_lost_is_rung_for_again(engine: sa.Engine, job_id: int) -> None:
    with db.writing(engine) as connection:
        connection.execute(sa.update(db.jobs).values(rung_at=db.now() - jobs.RING_AGAIN_SECONDS - 1))
    assert jobs.overdue(engine) == [jobs.FAST]
    assert jobs.overdue(engine) == []


def test_a_job_that_kills_its_workers_is_quarantined_after_three_attempts(engine: sa.Engine, job_id: int) -> None:
    for _ in range(jobs.MAX_ATTEMPTS):
        assert jobs.claim(engine, jobs.FAST)
        expire_lease(engine, job_id)
    assert jobs.claim(engine, jobs.FAST) == []
    assert [job.job_id for job in jobs.exhausted(engine)] == [job_id]
    found = jobs.find(engine, job_id)
    assert found and found.state == "quarantined" and found.error


def test_waiting_for_something_that_is_down_costs_no_attempt(engine: sa.Engine, job_id: int) -> None:
    for _ in range(jobs.MAX_ATTEMPTS + 2):
        (job,) = jobs.claim(engine, jobs.FAST)
        jobs.put_back(engine, job, "The search index does not answer.")
    assert jobs.exhausted(engine) == []


def test_the_database_keeps_the_time(engine: sa.Engine, job_id: int) -> None:
    before = db.one(engine, sa.select(db.now()))
    jobs.claim(engine, jobs.FAST)
    row = db.one(engine, sa.select(db.jobs.c.lease_until))
    assert before and row and before[0] + jobs.LEASE_SECONDS <= row.lease_until <= before[0] + jobs.LEASE_SECONDS + 5
