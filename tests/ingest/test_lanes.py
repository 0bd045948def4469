"""What is quick does not wait behind what is slow, and what is deadly takes nothing with it."""

from collections.abc import Sequence
from pathlib import Path

import pytest
import sqlalchemy as sa

from bot import db, documents, jobs, ledger, retrieve
from bot.desk import Desk
from bot.errors import ReaderKilled, ReaderTooSlow
from bot.records import Job, Sighting
from ingest import pipeline, sandbox, watch
from ingest.readers.reading import Reading
from tests.ingest.given_inbox import FERRY, FUNCTIONS, drop, found, work_off
from workers import running


def lanes(engine: sa.Engine) -> dict[str, int]:
    counted = sa.select(db.jobs.c.lane, sa.func.count()).group_by(db.jobs.c.lane)
    return {row[0]: row[1] for row in db.rows(engine, counted)}


def sighting(name: str, size: int = 1000) -> Sighting:
    return Sighting(name, name, size, 0.0)


def test_a_lone_small_file_takes_the_fast_lane_and_a_large_one_does_not(engine: sa.Engine) -> None:
    assert ledger.observe(engine, [sighting("small.txt")]) == {jobs.FAST}
    assert ledger.observe(engine, [sighting("large.pdf", ledger.SMALL_BYTES + 1)]) == {jobs.BULK}


def test_of_a_thousand_files_only_the_first_few_take_the_fast_lane(engine: sa.Engine) -> None:
    ledger.observe(engine, [sighting(f"{n}.txt") for n in range(1000)])
    assert lanes(engine) == {jobs.FAST: ledger.MOST_WAITING_FAST, jobs.BULK: 1000 - ledger.MOST_WAITING_FAST}


def test_a_job_that_was_begun_before_is_taken_alone(engine: sa.Engine) -> None:
    ledger.observe(engine, [sighting(f"{n}.txt") for n in range(4)])
    (first,) = jobs.claim(engine, jobs.FAST, 1)
    with db.writing(engine) as connection:  # its worker dies
        connection.execute(sa.update(db.jobs).where(db.jobs.c.job_id == first.job_id).values(lease_until=0.0))
    assert len(jobs.claim(engine, jobs.FAST, 8)) == 3
    assert [job.job_id for job in jobs.claim(engine, jobs.FAST, 8)] == [first.job_id]


def test_beside_others_only_what_was_never_begun_is_taken(engine: sa.Engine) -> None:
    ledger.observe(engine, [sighting(f"{n}.pdf", ledger.SMALL_BYTES + 1) for n in range(6)])
    (first,) = jobs.claim(engine, jobs.BULK, 1)
    with db.writing(engine) as connection:  # its worker dies
        connection.execute(sa.update(db.jobs).where(db.jobs.c.job_id == first.job_id).values(lease_until=0.0))
    held = jobs.claim(engine, jobs.BULK, 2)
    assert len(jobs.claim(engine, jobs.BULK, 8, beside=held[0])) == 3
    assert jobs.claim(engine, jobs.BULK, 8, beside=held[0]) == []
    (again,) = jobs.claim(engine, jobs.BULK, 8)
    ledger.observe(engine, [sighting("more.pdf", ledger.SMALL_BYTES + 1)])
    assert again.job_id == first.job_id and jobs.claim(engine, jobs.BULK, 8, beside=again) == []


def test_in_bulk_more_files_are_claimed_while_the_last_ones_are_embedded(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(jobs.TOGETHER, jobs.BULK, 5)
    count = ledger.MOST_WAITING_FAST + 12
    for n in range(count):
        drop(desk, f"note-{n}.md", f"# Note {n}\n\nLocker {n} opens with code Q{n}.\n")
    watch.rescan(desk)
    held: list[int] = []

    def ingest(place: Desk, jobs_held: list[Job]) -> None:
        pipeline.ingest(place, jobs_held)
        held.extend(job.job_id for job in jobs_held)
        assert jobs.keep(place.database, jobs_held) == [], "each has ended"

    assert running.work(jobs.BULK, {"ingest": ingest}, desk) == 12 == len(set(held))
    assert documents.count_by_state(desk.database) == {"indexed": 12, "queued": ledger.MOST_WAITING_FAST}


def test_leases_of_many_jobs_are_kept_together(engine: sa.Engine) -> None:
    ledger.observe(engine, [sighting(f"{n}.txt") for n in range(3)])
    held = jobs.claim(engine, jobs.FAST, 3)
    with db.writing(engine) as connection:
        connection.execute(sa.update(db.jobs).values(lease_until=0.0))
        connection.execute(sa.update(db.jobs).where(db.jobs.c.job_id == held[2].job_id).values(fence=99))
    assert jobs.keep(engine, held) == held[:2]
    running_out = sa.select(db.jobs.c.job_id).where(db.jobs.c.lease_until == 0.0)
    assert [row.job_id for row in db.rows(engine, running_out)] == [held[2].job_id], "that one is another worker's now"


def test_a_small_file_that_is_slow_to_read_makes_way_for_the_others(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = sandbox.read

    def slow(place: Path, patience: float = sandbox.WALL_SECONDS) -> Reading:
        if place.name == "slow.md" and patience < sandbox.WALL_SECONDS:
            raise ReaderTooSlow("'slow.md' took too long to read; split it.")
        return read(place, patience)

    monkeypatch.setattr(sandbox, "read", slow)
    drop(desk, "slow.md", FERRY)
    drop(desk, "quick.md", "# Tides\n\nHigh tide is at noon.\n")
    watch.rescan(desk)
    running.work(jobs.FAST, FUNCTIONS, desk)
    states = {one.path: one.state for one in documents.listing(desk.database)}
    assert states == {"slow.md": "queued", "quick.md": "indexed"}
    running.work(jobs.BULK, FUNCTIONS, desk)
    assert "7:45" in found(desk, "ferry")


def test_a_file_that_kills_its_reader_is_set_aside_after_three_attempts(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = sandbox.read

    def deadly(place: Path, patience: float = sandbox.WALL_SECONDS) -> Reading:
        if place.name == "bomb.md":
            raise ReaderKilled("'bomb.md' needs more memory than a reader may have; split it.")
        return read(place, patience)

    monkeypatch.setattr(sandbox, "read", deadly)
    drop(desk, "bomb.md", "boom")
    drop(desk, "ferries.md", FERRY)
    watch.rescan(desk)
    for _ in range(jobs.MAX_ATTEMPTS):
        work_off(desk)
    bomb = documents.find(desk.database, "bomb.md")
    assert bomb.state == "quarantined"
    assert bomb.error == "'bomb.md' needs more memory than a reader may have; split it. It was tried 3 times."
    assert "7:45" in found(desk, "ferry")


def test_many_files_are_switched_to_in_few_transactions(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    together: list[int] = []
    activate = ledger.activate

    def counted(engine: sa.Engine, done: Sequence[pipeline.Indexed]) -> list[Job]:
        together.append(len(done))
        return activate(engine, done)

    monkeypatch.setattr(ledger, "activate", counted)
    for n in range(100):
        drop(desk, f"note-{n}.md", f"# Note {n}\n\nNote {n} says that locker {n} opens with code Q{n}.\n")
    watch.rescan(desk)
    work_off(desk)
    assert sum(together) == 100 and len(together) < 10
    assert documents.count_by_state(desk.database) == {"indexed": 100}


def test_the_text_that_two_documents_share_is_cited_once(desk: Desk) -> None:
    drop(desk, "ferries.md", FERRY)
    drop(desk, "copy of ferries.md", FERRY)
    watch.rescan(desk)
    work_off(desk)
    (once,) = retrieve.search(desk, "When does the ferry leave?", 5, copies=False)
    assert "7:45" in once.text
    (desk.settings.inbox_dir / "ferries.md").unlink()
    watch.rescan(desk)
    assert found(desk, "When does the ferry leave?").count("7:45") == 1, "the copy speaks now"
