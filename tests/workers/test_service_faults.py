"""What happens to files and questions while Redis, Chroma or the schedule are down, hang, or lose what they held."""

import json
import os
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
import redis

from bot import consult, db, documents, jobs, ledger
from bot.errors import FrontdeskError, SearchUnavailable
from bot.records import Meta, Sighting
from bot.settings import HOME
from ingest import folder
from tests import full_stack
from tests.full_stack import PROGRAMS, Stack, wait_until
from tests.workers import given_stack
from tests.workers.given_stack import Indexing, answers, drop, in_order, indexing, manual, note, state

pytestmark = pytest.mark.timeout(600)

PAGE_SECONDS = 2
BOUNDED_SECONDS = 10
MORE_THAN_CHROMA_KEEPS_IN_ITS_LOG = 2_100  # entries: beyond 1,000 vectors it writes the files of the index


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory, models_dir: Path) -> Iterator[Stack]:
    data = given_stack.before_the_start(tmp_path_factory.mktemp("service-faults"))
    with full_stack.running(data, models_dir) as stack:
        wait_until(lambda: answers(stack))
        yield stack


def test_while_redis_hangs_a_file_waits_and_pages_are_quick_and_then_it_is_indexed(stack: Stack) -> None:
    with stack.frozen("broker"):
        # when
        drop(stack, "frozen.md", note("F", 1001))
        wait_until(lambda: state(stack, "frozen.md") == "queued")
        # then
        assert seconds(lambda: documents.listing(stack.desk.database)) < PAGE_SECONDS
        assert seconds(lambda: httpx.get(f"{stack.url}/_stcore/health").raise_for_status()) < PAGE_SECONDS
        assert state(stack, "frozen.md") == "queued"
        assert answers(stack)
    wait_until(lambda: state(stack, "frozen.md") == "indexed")
    assert in_order(stack)
    assert indexing(stack, "frozen.md") == Indexing("indexed", versions=1, attempts=1)


def test_files_whose_bells_were_flushed_from_redis_are_indexed_once(stack: Stack) -> None:
    client = redis.Redis.from_url(stack.desk.settings.redis_url.get_secret_value())
    with client, stack.frozen("fast-worker"):
        # given
        wait_until(lambda: client.llen(jobs.FAST) > 0)  # the schedule's: from now on nobody takes a bell out
        for n in range(5):
            drop(stack, f"flushed-{n}.md", note(f"G{n}", 1003 + n))
        wait_until(lambda: all(state(stack, f"flushed-{n}.md") == "queued" for n in range(5)))
        # when
        client.flushall()
    # then
    wait_until(lambda: all(state(stack, f"flushed-{n}.md") == "indexed" for n in range(5)))
    assert in_order(stack)
    for n in range(5):
        assert indexing(stack, f"flushed-{n}.md") == Indexing("indexed", versions=1, attempts=1)


def test_two_schedules_after_an_outage_of_the_schedule_have_the_work_done_once(stack: Stack) -> None:
    # given a file whose bell was lost, and nobody who rings again
    with stack.frozen("beat"):
        unrung(stack, "late.md", note("L", 1010))
        wait_until(lambda: overdue(stack, "late.md"))
        assert state(stack, "late.md") == "queued"
    # when
    with second_beat(stack) as said:
        wait_until(lambda: said().count("Sending due task sweep") >= 2)
    # then
    wait_until(lambda: state(stack, "late.md") == "indexed")
    assert in_order(stack)
    assert indexing(stack, "late.md") == Indexing("indexed", versions=1, attempts=1)


def test_while_chroma_is_down_nothing_is_answered_and_a_new_version_waits(stack: Stack) -> None:
    # given
    place = drop(stack, "tower.md", "# The tower\n\nThe tower of Quill Island is 12 metres high.\n")
    wait_until(lambda: answers(stack, "How high is the tower of Quill Island?", "12"))
    old = documents.active_version(stack.desk.database, "tower.md")
    # when
    with stack.without("vectors"):
        place.write_text("# The tower\n\nThe tower of Quill Island is 58 metres high.\n")
        wait_until(lambda: state(stack, "tower.md") == "queued" and given_stack.job(stack, "tower.md").error)
        # then
        assert "The search index" in str(given_stack.job(stack, "tower.md").error)
        assert documents.active_version(stack.desk.database, "tower.md") == old
        assert seconds(lambda: refusal(stack)) < BOUNDED_SECONDS
        assert refusal(stack).startswith("The search index at ") and "\n" not in refusal(stack)
    wait_until(lambda: answers(stack, "How high is the tower of Quill Island?", "58"))
    assert in_order(stack)
    assert indexing(stack, "tower.md") == Indexing("indexed", versions=2, attempts=1)


def test_chroma_killed_while_it_stores_loses_nothing_that_it_had_acknowledged(stack: Stack) -> None:
    # given
    before = stack.desk.knowledge.every_id()
    drop(stack, "manual.md", manual("first", MORE_THAN_CHROMA_KEEPS_IN_ITS_LOG))
    acknowledged: set[str] = set()
    while not acknowledged:
        acknowledged = stack.desk.knowledge.every_id() - before
    # when
    stack.kill("vectors")
    # then
    assert state(stack, "manual.md") != "indexed", "it was killed in the middle"
    wait_until(lambda: (held := stored(stack)) is not None and acknowledged <= held)
    wait_until(lambda: state(stack, "manual.md") == "indexed")
    assert in_order(stack)
    assert indexing(stack, "manual.md") == Indexing("indexed", versions=1, attempts=1)


def test_an_unreadable_index_is_found_and_made_anew_from_the_chunks(stack: Stack) -> None:
    # given
    chunks = documents.chunk_ids(stack.desk.database, 1)
    before = db.rows(stack.desk.database, db.jobs.select())
    with stack.without("vectors"):
        for header in (stack.data / "chroma").glob("*/header.bin"):
            header.write_bytes(os.urandom(header.stat().st_size))
    wait_until(lambda: unsearchable(stack))
    # when
    repaired = stack.frontdesk("verify", "--repair", "--json")
    # then
    assert repaired.returncode == 0, repaired.stdout + repaired.stderr
    assert not any(json.loads(repaired.stdout).values())
    assert stack.frontdesk("verify", "--json").returncode == 0
    wait_until(lambda: stored(stack) == chunks)
    assert db.rows(stack.desk.database, db.jobs.select()) == before, "no file was read again"
    assert answers(stack)


def unsearchable(stack: Stack) -> bool:
    """Whether `frontdesk verify` says that the collection cannot be searched."""
    verified = stack.frontdesk("verify", "--json")
    if not verified.stdout:
        return False  # Chroma is on its way up
    assert verified.returncode == 1
    assert json.loads(verified.stdout)["unsearchable"] == ["documents"]
    return True


def stored(stack: Stack) -> set[str] | None:
    """The chunks that Chroma holds; None while it is on its way up."""
    try:
        return stack.desk.knowledge.every_id()
    except SearchUnavailable:
        return None


def refusal(stack: Stack) -> str:
    """The sentence with which a question is refused."""
    with pytest.raises(FrontdeskError) as refused:
        consult.ask(stack.desk, "How high is the lighthouse of Quill Island?")
    assert isinstance(refused.value, SearchUnavailable)
    return str(refused.value)


def seconds(work: Callable[[], object]) -> float:
    begun = time.monotonic()
    work()
    return time.monotonic() - begun


def unrung(stack: Stack, path: str, text: str) -> None:
    """A file that the ledger knows, as from a watcher that died before it could ring."""
    half = drop(stack, f".{path}", text)
    size = half.stat().st_size
    ledger.observe(stack.desk.database, [Sighting(path, folder.digest(half, size), size, time.time(), Meta())])
    half.rename(stack.inbox / path)


def overdue(stack: Stack, path: str) -> bool:
    query = db.jobs.select().where(
        db.jobs.c.job_id == given_stack.job(stack, path).job_id,
        db.jobs.c.rung_at < db.now() - jobs.RING_AGAIN_SECONDS,
    )
    return bool(db.rows(stack.desk.database, query))


@contextmanager
def second_beat(stack: Stack) -> Iterator[Callable[[], str]]:
    """Another beat on the same data, and what it says."""
    output, schedule = stack.data / "second-beat", stack.data / "run/second-beat"
    command = [PROGRAMS / "celery", "-A", "workers.app", "beat", "--pidfile=", "--loglevel", "INFO", "-s", schedule]
    with output.open("w") as log:
        beat = subprocess.Popen(command, cwd=HOME, env=stack.environment, stdout=log, stderr=subprocess.STDOUT)
    try:
        yield output.read_text
    finally:
        beat.kill()
        beat.wait()
