"""What happens to files when workers, readers and events are lost in the middle of their work, with real processes."""

import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from bot import bell, db, documents, jobs
from tests import full_stack
from tests.full_stack import Stack, wait_until
from tests.meanwhile import repeatedly
from tests.workers import given_stack
from tests.workers.given_stack import Indexing, drop, find, in_order, indexing, manual, note, proofs, state

pytestmark = pytest.mark.timeout(600)

LEASE_AND_A_MINUTE = jobs.LEASE_SECONDS + 60
KILLER, OVERLOOKED = "lists.json", "overlooked.md"
BURST = 1_000
LONG = 800  # entries: more than a small file has, so that it goes the bulk lane at once
MOST_GROWTH_BYTES = 150_000_000


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory, models_dir: Path) -> Iterator[Stack]:
    """A Frontdesk with two faults that take up to a minute to settle, in which they must disturb nobody: a file that
    kills its reader, and a file of which no event told."""
    data = given_stack.before_the_start(tmp_path_factory.mktemp("ingest-faults"))
    with full_stack.running(data, models_dir) as stack:
        drop(stack, KILLER, f"[{'[],' * 15_000_000}[]]")  # as Python objects it needs more memory than a reader has
        with stack.frozen("watcher"):
            overflow_the_queue_of_events(stack.inbox)
            drop(stack, OVERLOOKED, note("overlooked", 5150))
        yield stack


def overflow_the_queue_of_events(inbox: Path) -> None:
    most = int(Path("/proc/sys/fs/inotify/max_queued_events").read_text())
    one, other = inbox / ".one", inbox / ".other"
    one.touch()
    for _ in range(most // 2 + 10):  # a renaming is two events, and as many as these are dropped are never told
        one.rename(other)
        one, other = other, one
    one.unlink()


def test_a_thousand_files_whose_workers_are_killed_are_indexed_once_in_bounded_memory(stack: Stack) -> None:
    # given the bulk worker in the middle of a thousand files, and the fast one in the middle of another
    watcher = stack.process("watcher")
    assert watcher
    before, memory = given_stack.indexed(stack), watcher.memory_info().rss
    for n in range(BURST):
        drop(stack, f"burst/{n // 100}/locker-{n}.md", note(f"B{n}", n))
    wait_until(lambda: given_stack.indexed(stack) > before + 100)
    with stack.frozen("model"):
        wait_until(lambda: embedding(stack, "burst"))
        drop(stack, "bulletin.md", manual("only", entries=100))
        wait_until(lambda: state(stack, "bulletin.md") == "embedding")
        assert given_stack.job(stack, "bulletin.md").lane == jobs.FAST
        parent, child, *readers = stack.family("fast-worker")
        bulk = stack.family("bulk-worker")
        # when the pool child of one and the parent alone of the other are killed
        child.kill()
        stack.kill("bulk-worker")
    # then
    wait_until(lambda: state(stack, "bulletin.md") == "indexed", LEASE_AND_A_MINUTE)
    wait_until(lambda: not any(map(alive, [child, *readers, *bulk])), 10)
    assert alive(parent)
    wait_until(lambda: given_stack.indexed(stack) >= before + BURST + 1)
    assert in_order(stack)
    assert watcher.memory_info().rss - memory < MOST_GROWTH_BYTES
    assert indexing(stack, "bulletin.md") == Indexing("indexed", versions=1, attempts=2)
    known = {one.path for one in documents.listing(stack.desk.database, states=["indexed"], collection="burst")}
    assert known == {f"burst/{n // 100}/locker-{n}.md" for n in range(BURST)}
    assert versions_below(stack, "burst/") == BURST, "each file is one version"
    assert given_stack.answers(stack, "What is the code of locker B777?", "777")


def test_a_crash_between_the_new_chunks_and_the_old_ones_never_shows_both(stack: Stack) -> None:
    # given
    place = drop(stack, "handbook.md", manual("edition 0", LONG))
    wait_until(lambda: state(stack, "handbook.md") == "indexed")
    with watched(stack, "handbook.md", "Who looks after the fern beside the gate?") as seen:
        for edition in itertools.count(1):
            before = documents.active_version(stack.desk.database, "handbook.md")
            replace(place, manual(f"edition {edition}", LONG))
            while documents.active_version(stack.desk.database, "handbook.md") == before:
                assert state(stack, "handbook.md") not in documents.BROKEN
            # when
            for process in stack.family("bulk-worker"):
                process.kill()
            if documents.stale_versions(stack.desk.database):
                break
            assert edition < 5, "the worker was never killed in time"
        # then
        assert in_order(stack)
    found = [versions for versions in seen if versions]  # a search during which the switch comes may find neither
    assert all(len(versions) == 1 for versions in found), "never two at once"
    assert found[-1] == {documents.active_version(stack.desk.database, "handbook.md")}
    assert [version for (version,), _ in itertools.groupby(found)] == sorted({version for (version,) in found})
    assert indexing(stack, "handbook.md") == Indexing("indexed", versions=edition + 1, attempts=1)
    wait_until(lambda: proofs(stack, "handbook.md") == edition * ["gone"])


def test_a_file_deleted_while_it_is_indexed_never_answers(stack: Stack) -> None:
    # given
    with watched(stack, "secret.md", "the secret edition") as seen:
        with stack.frozen("model"):
            place = drop(stack, "secret.md", manual("secret", LONG))
            wait_until(lambda: state(stack, "secret.md") == "embedding")
            # when
            place.unlink()
            wait_until(lambda: find(stack, "secret.md") is None)
        # then
        assert in_order(stack)
    assert seen and not any(seen)
    assert documents.active_version(stack.desk.database, "secret.md") is None
    wait_until(lambda: proofs(stack, "secret.md") == ["gone"])


def test_a_bell_or_a_message_that_comes_five_times_has_one_effect(stack: Stack) -> None:
    with stack.frozen("fast-worker"):
        drop(stack, "doorbell.md", note("doorbell", 5555))
        wait_until(lambda: state(stack, "doorbell.md") == "queued")
        for _ in range(5):
            bell.ring(stack.desk.settings, [jobs.FAST])
    wait_until(lambda: state(stack, "doorbell.md") == "indexed")
    for _ in range(5):
        bell.ring(stack.desk.settings, [jobs.FAST])
    assert in_order(stack)
    assert indexing(stack, "doorbell.md") == Indexing("indexed", versions=1, attempts=1)


def test_a_file_that_kills_its_reader_is_quarantined_after_three_attempts(stack: Stack) -> None:
    wait_until(lambda: state(stack, KILLER) in documents.BROKEN)
    assert indexing(stack, KILLER) == Indexing("quarantined", versions=1, attempts=jobs.MAX_ATTEMPTS)
    document = find(stack, KILLER)
    assert document and f"'{KILLER}' could not be read" in str(document.error)
    assert "It was tried 3 times." in str(document.error)
    assert in_order(stack)


def test_a_file_whose_event_was_lost_in_an_overflow_is_found_by_the_next_look_at_the_folder(stack: Stack) -> None:
    wait_until(lambda: state(stack, OVERLOOKED) == "indexed", LEASE_AND_A_MINUTE)
    assert in_order(stack)
    assert indexing(stack, OVERLOOKED) == Indexing("indexed", versions=1, attempts=1)


@contextmanager
def watched(stack: Stack, path: str, question: str) -> Iterator[list[set[int]]]:
    """Which versions of a file each of many searches brought up, one after the other, all the while."""
    seen: list[set[int]] = []
    with repeatedly(lambda: seen.append(given_stack.seen_versions(stack, path, question))):
        yield seen


def replace(place: Path, text: str) -> None:
    """Put a new file in the place of another, as editors do."""
    half = place.with_name(f".{place.name}")
    half.write_text(text)
    half.replace(place)


def embedding(stack: Stack, folder: str) -> bool:
    return bool(documents.listing(stack.desk.database, states=["embedding"], collection=folder))


def versions_below(stack: Stack, folder: str) -> int:
    query = db.versions.join(db.documents).select().where(db.documents.c.path.startswith(folder))
    return len(db.rows(stack.desk.database, query))


def alive(process: psutil.Process) -> bool:
    return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
