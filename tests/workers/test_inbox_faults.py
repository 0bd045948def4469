"""What happens when people, programs and disks treat the drop folder as they do, with real processes."""

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from bot import documents, notices
from tests import full_stack
from tests.full_stack import Stack, wait_until
from tests.workers import given_stack
from tests.workers.given_stack import Indexing, answers, drop, find, in_order, indexing, manual, note, proofs, state

pytestmark = pytest.mark.timeout(600)

DISK_MEGABYTES = 200
LARGE_BYTES = 1_000_000_000
SOON_SECONDS = 20  # well before the watcher looks at the whole folder again
BULK = 150
CABINETS = [f"cabinet-{n}.md" for n in range(6)]


@pytest.fixture(scope="module")
def disk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A small disk of its own, so that a test can fill it; an ordinary folder where this user may not mount one."""
    place = tmp_path_factory.mktemp("disk")
    options = ["-t", "tmpfs", "-o", f"size={DISK_MEGABYTES}m", "frontdesk-test", place]
    mounted = subprocess.run(["mount", *options], capture_output=True, check=False).returncode == 0
    yield place
    if mounted:
        subprocess.run(["umount", "--lazy", place], check=True)


@pytest.fixture(scope="module")
def stack(disk: Path, models_dir: Path) -> Iterator[Stack]:
    (disk / "data").mkdir()
    with full_stack.running(given_stack.before_the_start(disk / "data"), models_dir) as stack:
        for n, cabinet in enumerate(CABINETS):
            drop(stack, cabinet, note(f"C{n}", 3000 + n))
        wait_until(lambda: given_stack.indexed(stack) == len(CABINETS) + 1)
        yield stack


def test_an_emptied_inbox_is_halted_and_files_that_come_back_settle_it(stack: Stack, tmp_path: Path) -> None:
    # given
    copies = shutil.copytree(stack.inbox, tmp_path / "copies")
    # when
    empty(stack.inbox)
    # then
    wait_until(lambda: halted(stack))
    assert answers(stack)
    assert stack.frontdesk("verify", "--json").returncode == 1
    # when
    shutil.copytree(copies, stack.inbox, dirs_exist_ok=True)
    # then
    wait_until(lambda: not halted(stack))
    assert in_order(stack)
    assert_indexed_once(stack)


def test_an_inbox_replaced_by_an_empty_folder_is_halted_until_its_disk_is_back(stack: Stack) -> None:
    # when
    away = stack.inbox.with_name("unmounted")
    stack.inbox.rename(away)
    stack.inbox.mkdir()
    # then
    wait_until(lambda: halted(stack))
    assert answers(stack)
    # when
    stack.inbox.rmdir()
    away.rename(stack.inbox)
    # then
    wait_until(lambda: not halted(stack))
    assert in_order(stack)
    assert_indexed_once(stack)


def test_a_half_copied_file_is_not_read_until_it_is_whole(stack: Stack) -> None:
    place = stack.inbox / "copied.md"
    with place.open("w") as copying:
        for piece in range(3):
            copying.write(note(f"P{piece}", 4000 + piece))
            copying.flush()
            drop(stack, f"beside-{piece}.md", note(f"Q{piece}", 4100 + piece))
            wait_until(lambda n=piece: state(stack, f"beside-{n}.md") == "indexed")
            assert find(stack, "copied.md") is None
    wait_until(lambda: state(stack, "copied.md") == "indexed")
    assert in_order(stack)
    assert indexing(stack, "copied.md") == Indexing("indexed", versions=1, attempts=1)
    assert answers(stack, "What is the code of locker P2?", "4002")


def test_what_editors_leave_beside_a_file_is_ignored_and_a_save_is_one_version(stack: Stack) -> None:
    # given
    known = set(documents.paths(stack.desk.database))
    place = drop(stack, "essay.md", note("E", 4200))
    wait_until(lambda: state(stack, "essay.md") == "indexed")
    # when Vim, LibreOffice, Word and Emacs have it open, and rsync brings another
    for name in (".essay.md.swp", ".~lock.essay.md#", "~$essay.md", "#essay.md#", "essay.md.tmp", ".~tmp~/essay.md"):
        drop(stack, name, "Rubbish 999.\n")
    (stack.inbox / ".#essay.md").symlink_to("someone@somewhere.4711")
    # and Vim saves it
    drop(stack, "4913", "").unlink()
    place.rename(stack.inbox / "essay.md~")
    place.write_text(note("E", 4201))
    # then
    wait_until(lambda: answers(stack, "What is the code of locker E?", "4201"))
    assert in_order(stack)
    assert set(documents.paths(stack.desk.database)) == known | {"essay.md"}
    assert indexing(stack, "essay.md") == Indexing("indexed", versions=2, attempts=1)


def test_a_file_renamed_over_another_is_one_new_version(stack: Stack) -> None:
    place = drop(stack, "menu.md", note("M", 4300))
    wait_until(lambda: state(stack, "menu.md") == "indexed")
    (stack.data / "menu.md").write_text(note("M", 4301))
    (stack.data / "menu.md").replace(place)
    wait_until(lambda: answers(stack, "What is the code of locker M?", "4301"))
    assert in_order(stack)
    assert indexing(stack, "menu.md") == Indexing("indexed", versions=2, attempts=1)


def test_a_renamed_folder_is_moved_without_being_indexed_again(stack: Stack) -> None:
    # given
    for n in range(4):
        drop(stack, f"shelf/deep/box-{n}.md", note(f"S{n}", 4400 + n))
    wait_until(lambda: all(state(stack, f"shelf/deep/box-{n}.md") == "indexed" for n in range(4)))
    # when
    (stack.inbox / "shelf").rename(stack.inbox / "rack")
    # then
    wait_until(lambda: all(state(stack, f"rack/deep/box-{n}.md") for n in range(4)))
    assert in_order(stack)
    for n in range(4):
        assert find(stack, f"shelf/deep/box-{n}.md") is None
        assert indexing(stack, f"rack/deep/box-{n}.md") == Indexing("indexed", versions=1, attempts=1)


def test_links_that_lead_in_circles_or_out_of_the_folder_are_ignored(stack: Stack, tmp_path: Path) -> None:
    # given
    known = set(documents.paths(stack.desk.database))
    (tmp_path / "outside.md").write_text(note("O", 4500))
    # when
    (stack.inbox / "round").mkdir()
    (stack.inbox / "round" / "loop").symlink_to(stack.inbox, target_is_directory=True)
    (stack.inbox / "itself").symlink_to("itself")
    (stack.inbox / "outside.md").symlink_to(tmp_path / "outside.md")
    (stack.inbox / "elsewhere").symlink_to(tmp_path, target_is_directory=True)
    drop(stack, "round/first.md", note("R", 4501))
    wait_until(lambda: state(stack, "round/first.md") == "indexed", SOON_SECONDS)
    (tmp_path / "later.md").write_text(note("T", 4502))
    drop(stack, "second.md", note("V", 4503))
    # then
    wait_until(lambda: state(stack, "second.md") == "indexed", SOON_SECONDS)
    assert in_order(stack)
    assert set(documents.paths(stack.desk.database)) == known | {"round/first.md", "second.md"}


def test_a_file_of_a_gigabyte_is_refused_with_a_sentence_before_it_is_read(stack: Stack) -> None:
    with (stack.inbox / "huge.txt").open("w") as file:
        file.truncate(LARGE_BYTES)
    wait_until(lambda: state(stack, "huge.txt") == "failed", SOON_SECONDS)
    huge = find(stack, "huge.txt")
    assert huge and huge.error == "'huge.txt' is larger than 50 MB; split it and drop the parts."
    assert in_order(stack)
    assert indexing(stack, "huge.txt") == Indexing("failed", versions=1, attempts=1)
    (stack.inbox / "huge.txt").unlink()
    wait_until(lambda: find(stack, "huge.txt") is None)


def test_a_full_disk_stops_nothing_for_good(stack: Stack, disk: Path) -> None:
    if not disk.is_mount():
        pytest.skip("this user may not mount a small disk (tmpfs), and no other disk is to be filled")
    # given
    place = stack.inbox / "manual.md"
    (disk / "manual.md").write_text(manual("full", entries=1_000))
    with full(disk):
        # when
        (disk / "manual.md").rename(place)
        (stack.inbox / "cabinet-0.md").rename(stack.inbox / "cabinet-9.md")
        # then
        wait_until(lambda: "disk I/O error" in logs(stack) or "disk is full" in logs(stack))
        assert documents.active_version(stack.desk.database, "cabinet-1.md")
    wait_until(lambda: state(stack, "manual.md") == "indexed")
    assert in_order(stack)
    assert indexing(stack, "manual.md") == Indexing("indexed", versions=1, attempts=1)
    assert answers(stack)


def test_a_bulk_that_was_stopped_goes_on_after_the_next_start(stack: Stack) -> None:
    # given
    before = given_stack.indexed(stack)
    with stack.frozen("model"):
        for n in range(BULK):
            drop(stack, f"bulk/locker-{n}.md", note(f"U{n}", n))
        wait_until(lambda: documents.listing(stack.desk.database, states=["embedding"]))
        # when
        assert stack.frontdesk("down").returncode == 0
        assert stack.launcher.wait(10) == 0
    assert given_stack.indexed(stack) < before + BULK
    stack.start()
    # then
    wait_until(lambda: given_stack.indexed(stack) == before + BULK)
    assert in_order(stack)
    for n in range(BULK):
        assert len(given_stack.version_ids(stack, f"bulk/locker-{n}.md")) == 1
    assert answers(stack, "What is the code of locker U140?", "140")


def test_a_mass_deletion_that_is_confirmed_removes_what_is_gone(stack: Stack) -> None:
    # given
    gone = documents.paths(stack.desk.database)
    empty(stack.inbox)
    wait_until(lambda: halted(stack))
    # when
    assert stack.frontdesk("documents", "--remove-missing", "--json").returncode == 0
    # then
    assert documents.paths(stack.desk.database) == {}
    assert not halted(stack)
    assert not answers(stack)
    assert in_order(stack)
    for path in gone:
        wait_until(lambda path=path: set(proofs(stack, path)) <= {"gone"})


def empty(inbox: Path) -> None:
    for place in inbox.iterdir():
        if place.is_dir() and not place.is_symlink():
            shutil.rmtree(place)
        else:
            place.unlink()


def halted(stack: Stack) -> bool:
    """Whether the Documents page asks what is to become of files that vanished."""
    return notices.get(stack.desk.database, notices.MASS_DELETION) is not None


def assert_indexed_once(stack: Stack) -> None:
    for cabinet in CABINETS:
        assert indexing(stack, cabinet) == Indexing("indexed", versions=1, attempts=1)


def logs(stack: Stack) -> str:
    return "".join(log.read_text(errors="replace") for log in (stack.data / "logs").glob("*.log"))


@contextmanager
def full(disk: Path) -> Iterator[None]:
    """Not a byte is left on the disk."""
    ballast = disk / "ballast"
    with suppress(OSError), ballast.open("wb", buffering=0) as file:
        while True:
            file.write(bytes(100_000))
    try:
        yield
    finally:
        ballast.unlink()
